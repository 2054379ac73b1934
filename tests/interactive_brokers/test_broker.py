"""Interactive Brokers' adapter against ib_async's interface; it has never met the broker's own gateway."""

from __future__ import annotations

import builtins
import datetime as dt
import inspect
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ib_async
import pytest

from portfolios.models import BrokerAccount
from tests.interactive_brokers.gateway import PAPER_ACCOUNT, Book, Gateway
from trading.brokers.base import (
    BrokerAccessError,
    BrokerBusyError,
    BrokerOrderStatus,
    BrokerRejectedError,
    BrokerUnreachableError,
    DoubtfulReport,
    FillReport,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from trading.brokers.interactive_brokers import InteractiveBrokersBroker
from trading.brokers.interactive_brokers.payloads import STATUSES, exact
from trading.brokers.registry import broker_of
from volbal.common.errors import Refused
from volbal.common.exclusive import only_one

S = BrokerOrderStatus
# Before any test puts its own in its place.
REAL = ib_async.IB
USED = sorted(name for name, value in vars(Gateway).items() if not name.startswith("_") and callable(value))


@pytest.mark.parametrize("name", USED)
def test_the_gateway_of_the_tests_has_the_methods_of_the_real_one(name: str) -> None:
    ours = [(one.name, one.kind) for one in inspect.signature(getattr(Gateway, name)).parameters.values()]
    theirs = [(one.name, one.kind) for one in inspect.signature(getattr(REAL, name)).parameters.values()]
    assert ours == theirs


def test_every_state_of_an_order_that_the_library_knows_is_known_to_us() -> None:
    named = {value for name, value in vars(ib_async.OrderStatus).items() if isinstance(value, str) and name == value}
    assert set(STATUSES) == named | {"Inactive"}
    assert ib_async.OrderStatus.DoneStates | ib_async.OrderStatus.ActiveStates <= set(STATUSES)


def request(number: int = 1, **changes: Any) -> OrderRequest:
    plain = {"client_order_id": f"vb-{number}", "symbol": "IBM", "side": "BUY", "quantity": Decimal(10)}
    return OrderRequest(**(plain | changes))


def test_an_order_goes_out_with_our_id_as_its_reference(ib: InteractiveBrokersBroker, book: Book) -> None:
    answer = ib.submit(
        request(
            side="SELL",
            type=OrderType.STOP_LIMIT,
            stop_price=Decimal("170.009"),
            limit_price=Decimal("169.501"),
            time_in_force=TimeInForce.GTC,
        )
    )
    order = book.trades[0].order
    assert (order.orderRef, order.action, order.totalQuantity, order.account) == ("vb-1", "SELL", 10.0, PAPER_ACCOUNT)
    assert (order.orderType, order.lmtPrice, order.auxPrice, order.tif) == ("STP LMT", 169.51, 170.0, "GTC")
    assert (answer.status, answer.quantity, answer.broker_order_id) == (S.WORKING, 10, "9000")


def test_a_line_is_opened_under_the_accounts_own_number_and_closed_after_each_question(
    ib: InteractiveBrokersBroker, book: Book
) -> None:
    ib.account.settings = {"interactive_brokers": {"port": 4999, "client_number": 7}}
    ib.submit(request())
    ib.open_orders()
    assert [line.place[:3] for line in book.lines] == [("127.0.0.1", 4999, 7)] * 2
    assert not any(line.isConnected() for line in book.lines)


def test_an_order_that_is_there_already_is_not_placed_again(ib: InteractiveBrokersBroker, book: Book) -> None:
    first = ib.submit(request())
    assert ib.submit(request()) == first
    book.fill("vb-1", 10, 100)
    assert ib.submit(request()).status == S.FILLED
    assert len(book.trades) == 1


def test_one_that_only_its_executions_remember_is_not_placed_again(ib: InteractiveBrokersBroker, book: Book) -> None:
    ib.submit(request())
    book.fill("vb-1", 10, 100)
    book.trades.clear()
    known = ib.submit(request())
    assert (known.filled_quantity, known.symbol, known.side) == (10, "IBM", "BUY")
    assert book.trades == []


def test_without_the_brokers_word_the_order_is_unknown_and_found_later(
    ib: InteractiveBrokersBroker, book: Book
) -> None:
    book.stays_silent = True
    with pytest.raises(BrokerUnreachableError, match="has not said a word") as silence:
        ib.submit(request())
    assert not isinstance(silence.value, BrokerBusyError)
    known = ib.order("vb-1")
    assert known is not None
    assert known.status == S.RECEIVED


@pytest.mark.parametrize(
    "number, why, code",
    [
        (201, "Order rejected - reason: Available funds are insufficient", "insufficient_funds"),
        (201, "Order rejected - reason: no short sales in a cash account", "insufficient_shares"),
        (201, "Order rejected - reason: the exchange is closed", "market_closed"),
        (201, "Order rejected - reason: something new", "rejected"),
        (110, "The price does not conform to the minimum price variation", "price_increment"),
        (203, "The security is not available or allowed for this account", "not_tradable"),
        (10243, "Fractional-sized order cannot be placed via API", "fraction_not_allowed"),
    ],
)
def test_the_brokers_no_has_a_code_and_its_words(
    ib: InteractiveBrokersBroker, book: Book, number: int, why: str, code: str
) -> None:
    book.refuses = (number, why)
    with pytest.raises(BrokerRejectedError, match=why[:20]) as refusal:
        ib.submit(request())
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "changes, code",
    [({"quantity": Decimal("1.5")}, "not_supported"), ({"symbol": "NONE"}, "unknown_symbol")],
)
def test_what_cannot_be_is_refused_before_it_is_placed(
    ib: InteractiveBrokersBroker, book: Book, changes: Any, code: str
) -> None:
    with pytest.raises(BrokerRejectedError) as refusal:
        ib.submit(request(**changes))
    assert refusal.value.code == code
    assert book.trades == []


