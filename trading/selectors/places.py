"""Every page and action of a tenant, for the palette."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse

from portfolios.models import Cell, Portfolio

CELL_ACTIONS = {
    "cell-deposit": "Deposit into",
    "cell-withdraw": "Withdraw from",
    "cell-anchor": "Set the anchor of",
    "cell-spread": "Limit the spread of",
    "cell-parameters": "Change the parameters of",
    "cell-halt": "Halt",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to go: its words, where it belongs, its address."""

    label: str
    belongs: str
    url: str


def places(*, can_write: bool) -> tuple[Place, ...]:
    """Return the tenant's pages, then actions for those who may act, in two queries."""
    portfolios = Portfolio.objects.filter(is_archived=False).order_by("name")
    cells = Cell.objects.filter(portfolio__is_archived=False).exclude(status=Cell.Status.ARCHIVED)
    rows = list(cells.select_related("instrument", "portfolio"))
    pages = [Place("Dashboard", "page", reverse("dashboard")), Place("Halts", "page", reverse("halts"))]
    pages.append(Place("Bars and their quality", "page", reverse("series-list")))
    pages += [Place(one.name, "portfolio", reverse("portfolio", args=[one.pk])) for one in portfolios]
    pages += [Place(str(row), f"cell in {row.portfolio.name}", reverse("cell", args=[row.pk])) for row in rows]
    return (*pages, *(_actions(rows) if can_write else ()))


def _actions(rows: list[Cell]) -> list[Place]:
    return [
        Place(f"{words} {row}", row.portfolio.name, reverse(name, args=[row.pk]))
        for row in rows
        for name, words in CELL_ACTIONS.items()
    ]
