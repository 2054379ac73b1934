"""How people bring in, correct and withdraw dividends and splits in the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Model
from unfold import widgets

from portfolios.admin.forms import OwnedForm, ReasonForm
from portfolios.services import Origin
from trading.models import CorporateAction
from trading.selectors.action_effects import correction_effects
from trading.services.action_changes import Correction, action_correct
from trading.services.action_imports import ActionRow, import_confirm, import_plan, rows_of_text
from trading.services.corporate_actions import cells_settle
from volbal.common.errors import Refused

SHOWN = 200
EXAMPLE = "symbol,ex_date,amount,ratio,pay_date\nIBM,2024-05-09,1.67,,2024-06-10"


class ActionImportForm(OwnedForm):
    """Bring in dividends and splits from a CSV file, or typed: every row is shown with what it comes to first."""

    source = forms.CharField(max_length=60, initial="import", help_text="Where they come from; kept with each.")
    file = forms.FileField(required=False, label="CSV file", widget=widgets.UnfoldAdminFileFieldWidget)
    content = forms.CharField(
        required=False,
        label="Or its rows",
        widget=widgets.UnfoldAdminTextareaWidget,
        strip=False,
        help_text="Columns symbol, ex_date, amount of a dividend or ratio of a split (new shares for one old), and "
        "pay_date where it is known.",
    )
    reason = forms.CharField(max_length=240, help_text="Kept with the change.")

    def prepare(self) -> None:
        """Show how a row looks."""
        self.fields["content"].widget.attrs["placeholder"] = EXAMPLE

    def clean(self) -> dict[str, Any]:
        """Take the rows from the file, where one was chosen, and keep them beside what was typed."""
        given = super().clean() or {}
        chosen = given.get("file")
        if chosen is not None:
            try:
                given["content"] = chosen.read().decode("utf-8-sig")
            except UnicodeDecodeError:
                raise forms.ValidationError(
                    "The file is no UTF-8 text; expected a CSV file. Nothing was read."
                ) from None
            # Shown with what its rows come to, and sent again with the confirmation, which carries no file.
            self.data = {**{name: self.data[name] for name in self.data}, "content": given["content"]}
        if not given.get("content", "").strip():
            raise forms.ValidationError("There are no rows: choose a file or type them.")
        return given

    def outcome(self, rows: Sequence[Any]) -> Sequence[str] | None:
        """Return what each row comes to."""
        plan = import_plan(self._rows())
        more = len(plan.outcomes) - SHOWN
        told = [str(one) for one in plan.outcomes[:SHOWN]]
        return [f"{plan.sentence}.", *told, *([f"and {more:,} more"] if more > 0 else [])]

    def perform(self, row: Any) -> Model:
        """Call the service."""
        origin = Origin(actor_id=self.request.user.pk, reason=self.cleaned_data["reason"])
        plan = import_confirm(rows=self._rows(), source=self.cleaned_data["source"], origin=origin)
        known = [one for one in plan.outcomes if one.instrument is not None]
        if not known:
            raise Refused(f"No row could be used: {plan.sentence}.", code="nothing_imported")
        return CorporateAction.objects.filter(instrument=known[-1].instrument).latest("instrument_version", "pk")

    def _rows(self) -> list[ActionRow]:
        chosen = self.cleaned_data.get("file")
        return rows_of_text(chosen.name if chosen is not None else "the rows", self.cleaned_data["content"])


class ActionCorrectForm(ReasonForm):
    """Say what an action really is; what each cell would book is shown first."""

    ex_date = forms.DateField(widget=widgets.UnfoldAdminTextInputWidget, help_text="YYYY-MM-DD, the exchange's day")
    pay_date = forms.DateField(
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget,
        help_text="Blank: not known; it stays owed till then.",
    )
    amount = forms.DecimalField(required=False, max_digits=20, decimal_places=6, help_text="Currency a share")
    ratio = forms.DecimalField(required=False, max_digits=20, decimal_places=10, help_text="New shares for one old")

    def prepare(self) -> None:
        """Show what it is now, and only what its kind has."""
        row = self.row
        if not isinstance(row, CorporateAction):
            return
        for name in ("ex_date", "pay_date", "amount", "ratio"):
            value = getattr(row, name)
            self.fields[name].initial = (
                value.normalize() if name in ("amount", "ratio") and value is not None else value
            )
        for name in ("amount", "pay_date") if row.kind == CorporateAction.Kind.SPLIT else ("ratio",):
            del self.fields[name]

    def outcome(self, rows: Sequence[Any]) -> Sequence[str] | None:
        """Return what every cell would book."""
        if len(rows) != 1:
            raise Refused("Actions are corrected one at a time: each is another case.", code="one_at_a_time")
        return effect_lines(rows[0], self._correction(rows[0]))

    def perform(self, row: CorporateAction) -> Model:
        """Call the services."""
        return correct_and_settle(row, self._correction(row), self.origin)

    def _correction(self, row: CorporateAction) -> Correction:
        given = self.cleaned_data
        return Correction(
            ex_date=given["ex_date"],
            pay_date=given.get("pay_date"),
            amount=given.get("amount"),
            ratio=given.get("ratio"),
            no_pay_date="pay_date" in given and given["pay_date"] is None,
        )


class ActionWithdrawForm(ReasonForm):
    """Take an action back that was never one; what each cell would book is shown first."""

    def outcome(self, rows: Sequence[Any]) -> Sequence[str] | None:
        """Return what every cell would book."""
        return [line for row in rows for line in effect_lines(row, Correction(is_withdrawn=True))]

    def perform(self, row: CorporateAction) -> Model:
        """Call the services."""
        return correct_and_settle(row, Correction(is_withdrawn=True), self.origin)


def effect_lines(action: CorporateAction, correction: Correction) -> list[str]:
    """Return in lines what a correction would do. Raises VolbalError where it cannot be."""
    effects = correction_effects(action, correction)
    if not effects:
        return [f"{action.instrument}: no cell has taken {action} or would take it now; nothing is booked."]
    return [str(one) for one in effects]


def correct_and_settle(action: CorporateAction, correction: Correction, origin: Origin) -> CorporateAction:
    """Correct an action and book it for every cell at once. Raises VolbalError where it cannot be."""
    row = action_correct(action=action, correction=correction, origin=origin, expected_revision=action.revision)
    cells_settle(instrument=row.instrument, origin=origin)
    return row