class TestFills:
    def test_executions_are_told_under_their_ids_with_the_own_commission(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        ib.submit(request())
        book.fill("vb-1", 4, 99.5)
        book.fill("vb-1", 6, 99.25)
        told = [(one.client_order_id, one.side, one.quantity, one.price, one.commission) for one in ib.fills_since("")]
        assert told == [
            ("vb-1", "BUY", 4, Decimal("99.5"), 1),
            ("vb-1", "BUY", 6, Decimal("99.25"), 1),
        ]

    def test_a_commission_that_comes_later_corrects_the_same_report(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        ib.submit(request())
        book.tells_commission = False
        book.fill("vb-1", 10, 99.5)
        before = ib.fills_since("")[0]
        report = ib_async.CommissionReport(execId=book.fills[0].execution.execId, commission=1.25, currency="USD")
        book.fills[0] = book.fills[0]._replace(commissionReport=report)
        after = ib.fills_since(before.cursor)[0]
        assert (before.commission, after.commission) == (None, Decimal("1.25"))
        assert after.broker_fill_id == before.broker_fill_id

    def test_a_corrected_execution_is_no_second_fill_and_is_told_to_people(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        ib.submit(request())
        book.fill("vb-1", 10, 99.5)
        first = book.fills[0]
        again = replace(first.execution, execId=first.execution.execId[:-2] + "02", shares=9.0)
        book.fills.append(first._replace(execution=again))
        report, correction = ib.fills_since("")
        assert isinstance(report, FillReport)
        assert isinstance(correction, DoubtfulReport)
        assert (report.broker_fill_id, correction.code) == ("0000e0d5.6596b0d9.01", "corrected")
        assert "from 10 at 99.5 to 9.0 at 99.5" in correction.why

    def test_an_execution_that_cannot_be_read_is_handed_over_and_the_others_are_read(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        ib.submit(request())
        book.fill("vb-1", 4, 99.5)
        book.fill("vb-1", 6, 99.5)
        book.fills[0] = book.fills[0]._replace(execution=replace(book.fills[0].execution, side="NONE"))
        report, doubtful = ib.fills_since("")
        assert (report.quantity, doubtful.why) == (6, "KeyError: 'NONE'")
        assert "side='NONE'" in doubtful.content

    def test_an_order_that_cannot_be_read_is_no_answer(self, ib: InteractiveBrokersBroker, book: Book) -> None:
        ib.submit(request())
        book.trade("vb-1").order.totalQuantity = "many"  # type: ignore[assignment]
        with pytest.raises(BrokerUnreachableError, match="cannot be read: InvalidOperation"):
            ib.order("vb-1")

    def test_a_fill_of_an_order_that_was_placed_elsewhere_has_no_id_of_ours(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        ib.submit(request())
        book.fill("vb-1", 10, 99.5)
        book.fills[0] = book.fills[0]._replace(execution=replace(book.fills[0].execution, orderRef=""))
        assert [one.client_order_id for one in ib.fills_since("")] == [""]

    def test_what_is_older_than_the_account_here_is_not_ours(self, ib: InteractiveBrokersBroker, book: Book) -> None:
        ib.submit(request())
        book.fill("vb-1", 10, 99.5, at=dt.datetime.now(dt.UTC) - dt.timedelta(days=1))
        assert ib.fills_since("") == []


def test_an_order_rejected_after_it_was_taken_says_why(ib: InteractiveBrokersBroker, book: Book) -> None:
    ib.submit(request())
    book.end("vb-1", "Inactive", 201, "Order rejected - reason: margin")
    known = ib.order("vb-1")
    assert known is not None
    assert known.status == S.REJECTED


def test_a_part_filled_order_that_was_cancelled_keeps_its_part(ib: InteractiveBrokersBroker, book: Book) -> None:
    ib.submit(request())
    book.fill("vb-1", 4, 99.5)
    assert ib.cancel("vb-1") is True
    assert ib.cancel("vb-1") is False
    known = ib.order("vb-1")
    assert known is not None
    assert (known.status, known.filled_quantity) == (S.CANCELLED, 4)


def test_shares_and_cash_are_the_accounts_own(ib: InteractiveBrokersBroker, book: Book) -> None:
    book.shares |= {"IBM": 12.0, "MSFT": 0.0}
    book.cash = Decimal("1234.56")
    held = ib.holdings()
    assert (held.shares, held.cash, held.is_total) == ({"IBM": 12}, Decimal("1234.56"), True)


class TestTheLine:
    def test_where_no_gateway_answers_nothing_was_sent_and_people_are_told_what_to_do(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        book.is_down = True
        with pytest.raises(BrokerBusyError, match="start it, sign in there and let it take API connections"):
            ib.submit(request())

    def test_an_answer_that_is_lost_leaves_one_order_that_is_found(
        self, ib: InteractiveBrokersBroker, book: Book
    ) -> None:
        book.loses_answers = 1
        with pytest.raises(BrokerUnreachableError, match="the line to the gateway was lost") as silence:
            ib.submit(request())
        assert not isinstance(silence.value, BrokerBusyError)
        assert ib.submit(request()).status == S.WORKING
        assert len(book.trades) == 1

    def test_two_processes_do_not_speak_under_one_number(self, ib: InteractiveBrokersBroker, book: Book) -> None:
        with only_one("interactive brokers", ib.account.pk), pytest.raises(BrokerBusyError, match="another process"):
            ib.submit(request())
        assert book.lines == []

    def test_paper_and_live_must_agree(self, ib: InteractiveBrokersBroker, book: Book) -> None:
        book.accounts = ["U7654321"]
        with pytest.raises(BrokerAccessError, match="U7654321 is a live account at the broker"):
            ib.submit(request())
        assert book.trades == []

    def test_of_several_accounts_one_must_be_named(self, ib: InteractiveBrokersBroker, book: Book) -> None:
        book.accounts = [PAPER_ACCOUNT, "DU7654321"]
        with pytest.raises(BrokerAccessError, match="must name one of them as account_number"):
            ib.holdings()
        ib.account.settings = {"interactive_brokers": {"account_number": PAPER_ACCOUNT}}
        assert ib.holdings().cash == 100_000

    def test_without_the_library_people_are_told_how_to_install_it(
        self, ib: InteractiveBrokersBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = builtins.__import__

        def without(name: str, *arguments: Any, **options: Any) -> Any:
            if name == "ib_async":
                raise ModuleNotFoundError(name)
            return real(name, *arguments, **options)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(BrokerAccessError, match=r"install\.py interactive-brokers"):
            ib.open_orders()

    def test_settings_that_cannot_be_are_refused(self, account: BrokerAccount) -> None:
        account.settings = {"interactive_brokers": {"port": "4002"}}
        with pytest.raises(Refused, match=r"interactive_brokers.port is '4002'; expected a whole number"):
            broker_of(account)

    def test_the_registry_knows_it(self, account: BrokerAccount) -> None:
        assert isinstance(broker_of(account), InteractiveBrokersBroker)
        assert list(broker_of(account).stream()) == []


@pytest.mark.parametrize("value, expected", [(0.1, "0.1"), (None, "0"), (ib_async.util.UNSET_DOUBLE, "0"), ("2", "2")])
def test_numbers_are_taken_as_they_are_written(value: Any, expected: str) -> None:
    assert exact(value) == Decimal(expected)
