"""What a tick asks and what it does not: gates, cells that do not trade, moments that were looked at before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Cell, Portfolio
from portfolios.services import cell_halt, cell_pause, place_resume, portfolio_archive, restriction_place
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import (
    OPEN,
    Desk,
    by_owner,
    fresh,
    make_actions,
    make_replay,
    make_series,
    only_order,
    open_cell,
    quote,
    tick,
)
from trading.models import DailyMark, Evaluation, FeedStatus, Order, Quote, Tick
from trading.services.order_states import order_move
from trading.services.orders import orders_send
from trading.services.replay_runs import replay_run_steps
from trading.services.ticks import tick_run
from volbal.strategy import Dividend, Split

# New York's clock is five hours behind UTC until 10 March 2024, four after.
MOMENTS = """
2024-03-07T14:29:59 market_closed  a second before the open
2024-03-07T14:30:00 trigger_up     the open itself
2024-03-07T20:59:59 trigger_up     the last second
2024-03-07T21:00:00 market_closed  the close is outside
2024-03-09T15:30:00 market_closed  a Saturday
2024-03-29T15:30:00 market_closed  Good Friday
2024-07-03T16:59:59 trigger_up     a half day, before one o'clock
2024-07-03T17:00:00 market_closed  a half day, at one o'clock
2024-07-04T15:30:00 market_closed  Independence Day
"""
AFTER_HOURS = """
2024-03-07T08:59:59 market_closed  before four o'clock
2024-03-07T09:00:00 trigger_up     four o'clock
2024-03-08T00:59:59 trigger_up     just before eight in the evening
2024-03-08T01:00:00 market_closed  eight in the evening
2024-03-09T15:30:00 market_closed  a Saturday
"""


def moments(table: str) -> list[pytest.param]:
    rows = [line.split(maxsplit=2) for line in table.strip().splitlines()]
    return [pytest.param(dt.datetime.fromisoformat(f"{at}+00:00"), reason, id=name) for at, reason, name in rows]


def last_evaluation(cell: Cell) -> Evaluation:
    return Evaluation.objects.filter(cell=cell).latest("id")


@pytest.mark.parametrize("at,reason", moments(MOMENTS))
def test_the_rule_is_asked_in_the_session_only(desk: Desk, cell: Cell, at: dt.datetime, reason: str) -> None:
    tick(desk.portfolio, {"IBM": 104}, at)
    evaluation = last_evaluation(cell)
    assert evaluation.reason == reason
    assert Order.objects.exists() == (reason == "trigger_up")
    assert evaluation.sentence
    assert (evaluation.price, evaluation.value) == (104, Decimal("10200.00"))


@pytest.mark.parametrize("at,reason", moments(AFTER_HOURS))
def test_after_hours_are_a_matter_of_the_portfolio(desk: Desk, cell: Cell, at: dt.datetime, reason: str) -> None:
    Portfolio.objects.update(trading_hours=Portfolio.TradingHours.EXTENDED)
    tick(desk.portfolio, {"IBM": 104}, at)
    assert last_evaluation(cell).reason == reason


def test_a_halted_portfolio_decides_nothing_until_it_is_resumed(desk: Desk, cell: Cell) -> None:
    restriction_place(on=place_of(desk.portfolio), state="halted", origin=BY_TEST)
    tick(desk.portfolio, {"IBM": 104})
    assert (last_evaluation(cell).reason, Order.objects.count()) == ("halted", 0)
    place_resume(on=place_of(desk.portfolio), origin=by_owner(desk))
    tick(desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    assert (last_evaluation(cell).reason, Order.objects.count()) == ("trigger_up", 1)


def test_a_cell_with_an_order_in_flight_waits_and_others_do_not(desk: Desk, cell: Cell) -> None:
    tick(desk.portfolio, {"IBM": 104})
    other = open_cell(desk.portfolio, "AAPL")
    tick(desk.portfolio, {"IBM": 108, "AAPL": 108}, OPEN + dt.timedelta(minutes=1))
    assert last_evaluation(cell).reason == "order_in_flight"
    assert last_evaluation(other).reason == "trigger_up"
    orders_send(account_id=desk.account.pk)
    tick(desk.portfolio, {"IBM": 120}, OPEN + dt.timedelta(minutes=2))
    assert last_evaluation(cell).reason == "trigger_up"


@pytest.mark.parametrize("age,reason", [(30, "trigger_up"), (31, "stale_price"), (-5, "trigger_up")])
def test_an_old_price_is_stale(desk: Desk, cell: Cell, age: int, reason: str) -> None:
    tick(desk.portfolio, {"IBM": 104}, OPEN, quoted_at=OPEN - dt.timedelta(seconds=age))
    evaluation = last_evaluation(cell)
    assert (evaluation.reason, evaluation.age_seconds) == (reason, max(age, 0))


def test_a_replay_knows_no_stale_price_but_the_calendar(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100, 100]))
    replay_run_steps(run=run, steps=1)
    old = [quote(make_instrument("IBM"), 104, OPEN - dt.timedelta(days=1))]
    tick_run(portfolio_id=run.portfolio_id, as_of=OPEN, quotes=old)
    assert Evaluation.objects.latest("id").reason == "trigger_up"
    Order.objects.update(status="filled")
    closed = dt.datetime(2024, 3, 9, 15, tzinfo=dt.UTC)
    tick_run(portfolio_id=run.portfolio_id, as_of=closed, quotes=old)
    assert Evaluation.objects.latest("id").reason == "market_closed"


@pytest.mark.parametrize("stop,asked", [(cell_pause, []), (cell_halt, ["halted", "halted"])])
def test_a_cell_that_does_not_trade_takes_its_dividends_and_splits(
    desk: Desk, cell: Cell, stop: Callable[..., Cell], asked: list[str]
) -> None:
    stop(cell=cell, origin=BY_TEST)
    make_actions(Split(OPEN.date(), 2.0), Dividend(OPEN.date(), 1.0, dt.date(2024, 3, 8)))
    tick(desk.portfolio, {"IBM": 60})
    held = fresh(cell)
    assert (held.shares, held.anchor, held.receivable) == (100, 49, 75)
    tick(desk.portfolio, {"IBM": 60}, OPEN + dt.timedelta(days=1))
    held = fresh(cell)
    assert (held.receivable, held.cash) == (0, 5_075)
    assert list(Evaluation.objects.values_list("reason", flat=True)) == asked
    assert list(DailyMark.objects.order_by("day").values_list("value", flat=True)) == [Decimal("11075.00")] * 2


def test_a_cell_without_a_price_is_refused_and_not_marked(desk: Desk, cell: Cell) -> None:
    outcome = tick(desk.portfolio, {"AAPL": 104})
    assert outcome is not None
    assert (outcome.cell_count, Evaluation.objects.get().reason, DailyMark.objects.count()) == (1, "stale_price", 0)


def test_the_same_moment_is_looked_at_once(desk: Desk, cell: Cell) -> None:
    first = tick(desk.portfolio, {"IBM": 104})
    assert first is not None
    assert first.order_count == 1
    version = fresh(cell).version
    for _ in range(2):
        assert tick(desk.portfolio, {"IBM": 120}) is None
    assert (Tick.objects.count(), Evaluation.objects.count(), Order.objects.count()) == (1, 1, 1)
    assert fresh(cell).version == version


def test_a_late_tick_does_not_bring_back_older_prices(desk: Desk, cell: Cell) -> None:
    tick(desk.portfolio, {"IBM": 100})
    assert tick(desk.portfolio, {"IBM": 104}, OPEN - dt.timedelta(seconds=1)) is None
    assert (Quote.objects.get().last, Order.objects.count()) == (100, 0)


def test_an_archived_portfolio_does_not_tick(desk: Desk, cell: Cell) -> None:
    portfolio_archive(portfolio=desk.portfolio, origin=BY_TEST)
    assert tick(desk.portfolio, {"IBM": 104}) is None
    assert not Tick.objects.exists()


def test_a_naive_moment_is_refused(desk: Desk, cell: Cell) -> None:
    with pytest.raises(ValueError, match="as_of 2024-03-07T15:30:00 has no time zone"):
        tick_run(portfolio_id=desk.portfolio.pk, as_of=OPEN.replace(tzinfo=None), quotes=[])


def test_a_tick_that_fails_leaves_nothing(desk: Desk, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    make_actions(Dividend(OPEN.date(), 1.0))

    def out_of_order(**_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("trading.services.ticks.cells_count_orders", out_of_order)
    with pytest.raises(OSError, match="disk full"):
        tick(desk.portfolio, {"IBM": 104})
    for table in (Tick, Evaluation, Order, DailyMark):
        assert not table.objects.exists()
    # What the market said is no part of the tick: every portfolio on that source shares it.
    assert Quote.objects.get().last == 104
    assert fresh(cell).receivable == 0


def test_orders_are_counted_by_the_exchanges_day(desk: Desk, cell: Cell) -> None:
    for minute, price in enumerate((104, 100, 104, 100, 104, 100)):
        tick(desk.portfolio, {"IBM": price}, OPEN + dt.timedelta(minutes=minute))
        orders_send(account_id=desk.account.pk)
    assert last_evaluation(cell).reason == "daily_order_cap"
    assert (fresh(cell).orders_today, fresh(cell).orders_day) == (5, OPEN.date())
    tick(desk.portfolio, {"IBM": 100}, OPEN + dt.timedelta(days=1))
    assert last_evaluation(cell).reason == "trigger_down"
    assert fresh(cell).orders_today == 1


def test_a_rejected_order_counts_and_frees_the_cell(desk: Desk, cell: Cell) -> None:
    with time_machine.travel(OPEN, tick=False):
        tick(desk.portfolio, {"IBM": 104})
        order_move(only_order(), Order.Status.SUBMITTING)
        order_move(Order.objects.get(), Order.Status.REJECTED)
    with time_machine.travel(OPEN + dt.timedelta(minutes=1), tick=False):
        tick(desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=1))
    assert last_evaluation(cell).reason == "trigger_up"
    assert fresh(cell).orders_today == 2


def test_a_live_buy_may_pay_half_a_percent_more_and_never_more_than_there_is(desk: Desk) -> None:
    # 300.00 at the start, spent to the last cent if the order fills at its limit.
    cell = open_cell(desk.portfolio, cash=Decimal(300), shares=Decimal(5), anchor=Decimal(100))
    tick(desk.portfolio, {"IBM": 60})
    order = only_order()
    assert order.limit_price == Decimal("60.3")
    assert order.quantity * order.limit_price <= cell.cash
    assert order.type == Order.Type.LIMIT


def statements_of_a_tick(desk: Desk, count: int) -> list[str]:
    """Return what a tick that orders in every cell asks of the database; SQLite takes 999 values a statement, and
    several in a row that differ in nothing but their rows count as one."""
    quotes = [quote(make_instrument(f"S{index:03}"), 104) for index in range(count)]
    FeedStatus.objects.create(source="synthetic", is_synthetic=True, asking_since=OPEN, asked_at=OPEN)
    with CaptureQueriesContext(connection) as captured:
        tick_run(portfolio_id=desk.portfolio.pk, as_of=OPEN, quotes=quotes)
    asked = [query["sql"].partition(" VALUES ")[0] for query in captured.captured_queries]
    return [sql for before, sql in pairwise(["", *asked]) if sql != before]


# Recorded; a rise needs a reason. The first ten judge and keep the prices, in a transaction of their own. Parameters
# are read apart from the cells: as columns they cost a third of what an instance for each cell does.
TICK_QUERIES = 32


@pytest.mark.parametrize("count", [1, 40])
def test_a_tick_takes_the_same_queries_for_one_cell_and_for_forty(desk: Desk, count: int) -> None:
    for index in range(count):
        open_cell(desk.portfolio, f"S{index:03}")
    statements = statements_of_a_tick(desk, count)
    assert Order.objects.count() == count
    assert len(statements) == TICK_QUERIES, "\n".join(statement[:160] for statement in statements)
