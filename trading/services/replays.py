"""Replays: history passed through the live path, one step at a time, each run in a portfolio of its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from portfolios.models import BrokerAccount, Cell, Instrument, Portfolio
from portfolios.services.cells import cell_open, cell_start
from portfolios.services.changes import changing
from portfolios.services.events import event_record, subject_of
from portfolios.services.executions import require_known_execution
from portfolios.services.opening import opening_preview
from portfolios.services.origin import Origin
from portfolios.services.parameters import merged, require_execution
from portfolios.services.portfolios import portfolio_archive
from trading.feeds.registry import REPLAY
from trading.feeds.replay import Timeline, timeline_of
from trading.models import BarSeries, ReplayRun
from trading.services.accounts import portfolio_open, portfolio_require
from trading.services.gates import account_blocks, open_orders
from trading.services.order_plans import plans_finish
from trading.services.resting_cancels import rests_finish
from trading.services.resting_walks import WalkWaits, bar_walk
from trading.services.sending import account_send
from trading.services.ticks import TickOutcome, tick_run
from volbal.common import clock, numbers
from volbal.common.errors import Refused
from volbal.strategy import StrategyParameters

# How far a run makes up for a slow moment.
CATCH_UP_SECONDS = 5

ORIGIN = Origin(task="replay")


@dataclass(frozen=True, slots=True)
class CellPlan:
    """How to open a cell of a replay: `amount` currency, of which `stock_fraction` (0 to 1) is put into shares."""

    symbol: str
    amount: Decimal
    stock_fraction: float
    parameters: dict[str, Any]
    reinvest_dividends: bool = False
    execution: str = Cell.Execution.WATCH

    def as_json(self) -> dict[str, Any]:
        """Return what ReplayRun.cells keeps."""
        return {
            "symbol": self.symbol,
            "amount": str(self.amount),
            "stock_fraction": self.stock_fraction,
            "parameters": self.parameters,
            "reinvest_dividends": self.reinvest_dividends,
            "execution": self.execution,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> CellPlan:
        """Build from what ReplayRun.cells keeps."""
        return cls(
            kept["symbol"],
            Decimal(kept["amount"]),
            kept["stock_fraction"],
            kept["parameters"],
            kept["reinvest_dividends"],
            kept.get("execution", Cell.Execution.WATCH),
        )


def replay_create(
    *,
    account: BrokerAccount,
    name: str,
    series: list[BarSeries],
    cells: list[CellPlan],
    origin: Origin,
    trading_hours: str = Portfolio.TradingHours.REGULAR,
    start_day: dt.date | None = None,
    steps_per_second: Decimal = Decimal(1),
    path: str = ReplayRun.Path.OHLC,
    started_from: ReplayRun | None = None,
) -> ReplayRun:
    """Open a fresh portfolio for a pass over `series`. The cells are opened by its first step, at the first close.

    `path` is how orders that rest meet each bar: its high before its low, or after it. Raises Refused, before anything
    is written, when a cell names a symbol without a series or could not be opened, and for a speed or path that cannot
    be.
    """
    _require_openable(cells, series)
    _require_speed(steps_per_second)
    _require_path(path)
    timeline = timeline_of(series, trading_hours, start_day)
    with transaction.atomic():
        portfolio = portfolio_open(
            account=account,
            name=name,
            mode=Portfolio.Mode.REPLAY,
            feed=REPLAY,
            trading_hours=trading_hours,
            origin=origin,
        )
        run = ReplayRun.objects.create(
            tenant_id=account.tenant_id,
            portfolio=portfolio,
            started_from=started_from,
            start_day=start_day,
            step_count=len(timeline),
            first_as_of=timeline.moment(0),
            last_as_of=timeline.moment(len(timeline) - 1),
            steps_per_second=steps_per_second,
            path=path,
            cells=[plan.as_json() for plan in cells],
        )
        run.series.set(series)
        event_record(
            kind="replay.created",
            subject=subject_of(run),
            origin=origin,
            tenant_id=run.tenant_id,
            after={"portfolio_id": portfolio.pk, "series": [one.pk for one in series], "cells": run.cells},
        )
    return run


def replay_start(*, run: ReplayRun, origin: Origin) -> None:
    """Let a paused run go on from where it is. Raises Refused once it has finished."""
    with changing(run, kind="replay.started", origin=origin) as change:
        _require_unfinished(change.row)
        change.row.status = ReplayRun.Status.RUNNING
        _pace(change.row)


def replay_pause(*, run: ReplayRun, origin: Origin) -> None:
    """Hold a run where it is. Raises Refused once it has finished."""
    with changing(run, kind="replay.paused", origin=origin) as change:
        _require_unfinished(change.row)
        change.row.status = ReplayRun.Status.PAUSED


def replay_set_speed(*, run: ReplayRun, steps_per_second: Decimal, origin: Origin) -> None:
    """Change how fast a run goes. Raises Refused outside the bounds, naming them."""
    _require_speed(steps_per_second)
    with changing(run, kind="replay.speed_changed", origin=origin) as change:
        change.row.steps_per_second = steps_per_second
        _pace(change.row)


def replay_start_again(*, run: ReplayRun, origin: Origin, path: str = "") -> ReplayRun:
    """Start the same replay in a fresh portfolio; the old one is kept, archived, to read.

    It goes along another `path` where one is given. Raises Refused for one that cannot be.
    """
    with transaction.atomic():
        if run.status == ReplayRun.Status.RUNNING:
            replay_pause(run=run, origin=origin)
        stem = run.portfolio.name.rsplit(" · run ", 1)[0]
        number = Portfolio.objects.filter(tenant_id=run.tenant_id, name__startswith=stem).count() + 1
        fresh = replay_create(
            account=run.portfolio.account,
            name=f"{stem} · run {number}",
            series=list(run.series.select_related("instrument")),
            cells=[CellPlan.from_json(kept) for kept in run.cells],
            origin=origin,
            trading_hours=run.portfolio.trading_hours,
            start_day=run.start_day,
            steps_per_second=run.steps_per_second,
            path=path or run.path,
            started_from=run,
        )
        portfolio_archive(portfolio=run.portfolio, origin=origin)
        replay_start(run=fresh, origin=origin)
    return fresh


def steps_due(run: ReplayRun, moment: dt.datetime) -> int:
    """Return how many steps a running replay is behind its pace at the wall clock's `moment`."""
    if run.status != ReplayRun.Status.RUNNING or run.paced_from is None:
        return 0
    passed = Decimal((moment - run.paced_from).total_seconds()) * run.steps_per_second
    return max(int(passed) - (run.position - run.paced_position), 0)


