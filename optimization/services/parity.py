"""Live proven equal to the backtest: the same bars through the live path and through `simulate`, compared row by row.

The live path is the whole of it: ticks, gates, the rule, order intents, the paper broker, fills, ledger, corporate
actions; with resting execution also orders that rest, which meet each bar along its path. What a backtest has beyond it
(next-open fills, slippage) is not compared here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Min

from portfolios.commission import CommissionTerms
from portfolios.models import Cell, Instrument, Portfolio, Tenant, User
from portfolios.selectors import reconcile
from portfolios.services.instruments import instrument_create
from portfolios.services.origin import Origin
from portfolios.services.tenants import tenant_create, user_create
from trading.marketdata.catalogue import actions_store, series_store
from trading.models import DailyMark, Evaluation, Fill, Order, ReplayRun
from trading.services.accounts import account_open
from trading.services.replay_runs import replay_run_steps
from trading.services.replays import CellPlan, replay_create
from volbal.common import numbers
from volbal.common.tenancy import tenant_scope
from volbal.strategy import ACTIONS, REASONS, Bars, Dividend, Reason, Result, Split, StrategyParameters, simulate
from volbal.strategy.options import Execution, Path

ORIGIN = Origin(task="parity")
IN_PARTS = {"partial_fill_rate": 1.0, "partial_fill_parts": 5}
# What a cell takes from its account and portfolio instead of from its parameter version.
RESOLVED = frozenset({"commission_rate", "commission_min", "allow_after_hours"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the live path and the backtest disagree on."""

    where: str
    what: str
    live: str
    backtest: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} is {self.live} live and {self.backtest} in the backtest"


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What was compared and what differed."""

    bars: int
    evaluations: int
    trades: int
    fills: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class ParityCase:
    """One cell on one series. `cash` is currency, of which `stock_fraction` (0 to 1) goes into shares at the start.

    With `partial_fills` each order fills in two to five parts, cut from `seed`, over as many reports at one price.
    `execution` and `path` are as in `RunOptions`.
    """

    bars: Bars
    parameters: StrategyParameters
    dividends: tuple[Dividend, ...] = ()
    splits: tuple[Split, ...] = ()
    cash: Decimal = Decimal(100_000)
    stock_fraction: float = 0.5
    reinvest: bool = False
    exchange: str = "XNYS"
    execution: Execution = "watch"
    path: Path = "ohlc"
    partial_fills: bool = False
    seed: int = 0


def parity_run(case: ParityCase, *, progress: Callable[[int, int], None] | None = None) -> ParityReport:
    """Run both and compare. The live path writes to the current database: give it one made for the purpose."""
    expected = simulate(
        case.bars,
        case.parameters,
        dividends=case.dividends,
        splits=case.splits,
        cash=float(case.cash),
        stock_fraction=case.stock_fraction,
        reinvest=case.reinvest,
        execution=case.execution,
        path=case.path,
    )
    tenant = _create_tenant(case.bars.symbol)
    with tenant_scope(tenant.pk):
        run = _create_run(tenant, case)
        told = None if progress is None else (lambda done: progress(done, run.step_count))
        replay_run_steps(run=run, steps=run.step_count, progress=told)
        cell = Cell.objects.get(portfolio=run.portfolio)
        evaluations = list(Evaluation.objects.filter(cell=cell).order_by("id"))
        filled = Order.objects.filter(cell=cell).annotate(first_fill=Min("fills__id"))
        orders = list(filled.exclude(purpose=Order.Purpose.RESTING, first_fill=None).order_by("first_fill", "id"))
        compare_looks = _compare_rests if case.execution == "resting" else _compare_evaluations
        differences = [
            *compare_looks(evaluations, expected),
            *_compare_trades(orders, expected),
            *_compare_end(cell, expected),
            *_compare_marks(cell, expected),
            *(
                Difference(one.subject, one.field, str(one.stored), f"{one.ledger} by its ledger")
                for one in reconcile()
            ),
        ]
        fills = Fill.objects.filter(order__cell=cell).count()
    return ParityReport(len(expected.bars), len(evaluations), len(orders), fills, tuple(differences))


def _create_tenant(symbol: str) -> Tenant:
    number = Tenant.objects.count() + 1
    owner: User = user_create(email=f"parity{number}@example.com", origin=ORIGIN)
    return tenant_create(name=f"Parity {symbol}", slug=f"parity-{number}", owner=owner, origin=ORIGIN)


def _create_run(tenant: Tenant, case: ParityCase) -> ReplayRun:
    instrument = Instrument.objects.filter(symbol=case.bars.symbol or "PARITY").first() or instrument_create(
        symbol=case.bars.symbol or "PARITY", name="Parity", exchange=case.exchange, origin=ORIGIN
    )
    series = series_store(instrument=instrument, bars=case.bars, source="parity")
    actions_store(instrument=instrument, dividends=case.dividends, splits=case.splits, source="parity")
    account = account_open(
        tenant=tenant,
        name="Parity",
        broker="paper",
        commission=CommissionTerms(
            rate=Decimal(repr(case.parameters.commission_rate)),
            minimum=numbers.money(case.parameters.commission_min),
        ),
        settings={"paper": {**IN_PARTS, "seed": case.seed}} if case.partial_fills else {},
        origin=ORIGIN,
    )
    own = {name: value for name, value in case.parameters.to_dict().items() if name not in RESOLVED}
    hours = Portfolio.TradingHours
    return replay_create(
        account=account,
        name="Parity",
        series=[series],
        cells=[CellPlan(instrument.symbol, case.cash, case.stock_fraction, own, case.reinvest, case.execution)],
        path=case.path,
        trading_hours=hours.EXTENDED if case.parameters.allow_after_hours else hours.REGULAR,
        origin=ORIGIN,
    )


def _compare(where: str, what: str, live: object, backtest: object) -> Iterator[Difference]:
    if live != backtest:
        yield Difference(where, what, str(live), str(backtest))


def _compare_evaluations(live: list[Evaluation], expected: Result) -> Iterator[Difference]:
    columns = expected.columns
    # After the protective stop a backtest looks at nothing more, as live until a person resumes the cell.
    looked_at = int((columns.reason != REASONS.index(Reason.HALTED)).sum())
    yield from _compare("run", "number of evaluations", min(len(live), looked_at), looked_at)
    for index, one in enumerate(live[: len(expected.bars)]):
        where = expected.bars.label(index)
        action, reason = str(ACTIONS[columns.action[index]]), str(REASONS[columns.reason[index]])
        if reason == Reason.HALTED:
            break
        yield from _compare(where, "action", one.action, action)
        yield from _compare(where, "reason", one.reason, reason)


def _compare_rests(live: list[Evaluation], expected: Result) -> Iterator[Difference]:
    """Compare what stands at each close where orders rest: there the backtest tells of trades and not of actions.

    An evaluation holds what stood before an order of its own: with one, its reason is compared instead.
    """
    columns = expected.columns
    at_close = {trade.bar: trade for trade in expected.trades}
    yield from _compare("run", "number of evaluations", len(live), len(expected.bars))
    for index, one in enumerate(live[: len(expected.bars)]):
        where = expected.bars.label(index)
        if one.action == Evaluation.Action.HOLD:
            anchor = float(columns.anchor[index])
            yield from _compare(where, "cash", one.cash, numbers.money(float(columns.cash[index])))
            yield from _compare(where, "shares", one.shares, numbers.shares(float(columns.shares[index])))
            yield from _compare(where, "receivable", one.receivable, numbers.money(float(columns.receivable[index])))
            yield from _compare(where, "anchor", one.anchor, None if math.isnan(anchor) else numbers.price(anchor))
            reason = str(REASONS[columns.reason[index]])
            if Reason.HALTED in (one.reason, reason):
                yield from _compare(where, "reason", one.reason, reason)
        else:
            trade = at_close.get(index)
            yield from _compare(where, "reason at the close", one.reason, None if trade is None else trade.reason)


def _compare_trades(live: Sequence[Order], expected: Result) -> Iterator[Difference]:
    yield from _compare("run", "number of trades", len(live), len(expected.trades))
    for order, trade in zip(live, expected.trades, strict=False):
        yield from _compare(trade.at, "status", order.status, Order.Status.FILLED)
        yield from _compare(trade.at, "side", order.side, trade.side)
        yield from _compare(trade.at, "reason", order.reason, trade.reason)
        yield from _compare(trade.at, "quantity", order.filled_quantity, numbers.shares(trade.quantity))
        mean = None if order.mean_price is None else numbers.price(order.mean_price)
        yield from _compare(trade.at, "mean price", mean, numbers.price(trade.price))
        yield from _compare(trade.at, "notional", order.notional, numbers.money(trade.notional))
        yield from _compare(trade.at, "commission", order.commission, numbers.money(trade.commission))


def _compare_end(cell: Cell, expected: Result) -> Iterator[Difference]:
    final = expected.final
    yield from _compare("end", "cash", cell.cash, numbers.money(final.cash))
    yield from _compare("end", "shares", cell.shares, numbers.shares(final.shares))
    yield from _compare("end", "receivable", cell.receivable, numbers.money(final.receivable))
    yield from _compare("end", "anchor", cell.anchor, None if final.anchor is None else numbers.price(final.anchor))


def _compare_marks(cell: Cell, expected: Result) -> Iterator[Difference]:
    """Compare each day's closing value, which the backtest does not round."""
    live = list(DailyMark.objects.filter(cell=cell).order_by("day").values_list("day", "value"))
    # The last bar of a day wins.
    closing = dict(zip(expected.bars.days.tolist(), expected.columns.value.tolist(), strict=True))
    yield from _compare("run", "number of days", len(live), len(closing))
    for (day, value), marked in zip(live, closing.values(), strict=False):
        if abs(float(value) - marked) > 0.006:
            yield Difference(day.isoformat(), "closing value", str(value), f"{marked:.6f}")
