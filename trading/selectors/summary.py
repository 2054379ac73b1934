"""A cell's performance in figures, each with what it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from portfolios.models import Cell, LedgerEntry
from trading.models import ActionApplication, Order
from trading.selectors.charts import drawdown
from trading.selectors.performance import DayPoint


@dataclass(frozen=True, slots=True)
class Figure:
    """One measure: its label, value, how it is written and its definition."""

    label: str
    value: float | None
    form: str
    definition: str


def performance_summary(cell: Cell, points: Sequence[DayPoint]) -> tuple[Figure, ...]:
    """Return a cell's measures as of its last day, in three queries beside those behind `points`."""
    last = points[-1] if points else None
    total, stock, mix = (None, None, None) if last is None else (last.total - 1, last.stock - 1, last.mix - 1)
    costs = LedgerEntry.objects.filter(cell=cell).aggregate(
        commission=Sum("cash", filter=Q(kind=LedgerEntry.Kind.COMMISSION)),
        fees=Sum("cash", filter=Q(kind=LedgerEntry.Kind.FEE)),
    )
    dividends = ActionApplication.objects.filter(cell=cell).aggregate(Sum("net"))
    trades = Order.objects.filter(cell=cell, filled_quantity__gt=0).aggregate(
        count=Count("pk"), notional=Sum("notional")
    )
    mean = sum(point.value for point in points) / len(points) if points else 0.0
    return (
        Figure("Total return", total, "signed-percent", "Growth since the opening, money moved in or out left aside."),
        Figure("Stock", stock, "signed-percent", "All of the opening value in shares, net dividends kept as cash."),
        Figure("Mix left alone", mix, "signed-percent", "The opening shares and cash, never traded."),
        Figure("Against stock", _over(total, stock), "signed-percent", "Total return less the stock's."),
        Figure("Against mix", _over(total, mix), "signed-percent", "Total return less the untouched mix's."),
        Figure("Deepest fall", drawdown(points), "signed-percent", "Lowest day's value against the highest before it."),
        Figure("Orders filled", float(trades["count"]), "quantity", "Orders with at least one fill."),
        Figure(
            "Turnover",
            float(trades["notional"] or 0) / mean if mean else None,
            "quantity",
            "Value traded over the mean value of the days.",
        ),
        Figure("Commission", -float(costs["commission"] or 0), "money", "Paid on all fills."),
        Figure("Fees", -float(costs["fees"] or 0), "money", "What the broker took besides, as the regulators' fees."),
        Figure("Net dividends", float(dividends["net__sum"] or 0), "money", "Declared, after withholding."),
    )


def _over(total: float | None, other: float | None) -> float | None:
    return None if total is None or other is None else total - other
