"""Limits above portfolios: on accounts, firms, brokers and everywhere; who sets them, and what firms see of them."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from portfolios.models import BrokerAccount, Cell, Event, Portfolio, TradingRestriction
from portfolios.services import (
    account_create,
    account_deposit,
    cell_archive,
    cell_deposit,
    cell_pause,
    cell_withdraw,
    portfolio_create,
)
from portfolios.standings import Place, broker_place, everywhere, place_of, trading_states
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, SESSIONS, Desk, fresh, make_desk, make_replay, make_series, open_cell, tick
from tests.trading.test_console import client_of, operate
from tests.trading.test_limits import SETTING
from trading.models import BreakerTrip, DayOpening, Evaluation, Order, TradingLimit
from trading.selectors.limits import limits_of
from trading.selectors.rehearsals import rehearsal
from trading.services.day_openings import Group, courses, newest_entry_id
from trading.services.equity import equity_of, growth_of
from trading.services.limit_cells import limited_cells
from trading.services.limit_watch import limits_watch, shared_limits_watch
from trading.services.limits import limit_proposed, limit_set, limit_switch
from volbal.common.tenancy import ScopeError, every_tenant, tenant_scope

DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
STILL = {"trigger_up": 0.9, "trigger_down": 0.9, "auto_rebalance": False}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def limit(on: Place, kind: str, threshold: str, *, action: str = "halted", mode: str = "on") -> TradingLimit:
    return limit_set(on=on, kind=kind, threshold=Decimal(threshold), action=action, mode=mode, origin=SETTING)


def shared(on: Place, kind: str, threshold: str, **more: Any) -> TradingLimit:
    with every_tenant():
        return limit(on, kind, threshold, **more)


def state_of(cell: Cell) -> str:
    return trading_states([fresh(cell)])[cell.pk].state


def look(portfolio: Portfolio, price: float, as_of: dt.datetime = OPEN) -> list[BreakerTrip]:
    tick(portfolio, {"IBM": str(price)}, as_of)
    return limits_watch(portfolio_id=portfolio.pk)


@pytest.fixture
def still(desk: Desk) -> Cell:
    return open_cell(desk.portfolio, parameters=STILL)


@pytest.fixture
def south(db: None) -> Desk:
    """Another firm with a cell like the first's, at the same broker."""
    desk = make_desk("south")
    with tenant_scope(desk.tenant.pk):
        open_cell(desk.portfolio, parameters=STILL)
        tick(desk.portfolio, {"IBM": 100})
    return desk


def second_portfolio(desk: Desk, account: BrokerAccount | None = None, *, mode: str = "paper") -> Portfolio:
    return portfolio_create(
        account=account or desk.account, name="Second", mode=mode, feed="synthetic", tick_interval_seconds=60,
        origin=BY_TEST,
    )  # fmt: skip


def test_a_limit_on_an_account_adds_up_its_portfolios_and_halts_the_account_alone(desk: Desk, still: Cell) -> None:
    elsewhere = account_create(tenant=desk.tenant, name="Other", broker="paper", origin=BY_TEST)
    other = open_cell(second_portfolio(desk, elsewhere), parameters=STILL)
    beside = open_cell(
        portfolio_create(
            account=desk.account, name="Beside", mode="paper", feed="synthetic", tick_interval_seconds=60,
            origin=BY_TEST,
        ),
        parameters=STILL,
    )  # fmt: skip
    limit(place_of(desk.account), "exposure", "10000")
    tick(other.portfolio, {"IBM": 101})
    assert look(desk.portfolio, 101) == []
    (tripped,) = look(beside.portfolio, 101)
    assert tripped.sentence == "Account Main: 10,100.00 held in stock; the limit is 10,000.00."
    assert [state_of(one) for one in (still, beside, other)] == ["halted", "halted", "active"]


def test_limits_everywhere_and_on_a_broker_add_up_all_firms(desk: Desk, still: Cell, south: Desk) -> None:
    tick(desk.portfolio, {"IBM": 100})
    shared(everywhere(), "exposure", "9999", action="reducing")
    shared(broker_place("paper"), "drawdown", "0.05")
    shared(broker_place("alpaca"), "exposure", "1")
    with every_tenant():
        assert [one.sentence for one in shared_limits_watch()] == [
            "Everything: 10,000.00 held in stock; the limit is 9,999.00."
        ]
    assert state_of(still) == "reducing"
    tick(desk.portfolio, {"IBM": 80}, OPEN + MINUTE)
    with every_tenant():
        (tripped,) = shared_limits_watch()
        assert tripped.sentence.startswith("Broker paper: 5.00% below the peak of")
        assert shared_limits_watch() == []
        assert set(Event.objects.filter(kind="breaker.tripped").values_list("tenant", flat=True)) == {None}
    assert state_of(still) == "halted", "the strictest wins"


