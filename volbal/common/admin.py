"""The operator's console: who sees and who acts, deny by default.

Nothing is added, changed or deleted but through services (see `volbal.common.operations`). Queries are narrowed by the
scope that the middleware opened; what a person may do with a row follows from their role in the row's tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from volbal.common.columns import listed

ACTING_ROLES = frozenset({"owner", "operator"})


class _Person(Protocol):
    """What the console asks of a signed-in person."""

    is_superuser: bool
    is_active: bool
    is_authenticated: bool

    def memberships_for_console(self) -> QuerySet[Any]: ...


def roles_of(request: HttpRequest) -> Mapping[int, str]:
    """Return the person's role in each tenant whose console they may open; read once for each request."""
    roles: Mapping[int, str] | None = getattr(request, "_console_roles", None)
    if roles is None:
        person = cast(_Person, request.user)
        known = person.is_authenticated and person.is_active
        roles = dict(person.memberships_for_console().values_list("tenant_id", "role")) if known else {}
        request._console_roles = roles  # type: ignore[attr-defined]  # kept for this request
    return roles


def is_platform_operator(request: HttpRequest) -> bool:
    """Return whether the person serves all tenants."""
    person = cast(_Person, request.user)
    return person.is_active and person.is_superuser


def may_see(request: HttpRequest, tenant_id: int | None) -> bool:
    """Return whether the person reads this tenant's rows; None is the installation's own."""
    return is_platform_operator(request) or tenant_id in roles_of(request)


def may_act(request: HttpRequest, tenant_id: int | None) -> bool:
    """Return whether the person changes this tenant's rows; None is the installation's own."""
    return is_platform_operator(request) or (tenant_id is not None and roles_of(request).get(tenant_id) in ACTING_ROLES)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """A table that the platform operator reads; nobody changes it here."""

    compressed_fields = True
    list_filter_submit = False
    show_facets = False
    list_per_page = 50
    actions: Any = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: rows come from services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: rows change through services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: nothing owned is ever deleted."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow the platform operator."""
        return is_platform_operator(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the table where it may be read."""
        return self.has_view_permission(request)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Show numbers as figures."""
        return [listed(self.model, name) for name in super().get_list_display(request)]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer no deletion, only what the class itself declares."""
        offered: dict[str, Any] = super().get_actions(request)
        offered.pop("delete_selected", None)
        return offered


class SharedAdmin(ReadOnlyAdmin):
    """A table that the whole installation shares: everyone in the console reads it, the platform operator acts."""

    who_acts = "Whoever runs this installation decides here."

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow whoever may open the console of some tenant."""
        return is_platform_operator(request) or bool(roles_of(request))

    def may_act_on(self, request: HttpRequest, row: Model | None) -> bool:
        """Allow the platform operator."""
        return is_platform_operator(request)


class TenantAdmin(ReadOnlyAdmin):
    """Rows of tenants: owners, operators and auditors read their own, owners and operators act on them.

    `tenant_path` leads from a row to its tenant's id, over relations with `__`.
    """

    who_acts = "An owner or operator of its firm decides here."

    tenant_path = "tenant_id"

    def tenant_of(self, row: Model) -> int | None:
        """Return the id of the tenant that a row belongs to."""
        value: Any = row
        for part in self.tenant_path.split("__"):
            value = getattr(value, part)
        return cast("int | None", value)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the tenants the person reads, also for models whose manager does not narrow."""
        rows: QuerySet[Any] = super().get_queryset(request)
        if is_platform_operator(request):
            return rows
        return rows.filter(**{f"{self.tenant_path}__in": list(roles_of(request))})

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Allow by the person's role in the row's tenant; for the table, in any tenant."""
        if obj is None:
            return is_platform_operator(request) or bool(roles_of(request))
        return may_see(request, self.tenant_of(obj))

    def may_act_on(self, request: HttpRequest, row: Model | None) -> bool:
        """Allow by the person's role in the row's tenant; for the table, in any tenant."""
        if row is None:
            return is_platform_operator(request) or bool(ACTING_ROLES & set(roles_of(request).values()))
        return may_act(request, self.tenant_of(row))


def environment_badge(request: HttpRequest) -> list[str]:
    """Return the badge that says which installation this is (unfold's ENVIRONMENT)."""
    variants = {"production": "danger", "staging": "warning"}
    return [str(settings.ENVIRONMENT).title(), variants.get(settings.ENVIRONMENT, "info")]
