"""What charts draw, described in full: the browser computes no number (see static/js/charts.js)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from portfolios.models import Cell
from trading.models import BarSeries, Fill, ReplayRun
from trading.selectors.history import history, since
from trading.selectors.performance import DayPoint, daily_points
from trading.selectors.times import exchange_zone
from volbal.common.templatetags.figures import bound

MOST_POINTS = 4000
POINT_COLUMNS = (
    "as_of", "price", "anchor", "trigger_up", "trigger_down", "cash", "receivable", "shares",
    "parameters__min_stock", "parameters__max_stock",
)  # fmt: skip

Column = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a token's name as colour; `labelled` lines show their newest value, the others only draw."""

    name: str
    label: str
    colour: str
    values: Column
    width: int = 1
    style: str = "solid"
    step: bool = False
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A filled band between two columns."""

    name: str
    colour: str
    upper: Column
    lower: Column


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """A price of now that is drawn across the whole chart, with what it means."""

    price: float
    label: str
    colour: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A fill: where, which way, and what it was."""

    id: int
    time: int
    side: str
    text: str


@dataclass(frozen=True, slots=True)
class ChartSpecification:
    """A chart: seconds since 1970 in UTC, and beside them columns of the same length."""

    zone: str
    daily: bool
    format: str
    time: list[int]
    lines: tuple[Line, ...]
    bands: tuple[Band, ...] = ()
    levels: tuple[PriceLevel, ...] = ()
    marks: tuple[Mark, ...] = ()
    marked: str = ""


@dataclass(frozen=True, slots=True)
class PricePoint:
    """One evaluation on the price chart; prices in currency."""

    as_of: dt.datetime
    price: float
    anchor: float | None
    sell_trigger: float | None
    buy_trigger: float | None
    guardrail_high: float | None
    guardrail_low: float | None


def price_points(cell: Cell, after: int | None = None) -> list[PricePoint]:
    """Return a cell's newest evaluations in time order, from the second `after` on.

    The triggers are those in force at the time; the guardrails are the prices at which the stock share would have
    been `min_stock` and `max_stock`, cash and shares as they were.
    """
    first = None if after is None else dt.datetime.fromtimestamp(after, dt.UTC)
    newest = since(history(cell).newest(POINT_COLUMNS, count=MOST_POINTS), first, POINT_COLUMNS.index("as_of"))
    return [_point(*row) for row in reversed(list(newest))]


def price_history(cell: Cell) -> Iterator[PricePoint]:
    """Yield all of a cell's evaluations in time order, read in batches; as `price_points`, without its limit."""
    return (_point(*row) for row in history(cell).oldest(POINT_COLUMNS))


def _point(as_of: dt.datetime, price: Any, anchor: Any, up: float, down: float, *holding: Any) -> PricePoint:
    cash, receivable, shares, low, high = (float(value) for value in holding)
    placed = None if anchor is None else float(anchor)
    return PricePoint(
        as_of=as_of,
        price=float(price),
        anchor=placed,
        sell_trigger=None if placed is None else placed * (1 + up),
        buy_trigger=None if placed is None else placed * (1 - down),
        guardrail_high=_price_at(high, cash + receivable, shares),
        guardrail_low=_price_at(low, cash + receivable, shares),
    )


def _price_at(share: float, money: float, shares: float) -> float | None:
    """Return the price at which stock is `share` of the value (strategy 1), None where no price makes it so."""
    if shares <= 0.0 or money <= 0.0 or not 0.0 < share < 1.0:
        return None
    return share / (1.0 - share) * money / shares


def price_chart(cell: Cell, after: int | None = None) -> ChartSpecification:
    """Return price, anchor steps, trigger band, guardrails and fills of a cell, from the second `after` on."""
    points = _last_of_each_second(price_points(cell, after))
    upper = [point.sell_trigger for point in points]
    lower = [point.buy_trigger for point in points]
    return ChartSpecification(
        zone=exchange_zone(cell.instrument.exchange).key,
        daily=_is_daily(cell),
        format="price",
        time=[_second(point.as_of) for point in points],
        lines=(
            Line("anchor", "anchor", "accent", [p.anchor for p in points], 1, "dashed", True),
            Line("price", "", "ink", [p.price for p in points], 2, labelled=True),
        ),
        bands=(Band("triggers", "accent", upper, lower),),
        levels=_guardrails(cell, points[-1]) if points else (),
        marks=_marks(cell, points),
        marked="price",
    )


def _last_of_each_second(points: Sequence[PricePoint]) -> list[PricePoint]:
    """Return the points a chart can hold: its time goes by whole seconds, each once."""
    return list({_second(point.as_of): point for point in points}.values())


def _guardrails(cell: Cell, now: PricePoint) -> tuple[PriceLevel, ...]:
    rule = cell.parameters
    bounds = () if rule is None else ((now.guardrail_low, rule.min_stock), (now.guardrail_high, rule.max_stock))
    return tuple(PriceLevel(price, f"{bound(share)} stock", "warn") for price, share in bounds if price is not None)


def _marks(cell: Cell, points: Sequence[PricePoint]) -> tuple[Mark, ...]:
    if not points:
        return ()
    rows = Fill.objects.filter(order__cell=cell, as_of__gte=points[0].as_of).order_by("as_of", "id")
    return tuple(
        Mark(pk, _second(as_of), side, f"{quantity.normalize():f} at {price.normalize():f}")
        for pk, as_of, side, quantity, price in rows.values_list("pk", "as_of", "order__side", "quantity", "price")
    )


def growth_chart(cell: Cell) -> ChartSpecification:
    """Return a cell's growth beside its stock and its mix, a point a day, as fractions of the opening value."""
    points = daily_points(cell)
    return ChartSpecification(
        zone="UTC",  # days stand at midnight UTC; in any zone west of it they would read as the day before
        daily=True,
        format="signed-percent",
        time=[_second(dt.datetime.combine(point.day, dt.time(), dt.UTC)) for point in points],
        lines=(
            Line("stock", "stock", "sell", [point.stock - 1 for point in points], 1, labelled=True),
            Line("mix", "mix", "muted", [point.mix - 1 for point in points], 1, "dashed", labelled=True),
            Line("cell", "cell", "accent", [point.total - 1 for point in points], 2, labelled=True),
        ),
        marked="cell",
    )


def drawdown(points: Sequence[DayPoint]) -> float | None:
    """Return the deepest fall from a day's highest value so far, a fraction ≤ 0; None without days."""
    highest, deepest = 0.0, 0.0
    for point in points:
        highest = max(highest, point.total)
        deepest = min(deepest, point.total / highest - 1.0)
    return deepest if points else None


def _is_daily(cell: Cell) -> bool:
    """Return whether a cell's prices are a session apart: a replay of daily bars."""
    run: ReplayRun | None = getattr(cell.portfolio, "replay", None)
    return run is not None and run.series.filter(resolution=BarSeries.Resolution.DAILY).exists()


def _second(moment: dt.datetime) -> int:
    return int(moment.timestamp())
