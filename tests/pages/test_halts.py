"""Halts on the trader's pages: seen at every level, placed and lifted by those who may, each with a reason."""

from __future__ import annotations

import pytest
from django.test import Client

from portfolios import services
from portfolios.models import Event, TradingRestriction
from portfolios.standings import Place, broker_place, everywhere, place_of
from tests.pages.worlds import TRADED, World
from tests.portfolios.builders import BY_TEST, make_member
from trading.models import Order
from volbal.common.tenancy import every_tenant


def halt(place: Place, reason: str = "prices look wrong", state: str = "halted") -> None:
    with every_tenant():
        services.restriction_place(on=place, state=state, origin=services.Origin(task="desk", reason=reason))


def pages(world: World, client: Client) -> dict[str, str]:
    addresses = {
        "dashboard": "/",
        "portfolio": f"/portfolios/{world.portfolio.pk}/",
        "cell": f"/cells/{world.cell.pk}/",
    }
    return {name: client.get(address).content.decode() for name, address in addresses.items()} | {
        "halts": client.get("/halts/").content.decode()
    }


@pytest.mark.parametrize("level", ["cell", "portfolio", "account", "tenant", "broker", "everywhere"])
def test_a_halt_at_any_level_stands_on_every_page_below_with_its_reason(
    world: World, signed_in: Client, level: str
) -> None:
    places = {
        "cell": place_of(world.cell),
        "portfolio": place_of(world.portfolio),
        "account": place_of(world.firm.account),
        "tenant": place_of(world.firm.tenant),
        "broker": broker_place("paper"),
        "everywhere": everywhere(),
    }
    halt(places[level])
    shown = pages(world, signed_in)
    for name in ("cell", "halts", "dashboard"):
        assert "prices look wrong" in shown[name], name
        assert "badge-halted" in shown[name], name
    assert ("prices look wrong" in shown["portfolio"]) is (level != "cell")
    offered = f"/{'cells' if level == 'cell' else 'portfolios'}/" if level in ("cell", "portfolio") else "no link"
    assert (f'data-dialog href="{offered}' in shown["halts"].split("switches")[0]) is (level in ("cell", "portfolio"))


def test_a_trader_halts_a_portfolio_and_resumes_it_and_is_told_what_still_holds_it(
    world: World, signed_in: Client
) -> None:
    address = f"/portfolios/{world.portfolio.pk}/"
    assert "1 active cell, 0 open orders" in signed_in.get(f"{address}halt/").content.decode()
    given = {"state": "halted", "cancels_orders": "on", "note": "a drill"}
    assert (
        "is halted until a person resumes it" in signed_in.post(f"{address}halt/", given, follow=True).content.decode()
    )
    halt(place_of(world.cell), "the cell's own")
    halt(place_of(world.firm.tenant), "the firm's", "reducing")
    dialog = signed_in.get(f"{address}resume/")
    page = dialog.content.decode()
    assert "a drill" in page
    assert "Still held afterwards by:" in page
    assert "the firm&#x27;s" in page
    given = {"note": "over", "seen": dialog.context["form"]["seen"].value()}
    told = signed_in.post(f"{address}resume/", given, follow=True).content.decode()
    assert "is resumed, and still held: Firm North is reducing" in told
    assert TradingRestriction.objects.filter(lifted_at__isnull=True).count() == 2
    assert "over" in signed_in.get("/halts/").content.decode()


def test_a_halt_without_a_reason_keeps_what_was_typed_and_halts_nothing(world: World, signed_in: Client) -> None:
    response = signed_in.post(f"/cells/{world.cell.pk}/halt/", {"state": "reducing", "note": ""})
    assert response.status_code == 422
    assert '<option value="reducing" selected>' in response.content.decode()
    assert not TradingRestriction.objects.exists()


def test_an_owner_halts_the_firm_and_a_new_order_is_not_sent(world: World, signed_in: Client) -> None:
    owner = Client()
    owner.force_login(world.firm.owner)
    owner.post("/firm/halt/", {"state": "halted", "note": "a drill"})
    halted = TradingRestriction.objects.get()
    assert (halted.level, halted.by, halted.cancels_orders) == ("tenant", world.firm.owner, False)
    world.tick(TRADED.replace(minute=5), "120")
    assert Order.objects.filter(status="filled").count() == Order.objects.count()
    shown = owner.get("/firm/resume/")
    owner.post("/firm/resume/", {"note": "over", "seen": shown.context["form"]["seen"].value()})
    with every_tenant():
        assert Event.objects.filter(kind="tenant.resumed", reason="over").exists()


def test_the_palette_leads_to_halts(world: World, signed_in: Client) -> None:
    page = signed_in.get("/palette/").content.decode()
    assert "/halts/" in page
    assert f"/cells/{world.cell.pk}/halt/" in page


def test_a_paused_cell_resumes_with_a_reason_and_one_that_trades_says_so(world: World, signed_in: Client) -> None:
    services.cell_pause(cell=world.cell, origin=BY_TEST)
    assert "It was paused" in signed_in.get(f"/cells/{world.cell.pk}/resume/").content.decode()
    signed_in.post(f"/cells/{world.cell.pk}/resume/", {"note": "go on"})
    world.cell.refresh_from_db()
    assert world.cell.status == "active"
    refused = signed_in.post(f"/cells/{world.cell.pk}/resume/", {"note": "go on"})
    assert refused.status_code == 422
    auditor = Client()
    auditor.force_login(make_member(world.firm, "auditor"))
    assert auditor.get("/halts/").status_code == 200