def test_firms_read_that_a_limit_over_all_was_reached_and_never_what_the_others_hold(
    desk: Desk, still: Cell, south: Desk
) -> None:
    tick(desk.portfolio, {"IBM": 100})
    shared(everywhere(), "exposure", "9999")
    with every_tenant():
        shared_limits_watch()
    assert TradingRestriction.objects.get().reason == "Everything: the limit on value held in stock was reached."
    assert not BreakerTrip.objects.exists()
    assert not DayOpening.objects.filter(tenant=None).exists()
    for role in ("operator", "trader"):
        client = client_of(desk, role)
        for address in ("/admin/trading/breakertrip/", f"/portfolios/{desk.portfolio.pk}/limits/", "/halts/"):
            assert "10,000.00 held" not in client.get(address).content.decode()


@pytest.mark.parametrize("level", ["account", "broker", "everywhere"])
def test_a_buy_that_does_not_fit_under_a_limit_of_any_level_is_skipped(
    desk: Desk, cell: Cell, south: Desk, level: str
) -> None:
    places = {"account": place_of(desk.account), "broker": broker_place("paper"), "everywhere": everywhere()}
    held = 4_800 if level == "account" else 4_800 + 5_000
    shared(places[level], "exposure", str(held + 100))
    tick(desk.portfolio, {"IBM": 96})
    kept = Evaluation.objects.latest("id")
    assert (kept.action, kept.reason, Order.objects.count()) == ("SKIP", "exposure_limit", 0)
    shared(places[level], "exposure", str(held + 1_000))
    tick(desk.portfolio, {"IBM": 96}, OPEN + MINUTE)
    assert Order.objects.get().side == "BUY"


def test_a_replay_is_history_and_counts_only_for_itself(desk: Desk, still: Cell) -> None:
    run = make_replay(desk.account, make_series([100, 50, 50]))
    limit(place_of(desk.tenant), "exposure", "5500")
    limit(place_of(desk.portfolio), "exposure", "5500", action="alert")
    assert look(desk.portfolio, 100) == []
    assert [view.row.level for view in limits_of(run.portfolio)] == []
    assert [view.row.level for view in limits_of(still)] == ["tenant", "portfolio"]


def test_where_there_is_live_money_paper_is_not_added_to_it(desk: Desk, still: Cell) -> None:
    limit(place_of(desk.tenant), "exposure", "5500")
    look(desk.portfolio, 100)
    live = open_cell(second_portfolio(desk), parameters=STILL)
    Portfolio.objects.filter(pk=live.portfolio_id).update(mode="live")
    assert look(desk.portfolio, 120, OPEN + MINUTE) == [], "6,000.00 of paper"


def test_a_limit_everywhere_on_old_prices_holds_the_cell_concerned(
    desk: Desk, still: Cell, clock: time_machine.Traveller
) -> None:
    shared(everywhere(), "stale_data", "300")
    look(desk.portfolio, 100)
    clock.move_to(OPEN + dt.timedelta(seconds=301))
    (tripped,) = limits_watch(portfolio_id=desk.portfolio.pk)
    assert (tripped.cell_id, tripped.tenant_id) == (still.pk, desk.tenant.pk)


def test_only_the_platform_operator_sets_a_limit_that_all_firms_stand_under(desk: Desk, still: Cell) -> None:
    given = {"kind": "drawdown", "threshold": "0.1", "action": "halted", "mode": "rehearsing", "reason": "agreed"}
    address = "/admin/trading/tradinglimit/add/"
    operator, platform, auditor = (client_of(desk, role) for role in ("operator", "platform", "auditor"))
    for shared_level in ({"level": "everywhere"}, {"level": "broker", "broker": "paper"}):
        assert operator.post(address, given | shared_level).status_code == 200
        assert not TradingLimit.objects.exists()
        assert platform.post(address, given | shared_level).status_code == 302
        made = TradingLimit.objects.get()
        assert made.label in auditor.get("/admin/trading/tradinglimit/").content.decode()
        assert operate(operator, "trading_tradinglimit", "switch", made, mode="on", reason="x") == 403
        with pytest.raises(ScopeError, match="every tenant"):
            limit_switch(limit=made, mode="on", origin=SETTING)
        with pytest.raises(ScopeError, match="every tenant"):
            limit(everywhere(), "drawdown", "0.2")
        with every_tenant():
            assert Event.objects.filter(kind="limit.set", tenant=None, reason="agreed").exists()
            made.delete()


@pytest.mark.parametrize("level", ["account", "tenant", "portfolio", "cell"])
def test_a_limit_is_set_rehearsed_and_switched_in_the_console(desk: Desk, still: Cell, level: str) -> None:
    operator = client_of(desk, "operator")
    rows = {"account": desk.account, "tenant": desk.tenant, "portfolio": desk.portfolio, "cell": still}
    given = {
        "level": level, level: rows[level].pk, "kind": "drawdown", "threshold": "0.1", "action": "halted",
        "mode": "rehearsing", "reason": "agreed",
    }  # fmt: skip
    address = "/admin/trading/tradinglimit/add/"
    assert "was chosen for the level" in operator.post(address, given | {level: ""}).content.decode()
    assert operator.post(address, given).status_code == 302
    made = TradingLimit.objects.get()
    assert made.scope == place_of(rows[level]).key
    shown = operator.get(f"/admin/trading/tradinglimit/operation/switch/?ids={made.pk}").content.decode()
    assert "there is no history to look at yet" in shown
    assert operate(operator, "trading_tradinglimit", "switch", made, mode="on", reason="it behaved") == 302
    assert operate(operator, "trading_tradinglimit", "threshold", made, threshold="0.2", reason="wider") == 302
    made.refresh_from_db()
    assert (made.mode, f"{made.threshold:f}", TradingLimit.objects.count()) == ("on", "0.200000", 1)


