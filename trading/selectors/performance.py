"""What a cell made, beside its stock and beside its mix left alone (strategy 11). The one home of these formulas.

Returns are time-weighted: money and shares that people move in or out open a new period, so that they count neither
for nor against. `stock` is the opening value in shares at the opening price, `mix` the opening shares and cash; both
take splits, keep net dividends as cash, and round nothing.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Case, F, FloatField, OuterRef, Subquery, Value, When
from django.db.models.functions import Cast, Coalesce

from portfolios.models import Cell, LedgerEntry
from trading.marketdata.calendars import exchange_calendar
from trading.models import CorporateAction, DailyMark, Evaluation

Kind = LedgerEntry.Kind
FLOWS = (Kind.DEPOSIT, Kind.WITHDRAWAL, Kind.TRANSFER, Kind.ADJUSTMENT)


@dataclass(frozen=True, slots=True)
class Flow:
    """Value that people moved in (+) or out (−), and the cell's value in currency just before."""

    as_of: dt.datetime
    amount: float
    value_before: float


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares and cash left alone since the opening, as of some day."""

    shares: float
    cash: float

    def after(self, ratio: float, net_dividend: float) -> Holding:
        """Return it after a split of `ratio` new shares for one, then a dividend of `net_dividend` a share."""
        shares = self.shares * ratio
        return Holding(shares, self.cash + shares * net_dividend)

    def value(self, price: float) -> float:
        """Return its value at a price, in currency."""
        return self.shares * price + self.cash


@dataclass(frozen=True, slots=True)
class History:
    """What happened to one cell that its returns depend on."""

    opening_value: float
    stock: Holding
    mix: Holding
    flows: tuple[Flow, ...]


@dataclass(frozen=True, slots=True)
class Returns:
    """Total returns since the opening, fractions; None where there is nothing to compare with."""

    total: float | None
    stock: float | None
    mix: float | None

    @property
    def over_stock(self) -> float | None:
        """Return how much more the cell made than its stock (`alpha`, strategy 11)."""
        return None if self.total is None or self.stock is None else self.total - self.stock

    @property
    def over_mix(self) -> float | None:
        """Return how much more the cell made than its mix left alone (`excess_over_mix`, strategy 11)."""
        return None if self.total is None or self.mix is None else self.total - self.mix


NO_RETURNS = Returns(None, None, None)


def histories(cells: Sequence[Cell], days: Mapping[int, dt.date]) -> dict[int, History]:
    """Return the history of each opened cell until its exchange's day in `days`, by its id, in three queries.

    Cells carry their instrument and parameters.
    """
    opened = [cell for cell in cells if cell.opening_price and cell.opening_value > 0]
    openings = {
        entry.cell_id: entry
        for entry in LedgerEntry.objects.filter(cell__in=opened, kind=Kind.OPENING).only("cell_id", "cash", "shares")
    }
    flows, actions = _flows(opened), _actions(opened)
    return {
        cell.pk: _history(cell, openings[cell.pk], flows[cell.pk], actions[cell.instrument_id], days[cell.pk])
        for cell in opened
        if cell.pk in openings
    }


def returns(history: History | None, *, value: float, price: float) -> Returns:
    """Return a cell's returns at its present value and price, both in currency."""
    if history is None:
        return NO_RETURNS
    return Returns(
        total=_linked(history.opening_value, history.flows, value),
        stock=history.stock.value(price) / history.opening_value - 1.0,
        mix=history.mix.value(price) / history.opening_value - 1.0,
    )


def together(parts: Iterable[tuple[float, Returns]]) -> Returns:
    """Return several cells' returns as one, each weighted with its opening value in currency."""
    known = [(weight, one) for weight, one in parts if one.total is not None]
    whole = sum(weight for weight, _ in known)
    if not whole:
        return NO_RETURNS
    return Returns(
        *(
            sum(weight * (getattr(one, name) or 0.0) for weight, one in known) / whole
            for name in ("total", "stock", "mix")
        )
    )


@dataclass(frozen=True, slots=True)
class DayPoint:
    """A day's end: the cell, its stock and its mix as growth of 1 since the opening."""

    day: dt.date
    close: float
    value: float
    total: float
    stock: float
    mix: float


