"""What brokers report that cannot be true: kept whole, counted, shown; the others of the batch are booked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, Event
from portfolios.selectors import reconcile
from portfolios.services.origin import Origin
from tests.trading.builders import OPEN, Desk, make_desk, only_order, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.brokers.base import BrokerOrder, BrokerOrderStatus, BrokerUpdate, DoubtfulReport
from trading.models import Fill, FillCursor, HeldFill, Order, RefusedReport
from trading.selectors.attention import report_attention
from trading.services import fills
from trading.services.broker_updates import broker_update_apply
from trading.services.fills import fill_book
from trading.services.orders import orders_send
from trading.services.refusals import MOST_CHARACTERS, doubtful_keep
from trading.services.refused_reports import refused_report_dismiss, refused_report_retry
from volbal.common.errors import Refused, VolbalError
from volbal.common.tenancy import ScopeError, tenant_scope

NONE = Decimal("NaN")
BAD: list[tuple[dict[str, Any], str]] = [
    ({"quantity": Decimal(-1)}, "quantity"),
    ({"quantity": Decimal(0)}, "quantity"),
    ({"quantity": Decimal("0.0000000000001")}, "quantity"),
    ({"quantity": Decimal("1E+10")}, "quantity"),
    ({"quantity": Decimal("1E+999999")}, "quantity"),
    ({"quantity": NONE}, "quantity"),
    ({"quantity": None}, "quantity"),
    ({"quantity": "six"}, "quantity"),
    ({"price": Decimal(-104)}, "price"),
    ({"price": Decimal(0)}, "price"),
    ({"price": Decimal("Infinity")}, "price"),
    ({"price": Decimal("1E+15")}, "price"),
    ({"price": Decimal(104 * 26)}, "price"),
    ({"price": Decimal(4)}, "price"),
    ({"quantity": Decimal(10) ** 9, "price": Decimal(10) ** 7}, "value"),
    ({"commission": NONE}, "commission"),
    ({"currency": "XXX"}, "currency"),
    ({"as_of": OPEN + dt.timedelta(seconds=6)}, "future"),
    ({"as_of": OPEN + dt.timedelta(minutes=10)}, "future"),
    ({"as_of": OPEN.replace(tzinfo=None)}, "naive_time"),
    ({"as_of": None}, "naive_time"),
    ({"side": "SHORT"}, "side"),
    ({"side": "BUY"}, "side"),
    ({"broker_fill_id": ""}, "missing_id"),
    ({"broker_fill_id": "x" * 65}, "bad_id"),
    ({"broker_fill_id": "a\x00b"}, "bad_id"),
    ({"broker_order_id": None}, "bad_id"),
    ({"client_order_id": ""}, "unnamed"),
    ({"client_order_id": "", "symbol": "IBM"}, "unnamed"),
    ({"client_order_id": "", "symbol": "I" * 21, "side": "BUY"}, "symbol"),
    ({"client_order_id": "", "symbol": "IBM", "side": "BUY", "quantity": Decimal("0.0000001")}, "quantity"),
]


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def order(told_desk: Desk, told_cell: Cell) -> Order:
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    return only_order()


@pytest.mark.parametrize("wrong,code", BAD, ids=[f"{code}-{index}" for index, (_, code) in enumerate(BAD)])
def test_what_cannot_be_true_is_kept_and_the_rest_of_the_batch_booked(
    told_desk: Desk, broker: StandInBroker, order: Order, wrong: dict[str, Any], code: str
) -> None:
    broker.fill(order.client_order_id, 1, 104)
    broker.reports.append(replace(broker.fill(order.client_order_id, 1, 104), **wrong))
    broker.reports.pop(1)
    broker.fill(order.client_order_id, 2, 104)
    assert [fill.quantity for fill in orders_send(account_id=told_desk.account.pk)] == [1, 2]
    kept = RefusedReport.objects.get()
    assert (kept.code, kept.status, kept.repetitions, kept.payload["kind"]) == (code, "open", 1, "fill")
    assert kept.payload["cursor"] == "2"
    assert (HeldFill.objects.count(), FillCursor.objects.get().position) == (0, broker.reports[-1].cursor)
    assert only_order().filled_quantity == 3
    assert Event.objects.filter(kind="report.refused").count() == 1
    assert reconcile() == []


def test_the_same_again_is_counted_once_each_time(told_desk: Desk, broker: StandInBroker, order: Order) -> None:
    report = broker.fill(order.client_order_id, -1, 104)
    for cursor in ("1", "7", "9"):
        fill_book(account=told_desk.account, report=replace(report, cursor=cursor))
    assert RefusedReport.objects.get().repetitions == 3
    assert Event.objects.filter(kind="report.refused").count() == 1
    assert [note.text for note in report_attention()] == [
        "Main: 1 report of the broker that cannot be true. Try again or dismiss."
    ]


def test_a_report_from_a_clock_ten_minutes_ahead_is_booked_once_the_time_has_come(
    told_desk: Desk, broker: StandInBroker, order: Order, clock: time_machine.Traveller
) -> None:
    broker.fill(order.client_order_id, order.quantity, 104, as_of=OPEN + dt.timedelta(minutes=10))
    orders_send(account_id=told_desk.account.pk)
    kept = RefusedReport.objects.get()
    assert "600 s ahead" in kept.sentence
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=kept, origin=Origin())
    clock.shift(600)
    refused_report_retry(report=RefusedReport.objects.get(), origin=Origin())
    assert (RefusedReport.objects.get().status, only_order().status) == ("booked", "filled")
    with pytest.raises(Refused, match="taken at a later try before"):
        refused_report_retry(report=RefusedReport.objects.get(), origin=Origin())
    assert Fill.objects.count() == 1


@pytest.mark.parametrize("wrong,code", BAD, ids=[f"{code}-{index}" for index, (_, code) in enumerate(BAD)])
def test_trying_again_what_is_still_wrong_is_refused_and_counted(
    told_desk: Desk, broker: StandInBroker, order: Order, wrong: dict[str, Any], code: str
) -> None:
    fill_book(account=told_desk.account, report=replace(broker.fill(order.client_order_id, 1, 104), **wrong))
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=RefusedReport.objects.get(), origin=Origin())
    kept = RefusedReport.objects.get()
    assert (kept.repetitions, kept.status, Fill.objects.count()) == (2, "open", 0)


def test_a_dismissed_report_is_kept_with_its_reason(told_desk: Desk, broker: StandInBroker, order: Order) -> None:
    fill_book(account=told_desk.account, report=broker.fill(order.client_order_id, -1, 104))
    with pytest.raises(VolbalError, match="needs a reason"):
        refused_report_dismiss(report=RefusedReport.objects.get(), origin=Origin())
    refused_report_dismiss(report=RefusedReport.objects.get(), origin=Origin(reason="the broker took it back"))
    assert (RefusedReport.objects.get().status, report_attention()) == ("dismissed", [])
    with pytest.raises(Refused, match="dismissed before"):
        refused_report_retry(report=RefusedReport.objects.get(), origin=Origin())


def test_a_frame_that_cannot_be_read_is_kept_and_cannot_be_tried_again(told_desk: Desk) -> None:
    frames: list[Any] = ['{"stream": "trade_updates", "da', {"event": "\ud800\x00", "n": [1, None, 2.5]}, b"\x80\xff"]
    for frame in frames:
        doubtful_keep(account=told_desk.account, told=DoubtfulReport(frame, "it is no JSON"))
    for kept in RefusedReport.objects.all():
        with pytest.raises(Refused, match="cannot be tried again"):
            refused_report_retry(report=kept, origin=Origin())
    assert RefusedReport.objects.count() == 3


def test_as_much_as_can_be_kept_of_a_frame_without_end_is_kept(told_desk: Desk) -> None:
    told = DoubtfulReport("x" * (MOST_CHARACTERS + 1), "too long")
    for _ in range(2):
        doubtful_keep(account=told_desk.account, told=told)
    kept = RefusedReport.objects.get()
    assert (kept.repetitions, kept.payload["content"]["length"]) == (2, MOST_CHARACTERS + 1)
    assert len(kept.payload["content"]["first"]) == MOST_CHARACTERS


def test_what_an_adapter_cannot_read_stands_in_no_other_reports_way(
    told_desk: Desk, broker: StandInBroker, order: Order
) -> None:
    broker.doubtful = [DoubtfulReport({"id": 7}, "id is 7, expected a text", read_from="")]
    broker.fill(order.client_order_id, 1, 104)
    assert [fill.quantity for fill in orders_send(account_id=told_desk.account.pk)] == [1]
    kept = RefusedReport.objects.get()
    assert (kept.sentence, kept.payload["content"]) == ("It cannot be taken: id is 7, expected a text", {"id": 7})
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=kept, origin=Origin())
    broker.silent = True
    with pytest.raises(Refused, match="does not answer"):
        refused_report_retry(report=kept, origin=Origin())
    broker.silent, broker.doubtful = False, []
    broker.fill(order.client_order_id, 2, 104)
    kept.refresh_from_db()
    refused_report_retry(report=kept, origin=Origin())
    assert (RefusedReport.objects.get().status, only_order().filled_quantity) == ("booked", 3)


def test_an_order_of_another_account_is_none_of_this_one(
    told_desk: Desk, broker: StandInBroker, told_cell: Cell
) -> None:
    south = make_desk("south", broker="stand-in")
    with tenant_scope(south.tenant.pk):
        open_cell(south.portfolio)
        tick(south.portfolio, {"IBM": 104})
        theirs = Order.objects.get()
    report = broker.fill(theirs.client_order_id, 1, 104, symbol="IBM", side="SELL")
    assert fill_book(account=told_desk.account, report=report) is None
    assert (RefusedReport.objects.get().code, HeldFill.objects.count()) == ("other_account", 0)
    with pytest.raises(ScopeError):
        fill_book(account=south.account, report=report)
    with tenant_scope(south.tenant.pk):
        assert not Fill.objects.exists()


@pytest.mark.parametrize(
    "told",
    [
        BrokerOrder("", "S1", "gone", None),  # type: ignore[arg-type]  # what a broker may say all the same
        BrokerOrder("", "S1", BrokerOrderStatus.FILLED, Decimal(-1)),
        BrokerOrder("", "S1", BrokerOrderStatus.FILLED, NONE),
        BrokerOrder("", "S1", BrokerOrderStatus.FILLED, Decimal("1E+12")),
    ],
)
def test_a_view_of_an_order_that_makes_no_sense_changes_nothing(
    told_desk: Desk, order: Order, told: BrokerOrder
) -> None:
    told = replace(told, client_order_id=order.client_order_id)
    broker_update_apply(account=told_desk.account, update=BrokerUpdate(order=told))
    assert (only_order().status, only_order().broker_filled_quantity) == ("accepted", None)
    assert RefusedReport.objects.get().payload["kind"] == "order"
    with pytest.raises(Refused, match="refused as before"):
        refused_report_retry(report=RefusedReport.objects.get(), origin=Origin())


def test_a_report_that_cannot_be_booked_stands_in_nobodys_way(
    told_desk: Desk, broker: StandInBroker, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong in booking one report is kept with it, and undone whole."""
    broker.fill(order.client_order_id, 1, 104)
    broker.fill(order.client_order_id, 2, 104)
    booked = fills.mark_refresh
    calls = iter([VolbalError("the day has no close"), None])

    def refuse_once(*, cell: Cell, day: dt.date) -> None:
        fault = next(calls)
        if fault is not None:
            raise fault
        booked(cell=cell, day=day)

    monkeypatch.setattr(fills, "mark_refresh", refuse_once)
    assert [fill.quantity for fill in orders_send(account_id=told_desk.account.pk)] == [2]
    kept = RefusedReport.objects.get()
    assert (kept.code, kept.sentence) == ("not_bookable", "It could not be booked: the day has no close")
    assert (only_order().filled_quantity, reconcile()) == (2, [])
    monkeypatch.undo()
    refused_report_retry(report=kept, origin=Origin())
    assert only_order().filled_quantity == 3