def test_limits_of_every_level_are_rehearsed_over_what_they_are_about(desk: Desk, still: Cell, south: Desk) -> None:
    for number, price in enumerate((100, 120, 100)):
        look(desk.portfolio, price, OPEN + number * DAY)
    with every_tenant():
        for on, trips in ((place_of(desk.account), 1), (broker_place("paper"), 0), (broker_place("alpaca"), 0)):
            proposed = limit_proposed(on=on, kind="drawdown", threshold=Decimal("0.08"), action="halted")
            assert len(rehearsal(proposed).episodes) == trips, on.label
        proposed = limit_proposed(on=everywhere(), kind="exposure", threshold=Decimal("10999"), action="alert")
        (once,) = rehearsal(proposed).episodes
        assert once.measured == 11_000


@pytest.mark.parametrize("seed", range(4))
def test_what_a_day_began_with_gives_the_same_as_all_marks_from_the_start(
    desk: Desk, clock: time_machine.Traveller, seed: int
) -> None:
    """Prices, deposits, withdrawals and cells that come and go, over days with several looks: the row kept for each
    day says what the whole history says."""
    dice = random.Random(seed)
    account_deposit(account=desk.account, amount=Decimal(50_000), as_of=OPEN - DAY, origin=BY_TEST)
    cells = [open_cell(desk.portfolio, parameters=STILL), open_cell(desk.portfolio, "AAPL", parameters=STILL)]
    limit(place_of(desk.portfolio), "drawdown", "0.9", action="alert")
    limit(place_of(cells[0]), "daily_loss", "0.9", action="alert")
    prices = {"IBM": 100.0, "AAPL": 100.0}
    for number, day in enumerate(SESSIONS[3:13]):
        for hour in (15, 17, 19):
            moment = dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC)
            clock.move_to(moment)
            if dice.random() < 0.3:
                cell_deposit(cell=fresh(cells[0]), cash=Decimal(dice.randint(1, 3_000)), as_of=moment, origin=BY_TEST)
            if dice.random() < 0.3:
                cell_withdraw(cell=fresh(cells[1]), cash=Decimal(dice.randint(1, 300)), as_of=moment, origin=BY_TEST)
            if number == 4 and hour == 17:
                cells.append(open_cell(desk.portfolio, "MSFT", parameters=STILL, as_of=moment))
                prices["MSFT"] = 100.0
            if number == 7 and hour == 17:
                cell_pause(cell=fresh(cells[2]), origin=BY_TEST)
                cell_archive(cell=fresh(cells[2]), origin=BY_TEST)
                cells.pop()
            prices = {symbol: price * (1 + dice.gauss(0, 0.03)) for symbol, price in prices.items()}
            tick(desk.portfolio, {symbol: f"{price:.2f}" for symbol, price in prices.items()}, moment)
            limits_watch(portfolio_id=desk.portfolio.pk)
        exchanges = {cell.pk: "XNYS" for cell in cells}
        growth = growth_of(equity_of(exchanges, day), range(len(cells)))
        course = course_of(desk, cells, day)
        assert course.drawdown == pytest.approx(float(growth.drawdown[-1]), abs=2e-6)
        assert course.loss == pytest.approx(float(growth.loss[-1]), abs=2e-6)
        assert DayOpening.objects.count() == 2


def course_of(desk: Desk, cells: list[Cell], day: dt.date) -> Any:
    from django.db.models import Q

    entry_id = newest_entry_id()
    known = tuple(limited_cells(Q(pk__in=[cell.pk for cell in cells])))
    group = Group(place_of(desk.portfolio).key, desk.tenant.pk, known)
    return courses([group], day, entry_id)[group.key]


def test_money_moved_after_the_last_tick_of_a_day_is_neither_loss_nor_gain(
    desk: Desk, still: Cell, clock: time_machine.Traveller
) -> None:
    account_deposit(account=desk.account, amount=Decimal(50_000), as_of=OPEN, origin=BY_TEST)
    limit(place_of(still), "drawdown", "0.01", action="alert")
    limit(place_of(still), "daily_loss", "0.01", action="alert")
    assert look(desk.portfolio, 100) == []
    evening = OPEN + dt.timedelta(hours=8)
    cell_withdraw(cell=fresh(still), cash=Decimal(4_000), as_of=evening, origin=BY_TEST)
    assert limits_watch(portfolio_id=desk.portfolio.pk) == []
    assert look(desk.portfolio, 100, OPEN + DAY) == []
    assert look(desk.portfolio, 100, OPEN + 4 * DAY) == []
    assert DayOpening.objects.filter(peak__gt=1).count() == 0
