"""An order worked in slices on the cell's page: how far it is, and an end by hand."""

from __future__ import annotations

from decimal import Decimal

from django.test import Client

from portfolios.services.parameters import parameters_change
from tests.pages.worlds import TRADED, World
from tests.portfolios.builders import BY_TEST
from trading.models import Order, OrderPlan


def url(world: World, what: str = "") -> str:
    return f"/cells/{world.cell.pk}/{what}"


def begin(world: World) -> OrderPlan:
    """Let the cell sell in slices: the anchor is 104, and 108 is 3.85 % over it."""
    values = {"slice_notional": 100.0, "slice_interval_seconds": 600}
    parameters_change(cell=world.cell, values=values, origin=BY_TEST)
    world.tick(TRADED.replace(minute=2), "108")
    return OrderPlan.objects.get()


def test_the_page_shows_how_far_an_order_in_slices_is(world: World, signed_in: Client) -> None:
    assert "Worked in slices" not in signed_in.get(url(world)).content.decode()
    plan = begin(world)
    page = signed_in.get(url(world)).content.decode()
    assert "Worked in slices" in page
    assert f"slice 1 of {plan.slice_count}" in page
    assert url(world, "slices/end/") in page


def test_a_trader_ends_it_for_a_reason(world: World, signed_in: Client) -> None:
    plan = begin(world)
    assert "no more follow" in signed_in.get(url(world, "slices/end/")).content.decode()
    assert signed_in.post(url(world, "slices/end/"), {"note": ""}).status_code == 422
    assert OrderPlan.objects.get().is_working
    assert signed_in.post(url(world, "slices/end/"), {"note": "enough for today"})["Location"] == url(world)
    ended = OrderPlan.objects.get()
    assert (ended.status, ended.ended_because) == ("ended", "cancelled: enough for today")
    assert Decimal(0) < ended.filled_quantity < plan.quantity
    told = signed_in.post(url(world, "slices/end/"), {"note": "again"})
    assert told.status_code == 422
    assert "works no order in slices" in told.content.decode()
    assert Order.objects.filter(plan=ended).count() == 1
