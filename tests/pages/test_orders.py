"""Orders on a cell's page: placed with their effect shown before, listed by how they stand, cancelled, noted."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client

from tests.pages.worlds import World
from trading import tasks
from trading.models import Order

TYPED = {"side": "BUY", "quantity": "2", "type": "limit", "limit_price": "50", "time_in_force": "gtc", "note": "cheap"}


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what is placed an intent."""
    monkeypatch.setattr(tasks.send_orders, "apply_async", lambda *_, **__: None)


def place(client: Client, world: World, query: str = "", **changes: Any) -> Any:
    return client.post(f"/cells/{world.cell.pk}/order/{query}", {"key": str(uuid.uuid4())} | TYPED | changes)


def test_an_order_shows_its_effect_before_and_nothing_is_written(world: World, signed_in: Client) -> None:
    before = Order.objects.count()
    page = place(signed_in, world, "?preview", note="").content.decode()  # the reason may still come
    for label in ("Cash", "Shares", "Anchor", "Next buy", "Next sell"):
        assert label in page
    assert Order.objects.count() == before


def test_a_trader_places_an_order_sees_it_and_cancels_it_for_a_reason(world: World, signed_in: Client) -> None:
    key = str(uuid.uuid4())
    for _ in range(2):
        answer = place(signed_in, world, key=key)
        assert (answer.status_code, answer.url) == (302, f"/cells/{world.cell.pk}/?tab=orders")
    order = Order.objects.get(purpose="manual")
    tab = signed_in.get(f"/cells/{world.cell.pk}/?tab=orders&group=open").content.decode()
    for shown in ("By hand", "cheap", "Until cancelled", f"/orders/{order.pk}/cancel/", "for 0"):
        assert shown in tab
    assert signed_in.post(f"/orders/{order.pk}/cancel/", {"note": ""}).status_code == 422
    assert signed_in.post(f"/orders/{order.pk}/cancel/", {"note": "changed my mind"}).status_code == 302
    order.refresh_from_db()
    assert (order.status, order.status_detail) == ("cancelled", "by hand: changed my mind")
    ended = signed_in.get(f"/cells/{world.cell.pk}/?tab=orders&group=ended").content.decode()
    assert "by hand: changed my mind" in ended.replace("\xa0", " ")
    assert signed_in.post(f"/orders/{order.pk}/cancel/", {"note": "again"}).status_code == 422


def test_what_is_refused_keeps_what_was_typed_and_says_the_numbers(world: World, signed_in: Client) -> None:
    answer = place(signed_in, world, quantity="1000000")
    assert answer.status_code == 422
    assert "It may cost 50,005,000.00" in answer.content.decode()
    assert "1000000" in answer.content.decode()


def test_an_auditor_and_a_stranger_do_not_touch_orders(world: World, signed_in: Client, auditor: Client) -> None:
    place(signed_in, world)
    order = Order.objects.get(purpose="manual")
    for what in ("cancel", "note", "trade-back", "keep"):
        assert auditor.post(f"/orders/{order.pk}/{what}/", {"note": "mine"}).status_code == 403
        assert signed_in.post(f"/orders/{order.pk + 99}/{what}/", {"note": "mine"}).status_code == 404
    assert f"/orders/{order.pk}/cancel/" not in auditor.get(f"/cells/{world.cell.pk}/?tab=orders").content.decode()


def test_a_rejected_order_is_taken_note_of_and_asks_for_no_more_attention(world: World, signed_in: Client) -> None:
    place(signed_in, world)
    Order.objects.filter(purpose="manual").update(
        status="rejected", status_detail="not enough buying power", reject_code="buying_power"
    )
    order = Order.objects.get(purpose="manual")
    assert "Not enough buying power" in signed_in.get("/").content.decode()
    assert signed_in.post(f"/orders/{order.pk}/note/", {"note": "seen"}).status_code == 302
    assert "Not enough buying power" not in signed_in.get("/").content.decode()


@pytest.fixture
def overfilled(world: World, signed_in: Client) -> Order:
    """An order to buy 2 of which 3 were filled, at 50 on average."""
    place(signed_in, world)
    Order.objects.filter(purpose="manual").update(
        status="filled", filled_quantity=3, told_quantity=3, filled_value=150, is_overfilled=True
    )
    return Order.objects.get(purpose="manual")


def test_the_excess_of_an_overfilled_order_is_traded_back(world: World, signed_in: Client, overfilled: Order) -> None:
    tab = signed_in.get(f"/cells/{world.cell.pk}/?tab=orders").content.decode()
    for what in ("trade-back", "keep", "note"):
        assert f"/orders/{overfilled.pk}/{what}/" in tab
    assert (
        "3 were filled of 2 ordered. Trade the excess back, keep it, or take note."
        in signed_in.get("/").content.decode()
    )
    address = f"/orders/{overfilled.pk}/trade-back/"
    preview = signed_in.post(f"{address}?preview", {"note": "too many"}).content.decode()
    assert "Next sell" in preview
    assert Order.objects.filter(purpose="manual").count() == 1
    assert "places an order at the market to sell 1." in signed_in.get(address).content.decode()
    assert signed_in.post(address, {"note": "too many"}).status_code == 302
    back = Order.objects.filter(purpose="manual").latest("id")
    assert (back.side, back.type, back.quantity, back.note, back.status) == ("SELL", "market", 1, "too many", "intent")
    assert f"/orders/{overfilled.pk}/keep/" not in signed_in.get(f"/cells/{world.cell.pk}/?tab=orders").content.decode()
    assert signed_in.post(address, {"note": "again"}).status_code == 422
    assert Order.objects.filter(purpose="manual").count() == 2


def test_the_excess_of_an_overfilled_order_is_kept_at_its_price(
    world: World, signed_in: Client, overfilled: Order
) -> None:
    address = f"/orders/{overfilled.pk}/keep/"
    assert signed_in.post(address, {"note": ""}).status_code == 422
    assert signed_in.post(address, {"note": "we keep it"}).status_code == 302
    world.cell.refresh_from_db()
    overfilled.refresh_from_db()
    assert (world.cell.anchor, overfilled.is_to_be_settled) == (50, False)
    assert signed_in.post(address, {"note": "again"}).status_code == 422


def test_an_order_that_was_filled_as_ordered_has_no_excess(world: World, signed_in: Client) -> None:
    place(signed_in, world)
    order = Order.objects.get(purpose="manual")
    for what in ("trade-back", "keep"):
        assert (
            "No more of this order was filled"
            in signed_in.post(f"/orders/{order.pk}/{what}/", {"note": "x"}).content.decode()
        )
