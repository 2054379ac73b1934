"""An order worked in slices on the cell's page: how far it is, and an end by hand."""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal

from django.test import Client

from portfolios.services.parameters import parameters_change
from tests.pages.worlds import TRADED, World
from tests.portfolios.builders import BY_TEST
from trading.models import Order, OrderPlan, Quote
from trading.services.live import cells_live
from volbal.common.templatetags.figures import signed_percent


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


def test_the_page_says_what_the_next_slice_would_do_at_the_price_there_is(world: World, signed_in: Client) -> None:
    begin(world)
    page = signed_in.get(url(world)).content.decode().replace("\u00a0", " ")
    assert re.search(r"At 108\.00 it would sell [0-9.]+ shares\.", page)
    Quote.objects.update(price=Decimal("104"))
    page = signed_in.get(url(world)).content.decode().replace("\u00a0", " ")
    assert "At 104.00 the order would end. Held:" in page


def test_the_page_shows_where_the_protective_stop_strikes_and_how_far_that_is(world: World, signed_in: Client) -> None:
    assert ">Stop<" not in signed_in.get(url(world)).content.decode()
    parameters_change(cell=world.cell, values={"stop_loss": 0.1}, origin=BY_TEST)
    world.cell.refresh_from_db()
    world.tick(TRADED.replace(minute=2), "104")
    shown = re.sub("<[^>]*>", "", signed_in.get(url(world)).content.decode().partition(">Stop<")[2][:900])
    (update,) = cells_live(world.portfolio)
    assert update.stop_price == (world.cell.average_cost * Decimal("0.9")).quantize(Decimal("0.000001"), ROUND_FLOOR)
    assert f"at {update.stop_price:.2f}" in shown
    assert f"({signed_percent(update.stop_distance)})" in shown
    assert update.stop_quantity == world.cell.shares


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
