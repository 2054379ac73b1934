"""Tenants and people in the console."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from portfolios import services
from portfolios.admin.forms import OwnedForm, PlainForm
from portfolios.models import Membership, Tenant, User
from volbal.common.admin import SharedAdmin, TenantAdmin, is_platform_operator, roles_of
from volbal.common.operations import Operation, OperationsAdmin

# Rights come from memberships alone; a group would promise what it does not do. Django's own table of groups registers
# itself when it is imported, which may be after this.
import_module("django.contrib.auth.admin")
admin.site.unregister(Group)


class TenantForm(OwnedForm):
    """Create a tenant with its first owner."""

    name = forms.CharField(max_length=120)
    slug = forms.SlugField()
    owner = forms.ModelChoiceField(queryset=User.objects.none())

    def prepare(self) -> None:
        """Offer everyone who can sign in."""
        self.narrow("owner", User.objects.filter(is_active=True))

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return services.tenant_create(**self.cleaned_data, origin=self.origin)


@admin.register(Tenant)
class TenantsAdmin(OperationsAdmin, TenantAdmin):
    """Tenants: a person sees their own, the platform operator makes new ones."""

    tenant_path = "pk"
    list_display: ClassVar[tuple[str, ...]] = ("name", "slug", "created_at")
    search_fields = ("name", "slug")
    create_form = TenantForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Allow the platform operator."""
        return is_platform_operator(request)


class PasswordForm(PlainForm):
    """Give a person a new password."""

    password = forms.CharField(widget=forms.PasswordInput)

    def perform(self, row: User) -> Model:
        """Call the service."""
        return services.user_set_password(user=row, password=self.cleaned_data["password"], origin=self.origin)


class UserForm(PlainForm):
    """Create a person."""

    email = forms.EmailField()
    name = forms.CharField(max_length=120, required=False)

    def perform(self, row: Any) -> Model:
        """Call the service."""
        return services.user_create(**self.cleaned_data, origin=self.origin)


@admin.register(User)
class UserAdmin(OperationsAdmin, SharedAdmin):
    """People: those of one's own tenants; the platform operator sees and makes all."""

    list_display = ("email", "name", "is_superuser", "is_active", "last_login", "created_at")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "name")
    fields = ("email", "name", "time_zone", "is_active", "is_superuser", "last_login", "created_at")
    create_form = UserForm
    operations = (Operation("password", "Set password", PasswordForm, harm="The present password stops working."),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the people who share a tenant with this person."""
        people: QuerySet[User] = super().get_queryset(request)
        if is_platform_operator(request):
            return people
        shared = Membership.objects.filter(tenant_id__in=list(roles_of(request)))
        return people.filter(pk__in=shared.values("user_id"))


class RoleForm(PlainForm):
    """A role; only owners give or take that of an owner."""

    role = forms.ChoiceField(choices=Membership.Role.choices, initial=Membership.Role.TRADER)

    def require_owner_for(self, tenant_id: int, *roles: str) -> None:
        """Raise PermissionDenied when an owner's role is touched by one who is none."""
        own = roles_of(self.request).get(tenant_id)
        if Membership.Role.OWNER in roles and own != Membership.Role.OWNER and not is_platform_operator(self.request):
            raise PermissionDenied

    def perform(self, row: Membership) -> Model:
        """Call the service."""
        self.require_owner_for(row.tenant_id, row.role, self.cleaned_data["role"])
        return services.member_change_role(member=row, role=self.cleaned_data["role"], origin=self.origin)


class RemoveForm(RoleForm):
    """Take a person out of a tenant."""

    role = None  # type: ignore[assignment]  # Django's way to leave out an inherited field

    def perform(self, row: Membership) -> Model:
        """Call the service."""
        self.require_owner_for(row.tenant_id, row.role)
        return services.member_remove(member=row, origin=self.origin)


class MemberForm(RoleForm):
    """Give a person, known or new, a role in a tenant."""

    tenant = forms.ModelChoiceField(queryset=Tenant.objects.none())
    email = forms.EmailField(help_text="Someone new is created and gets a password from the platform operator")
    field_order = ("tenant", "email", "role")

    def prepare(self) -> None:
        """Offer the tenants the person acts in."""
        self.narrow("tenant", Tenant.objects.filter(self.within_reach("pk")))

    @transaction.atomic
    def perform(self, row: Any) -> Model:
        """Call the services."""
        tenant, email = self.cleaned_data["tenant"], self.cleaned_data["email"].lower()
        self.require_owner_for(tenant.pk, self.cleaned_data["role"])
        known = User.objects.filter(email=email).first()
        user = known or services.user_create(email=email, origin=self.origin)
        return services.member_add(tenant=tenant, user=user, role=self.cleaned_data["role"], origin=self.origin)


@admin.register(Membership)
class MembershipAdmin(OperationsAdmin, TenantAdmin):
    """Who belongs where, and as what."""

    list_display = ("user", "tenant", "role", "is_active", "created_at")
    list_filter = ("role", "is_active")
    list_select_related = ("user", "tenant")
    search_fields = ("user__email", "user__name")
    create_form = MemberForm
    operations = (
        Operation("role", "Change role", RoleForm),
        Operation("remove", "Remove", RemoveForm, harm="These people lose their access; what they did stays."),
    )

    def describe(self, row: Membership) -> str:
        """Say who it is."""
        return f"{row.user}, {row.get_role_display().lower()} of {row.tenant}"
