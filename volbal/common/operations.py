"""What people do in the console: each operation shows whom it concerns, asks, and calls one service.

`OperationsAdmin` gives a table its operations, on selected rows and on one, and its way to make a new row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from unfold import widgets

from volbal.common.errors import VolbalError

_WIDGETS: tuple[tuple[type[forms.Field], Any], ...] = (
    (forms.BooleanField, widgets.UnfoldBooleanSwitchWidget),
    (forms.MultipleChoiceField, widgets.UnfoldAdminCheckboxSelectMultipleWidget),
    (forms.ChoiceField, widgets.UnfoldAdminSelectWidget),
    (forms.DecimalField, widgets.UnfoldAdminDecimalFieldWidget),
    (forms.IntegerField, widgets.UnfoldAdminIntegerFieldWidget),
    (forms.EmailField, widgets.UnfoldAdminEmailInputWidget),
    (forms.CharField, widgets.UnfoldAdminTextInputWidget),
    (forms.DateTimeField, widgets.UnfoldAdminTextInputWidget),
)


class ServiceForm(forms.Form):
    """The arguments of a service. `perform` calls it for one row, or for none to make a new one.

    `request` is the request that performs it; refusals are shown beside what was typed.
    """

    def __init__(self, *arguments: Any, request: HttpRequest, row: Model | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.request, self.row = request, row
        self.prepare()
        for field in self.fields.values():
            _dress(field)

    def prepare(self) -> None:
        """Narrow choices and fill in what is known of `row`; does nothing unless a form overrides it."""

    def preview(self, rows: Sequence[Any]) -> Sequence[str]:
        """Say in lines what performing it on `rows` would reach; shown before it is done. Nothing unless overridden."""
        return ()

    def outcome(self, rows: Sequence[Any]) -> Sequence[str] | None:
        """Return in lines what performing what was typed would do, to be confirmed first; None where nothing is asked.

        Reads and writes nothing. Raises VolbalError where it cannot be done.
        """
        return None

    def perform(self, row: Any) -> Model:
        """Call the service and return the row it wrote."""
        raise NotImplementedError


def _fingerprint(lines: Sequence[str]) -> str:
    """Return what tells one preview from another: only what was shown is done."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _dress(field: forms.Field) -> None:
    """Give a field the console's look, unless it chose a widget itself."""
    if isinstance(field.widget, forms.PasswordInput):
        field.widget = widgets.UnfoldAdminPasswordWidget()
        return
    if isinstance(field.widget, forms.Textarea):
        return
    for kind, widget in _WIDGETS:
        if isinstance(field, kind):
            dressed = widget()
            dressed.is_required = field.required
            if isinstance(field, forms.ChoiceField):
                dressed.choices = field.widget.choices
            dressed.attrs.update(field.widget_attrs(dressed))
            field.widget = dressed
            if isinstance(field, forms.ModelChoiceField):
                field.widget.choices = field.choices
            return


