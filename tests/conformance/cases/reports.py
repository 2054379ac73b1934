"""Reports: fills told once and for all, holdings and commission that agree with them."""

from __future__ import annotations

from decimal import Decimal

from tests.conformance.bench import HUNDRED, Bench, S, total
from tests.conformance.harness import SYMBOL, TELLS_NO_CASH, NotSupportedError
from trading.brokers.base import BrokerOrderStatus, CashKind, CashReport, FillReport
from trading.models import RefusedReport
from trading.services.orders import fills_collect
from volbal.common import clock


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


def case_unreadable_report(bench: Bench) -> None:
    """A report that cannot be read is kept for a person and stands in no other's way"""
    bench.harness.price(HUNDRED)
    client_order_id = bench.placed(bench.resting())
    bench.harness.garble_fill(client_order_id, Decimal(4), Decimal(50))
    bench.harness.fill(client_order_id, Decimal(3), Decimal(50))
    for _ in range(2):
        fills_collect(account=bench.harness.account, broker=bench.broker)
    kept = RefusedReport.objects.filter(account=bench.harness.account)
    assert [row.status for row in kept] == ["open"], f"{len(kept)} reports are kept"
    told = [one.quantity for one in bench.broker.fills_since("") if isinstance(one, FillReport)]
    assert told == [3], f"the others tell {told}"


def case_cash_movement(bench: Bench) -> None:
    """A fee apart from fills is told with its kind, as often as it is asked for, and taken from the cash"""
    if not bench.broker.capabilities.tells_cash_movements:
        raise NotSupportedError(TELLS_NO_CASH)
    before = bench.broker.holdings().cash
    bench.harness.take_fee(Decimal("0.31"))
    first, second = (list(bench.broker.cash_since(clock.now())) for _ in range(2))
    assert first == second, "the reports differ"
    told = [(one.kind, one.amount) for one in first if isinstance(one, CashReport)]
    assert told == [(CashKind.FEE, Decimal("-0.31"))], f"the broker tells {told}"
    assert before - bench.broker.holdings().cash == Decimal("0.31")


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
