"""Whom a page is shown for: the firm chosen, the platform operator, and those who may not."""

from __future__ import annotations

import pytest
from django.test import Client

from portfolios import services
from portfolios.models import Membership, User
from tests.pages.worlds import World, make_world
from tests.portfolios.builders import BY_TEST
from volbal.common.tenancy import tenant_scope


@pytest.fixture
def south(db: None) -> World:
    return make_world("south", ("MSFT",))


@pytest.fixture
def in_both(trader: User, south: World) -> User:
    """A trader in the north who audits the south."""
    with tenant_scope(south.firm.tenant.pk):
        services.member_add(tenant=south.firm.tenant, user=trader, role="auditor", origin=BY_TEST)
    return trader


def test_a_person_of_two_firms_switches_between_them(
    world: World, south: World, signed_in: Client, in_both: User
) -> None:
    before = signed_in.get("/").content.decode()
    assert "IBM" in before
    assert "MSFT" not in before
    after = signed_in.post(f"/tenants/{south.firm.tenant.pk}/", follow=True).content.decode()
    assert "MSFT" in after
    assert "IBM" not in after
    assert "Auditor · South" in after
    assert signed_in.post(f"/cells/{south.cell.pk}/pause/").status_code == 403


def test_only_who_belongs_to_several_firms_is_offered_a_switch(signed_in: Client) -> None:
    assert "/tenants/" not in signed_in.get("/").content.decode()


def test_nobody_switches_to_a_firm_of_others(world: World, south: World, signed_in: Client) -> None:
    assert signed_in.post(f"/tenants/{south.firm.tenant.pk}/").status_code == 403
    assert "IBM" in signed_in.get("/").content.decode()


def test_a_firm_that_was_left_is_no_longer_acted_for(
    world: World, south: World, signed_in: Client, in_both: User
) -> None:
    signed_in.post(f"/tenants/{south.firm.tenant.pk}/")
    with tenant_scope(south.firm.tenant.pk):
        left = Membership.objects.get(user=in_both, tenant=south.firm.tenant)
        services.member_remove(member=left, origin=BY_TEST)
    assert "IBM" in signed_in.get("/").content.decode()


def test_a_switch_is_no_link(south: World, signed_in: Client) -> None:
    assert signed_in.get(f"/tenants/{south.firm.tenant.pk}/").status_code == 405


def test_who_serves_all_firms_begins_in_the_console(db: None) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("platform@example.com"))
    assert client.get("/").headers["Location"] == "/admin/"


def test_who_belongs_nowhere_is_told_so(db: None) -> None:
    client = Client()
    client.force_login(services.user_create(email="nobody@example.com", origin=BY_TEST))
    response = client.get("/")
    assert response.status_code == 403
    assert "You belong to no firm here." in response.content.decode()


def test_a_browser_that_asks_for_an_icon_gets_one(db: None) -> None:
    assert Client().get("/favicon.ico").headers["Location"].endswith(".svg")
