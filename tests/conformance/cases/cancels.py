"""Cancellations: asked for any number of times, with the part that was filled kept."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import HUNDRED, Bench, S, total


def case_cancel_open(bench: Bench) -> None:
    """An open order is cancelled"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    assert bench.broker.cancel(client_order_id) is True, "the broker says that it was not open"
    bench.harness.settle_cancel(client_order_id)
    bench.expect(client_order_id, S.CANCELLED)
    assert bench.open_ids() == set()


def case_cancel_twice(bench: Bench) -> None:
    """A cancellation may be asked for again"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.broker.cancel(client_order_id)
    bench.broker.cancel(client_order_id)
    bench.harness.settle_cancel(client_order_id)
    bench.expect(client_order_id, S.CANCELLED)


def case_cancel_ended(bench: Bench) -> None:
    """Cancelling an order that has filled changes nothing"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.request())
    bench.harness.price(HUNDRED)
    assert bench.broker.cancel(client_order_id) is False, "the broker says that it was still open"
    bench.expect(client_order_id, S.FILLED)


def case_cancel_unknown(bench: Bench) -> None:
    """Cancelling an order that was never sent finds nothing open"""
    assert bench.broker.cancel("vb-never-sent") is False


def case_cancel_after_part(bench: Bench) -> None:
    """A part-filled order that is cancelled keeps its part"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.fill(client_order_id, Decimal(4), Decimal(50))
    assert bench.broker.cancel(client_order_id) is True
    bench.harness.settle_cancel(client_order_id)
    assert bench.expect(client_order_id, S.CANCELLED).filled_quantity == 4
    assert total(bench.reports()) == 4
