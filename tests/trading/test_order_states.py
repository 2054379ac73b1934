"""The table of an order's moves, as data."""

from __future__ import annotations

from itertools import product

import pytest

from portfolios.models import Cell
from tests.trading.builders import OPEN, Desk
from trading.models import Order, OrderTransition
from trading.services.order_states import ALLOWED, ForbiddenMoveError, order_move
from volbal.common.errors import Conflict

TABLE = """
intent           → submitting submitted accepted partially_filled cancelling filled cancelled rejected expired
submitting       → intent unknown submitted accepted partially_filled cancelling filled cancelled rejected expired
unknown          → intent submitted accepted partially_filled cancelling filled cancelled rejected expired
submitted        → accepted partially_filled cancelling filled cancelled rejected expired
accepted         → partially_filled cancelling filled cancelled rejected expired
partially_filled → partially_filled cancelling filled cancelled rejected expired
cancelling       → accepted partially_filled filled cancelled rejected expired
filled           →
cancelled        → filled
rejected         → filled
expired          → filled
"""
MOVES = {
    (before.strip(), after)
    for before, _, targets in (line.partition("→") for line in TABLE.strip().splitlines())
    for after in targets.split()
}
STATES = [str(state) for state in Order.Status]
PAIRS = list(product(STATES, STATES))


def make_order(cell: Cell, status: str) -> Order:
    return Order.objects.create(
        tenant_id=cell.tenant_id,
        account=cell.portfolio.account,
        cell=cell,
        side="SELL",
        type="market",
        quantity=1,
        reason="trigger_up",
        quote_source="synthetic",
        commission_rate=0,
        status=status,
        status_at=OPEN,
        as_of=OPEN,
    )


def test_the_table_names_every_state() -> None:
    assert set(STATES) == {str(state) for state in ALLOWED}
    assert {(str(before), str(after)) for before, targets in ALLOWED.items() for after in targets} == MOVES


@pytest.fixture
def orders(desk: Desk, cell: Cell) -> dict[str, Order]:
    return {state: make_order(cell, state) for state in STATES}


def test_what_the_table_has_is_done_and_recorded(orders: dict[str, Order]) -> None:
    for before, after in sorted(MOVES):
        order = orders[before]
        Order.objects.filter(pk=order.pk).update(status=before)
        order.refresh_from_db()
        order_move(order, Order.Status(after), detail="why")
        order.refresh_from_db()
        assert (order.status, order.status_detail) == (after, "why")
        kept = order.transitions.latest("id")
        assert (kept.before, kept.after, kept.detail) == (before, after, "why")


def test_what_the_table_has_not_raises_and_changes_nothing(orders: dict[str, Order]) -> None:
    forbidden = [pair for pair in PAIRS if pair not in MOVES]
    assert len(forbidden) == 11 * 11 - len(MOVES)
    for before, after in forbidden:
        with pytest.raises(ForbiddenMoveError, match=f"cannot go from {before} to {after}; nothing was changed"):
            order_move(orders[before], Order.Status(after))
        assert orders[before].status == Order.objects.get(pk=orders[before].pk).status == before
    assert not OrderTransition.objects.exists()


def test_who_comes_second_is_told_and_changes_nothing(orders: dict[str, Order]) -> None:
    first = Order.objects.get(pk=orders["intent"].pk)
    second = Order.objects.get(pk=first.pk)
    order_move(first, Order.Status.SUBMITTING)
    with pytest.raises(Conflict, match="no longer intent: another process moved it first"):
        order_move(second, Order.Status.SUBMITTING)
    assert second.status == "intent"
    assert first.transitions.count() == 1
