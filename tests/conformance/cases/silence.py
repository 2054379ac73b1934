"""Silence: lines that are lost and answers that never come."""

from __future__ import annotations

from tests.conformance.bench import HUNDRED, UNFILLED, Bench, S, raises
from trading.brokers.base import BrokerUnreachableError


def case_unreachable(bench: Bench) -> None:
    """Without a line every question says so, and a retry places once"""
    bench.harness.price(HUNDRED)
    request = bench.resting()
    bench.harness.drop_line()
    for call in (
        lambda: bench.broker.submit(request),
        lambda: bench.broker.cancel(request.client_order_id),
        lambda: bench.broker.order(request.client_order_id),
        lambda: bench.broker.open_orders(),
        lambda: bench.broker.fills_since(""),
        lambda: bench.broker.holdings(),
    ):
        raises(BrokerUnreachableError, call)
    bench.harness.restore_line()
    bench.placed(request)
    assert bench.open_ids() == {request.client_order_id}


def case_lost_answer(bench: Bench) -> None:
    """An order whose answer was lost is found by its id, and a retry does not double it"""
    bench.harness.price(HUNDRED)
    request = bench.resting()
    bench.harness.lose_next_answer()
    raises(BrokerUnreachableError, lambda: bench.broker.submit(request))
    bench.expect(request.client_order_id, *UNFILLED)
    bench.placed(request)
    assert len(bench.broker.open_orders()) == 1


def case_lost_answer_to_cancel(bench: Bench) -> None:
    """A cancellation whose answer was lost is learned by asking"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.lose_next_answer()
    raises(BrokerUnreachableError, lambda: bench.broker.cancel(client_order_id))
    bench.harness.settle_cancel(client_order_id)
    bench.expect(client_order_id, S.CANCELLED)
