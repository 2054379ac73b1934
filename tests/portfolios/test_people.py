"""Tenants, people and what history keeps of them."""

from __future__ import annotations

import json

import pytest

from portfolios import services
from portfolios.models import Event, LedgerEntry, Membership, Tenant, User
from portfolios.services import Origin
from tests.portfolios.builders import BY_TEST, Firm, make_member, membership
from volbal.common.errors import Refused
from volbal.common.tenancy import ScopeError, every_tenant, tenant_scope


def test_a_tenant_starts_with_its_owner(firm: Firm) -> None:
    member = membership(firm.owner, firm)
    assert (member.role, member.is_active) == ("owner", True)


def test_the_last_owner_stays(firm: Firm) -> None:
    owner = membership(firm.owner, firm)
    trader = membership(make_member(firm, "trader"), firm)
    for refused in (
        lambda: services.member_remove(member=owner, origin=BY_TEST),
        lambda: services.member_change_role(member=owner, role="operator", origin=BY_TEST),
    ):
        with pytest.raises(Refused) as refusal:
            refused()
        assert refusal.value.code == "last_owner"
        assert f"Person {firm.owner.pk} is the last owner" in str(refusal.value)
    services.member_change_role(member=trader, role="owner", origin=BY_TEST)
    services.member_remove(member=owner, origin=BY_TEST)
    with pytest.raises(Refused, match="last owner"):
        services.member_remove(member=trader, origin=BY_TEST)


def test_an_owner_who_left_does_not_count(firm: Firm) -> None:
    second = membership(make_member(firm, "owner", "second@example.com"), firm)
    services.member_remove(member=second, origin=BY_TEST)
    with pytest.raises(Refused, match="last owner"):
        services.member_remove(member=membership(firm.owner, firm), origin=BY_TEST)


def test_who_left_comes_back_as_the_same_member(firm: Firm) -> None:
    user = make_member(firm, "trader")
    member = membership(user, firm)
    with pytest.raises(Refused, match="member already, as trader"):
        services.member_add(tenant=firm.tenant, user=user, role="auditor", origin=BY_TEST)
    services.member_remove(member=member, origin=BY_TEST)
    with pytest.raises(Refused, match="no member any more"):
        services.member_change_role(member=member, role="auditor", origin=BY_TEST)
    again = services.member_add(tenant=firm.tenant, user=user, role="auditor", origin=BY_TEST)
    assert (again.pk, again.role, again.is_active) == (member.pk, "auditor", True)


def test_a_role_is_one_of_the_list(firm: Firm) -> None:
    with pytest.raises(Refused, match="role is 'king'; expected one of owner, operator"):
        services.member_add(tenant=firm.tenant, user=firm.owner, role="king", origin=BY_TEST)


def test_members_are_added_only_in_scope(firm: Firm) -> None:
    user = services.user_create(email="late@example.com", origin=BY_TEST)
    with tenant_scope(firm.tenant.pk + 1), pytest.raises(ScopeError):
        services.member_add(tenant=firm.tenant, user=user, role="trader", origin=BY_TEST)


@pytest.mark.parametrize("email", ["", "no-address", "OWNER@north.example"])
def test_an_address_is_one_and_nobody_elses(firm: Firm, email: str) -> None:
    with pytest.raises(Refused, match=r"is no e-mail address|belongs to someone already"):
        services.user_create(email=email, origin=BY_TEST)


def test_a_weak_password_is_refused(firm: Firm) -> None:
    with pytest.raises(Refused, match="too short"):
        services.user_set_password(user=firm.owner, password="short", origin=BY_TEST)
    services.user_set_password(user=firm.owner, password="a long enough one 7", origin=BY_TEST)
    assert User.objects.get(pk=firm.owner.pk).check_password("a long enough one 7")


def test_a_tenants_short_name_is_used_once(firm: Firm) -> None:
    with pytest.raises(Refused, match="slug"):
        services.tenant_create(name="Again", slug="north", owner=firm.owner, origin=BY_TEST)
    assert Tenant.objects.count() == 1


def test_history_names_people_by_number_only(firm: Firm) -> None:
    origin = Origin(actor_id=firm.owner.pk)
    user = services.user_create(
        email="vera.secret@example.com", name="Vera Secret", password="pw-in-clear", origin=origin
    )
    member = services.member_add(tenant=firm.tenant, user=user, role="trader", origin=origin)
    services.member_change_role(member=member, role="auditor", origin=origin)
    services.member_remove(member=member, origin=origin)
    services.member_add(tenant=firm.tenant, user=user, role="owner", origin=origin)
    services.user_set_password(user=user, password="another-in-clear-7", origin=origin)
    with every_tenant():
        kept = json.dumps([list(Event.objects.values()), list(LedgerEntry.objects.values())], default=str).lower()
    for told in ("vera", "secret", "example.com", "olive", "north.example", "in-clear"):
        assert told not in kept
    assert f'"user_id": {user.pk}' in kept
    assert Membership.objects.get(user=user).role == "owner"
