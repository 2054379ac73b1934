"""What every broker must do, case by case. The first line of a case is its row in the table."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from tests.conformance.harness import SYMBOL, Harness, NotSupportedError
from trading.brokers.base import (
    Broker,
    BrokerOrder,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    FillReport,
    OrderRequest,
    OrderType,
    TimeInForce,
)

S = BrokerOrderStatus
HUNDRED = Decimal(100)
# Taken, and nothing filled: a broker may take its time before it works.
UNFILLED = (S.RECEIVED, S.WORKING)


@dataclass(slots=True)
class Bench:
    """One adapter under test, with short ways to ask of it what cases ask."""

    harness: Harness
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def broker(self) -> Broker:
        return self.harness.broker

    def request(self, side: str = "BUY", quantity: Decimal | int | str = 10, **terms: Any) -> OrderRequest:
        """Return an order of whole shares at market for the day, unless told otherwise, under a new id."""
        return replace(
            OrderRequest(f"vb-conformance-{next(self._numbers)}", SYMBOL, side, Decimal(quantity)),
            quote_source=self.harness.quote_source,
            **terms,
        )

    def resting(self, side: str = "BUY", quantity: Decimal | int | str = 10) -> OrderRequest:
        """Return a limit order far from a market at 100."""
        limit = Decimal(50) if side == "BUY" else Decimal(200)
        return self.request(side, quantity, type=OrderType.LIMIT, limit_price=limit)

    def placed(self, request: OrderRequest) -> str:
        """Submit and return the client order id."""
        answer = self.broker.submit(request)
        assert answer.client_order_id == request.client_order_id, f"the answer is about {answer.client_order_id}"
        return request.client_order_id

    def known(self, client_order_id: str) -> BrokerOrder:
        """Return the broker's view of an order that it must know."""
        order = self.broker.order(client_order_id)
        assert order is not None, f"the broker does not know {client_order_id}"
        return order

    def expect(self, client_order_id: str, *expected: BrokerOrderStatus) -> BrokerOrder:
        """Return the broker's view of an order that must be in one of these states."""
        order = self.known(client_order_id)
        assert order.status in expected, f"the order is {order.status}, expected {' or '.join(expected)}"
        return order

    def reports(self, cursor: str = "") -> list[FillReport]:
        """Return the reports after a cursor, each fill once, in the order first told."""
        once = {report.broker_fill_id: report for report in self.broker.fills_since(cursor)}
        return list(once.values())

    def open_ids(self) -> set[str]:
        """Return the ids of the orders that the broker says are open."""
        return {order.client_order_id for order in self.broker.open_orders()}


def raises(kind: type[Exception], call: Callable[[], Any]) -> Any:
    """Return the error that a call must raise."""
    try:
        answer = call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, and the answer was {answer!r}")


def total(reports: Iterable[FillReport]) -> Decimal:
    """Return the shares of some reports together."""
    return sum((report.quantity for report in reports), Decimal(0))


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


def case_unclaimed_is_refused(bench: Bench) -> None:
    """What the broker does not claim to do is refused with a code"""
    able = bench.broker.capabilities
    bench.harness.price(HUNDRED)
    prices = {"limit_price": Decimal(90), "stop_price": Decimal(90)}
    unclaimed = [bench.request("SELL", type=kind, **prices) for kind in OrderType if kind not in able.order_types]
    unclaimed += [
        replace(bench.resting(), time_in_force=time) for time in TimeInForce if time not in able.times_in_force
    ]
    if not able.fractional_shares:
        unclaimed.append(bench.request(quantity="1.5"))
    unclaimed += [
        replace(bench.resting("SELL", "1.5"), type=kind, stop_price=Decimal(90))
        for kind in able.order_types - able.fractional_types
    ]
    for request in unclaimed:
        refusal = raises(BrokerRejectedError, lambda request=request: bench.broker.submit(request))
        assert refusal.code, "the refusal has no code"
    assert bench.open_ids() == set()


def case_malformed_is_refused(bench: Bench) -> None:
    """An order that makes no sense is refused and not kept"""
    bench.harness.price(HUNDRED)
    for request in (
        bench.request(quantity=0),
        bench.request(quantity=-1),
        bench.request(quantity="NaN"),
        bench.request(type=OrderType.LIMIT, limit_price=None),
        bench.request(type=OrderType.LIMIT, limit_price=Decimal(-1)),
        replace(bench.request(), symbol="NO-SUCH-SYMBOL"),
    ):
        refusal = raises(BrokerRejectedError, lambda request=request: bench.broker.submit(request))
        assert refusal.code, "the refusal has no code"
    assert (bench.open_ids(), bench.reports()) == (set(), [])


def case_fractional_shares(bench: Bench) -> None:
    """Fractions of a share are bought to the millionth"""
    if not bench.broker.capabilities.fractional_shares:
        raise NotSupportedError("whole shares only")
    _fills(bench, bench.request(quantity="1.234567"), at=HUNDRED)


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


