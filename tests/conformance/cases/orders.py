"""Orders: placed once, found by their id, and filled as their type says."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.conformance.bench import HUNDRED, UNFILLED, Bench, S, total
from tests.conformance.harness import SYMBOL, NotSupportedError
from trading.brokers.base import OrderRequest, OrderType, TimeInForce


def case_submit_answers(bench: Bench) -> None:
    """A new order is answered with the broker's own number"""
    bench.harness.price(HUNDRED)
    answer = bench.broker.submit(bench.resting())
    assert answer.status in UNFILLED, f"a limit far from the market is {answer.status}"
    assert answer.broker_order_id, "the broker gave it no number"
    assert answer.filled_quantity in (0, None), f"{answer.filled_quantity} shares are filled already"


def case_submit_twice(bench: Bench) -> None:
    """The same id again is the same order"""
    bench.harness.price(HUNDRED)
    request = bench.resting()
    first, second = bench.broker.submit(request), bench.broker.submit(request)
    assert first.broker_order_id == second.broker_order_id, "the second submission is another order"
    assert len(bench.broker.open_orders()) == 1


def case_submit_again_after_fill(bench: Bench) -> None:
    """The same id again after the fill buys nothing more"""
    bench.harness.price(HUNDRED)
    request = bench.request()
    client_order_id = bench.placed(request)
    bench.harness.price(HUNDRED)
    answer = bench.broker.submit(request)
    bench.harness.price(HUNDRED)
    assert answer.status == S.FILLED, f"the answer is {answer.status}"
    assert total(bench.reports()) == 10, f"{total(bench.reports())} shares were bought"
    bench.expect(client_order_id, S.FILLED)


def case_order_by_id(bench: Bench) -> None:
    """An order is found by our id, with what was asked"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting("SELL", 7))
    order = bench.expect(client_order_id, *UNFILLED)
    assert (order.symbol, order.side, order.quantity) == (SYMBOL, "SELL", 7), f"the broker tells {order}"
    assert order.filled_quantity == 0, f"{order.filled_quantity} shares are filled"


def case_order_unknown(bench: Bench) -> None:
    """An id that was never sent is not known"""
    assert bench.broker.order("vb-never-sent") is None


def case_market_order(bench: Bench) -> None:
    """A market order fills at the market"""
    _fills(bench, bench.request(), at=HUNDRED)


def case_market_sale(bench: Bench) -> None:
    """A market sale fills at the market"""
    _fills(bench, bench.request("SELL"), at=HUNDRED)


def case_limit_order(bench: Bench) -> None:
    """A limit order waits for its price and fills no worse"""
    _claimed(bench, OrderType.LIMIT)
    request = bench.request(type=OrderType.LIMIT, limit_price=Decimal(95))
    _waits_then_fills(bench, request, waits_at=[HUNDRED, Decimal(96)], fills_at=Decimal(94))


def case_limit_sale(bench: Bench) -> None:
    """A limit sale waits for its price and fills no worse"""
    _claimed(bench, OrderType.LIMIT)
    request = bench.request("SELL", type=OrderType.LIMIT, limit_price=Decimal(105))
    _waits_then_fills(bench, request, waits_at=[HUNDRED, Decimal(104)], fills_at=Decimal(106))


def case_stop_order(bench: Bench) -> None:
    """A stop order waits for its stop, then fills at the market"""
    _claimed(bench, OrderType.STOP)
    request = bench.request("SELL", type=OrderType.STOP, stop_price=Decimal(95))
    _waits_then_fills(bench, request, waits_at=[HUNDRED, Decimal(96)], fills_at=Decimal(94))


def case_stop_limit_order(bench: Bench) -> None:
    """A stop-limit order waits for its stop, then fills within its limit"""
    _claimed(bench, OrderType.STOP_LIMIT)
    request = bench.request(type=OrderType.STOP_LIMIT, stop_price=Decimal(105), limit_price=Decimal(107))
    _waits_then_fills(bench, request, waits_at=[HUNDRED, Decimal(104)], fills_at=Decimal(106))


def case_good_till_cancelled(bench: Bench) -> None:
    """An order until cancelled is taken and stays open"""
    _time_in_force_claimed(bench, TimeInForce.GTC)
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(replace(bench.resting(), time_in_force=TimeInForce.GTC))
    bench.harness.price(HUNDRED)
    bench.expect(client_order_id, S.WORKING)


def case_at_once_or_not_at_all(bench: Bench) -> None:
    """An order at once or not at all never rests"""
    _time_in_force_claimed(bench, TimeInForce.IOC)
    bench.harness.price(HUNDRED)
    unfilled = bench.placed(replace(bench.resting(), time_in_force=TimeInForce.IOC))
    bench.harness.price(HUNDRED)
    bench.expect(unfilled, S.CANCELLED, S.EXPIRED)
    assert bench.open_ids() == set()


def case_day_order_expires(bench: Bench) -> None:
    """A day order that its broker ends is expired or cancelled, its part kept"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.end(client_order_id, S.EXPIRED)
    bench.expect(client_order_id, S.EXPIRED, S.CANCELLED)
    assert bench.open_ids() == set()


def case_fractional_shares(bench: Bench) -> None:
    """Fractions of a share are bought to the millionth"""
    if not bench.broker.capabilities.fractional_shares:
        raise NotSupportedError("whole shares only")
    _fills(bench, bench.request(quantity="1.234567"), at=HUNDRED)


def case_open_orders(bench: Bench) -> None:
    """Only what still works is open"""
    bench.harness.price(HUNDRED)
    filled = bench.placed(bench.request())
    resting, cancelled = bench.placed(bench.resting()), bench.placed(bench.resting("SELL"))
    bench.harness.price(HUNDRED)
    bench.broker.cancel(cancelled)
    bench.harness.settle_cancel(cancelled)
    assert bench.open_ids() == {resting}
    bench.expect(filled, S.FILLED)


def _claimed(bench: Bench, kind: OrderType) -> None:
    if kind not in bench.broker.capabilities.order_types:
        raise NotSupportedError(f"takes no {kind.replace('_', '-')} orders")


def _time_in_force_claimed(bench: Bench, time: TimeInForce) -> None:
    if time not in bench.broker.capabilities.times_in_force:
        raise NotSupportedError(f"takes no {time} orders")


def _fills(bench: Bench, request: OrderRequest, *, at: Decimal) -> None:
    bench.harness.price(at)
    client_order_id = bench.placed(request)
    bench.harness.price(at)
    assert bench.expect(client_order_id, S.FILLED).filled_quantity == request.quantity
    reports = bench.reports()
    assert total(reports) == request.quantity, f"{total(reports)} shares are reported"
    assert {report.price for report in reports} == {at}, f"filled at {[report.price for report in reports]}"


def _waits_then_fills(bench: Bench, request: OrderRequest, *, waits_at: list[Decimal], fills_at: Decimal) -> None:
    bench.harness.price(waits_at[0])
    client_order_id = bench.placed(request)
    for price in waits_at:
        bench.harness.price(price)
        bench.expect(client_order_id, S.WORKING)
    bench.harness.price(fills_at)
    assert bench.expect(client_order_id, S.FILLED).filled_quantity == request.quantity
    assert {report.price for report in bench.reports()} == {fills_at}
