"""Brokers that fetch orders and report: laid out once, claimed by one, reported any number of times, and booked."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Event
from tests.portfolios.builders import BY_TEST
from tests.trading.api_reports import claimed, report, told
from tests.trading.builders import OPEN, Desk
from trading.brokers.api import ApiBroker
from trading.brokers.base import (
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.models import ApiFill, ApiHoldings, ApiOrder, RefusedReport
from trading.selectors.api_broker import api_orders_waiting
from trading.services.accounts import account_configure
from trading.services.api_orders import (
    api_cancel_confirm,
    api_cancel_decline,
    api_order_acknowledge,
    api_order_expire,
    api_order_reject,
)
from trading.services.api_reports import api_holdings_publish
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import ScopeError, tenant_scope

S = ApiOrder.State
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def broker(api_desk: Desk) -> ApiBroker:
    return ApiBroker(api_desk.account)


@pytest.fixture
def order(broker: ApiBroker) -> ApiOrder:
    """An order to buy 10 IBM at no more than 100, laid out."""
    broker.submit(request())
    return ApiOrder.objects.get()


def request(name: str = "vb-1", **terms: Any) -> OrderRequest:
    whole: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(100)} | terms
    return OrderRequest(name, "IBM", "BUY", Decimal(10), **whole)


class TestFetching:
    def test_an_order_is_laid_out_once_and_waits(self, api_desk: Desk, broker: ApiBroker, order: ApiOrder) -> None:
        answer = broker.submit(request())
        assert (answer.status, ApiOrder.objects.count()) == (BrokerOrderStatus.RECEIVED, 1)
        assert api_orders_waiting(account=api_desk.account) == [order]
        assert api_orders_waiting(account=api_desk.account, after=order.pk) == []

    def test_it_is_claimed_by_one_and_offered_again_once_the_claim_lapses(
        self, api_desk: Desk, order: ApiOrder, clock: time_machine.Traveller
    ) -> None:
        claimed(order)
        assert api_orders_waiting(account=api_desk.account) == []
        with pytest.raises(Conflict, match="was fetched by desk 1"):
            claimed(order, "desk 2")
        assert claimed(order).claimed_by == "desk 1"
        clock.shift(61)
        assert api_orders_waiting(account=api_desk.account) == [order]
        assert claimed(order, "desk 2").claimed_by == "desk 2"

    def test_one_that_was_acknowledged_is_offered_no_more(
        self, api_desk: Desk, broker: ApiBroker, order: ApiOrder, clock: time_machine.Traveller
    ) -> None:
        claimed(order)
        for _ in range(2):
            api_order_acknowledge(order=order, broker_order_id="D-7", origin=BY_TEST)
        clock.shift(3600)
        assert api_orders_waiting(account=api_desk.account) == []
        known = broker.order("vb-1")
        assert known is not None
        assert (known.status, known.broker_order_id) == (BrokerOrderStatus.WORKING, "D-7")
        with pytest.raises(Refused, match="is known as D-7, not D-8; it may have been placed twice"):
            api_order_acknowledge(order=order, broker_order_id="D-8", origin=BY_TEST)
        with pytest.raises(Refused, match="is acknowledged; do not place it"):
            claimed(order, "desk 2")

    def test_each_move_leaves_one_event(self, order: ApiOrder) -> None:
        claimed(order)
        for _ in range(3):
            api_order_acknowledge(order=order, broker_order_id="D-7", origin=BY_TEST)
        kinds = list(Event.objects.filter(kind__startswith="api_order").order_by("id").values_list("kind", flat=True))
        assert kinds == ["api_order.claimed", "api_order.acknowledged"]

    def test_one_that_nobody_fetched_in_time_expires(
        self, api_desk: Desk, broker: ApiBroker, clock: time_machine.Traveller
    ) -> None:
        broker.submit(request(expires_at=OPEN + dt.timedelta(minutes=5)))
        clock.shift(300)
        assert api_orders_waiting(account=api_desk.account) == []
        with pytest.raises(Refused, match="do not place it"):
            claimed(ApiOrder.objects.get())
        assert broker.open_orders() == []
        assert ApiOrder.objects.get().state == S.EXPIRED

    def test_another_lease_is_kept(self, api_desk: Desk, broker: ApiBroker) -> None:
        account_configure(account=api_desk.account, settings={"lease_seconds": 5}, origin=BY_TEST)
        broker.submit(request())
        assert claimed(ApiOrder.objects.get()).claimed_until == OPEN + dt.timedelta(seconds=5)


class TestCancelling:
    def test_what_nobody_fetched_is_withdrawn_at_once(self, api_desk: Desk, broker: ApiBroker, order: ApiOrder) -> None:
        assert (broker.cancel("vb-1"), broker.cancel("vb-1")) == (True, False)
        assert (ApiOrder.objects.get().state, api_orders_waiting(account=api_desk.account)) == (S.CANCELLED, [])
        with pytest.raises(Refused, match="do not place it"):
            claimed(order)
        with pytest.raises(Refused, match=r"was cancelled before it was fetched\. Cancel it"):
            api_order_acknowledge(order=order, broker_order_id="D-7", origin=BY_TEST)

    def test_what_was_fetched_waits_for_the_brokers_word(
        self, api_desk: Desk, broker: ApiBroker, order: ApiOrder
    ) -> None:
        claimed(order)
        assert (broker.cancel("vb-1"), broker.cancel("vb-1")) == (True, True)
        assert broker.open_orders()[0].status == BrokerOrderStatus.CANCELLING
        assert [one.state for one in api_orders_waiting(account=api_desk.account)] == [S.CANCEL_ASKED]
        api_order_acknowledge(order=order, broker_order_id="D-7", origin=BY_TEST)
        assert ApiOrder.objects.get().state == S.CANCEL_ASKED, "a late acknowledgement takes nothing back"
        for _ in range(2):
            api_cancel_confirm(order=order, origin=BY_TEST)
        assert (ApiOrder.objects.get().state, broker.cancel("vb-1")) == (S.CANCELLED, False)

    def test_a_fill_that_was_faster_wins(self, api_desk: Desk, broker: ApiBroker, order: ApiOrder) -> None:
        claimed(order)
        broker.cancel("vb-1")
        assert told(api_desk, report(quantity="4")) == [("F-1", "")]
        assert ApiOrder.objects.get().state == S.CANCEL_ASKED
        told(api_desk, report("F-2", "6"))
        assert ApiOrder.objects.get().state == S.FILLED
        with pytest.raises(Refused, match="is filled and cannot become cancelled; nothing was changed"):
            api_cancel_confirm(order=order, origin=BY_TEST)


class TestDeclining:
    """A broker may say that it is too late: the order works on, with its words."""

    def test_the_order_stays_at_work_and_may_be_asked_to_be_cancelled_again(
        self, api_desk: Desk, broker: ApiBroker, order: ApiOrder
    ) -> None:
        claimed(order)
        broker.cancel("vb-1")
        for _ in range(2):
            api_cancel_decline(order=order, detail="too late", origin=BY_TEST)
        known = broker.order("vb-1")
        assert known is not None
        assert (known.status, known.cancel_declined) == (BrokerOrderStatus.WORKING, "too late")
        assert api_orders_waiting(account=api_desk.account) == []
        assert Event.objects.filter(kind="api_order.cancel_declined").count() == 1
        broker.cancel("vb-1")
        again = broker.order("vb-1")
        assert again is not None
        assert (again.status, again.cancel_declined) == (BrokerOrderStatus.CANCELLING, "")
        api_cancel_confirm(order=order, origin=BY_TEST)
        assert ApiOrder.objects.get().state == S.CANCELLED

    def test_what_has_filled_in_part_stays_so(self, api_desk: Desk, broker: ApiBroker, order: ApiOrder) -> None:
        told(api_desk, report())
        broker.cancel("vb-1")
        api_cancel_decline(order=order, detail="locked", origin=BY_TEST)
        assert ApiOrder.objects.get().state == S.PARTIALLY_FILLED

    def test_what_nobody_asks_for_is_not_declined(self, broker: ApiBroker, order: ApiOrder) -> None:
        with pytest.raises(Refused, match="is waiting to be fetched; nobody asks for its cancellation"):
            api_cancel_decline(order=order, detail="too late", origin=BY_TEST)
        broker.cancel("vb-1")
        with pytest.raises(Refused, match="is cancelled; nobody asks"):
            api_cancel_decline(order=order, detail="too late", origin=BY_TEST)

    def test_it_needs_words(self, broker: ApiBroker, order: ApiOrder) -> None:
        claimed(order)
        broker.cancel("vb-1")
        with pytest.raises(Refused, match="detail is"):
            api_cancel_decline(order=order, detail="", origin=BY_TEST)
        assert ApiOrder.objects.get().state == S.CANCEL_ASKED


class TestEnds:
    def test_a_refusal_is_told_with_its_code(self, broker: ApiBroker, order: ApiOrder) -> None:
        claimed(order)
        for _ in range(2):
            api_order_reject(order=order, code="no_margin", detail="The margin does not allow it.", origin=BY_TEST)
        known = broker.order("vb-1")
        assert known is not None
        assert (known.status, known.reject_code, known.detail) == (
            BrokerOrderStatus.REJECTED,
            "no_margin",
            "The margin does not allow it.",
        )

    def test_what_has_filled_is_not_refused(self, api_desk: Desk, order: ApiOrder) -> None:
        told(api_desk, report())
        with pytest.raises(Refused, match=r"has filled 4 shares and cannot be refused"):
            api_order_reject(order=order, code="no_margin", detail="", origin=BY_TEST)
        api_order_expire(order=order, origin=BY_TEST)
        assert (ApiOrder.objects.get().state, ApiOrder.objects.get().filled_quantity) == (S.EXPIRED, 4)

    @pytest.mark.parametrize("code", ["", "x" * 41, "no\nmargin"])
    def test_a_refusal_needs_a_code(self, order: ApiOrder, code: str) -> None:
        with pytest.raises(Refused, match="code is"):
            api_order_reject(order=order, code=code, detail="", origin=BY_TEST)
        assert ApiOrder.objects.get().state == S.WAITING


class TestReports:
    def test_the_same_again_has_the_same_answer(self, api_desk: Desk, broker: ApiBroker, order: ApiOrder) -> None:
        first = told(api_desk, report(), report("F-2", "6"))
        assert first == told(api_desk, report(), report("F-2", "6")) == [("F-1", ""), ("F-2", "")]
        assert (ApiFill.objects.count(), ApiOrder.objects.get().state) == (2, S.FILLED)
        assert Event.objects.filter(kind="api_fills.reported").count() == 1
        reports = broker.fills_since("")
        assert [(one.symbol, one.side, one.quantity, one.currency) for one in reports] == [
            ("IBM", "BUY", 4, "USD"),
            ("IBM", "BUY", 6, "USD"),
        ]
        assert broker.fills_since(reports[0].cursor) == reports[1:]

    def test_twice_in_one_request_is_once(self, api_desk: Desk, order: ApiOrder) -> None:
        assert told(api_desk, report(), report()) == [("F-1", ""), ("F-1", "")]
        assert ApiOrder.objects.get().filled_quantity == 4

    @pytest.mark.parametrize(
        "bad,code",
        [
            ({"quantity": "-4"}, "quantity"),
            ({"quantity": "0"}, "quantity"),
            ({"quantity": "NaN"}, "quantity"),
            ({"quantity": "1e12"}, "quantity"),
            ({"price": "0"}, "price"),
            ({"price": "-99"}, "price"),
            ({"currency": "XXX"}, "currency"),
            ({"as_of": OPEN + dt.timedelta(minutes=10)}, "future"),
            ({"side": "SELL"}, "mismatch"),
            ({"symbol": "AAPL"}, "mismatch"),
        ],
    )
    def test_what_makes_no_sense_is_refused_kept_and_stands_in_nobodys_way(
        self, api_desk: Desk, order: ApiOrder, bad: dict[str, Any], code: str
    ) -> None:
        for _ in range(2):
            assert told(api_desk, report("F-0", **bad), report()) == [("F-0", code), ("F-1", "")]
        assert ApiOrder.objects.get().filled_quantity == 4
        kept = RefusedReport.objects.get()
        assert (kept.code, kept.repetitions) == (code, 2)

    def test_another_content_under_the_same_id_is_refused(self, api_desk: Desk, order: ApiOrder) -> None:
        told(api_desk, report())
        assert told(api_desk, report(quantity="5")) == [("F-1", "differs")]
        assert (ApiFill.objects.get().quantity, ApiOrder.objects.get().filled_quantity) == (4, 4)

    def test_another_tenants_account_is_out_of_reach(self, api_desk: Desk, order: ApiOrder) -> None:
        with tenant_scope(api_desk.tenant.pk + 1), pytest.raises(ScopeError):
            told(api_desk, report())
        assert ApiFill.objects.count() == 0

    def test_too_many_at_once_are_refused_whole(self, api_desk: Desk, order: ApiOrder) -> None:
        with pytest.raises(Refused, match="501 fills in one report; expected at most 500"):
            told(api_desk, *[replace(report(), broker_fill_id=f"F-{number}") for number in range(501)])
        assert ApiFill.objects.count() == 0


class TestHoldings:
    def test_before_any_the_broker_has_given_no_answer(self, broker: ApiBroker) -> None:
        with pytest.raises(BrokerUnreachableError, match="has not told what it holds yet"):
            broker.holdings()

    def test_the_newest_moment_counts_whatever_comes_last(self, api_desk: Desk, broker: ApiBroker) -> None:
        for minutes, shares in ((0, 5), (-10, 4), (0, 5)):
            api_holdings_publish(
                account=api_desk.account, shares={"IBM": Decimal(shares)}, cash=Decimal("12.34"),
                as_of=OPEN + dt.timedelta(minutes=minutes), origin=BY_TEST,
            )  # fmt: skip
        held = broker.holdings()
        assert (held.shares, held.cash, held.is_total) == ({"IBM": Decimal(5)}, Decimal("12.34"), True)
        assert ApiHoldings.objects.count() == 2

    @pytest.mark.parametrize(
        "bad,words",
        [
            ({"cash": Decimal("0.001")}, "cash is 0.001"),
            ({"shares": {"IBM": Decimal("NaN")}}, "IBM is"),
            ({"as_of": OPEN + dt.timedelta(minutes=10)}, "ahead of our clock"),
        ],
    )
    def test_what_cannot_be_is_refused(self, api_desk: Desk, bad: dict[str, Any], words: str) -> None:
        whole: dict[str, Any] = {"shares": {}, "cash": Decimal(0), "as_of": OPEN} | bad
        with pytest.raises(Refused, match=words):
            api_holdings_publish(account=api_desk.account, origin=BY_TEST, **whole)
        assert ApiHoldings.objects.count() == 0

    def test_other_holdings_for_the_same_moment_are_refused(self, api_desk: Desk) -> None:
        for cash, fails in ((1, False), (2, True)):
            call = {"account": api_desk.account, "shares": {}, "cash": Decimal(cash), "as_of": OPEN, "origin": BY_TEST}
            if fails:
                with pytest.raises(Refused, match="Other holdings were told"):
                    api_holdings_publish(**call)
            else:
                api_holdings_publish(**call)


def test_what_the_broker_does_not_take_is_refused_before_it_is_laid_out(api_desk: Desk) -> None:
    account_configure(
        account=api_desk.account,
        settings={"order_types": ["market"], "times_in_force": ["day"], "fractional_shares": False},
        origin=BY_TEST,
    )
    broker = ApiBroker(api_desk.account)
    market = OrderRequest("vb-2", "IBM", "BUY", Decimal(10))
    for bad in (
        request(),
        replace(market, time_in_force=TimeInForce.GTC),
        replace(market, quantity=Decimal("1.5")),
        replace(market, extended_hours=True),
    ):
        with pytest.raises(BrokerRejectedError) as refusal:
            broker.submit(bad)
        assert refusal.value.code == "unsupported"
    assert not ApiOrder.objects.exists()
    assert broker.submit(market).is_open