def replay_step(*, run_id: int, only_if_due: bool = True) -> TickOutcome | None:
    """Take one step of a replay: the tick of the next stamp. Return None where there is nothing to do now.

    The next step waits until the orders of the last have ended and the account agrees with its broker, so that it
    decides exactly as the backtest does. Where cells rest orders the bar is walked first, and the account's sender is
    called, outside any transaction, each time that orders are laid, cancelled or reached; where that moves nothing the
    walk goes on at a later call.
    With `only_if_due` False a paused run is stepped by hand. A run that nobody served for longer than it may catch up
    goes on from where it is, at its pace: nobody wants to see a night pass in a minute.
    """
    before: WalkWaits | None = None
    while True:
        found = _step(run_id, only_if_due=only_if_due)
        if not isinstance(found, WalkWaits):
            return found
        if found == before or account_send(account_id=found.account_id).waits:
            return None
        before = found


def _step(run_id: int, *, only_if_due: bool) -> TickOutcome | WalkWaits | None:
    with transaction.atomic():
        run = (
            ReplayRun.objects.select_for_update(of=("self",), no_key=True)
            .select_related("portfolio__account__reconciliation")
            .get(pk=run_id)
        )
        if run.status == ReplayRun.Status.FINISHED or run.portfolio.is_archived:
            return None
        if only_if_due and not steps_due(run, clock.now()):
            return None
        if open_orders(run.portfolio).others or account_blocks(run.portfolio.account):
            return None
        portfolio_require(run.portfolio)
        timeline = _timeline(run)
        moment = timeline.moment(run.position)
        if not run.walk:
            _open_cells(run, timeline, moment)
        waits = bar_walk(run=run, timeline=timeline, moment=moment)
        if waits is not None:
            run.save(update_fields=["walk"])
            return waits
        return _tick(run, timeline, moment)


