"""Tenants, people and what they may do there. Events name people by id only."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from portfolios.models import Membership, Tenant, User
from portfolios.services.changes import changing, lock
from portfolios.services.checks import insert
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from volbal.common.errors import Refused
from volbal.common.tenancy import require_tenant, tenant_scope


def tenant_create(*, name: str, slug: str, owner: User, origin: Origin) -> Tenant:
    """Create a tenant with its first owner."""
    tenant = Tenant(name=name, slug=slug)
    with transaction.atomic():
        insert(tenant)
        with tenant_scope(tenant.pk):
            event_record(kind="tenant.created", subject=subject_of(tenant), origin=origin, tenant_id=tenant.pk)
            member_add(tenant=tenant, user=owner, role=Membership.Role.OWNER, origin=origin)
    return tenant


def user_create(*, email: str, origin: Origin, password: str | None = None, name: str = "") -> User:
    """Create a person; without a password they cannot sign in yet. Raises Refused for a bad or known address."""
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Refused(f"{email!r} is no e-mail address; expected one like name@example.com.", code="invalid") from None
    if User.objects.filter(email=address).exists():
        raise Refused(f"{address} belongs to someone already.", code="invalid")
    with transaction.atomic():
        user = User.objects.create_user(address, password, name=name)
        event_record(kind="user.created", subject=subject_of(user), origin=origin, tenant_id=None)
    return user


def user_set_password(*, user: User, password: str, origin: Origin) -> User:
    """Give a person a new password. Raises Refused naming each rule it breaks."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused(" ".join(error.messages), code="invalid") from error
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        event_record(kind="user.password_set", subject=subject_of(user), origin=origin, tenant_id=None)
    return user


def member_add(*, tenant: Tenant, user: User, role: str, origin: Origin) -> Membership:
    """Give a person a role in a tenant; one who left comes back. Raises Refused for a present member."""
    _require_role(role)
    require_tenant(tenant.pk)
    with transaction.atomic():
        lock(tenant)
        former = Membership.objects.filter(tenant=tenant, user=user).first()
        if former is not None and former.is_active:
            raise Refused(f"Person {user.pk} is a member already, as {former.role}.", code="already_member")
        if former is not None:
            with changing(former, kind="member.added", origin=origin) as change:
                change.row.role, change.row.is_active = role, True
            return former
        member = Membership(tenant=tenant, user=user, role=role)
        insert(member)
        facts = {"user_id": user.pk, "role": role}
        event_record(kind="member.added", subject=subject_of(member), origin=origin, tenant_id=tenant.pk, after=facts)
    return member


def member_change_role(*, member: Membership, role: str, origin: Origin) -> Membership:
    """Give a member another role. Raises Refused for the last owner."""
    _require_role(role)
    with transaction.atomic():
        lock(member.tenant)
        with changing(member, kind="member.role_changed", origin=origin) as change:
            if not change.row.is_active:
                raise Refused(f"Person {member.user_id} is no member any more; add them again.", code="not_a_member")
            if role != Membership.Role.OWNER:
                _require_other_owner(change.row)
            change.row.role = role
    return member


def member_remove(*, member: Membership, origin: Origin) -> Membership:
    """Take a person out of a tenant; what they did stays. Raises Refused for the last owner."""
    with transaction.atomic():
        lock(member.tenant)
        with changing(member, kind="member.removed", origin=origin) as change:
            _require_other_owner(change.row)
            change.row.is_active = False
    return member


def _require_role(role: str) -> None:
    if role not in Membership.Role.values:
        raise Refused(f"role is {role!r}; expected one of {', '.join(Membership.Role.values)}.", code="invalid")


def _require_other_owner(member: Membership) -> None:
    owners = Membership.objects.filter(tenant_id=member.tenant_id, role=Membership.Role.OWNER, is_active=True)
    if member.role == Membership.Role.OWNER and member.is_active and not owners.exclude(pk=member.pk).exists():
        raise Refused(
            f"Person {member.user_id} is the last owner of tenant {member.tenant_id}: 1 owner, expected another.",
            code="last_owner",
            hint="Make someone else owner first.",
        )