def case_parts_add_up(bench: Bench) -> None:
    """Parts of an order add up, and the broker says how far it is"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.fill(client_order_id, Decimal(3), Decimal(50))
    assert bench.expect(client_order_id, S.PARTIALLY_FILLED).filled_quantity == 3
    assert client_order_id in bench.open_ids(), "a part-filled order is still open"
    bench.harness.fill(client_order_id, Decimal(5), Decimal(49))
    assert bench.expect(client_order_id, S.PARTIALLY_FILLED).filled_quantity == 8
    bench.harness.fill(client_order_id, Decimal(2), Decimal(50))
    assert bench.expect(client_order_id, S.FILLED).filled_quantity == 10
    told = [(report.quantity, report.price) for report in bench.reports()]
    assert sorted(told) == [(2, 50), (3, 50), (5, 49)], f"the reports tell {told}"


def case_cancel_after_part(bench: Bench) -> None:
    """A part-filled order that is cancelled keeps its part"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.fill(client_order_id, Decimal(4), Decimal(50))
    assert bench.broker.cancel(client_order_id) is True
    bench.harness.settle_cancel(client_order_id)
    assert bench.expect(client_order_id, S.CANCELLED).filled_quantity == 4
    assert total(bench.reports()) == 4


def case_reports_from_the_beginning(bench: Bench) -> None:
    """Without a cursor every fill is told, with all that is known of it"""
    bench.harness.price(HUNDRED)
    ids = [bench.placed(bench.request(side, quantity)) for side, quantity in (("BUY", 5), ("SELL", 2))]
    bench.harness.price(HUNDRED)
    reports = bench.reports()
    told = {one.client_order_id: (one.symbol, one.side, one.quantity, one.price) for one in reports}
    assert told == {ids[0]: (SYMBOL, "BUY", 5, 100), ids[1]: (SYMBOL, "SELL", 2, 100)}, f"the reports tell {told}"
    for report in reports:
        assert report.cursor, "a report has no cursor"
        assert report.broker_fill_id, "a report has no id of its own"
        assert report.as_of.tzinfo is not None, "a report's time has no zone"
        assert report.currency in ("USD", ""), f"a report is in {report.currency}"


def case_reports_from_a_cursor(bench: Bench) -> None:
    """After a cursor only what came later is told, and nothing is lost"""
    bench.harness.price(HUNDRED)
    first = bench.placed(bench.request())
    bench.harness.price(HUNDRED)
    cursor = bench.broker.fills_since("")[-1].cursor
    second = bench.placed(bench.request("SELL"))
    bench.harness.price(HUNDRED)
    later = {report.client_order_id for report in bench.reports(cursor)}
    assert second in later, "the later fill is not told"
    everything = {report.client_order_id for report in bench.reports()}
    assert everything == {first, second}


def case_reports_again(bench: Bench) -> None:
    """The same question again has the same reports"""
    bench.harness.price(HUNDRED)
    bench.placed(bench.request())
    bench.harness.price(HUNDRED)
    first, second = bench.reports(), bench.reports()
    assert first == second, "the reports differ"
    assert len(first) == 1


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


def case_holdings_agree(bench: Bench) -> None:
    """Shares and cash held agree with the fills"""
    bench.harness.price(HUNDRED)
    before = bench.broker.holdings()
    for side, quantity in (("BUY", 10), ("SELL", 4)):
        bench.placed(bench.request(side, quantity))
        bench.harness.price(HUNDRED)
    after = bench.broker.holdings()
    shares = after.shares.get(SYMBOL, Decimal(0)) - before.shares.get(SYMBOL, Decimal(0))
    commission = sum((report.commission or Decimal(0) for report in bench.reports()), Decimal(0))
    assert shares == 6, f"{shares} shares more are held"
    assert after.cash - before.cash == -600 - commission, f"{after.cash - before.cash} of cash more is held"


def case_refused_with_code(bench: Bench) -> None:
    """A refused order says why, with a code, at once or when it is asked for, and is not open"""
    bench.harness.price(HUNDRED)
    bench.harness.refuse_next()
    request = bench.resting()
    try:
        bench.broker.submit(request)
    except BrokerRejectedError as refusal:
        told = refusal.code, str(refusal)
        known = bench.broker.order(request.client_order_id)
        assert known is None or known.status == S.REJECTED, f"the broker has it {known}"
    else:
        bench.harness.price(HUNDRED)
        rejected = bench.expect(request.client_order_id, S.REJECTED)
        told = rejected.reject_code, rejected.detail
    assert all(told), f"the refusal's code and words are {told}"
    assert bench.open_ids() == set()


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


def case_commission(bench: Bench) -> None:
    """Commission is told with each fill, as its own"""
    if not bench.broker.capabilities.reports_commission:
        raise NotSupportedError("tells no commission")
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    for _ in range(2):
        bench.harness.fill(client_order_id, Decimal(5), Decimal(50))
    told = [report.commission for report in bench.reports()]
    assert all(one is not None and one >= 0 for one in told), f"the reports tell {told}"


def case_stream(bench: Bench) -> None:
    """The stream tells an order and its fill"""
    if not bench.broker.capabilities.streams:
        raise NotSupportedError("is asked, and streams nothing")
    bench.harness.price(HUNDRED)
    stream = bench.broker.stream()
    client_order_id = bench.placed(bench.request())
    bench.harness.price(HUNDRED)
    fills: list[FillReport] = []
    states: list[BrokerOrderStatus] = []
    for update in stream:
        if update.order is not None and update.order.client_order_id == client_order_id:
            states.append(update.order.status)
        if update.fill is not None and update.fill.client_order_id == client_order_id:
            fills.append(update.fill)
        if fills and S.FILLED in states:
            break
    assert total(fills) == 10, f"the stream told {fills}"


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


Case = Callable[[Bench], None]
CASES: dict[str, Case] = {
    name.removeprefix("case_"): case for name, case in list(globals().items()) if name.startswith("case_")
}


def title_of(case: Case) -> str:
    """Return a case's row in the table."""
    return (case.__doc__ or "").strip().splitlines()[0]