def daily_points(cell: Cell) -> list[DayPoint]:
    """Return a cell's days in order, growth of 1 for it, its stock and its mix, in four queries."""
    opening = LedgerEntry.objects.filter(cell=cell, kind=Kind.OPENING).first()
    if opening is None or not cell.opening_price or cell.opening_value <= 0:
        return []
    flows, actions = _flows([cell])[cell.pk], deque(_after_opening(cell, _actions([cell])[cell.instrument_id]))
    start = float(cell.opening_value)
    stock, mix = _openings(cell, opening)
    points = []
    for mark in DailyMark.objects.filter(cell=cell).order_by("day"):
        while actions and actions[0].ex_date <= mark.day:
            action = actions.popleft()
            stock, mix = (_taken(holding, action, _kept(cell)) for holding in (stock, mix))
        past = tuple(flow for flow in flows if flow.as_of.date() <= mark.day)
        close, value = float(mark.close), float(mark.value)
        grown = 1.0 + _linked(start, past, value)
        points.append(DayPoint(mark.day, close, value, grown, stock.value(close) / start, mix.value(close) / start))
    return points


def _history(
    cell: Cell, opening: LedgerEntry, flows: list[Flow], actions: list[CorporateAction], day: dt.date
) -> History:
    stock, mix = _openings(cell, opening)
    for action in _after_opening(cell, actions):
        if action.ex_date <= day:
            stock, mix = (_taken(holding, action, _kept(cell)) for holding in (stock, mix))
    return History(float(cell.opening_value), stock, mix, tuple(flows))


def _after_opening(cell: Cell, actions: list[CorporateAction]) -> list[CorporateAction]:
    """Return the actions of later days than the opening: what is dated on or before it is in its price."""
    if cell.opened_at is None:
        return []
    opened = exchange_calendar(cell.instrument.exchange).day_of(cell.opened_at)
    return [action for action in actions if action.ex_date > opened]


def _taken(holding: Holding, action: CorporateAction, kept: float) -> Holding:
    return holding.after(float(action.ratio or 1), float(action.amount or 0) * kept)


def _openings(cell: Cell, opening: LedgerEntry) -> tuple[Holding, Holding]:
    price = float(cell.opening_price or 0)  # its callers leave out cells without one
    stock = Holding(float(cell.opening_value) / price, 0.0)
    return stock, Holding(float(opening.shares), float(opening.cash))


def _kept(cell: Cell) -> float:
    """Return what is left of a dividend after withholding."""
    return 1.0 - float(cell.parameters.withholding_rate if cell.parameters else 0)


def _linked(opening_value: float, flows: Sequence[Flow], value: float) -> float:
    """Return the time-weighted return: periods between flows, multiplied. A period from nothing counts as none."""
    grown, start = 1.0, opening_value
    for flow in flows:
        if start > 0.0:
            grown *= flow.value_before / start
        start = flow.value_before + flow.amount
    return grown * (value / start if start > 0.0 else 1.0) - 1.0


def _flows(cells: Sequence[Cell]) -> dict[int, list[Flow]]:
    """Return each cell's flows in time order, in one query."""
    before = Evaluation.objects.filter(cell=OuterRef("cell"), as_of__lte=OuterRef("as_of")).order_by("-as_of")
    rows = (
        LedgerEntry.objects.filter(cell__in=cells, kind__in=FLOWS)
        .annotate(
            last_price=Subquery(before.values("price")[:1]),
            value_before=Cast(Coalesce(Subquery(before.values("value")[:1]), F("cell__opening_value")), FloatField()),
            worth=Case(
                When(shares=0, then=Value(0.0)),
                default=Cast(F("shares"), FloatField())
                * Cast(Coalesce("price", "last_price", "cell__opening_price"), FloatField()),
                output_field=FloatField(),
            ),
        )
        .order_by("as_of", "id")
        .values_list("cell_id", "as_of", "cash", "receivable", "worth", "value_before")
    )
    flows: dict[int, list[Flow]] = defaultdict(list)
    for cell_id, as_of, cash, receivable, worth, value_before in rows:
        moved = float(cash) + float(receivable) + worth
        earlier = sum(flow.amount for flow in flows[cell_id] if flow.as_of == as_of)
        flows[cell_id].append(Flow(as_of, moved, value_before + earlier))
    return flows


def _actions(cells: Sequence[Cell]) -> dict[int, list[CorporateAction]]:
    """Return the splits and dividends of the cells' instruments as they apply, by instrument, in one query."""
    actions: dict[int, list[CorporateAction]] = defaultdict(list)
    for action in CorporateAction.objects.filter(instrument__in={cell.instrument_id for cell in cells}):
        actions[action.instrument_id].append(action)
    return actions