def _tick(run: ReplayRun, timeline: Timeline, moment: dt.datetime) -> TickOutcome | None:
    """Take the tick at the close of a step, which has been walked, and move the run on; it is held."""
    outcome = tick_run(
        portfolio_id=run.portfolio_id,
        as_of=moment,
        quotes=timeline.quotes(run.position, source=run.source, received_at=clock.now()),
    )
    run.position, run.as_of = run.position + 1, moment
    if run.position >= run.step_count:
        run.status = ReplayRun.Status.FINISHED
        event_record(
            kind="replay.finished",
            subject=subject_of(run),
            origin=ORIGIN,
            tenant_id=run.tenant_id,
            as_of=moment,
        )
    if steps_due(run, clock.now()) > 1 + CATCH_UP_SECONDS * run.steps_per_second:
        _pace(run)
    run.save(update_fields=["position", "as_of", "status", "paced_from", "paced_position", "walk"])
    return outcome


def replay_close(*, run_id: int) -> None:
    """Once a run has finished, cancel what rests, and end what is worked in slices once its orders have filled."""
    run = ReplayRun.objects.select_related("portfolio").get(pk=run_id)
    if run.status == ReplayRun.Status.FINISHED:
        plans_finish(portfolio=run.portfolio)
        rests_finish(portfolio=run.portfolio)


def _timeline(run: ReplayRun) -> Timeline:
    series = list(run.series.select_related("instrument"))
    return timeline_of(series, run.portfolio.trading_hours, run.start_day)


def _require_openable(cells: list[CellPlan], series: list[BarSeries]) -> None:
    symbols = [plan.symbol for plan in cells]
    missing = set(symbols) - {one.instrument.symbol for one in series}
    if missing or not series:
        named = ", ".join(sorted(missing)) or "a replay of nothing"
        raise Refused(f"No bars were given for {named}.", code="no_bars")
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise Refused(f"{', '.join(twice)} is given more than one cell; expected one each.", code="cell_twice")
    for plan in cells:
        require_known_execution(plan.execution)
        require_execution(plan.execution, merged(StrategyParameters(), plan.parameters))
        opening_preview(price=Decimal(1), amount=plan.amount, stock_fraction=plan.stock_fraction)


def _require_speed(steps_per_second: Decimal) -> None:
    speed = steps_per_second if steps_per_second.is_finite() else Decimal(0)
    if not ReplayRun.MINIMUM_SPEED <= speed <= ReplayRun.MAXIMUM_SPEED:
        raise Refused(
            f"{steps_per_second} steps a second is outside {ReplayRun.MINIMUM_SPEED} to {ReplayRun.MAXIMUM_SPEED}.",
            code="speed_bounds",
        )


def _require_path(path: str) -> None:
    if path not in ReplayRun.Path.values:
        raise Refused(f"path is {path!r}; expected one of {', '.join(ReplayRun.Path.values)}.", code="path")


def _require_unfinished(run: ReplayRun) -> None:
    if run.portfolio.is_archived:
        raise Refused(f"{run.portfolio} is archived; nothing in it runs again.", code="archived")
    if run.status == ReplayRun.Status.FINISHED:
        raise Refused("This replay has reached its end.", code="replay_finished", hint="Start it again.")


def _pace(run: ReplayRun) -> None:
    run.paced_from, run.paced_position = clock.now(), run.position


def _open_cells(run: ReplayRun, timeline: Timeline, moment: dt.datetime) -> None:
    """Open and start each planned cell at the first close of its instrument, as a backtest starts (strategy 10)."""
    symbols = timeline.starting_at(run.position)
    for plan in (CellPlan.from_json(kept) for kept in run.cells):
        if plan.symbol in symbols:
            _open_cell(run, plan, timeline.close(run.position, plan.symbol), moment)


def _open_cell(run: ReplayRun, plan: CellPlan, close: float, moment: dt.datetime) -> Cell:
    parameters = StrategyParameters(**plan.parameters)
    opening = opening_preview(
        price=numbers.price(close),
        amount=plan.amount,
        stock_fraction=plan.stock_fraction,
        quantity_step=parameters.quantity_step,
    )
    cell = cell_open(
        portfolio=run.portfolio,
        instrument=Instrument.objects.get(symbol=plan.symbol),
        price=numbers.price(close),
        as_of=moment,
        origin=ORIGIN,
        cash=opening.cash,
        shares=opening.shares,
        anchor=numbers.price(close),
        parameters=plan.parameters,
        reinvest_dividends=plan.reinvest_dividends,
        execution=plan.execution,
    )
    cell_start(cell=cell, origin=ORIGIN)
    return cell
