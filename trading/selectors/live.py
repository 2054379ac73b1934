"""A portfolio's present as one message: what a page polls for while its socket is away."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from portfolios.models import Portfolio
from trading.selectors.cells import CellView, Level
from trading.selectors.portfolios import PortfolioView, portfolio_views


def live_message(portfolio: Portfolio) -> dict[str, Any]:
    """Return the message a tick sends (its `fills` empty), as JSON can hold it. The portfolio carries account and replay."""
    view = portfolio_views([portfolio])[0]
    return {
        "kind": "tick",
        "portfolio_id": view.id,
        "as_of": _moment(view.as_of),
        "value": str(view.value),
        "replay": _replay(view),
        "cells": [asdict(_cell(cell)) for cell in view.cells],
        "fills": [],
    }


@dataclass(frozen=True, slots=True)
class LiveCell:
    """A cell in a live message: figures as texts, fractions as numbers, what does not exist as None."""

    id: int
    symbol: str
    price: str | None
    change_ratio: float | None
    value: str
    cash: str
    shares: str
    receivable: str
    stock_share: float | None
    anchor: str | None
    status: str
    buy_price: str | None
    buy_quantity: str | None
    sell_price: str | None
    sell_quantity: str | None
    action: str | None
    reason: str | None
    sentence: str | None


def _cell(cell: CellView) -> LiveCell:
    last = cell.last
    return LiveCell(
        id=cell.id,
        symbol=cell.symbol,
        price=_text(cell.price),
        change_ratio=cell.change_ratio,
        value=str(cell.value),
        cash=str(cell.cash),
        shares=str(cell.shares),
        receivable=str(cell.receivable),
        stock_share=cell.stock_share,
        anchor=_text(cell.anchor),
        status=cell.status,
        buy_price=_price(cell.buy),
        buy_quantity=_quantity(cell.buy),
        sell_price=_price(cell.sell),
        sell_quantity=_quantity(cell.sell),
        action=None if last is None else last.action,
        reason=None if last is None else last.reason,
        sentence=None if last is None else last.sentence,
    )


def _price(level: Level | None) -> str | None:
    return None if level is None else f"{level.price:.6f}"


def _quantity(level: Level | None) -> str | None:
    return None if level is None else f"{level.quantity:.6f}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment(value: Any) -> str | None:
    return None if value is None else value.isoformat().replace("+00:00", "Z")


def _replay(view: PortfolioView) -> dict[str, Any] | None:
    run = view.replay
    if run is None:
        return None
    return {
        "id": run.id,
        "status": run.status,
        "position": run.position,
        "step_count": run.step_count,
        "steps_per_second": float(run.steps_per_second),
    }