def _typed(request: HttpRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Operation:
    """Something done to rows.

    `harm` says in a sentence what it takes away, where it does; `possible` whether a row's page offers it; `removes`
    whether the row is gone afterwards.
    """

    name: str
    label: str
    form: type[ServiceForm]
    harm: str = ""
    possible: Callable[[Any], bool] = _always
    removes: bool = False


class OperationsAdmin:
    """Mix into a SharedAdmin or TenantAdmin: rows are made and changed by forms that call services."""

    operations: ClassVar[Sequence[Operation]] = ()
    create_form: ClassVar[type[ServiceForm] | None] = None
    # Rows are named in the operation's address; nobody acts on more than a page of them at once.
    list_disable_select_all = True
    change_form_outer_before_template = "admin/volbal/operations.html"

    # What the other base provides.
    model: type[Model]
    opts: Any
    admin_site: Any
    may_act_on: Callable[[HttpRequest, Model | None], bool]
    who_acts: str
    get_queryset: Callable[[HttpRequest], QuerySet[Any]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow whoever acts in some tenant, where there is a form to do it by."""
        return self.create_form is not None and self.may_act_on(request, None)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Allow whoever acts in some tenant; each row is asked about again."""
        return self.may_act_on(request, None)

    def get_urls(self) -> list[URLPattern]:
        """Add the address of each operation."""
        own = [
            path(
                f"operation/{operation.name}/",
                self.admin_site.admin_view(self._view_of(operation)),
                name=self._url_name(operation),
            )
            for operation in self.operations
        ]
        return own + super().get_urls()  # type: ignore[misc,no-any-return]  # the other base has it

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer each operation on the selected rows."""
        offered: dict[str, Any] = super().get_actions(request)  # type: ignore[misc]  # the other base has it
        if self.has_operate_permission(request):
            for operation in self.operations:
                offered[operation.name] = (self._action_of(operation), operation.name, operation.label)
        return offered

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a new row by its form."""
        if self.create_form is None or not self.has_add_permission(request):
            raise PermissionDenied
        form = self.create_form(_typed(request), request.FILES or None, request=request)
        title = f"Add {self.opts.verbose_name}"
        outcome = self._outcome(request, form, [])
        if outcome is None and form.is_valid():
            try:
                made = form.perform(None)
            except VolbalError as refusal:
                form.add_error(None, str(refusal))
            else:
                messages.success(request, f"{made} was added.")
                return HttpResponseRedirect(self._address("change", made.pk))
        back = self._address("changelist")
        return self._page(request, form=form, title=title, rows=[], label=title, harm="", back=back, outcome=outcome)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show a row with its operations above it, or with who performs them."""
        row = self.get_queryset(request).filter(pk=object_id).first() if object_id.isdecimal() else None
        offered = [
            {"label": operation.label, "address": self._operation_address(operation, [object_id])}
            for operation in self.operations
            if row is not None and operation.possible(row)
        ]
        acts = row is not None and self.may_act_on(request, row)
        told = {"operations": offered} if acts else {"who_acts": self.who_acts if offered else ""}
        context = {**told, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc,no-any-return]

    def describe(self, row: Any) -> str:
        """Say in a line which row it is and what it holds, for the page that asks before acting."""
        return str(row)

    def _action_of(self, operation: Operation) -> Callable[..., HttpResponse]:
        def go(_: Any, __: HttpRequest, rows: QuerySet[Any]) -> HttpResponse:
            return HttpResponseRedirect(self._operation_address(operation, list(rows.values_list("pk", flat=True))))

        return go

    def _view_of(self, operation: Operation) -> Callable[[HttpRequest], HttpResponse]:
        def view(request: HttpRequest) -> HttpResponse:
            rows = self._rows(request)
            one_row = rows[0] if len(rows) == 1 else None
            form = operation.form(_typed(request), request.FILES or None, request=request, row=one_row)
            one = rows[0].pk if len(rows) == 1 else None
            back = self._address("changelist") if one is None or operation.removes else self._address("change", one)
            outcome = self._outcome(request, form, rows)
            if outcome is None and form.is_valid() and self._perform_all(request, operation, form, rows):
                return HttpResponseRedirect(back)
            return self._page(
                request,
                outcome=outcome,
                form=form,
                title=operation.label,
                rows=rows,
                label=operation.label,
                harm=operation.harm,
                back=back,
            )

        return view

    def _outcome(self, request: HttpRequest, form: ServiceForm, rows: Sequence[Model]) -> Sequence[str] | None:
        """Return what is shown before the form is performed; None where it may be performed now."""
        if request.method != "POST" or not form.is_valid():
            return ()
        try:
            shown = form.outcome(rows)
        except VolbalError as refusal:
            form.add_error(None, str(refusal))
            return ()
        confirmed = request.POST.get("confirmed", "")
        if shown is None or confirmed == _fingerprint(shown):
            return None
        if confirmed:
            form.add_error(None, "What it would do has changed since it was shown. Nothing was done: look again.")
        return shown

    def _rows(self, request: HttpRequest) -> list[Model]:
        """Return the rows named in the address. Raises Http404 for one out of sight, PermissionDenied without right."""
        wanted = {int(key) for key in request.GET.get("ids", "").split(",") if key.isdecimal()}
        rows = list(self.get_queryset(request).filter(pk__in=wanted))
        if not rows or len(rows) != len(wanted):
            raise Http404
        if not all(self.may_act_on(request, row) for row in rows):
            raise PermissionDenied
        return rows

    def _perform_all(
        self, request: HttpRequest, operation: Operation, form: ServiceForm, rows: Sequence[Model]
    ) -> bool:
        """Perform on each row in its own transaction; True when at least one was, each refusal being told."""
        done = 0
        for row in rows:
            try:
                form.perform(row)
            except VolbalError as refusal:
                form.add_error(None, str(refusal) if len(rows) == 1 else f"{row}: {refusal}")
            else:
                done += 1
        if done and form.errors:
            for sentence in form.non_field_errors():
                messages.error(request, str(sentence))
        if done:
            messages.success(request, self._told(request, operation, rows, done))
        return done > 0

    def _told(self, request: HttpRequest, operation: Operation, rows: Sequence[Model], done: int) -> str:
        """Say what was done: of one row how it stands now, of more how many."""
        if len(rows) > 1:
            return f"{operation.label}: done for {done} of {len(rows)} {self.opts.verbose_name_plural}."
        now = self.get_queryset(request).filter(pk=rows[0].pk).first()
        return f"{operation.label}: done. {self.describe(now or rows[0])}."

    def _page(
        self,
        request: HttpRequest,
        *,
        form: ServiceForm,
        title: str,
        rows: Sequence[Model],
        label: str,
        harm: str,
        back: str,
        outcome: Sequence[str] | None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "form": form,
            "rows": [self.describe(row) for row in rows],
            "preview": form.preview(rows),
            "label": label,
            "harm": harm,
            "back": back,
            "outcome": outcome,
            "confirmed": _fingerprint(outcome) if outcome else "",
        }
        return TemplateResponse(request, "admin/volbal/operation.html", context)

    def _url_name(self, operation: Operation) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_operation_{operation.name}"

    def _operation_address(self, operation: Operation, keys: Sequence[Any]) -> str:
        query = urlencode({"ids": ",".join(str(key) for key in keys)})
        return f"{reverse(f'{self.admin_site.name}:{self._url_name(operation)}')}?{query}"

    def _address(self, view: str, *arguments: Any) -> str:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{view}"
        return reverse(name, args=arguments)
