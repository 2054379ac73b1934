"""Quotes that are pushed to us: taken, ignored or refused row by row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Portfolio
from portfolios.services import portfolio_create
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, make_desk, open_cell
from trading.models import Evaluation, FeedStatus, Quote
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.quote_pushes import PushedQuote, quotes_push
from volbal.common.tenancy import tenant_scope


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def row(symbol: str = "IBM", **changes: Any) -> PushedQuote:
    options: dict[str, Any] = {"last": Decimal(100), "as_of": OPEN}
    return PushedQuote(symbol, **(options | changes))


def ago(seconds: float) -> dt.datetime:
    return OPEN - dt.timedelta(seconds=seconds)


@pytest.fixture
def pushed(desk: Desk) -> Portfolio:
    make_instrument("IBM")
    make_instrument("AAPL")
    return portfolio_create(account=desk.account, name="Pushed", mode="paper", feed="pushed", origin=BY_TEST)


BAD = [
    ({"last": Decimal(-1)}, "its last is -1; expected a number above 0"),
    ({"bid": Decimal(0)}, "its bid is 0; expected a number above 0"),
    ({"ask": Decimal("NaN")}, "its ask is NaN; expected a number above 0"),
    ({"bid": Decimal(101), "ask": Decimal(100)}, "its bid is 101 and its ask 100; expected a bid not above the ask"),
    ({"as_of": OPEN.replace(tzinfo=None)}, "has no time zone"),
    ({"as_of": ago(-6)}, "is 6 s ahead of our clock; at most 5 s are allowed"),
    ({"as_of": ago(-600)}, "is 10 min ahead of our clock"),
    (
        {"as_of": ago(600)},
        "it was made 10 min before it came, and at most 30 s are allowed; is the sender's clock right?",
    ),
    ({"symbol": "NONE"}, "no instrument has this symbol"),
    ({"last": None}, "no bid, ask or last price"),
]


@pytest.mark.parametrize("changes,reason", BAD, ids=[reason for _, reason in BAD])
def test_a_bad_row_is_refused_with_its_reason_and_the_others_are_taken(
    desk: Desk, pushed: Portfolio, changes: dict[str, Any], reason: str
) -> None:
    outcome = quotes_push(tenant=desk.tenant, quotes=[row("AAPL", last=Decimal(50)), row(**changes)])
    assert (outcome.taken, outcome.ignored) == (1, 0)
    (refused,) = outcome.refused
    assert refused.row == 2
    assert reason in refused.reason
    assert [quote.instrument.symbol for quote in Quote.objects.select_related("instrument")] == ["AAPL"]
    status = FeedStatus.objects.get()
    assert (status.refused_count, status.quote_count) == (1, 1)
    assert reason[:60] in status.refusal


def test_the_newest_wins_and_older_ones_are_ignored(desk: Desk, pushed: Portfolio) -> None:
    both = [row(last=Decimal(101), as_of=ago(1)), row(last=Decimal(100), as_of=ago(2))]
    outcome = quotes_push(tenant=desk.tenant, quotes=both)
    assert (outcome.taken, outcome.ignored) == (1, 1)
    assert quotes_push(tenant=desk.tenant, quotes=[row(last=Decimal(99), as_of=ago(3))]).ignored == 1
    assert Quote.objects.get().last == 101


def test_cells_trade_on_what_was_pushed(desk: Desk, pushed: Portfolio) -> None:
    cell = open_cell(pushed)
    quotes_push(tenant=desk.tenant, quotes=[row(bid=Decimal("103.9"), ask=Decimal("104.1"), last=None)])
    portfolio_tick(portfolio=pushed)
    evaluation = Evaluation.objects.get(cell=cell)
    assert (evaluation.reason, evaluation.price) == ("trigger_up", 104)
    assert (evaluation.source, evaluation.is_synthetic) == (f"pushed:{desk.tenant.pk}", False)


def test_a_push_wakes_the_portfolios_that_tick_on_quotes(desk: Desk, pushed: Portfolio) -> None:
    open_cell(pushed)
    Portfolio.objects.filter(pk=pushed.pk).update(tick_on_quotes=True)
    quotes_push(tenant=desk.tenant, quotes=[row(last=Decimal(104))])
    assert Evaluation.objects.get().reason == "trigger_up"


def test_what_one_firm_is_pushed_is_no_price_for_another(desk: Desk, pushed: Portfolio) -> None:
    south = make_desk("south")
    with tenant_scope(south.tenant.pk):
        theirs = portfolio_create(account=south.account, name="P", mode="paper", feed="pushed", origin=BY_TEST)
        open_cell(theirs)
    quotes_push(tenant=desk.tenant, quotes=[row()])
    with tenant_scope(south.tenant.pk):
        portfolio_tick(portfolio=theirs)
        told = Evaluation.objects.get()
        assert (told.action, told.reason, told.source) == ("SKIP", "stale_price", "opening price")
