"""Limits and breakers: each trips once, says its figures, acts as asked, and a rehearsal only tells."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, Event, Portfolio, TradingRestriction
from portfolios.services import Origin, account_deposit, cell_deposit, cell_resume, cell_withdraw, place_resume
from portfolios.standings import place_of, trading_states
from tests.portfolios.at_once import at_once
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, make_desk, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import BreakerTrip, Evaluation, Order, TradingLimit
from trading.services.breakers import breaker_trip
from trading.services.equity import equity_of, growth_of
from trading.services.limit_looks import open_age_seconds
from trading.services.limit_watch import limits_watch
from trading.services.limits import limit_set, limit_switch
from trading.services.orders import orders_send
from trading.services.rejects import LONGEST_WAIT, RESPONSES
from volbal.common.errors import Refused
from volbal.common.tenancy import tenant_scope

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
SETTING = Origin(task="desk", reason="agreed with the owner")


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def limit(
    row: Any, kind: str, threshold: str, *, action: str = "halted", mode: str = "on", **more: Any
) -> TradingLimit:
    return limit_set(
        on=place_of(row), kind=kind, threshold=Decimal(threshold), action=action, mode=mode, origin=SETTING, **more
    )


def look(desk: Desk, price: float, as_of: dt.datetime = OPEN, **others: float) -> list[BreakerTrip]:
    tick(desk.portfolio, {"IBM": str(price)} | {name: str(value) for name, value in others.items()}, as_of)
    return limits_watch(portfolio_id=desk.portfolio.pk)


def state_of(cell: Cell) -> str:
    return trading_states([fresh(cell)])[cell.pk].state


@pytest.fixture
def still(desk: Desk) -> Cell:
    """A cell that holds 5,000.00 and 50 shares and never trades: its triggers are far away."""
    return open_cell(desk.portfolio, parameters={"trigger_up": 0.9, "trigger_down": 0.9, "auto_rebalance": False})


def test_a_drawdown_from_the_peak_halts_the_portfolio_once_and_says_its_figures(desk: Desk, still: Cell) -> None:
    limit(desk.portfolio, "drawdown", "0.05")
    assert look(desk, 120, OPEN) == []  # 11,000.00: the peak
    assert look(desk, 110, OPEN + DAY) == []  # 10,500.00 is 4.5 % below
    (tripped,) = look(desk, 108, OPEN + 4 * DAY)  # 10,400.00 is 5.45 % below; a Monday
    assert tripped.measured == Decimal("0.054545")
    assert tripped.sentence == (
        "Portfolio Core: 5.45% below the peak of 2024-03-07, the limit is 5.00%; it is worth 10,400.00."
    )
    assert look(desk, 90, OPEN + 5 * DAY) == []
    held = TradingRestriction.objects.get()
    assert (held.cause, held.state, held.reason, held.scope) == (
        "drawdown",
        "halted",
        tripped.sentence,
        f"portfolio:{desk.portfolio.pk}",
    )
    assert state_of(still) == "halted"
    assert Event.objects.filter(kind="breaker.tripped").count() == 1


def test_after_a_person_resumed_it_the_drawdown_counts_from_there(desk: Desk, still: Cell) -> None:
    limit(desk.portfolio, "drawdown", "0.05")
    look(desk, 120)
    assert len(look(desk, 100, OPEN + DAY)) == 1
    place_resume(on=place_of(desk.portfolio), origin=by_owner(desk))
    assert look(desk, 99, OPEN + DAY + MINUTE) == []
    assert look(desk, 92, OPEN + 4 * DAY) == []  # 9,600.00 after 9,950.00 is 3.5 %
    (again,) = look(desk, 86, OPEN + 5 * DAY)
    assert again.measured is not None
    assert round(float(again.measured), 4) == round(1 - 9300 / 9950, 4)


def test_a_deposit_is_no_gain_and_a_withdrawal_no_loss(desk: Desk, still: Cell) -> None:
    account_deposit(account=desk.account, amount=Decimal(10_000), as_of=OPEN, origin=BY_TEST)
    limit(still, "drawdown", "0.05", action="alert")
    limit(still, "daily_loss", "0.05", action="alert")
    look(desk, 100)
    cell_withdraw(cell=fresh(still), cash=Decimal(4_000), as_of=OPEN + DAY, origin=BY_TEST)
    assert look(desk, 100, OPEN + DAY + MINUTE) == []
    cell_deposit(cell=fresh(still), cash=Decimal(2_000), as_of=OPEN + 4 * DAY, origin=BY_TEST)
    assert look(desk, 96, OPEN + 4 * DAY + MINUTE) == []  # 200.00 of 8,000.00 is lost
    growth = growth_of(equity_of({still.pk: "XNYS"}, (OPEN + 4 * DAY).date()), [0])
    assert growth.drawdown[-1] == pytest.approx(200 / 8_000)
    assert {one.kind for one in look(desk, 90, OPEN + 4 * DAY + 2 * MINUTE)} == {"drawdown", "daily_loss"}


def test_a_daily_loss_is_of_that_day_alone(desk: Desk, still: Cell) -> None:
    limit(desk.tenant, "daily_loss", "0.02", action="reducing")
    assert look(desk, 100) == []
    assert look(desk, 97, OPEN + DAY) == []
    (tripped,) = look(desk, 92, OPEN + 4 * DAY)
    assert (tripped.scope, tripped.action, tripped.measured) == (
        f"tenant:{desk.tenant.pk}",
        "reducing",
        Decimal("0.025381"),
    )
    assert "from 9,850.00 to 9,600.00" in tripped.sentence
    assert state_of(still) == "reducing"


def test_orders_in_a_window_and_notional_of_a_day_are_counted_over_the_portfolio(desk: Desk, cell: Cell) -> None:
    other = open_cell(desk.portfolio, "AAPL")
    limit(desk.portfolio, "orders_in_window", "2", window_seconds=600)
    limit(desk.portfolio, "daily_notional", "1300", action="alert")
    limit(other, "orders_in_window", "2", window_seconds=600)
    made = {one.kind: one for one in look(desk, 104, OPEN, AAPL=104)}
    assert set(made) == {"orders_in_window", "daily_notional"}
    assert made["orders_in_window"].scope == f"portfolio:{desk.portfolio.pk}"
    assert made["daily_notional"].sentence == (
        "Portfolio Core: orders of 1,307.72 on 2024-03-07; the limit is 1,300.00."
    )
    assert state_of(cell) == "halted"


def test_exposure_and_concentration_are_watched_over_cells_portfolio_and_firm(desk: Desk, still: Cell) -> None:
    open_cell(desk.portfolio, "AAPL", shares=Decimal(10), cash=Decimal(0))
    limit(desk.tenant, "exposure", "6500", action="alert")
    limit(desk.portfolio, "concentration", "0.49", action="alert")
    assert look(desk, 100, OPEN, AAPL=100) == []
    made = {one.kind: one.sentence for one in look(desk, 120, OPEN + DAY, AAPL=100)}
    assert made == {
        "exposure": "Firm North: 7,000.00 held in stock; the limit is 6,500.00.",
        "concentration": "Portfolio Core: 50.00% of its value is IBM; the limit is 49.00%.",
    }


@pytest.mark.parametrize("kind,threshold", [("exposure", "5100"), ("concentration", "0.52")])
def test_a_buy_that_a_limit_leaves_no_room_for_is_skipped_before_it_is_written_and_a_sell_never(
    desk: Desk, cell: Cell, kind: str, threshold: str
) -> None:
    limit(desk.portfolio, kind, threshold)
    tick(desk.portfolio, {"IBM": 96})
    kept = Evaluation.objects.latest("id")
    assert (kept.action, kept.reason, Order.objects.count()) == ("SKIP", "exposure_limit", 0)
    assert "leaves no room for it" in kept.sentence
    tick(desk.portfolio, {"IBM": 104}, OPEN + MINUTE)
    assert Order.objects.get().side == "SELL"


def test_two_buys_of_one_tick_do_not_share_the_same_room(desk: Desk, cell: Cell) -> None:
    open_cell(desk.portfolio, "AAPL")
    limit(desk.tenant, "exposure", "10300")
    tick(desk.portfolio, {"IBM": 96, "AAPL": 96})
    assert sorted(Evaluation.objects.values_list("reason", flat=True)) == ["exposure_limit", "trigger_down"]


def refuse(
    desk: Desk, broker: StandInBroker, clock: time_machine.Traveller, times: int, code: str = "rejected"
) -> None:
    """Have the rule order and the broker refuse, each as soon as the cell asks again."""
    broker.refuses = "no such luck"
    broker.refuses_code = code
    moment = OPEN
    for _ in range(times):
        clock.move_to(moment)
        tick(desk.portfolio, {"IBM": 104}, moment)
        orders_send(account_id=desk.account.pk)
        moment += dt.timedelta(minutes=10)
    limits_watch(portfolio_id=desk.portfolio.pk)


def test_five_rejects_in_a_row_halt_the_cell_and_say_why(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    refuse(told_desk, broker, clock, 4)
    assert state_of(told_cell) == "active"
    clock.move_to(OPEN + dt.timedelta(minutes=50))
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(minutes=50))
    orders_send(account_id=told_desk.account.pk)
    (tripped,) = limits_watch(portfolio_id=told_desk.portfolio.pk)
    assert tripped.sentence == "The broker refused 5 orders in a row of IBM: no such luck"
    assert state_of(told_cell) == "halted"
    assert limits_watch(portfolio_id=told_desk.portfolio.pk) == []
    cell_resume(cell=fresh(told_cell), origin=by_owner(told_desk, "the broker says it is mended"))
    assert state_of(told_cell) == "active"


def test_after_a_refusal_the_cell_waits_and_each_further_one_doubles_the_wait(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    broker.refuses = "no such luck"
    tick(told_desk.portfolio, {"IBM": 104})
    orders_send(account_id=told_desk.account.pk)
    for seconds, reason in ((4, "backing_off"), (6, "trigger_up")):
        clock.move_to(OPEN + dt.timedelta(seconds=seconds))
        tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(seconds=seconds))
        assert Evaluation.objects.latest("id").reason == reason
    orders_send(account_id=told_desk.account.pk)
    clock.move_to(OPEN + dt.timedelta(seconds=15))
    tick(told_desk.portfolio, {"IBM": 104}, OPEN + dt.timedelta(seconds=15))
    kept = Evaluation.objects.latest("id")
    assert kept.reason == "backing_off"
    assert "refused its last 2 orders (no such luck); it asks again at 15:30:16 UTC" in kept.sentence


@pytest.mark.parametrize("code", sorted(RESPONSES))
def test_each_kind_of_refusal_stops_what_its_table_says_after_as_many(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller, code: str
) -> None:
    response = RESPONSES[code]
    refuse(told_desk, broker, clock, response.in_a_row or 6, code)
    held = list(TradingRestriction.objects.values_list("level", flat=True))
    assert held == ([] if response.in_a_row is None else [response.level])
    assert dt.timedelta(seconds=response.wait_seconds) < LONGEST_WAIT


def test_a_limit_on_rejects_replaces_the_usual_one(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    limit(told_desk.tenant, "consecutive_rejects", "2", action="reducing", window_seconds=86_400)
    refuse(told_desk, broker, clock, 2)
    assert state_of(told_cell) == "reducing"
    limit_switch(limit=TradingLimit.objects.get(), mode="off", origin=SETTING)
    refuse(told_desk, broker, clock, 0)
    assert BreakerTrip.objects.count() == 1


def test_a_price_that_stays_old_while_the_market_is_open_halts_its_cell(
    desk: Desk, cell: Cell, clock: time_machine.Traveller
) -> None:
    limit(desk.tenant, "stale_data", "300")
    look(desk, 100)
    clock.move_to(OPEN + dt.timedelta(seconds=299))
    assert limits_watch(portfolio_id=desk.portfolio.pk) == []
    clock.move_to(OPEN + dt.timedelta(seconds=300))
    (tripped,) = limits_watch(portfolio_id=desk.portfolio.pk)
    assert (tripped.cell_id, tripped.measured) == (cell.pk, 300)
    assert "300 s old while the market is open" in tripped.sentence
    assert limits_watch(portfolio_id=desk.portfolio.pk) == []


@pytest.mark.parametrize(
    "moment,age", [("2024-03-08T14:30:10", 10), ("2024-03-09T15:30:00", 0), ("2024-03-08T14:00", 0)]
)
def test_the_age_of_a_price_counts_only_while_the_market_is_open(moment: str, age: int) -> None:
    assert open_age_seconds("XNYS", OPEN, dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)) == age


def test_a_disagreement_halts_what_it_is_told_of_once(desk: Desk, cell: Cell) -> None:
    where = place_of(desk.account)
    trips = [
        breaker_trip(kind="broker_disagreement", on=where, detail="50 shares are missing", cause="difference 7")
        for _ in range(2)
    ]
    assert [one is None for one in trips] == [False, True]
    assert state_of(cell) == "halted"
    assert TradingRestriction.objects.get().reason == "50 shares are missing"


@pytest.mark.parametrize(
    "mode,action,state",
    [
        ("off", "halted", "active"),
        ("rehearsing", "halted", "active"),
        ("on", "alert", "active"),
        ("on", "reducing", "reducing"),
    ],
)
def test_a_limit_does_what_its_mode_and_action_say(desk: Desk, still: Cell, mode: str, action: str, state: str) -> None:
    limit(desk.portfolio, "drawdown", "0.05", mode=mode, action=action)
    look(desk, 100)
    trips = look(desk, 80, OPEN + DAY)
    assert state_of(still) == state
    assert [one.is_rehearsal for one in trips] == ([] if mode == "off" else [mode == "rehearsing"])
    assert Event.objects.filter(kind="breaker.rehearsed").exists() is (mode == "rehearsing")


@pytest.mark.parametrize(
    "kind,threshold,told",
    [
        ("drawdown", "0", "expected above 0"),
        ("drawdown", "5", "expected a fraction below 1"),
        ("exposure", "NaN", "expected above 0"),
        ("orders_in_window", "2.5", "expected a whole number"),
        ("nonsense", "1", "is not a valid choice"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_and_leaves_nothing(desk: Desk, kind: str, threshold: str, told: str) -> None:
    with pytest.raises(Refused, match=told):
        limit(desk.portfolio, kind, threshold)
    with pytest.raises(Refused, match="needs a reason"):
        limit_set(
            on=place_of(desk.portfolio), kind="drawdown", threshold=Decimal("0.1"), action="alert", mode="on",
            origin=Origin(),
        )  # fmt: skip
    assert not TradingLimit.objects.exists()


def test_setting_a_limit_again_replaces_it_and_switching_it_keeps_the_reason(desk: Desk) -> None:
    first = limit(desk.portfolio, "drawdown", "0.1", mode="rehearsing")
    assert limit(desk.portfolio, "drawdown", "0.2", mode="rehearsing").pk == first.pk
    limit_switch(limit=first, mode="on", origin=SETTING)
    with pytest.raises(Refused, match="on already"):
        limit_switch(limit=first, mode="on", origin=SETTING)
    assert TradingLimit.objects.get().threshold == Decimal("0.2")
    assert list(Event.objects.filter(kind__startswith="limit.").order_by("id").values_list("kind", flat=True)) == [
        "limit.set",
        "limit.set",
        "limit.on",
    ]


def test_the_number_of_queries_does_not_grow_with_the_cells(desk: Desk, django_assert_num_queries: Any) -> None:
    def many(symbols: list[str]) -> None:
        for symbol in symbols:
            open_cell(desk.portfolio, symbol)

    for kind, threshold in (("drawdown", "0.9"), ("daily_notional", "1e9"), ("exposure", "1e9"), ("stale_data", "1e6")):
        limit(desk.tenant, kind, threshold)
    many(["IBM"])
    look(desk, 100)
    asked = 13
    with django_assert_num_queries(asked):
        limits_watch(portfolio_id=desk.portfolio.pk)
    many([f"S{number}" for number in range(5)])
    tick(desk.portfolio, {"IBM": 100} | {f"S{number}": 100 for number in range(5)}, OPEN + MINUTE)
    with django_assert_num_queries(asked + 3):  # made anew for the new cells
        limits_watch(portfolio_id=desk.portfolio.pk)
    with django_assert_num_queries(asked):
        limits_watch(portfolio_id=desk.portfolio.pk)


@pytest.mark.services
def test_a_limit_trips_once_however_many_look_at_once(transactional_db: None) -> None:
    desk = make_desk()
    with tenant_scope(desk.tenant.pk):
        open_cell(desk.portfolio)
        limit(desk.portfolio, "drawdown", "0.05")
        look(desk, 100)
        tick(desk.portfolio, {"IBM": 80}, OPEN + DAY)
        found = at_once([lambda: limits_watch(portfolio_id=desk.portfolio.pk)] * 6)
        assert sorted(map(len, found)) == [0, 0, 0, 0, 0, 1]
        assert (BreakerTrip.objects.count(), TradingRestriction.objects.count()) == (1, 1)


@pytest.mark.parametrize("kind,threshold", [("drawdown", "0.01"), ("daily_loss", "0.01"), ("concentration", "0.01")])
def test_where_nothing_was_ever_worth_anything_a_limit_finds_nothing(desk: Desk, kind: str, threshold: str) -> None:
    open_cell(desk.portfolio, cash=Decimal(0), shares=Decimal(0))
    limit(desk.portfolio, kind, threshold)
    assert look(desk, 100) == []


def test_a_portfolio_that_was_never_looked_at_or_is_put_away_reaches_no_limit(desk: Desk, still: Cell) -> None:
    limit(desk.portfolio, "concentration", "0.01")
    assert limits_watch(portfolio_id=desk.portfolio.pk) == []
    assert len(look(desk, 100)) == 1
    Portfolio.objects.update(is_archived=True)
    assert look(desk, 100, OPEN + DAY) == []


def test_a_cell_without_any_price_is_not_told_to_have_an_old_one(desk: Desk, still: Cell) -> None:
    open_cell(desk.portfolio, "AAPL")
    limit(desk.portfolio, "stale_data", "600")
    assert look(desk, 100) == []
