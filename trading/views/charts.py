"""Chart data as JSON for the page's script, as a table for reading and as CSV to take away."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from portfolios.models import Cell
from trading.selectors import charts, records
from trading.selectors.cells import CellView, Level, cell_rows, cell_views
from trading.selectors.history import history
from trading.selectors.performance import daily_points
from trading.selectors.times import exchange_zone
from trading.views.access import context_of, get_cell, get_portfolio, member_page
from trading.views.responses import csv_response, is_part, json_response
from volbal.common.templatetags import figures

Table = tuple[Sequence[str], Iterable[Sequence[Any]]]
TABLE_ROWS = 100

PRICE_HEADER = ("Time", "Price", "Anchor", "Buys at", "Sells at", "Lower guardrail", "Upper guardrail")
GROWTH_HEADER = ("Day", "Close", "Value", "Cell", "Mix", "Stock")


@require_safe
@member_page
def chart(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Return a cell's price chart; with `after`, seconds since 1970, only what came since."""
    return json_response(charts.price_chart(get_cell(cell_id), _after(request)))


@require_safe
@member_page
def growth(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Return a cell's growth beside its stock and its mix."""
    return json_response(charts.growth_chart(get_cell(cell_id)))


@require_safe
@member_page
def prices(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Show the price chart's newest data as a table."""
    cell = get_cell(cell_id)
    zone = exchange_zone(cell.instrument.exchange)
    rows = [
        (f"{point.as_of.astimezone(zone):%Y-%m-%d %H:%M}", *(figures.price(value) for value in _prices(point)))
        for point in reversed(charts.price_points(cell)[-TABLE_ROWS:])
    ]
    header = (f"Time, {figures.zone_name(zone, dt.datetime.now(dt.UTC))}", *PRICE_HEADER[1:])
    return _table(request, f"Prices of {cell}", header, rows, reverse("cell-export", args=[cell.pk, "prices"]))


@require_safe
@member_page
def performance(request: HttpRequest, cell_id: int) -> HttpResponse:
    """Show the growth chart's newest data as a table."""
    cell = get_cell(cell_id)
    rows = [
        (
            point.day.isoformat(),
            figures.price(point.close),
            figures.money(point.value),
            *(figures.signed_percent(grown - 1) for grown in (point.total, point.mix, point.stock)),
        )
        for point in reversed(daily_points(cell)[-TABLE_ROWS:])
    ]
    url = reverse("cell-export", args=[cell.pk, "performance"])
    return _table(request, f"Growth of {cell} since the opening", GROWTH_HEADER, rows, url)


@require_safe
@member_page
def export(request: HttpRequest, cell_id: int, what: str) -> HttpResponse:
    """Download one of a cell's tables as CSV, times in UTC, fractions as fractions."""
    cell = get_cell(cell_id)
    reader = _EXPORTS.get(what)
    if reader is None:
        raise Http404(f"There is no export called {what}.")
    header, rows = reader(request, cell)
    return csv_response(f"{cell.instrument.symbol}-{cell.pk}-{what}", header, rows)


@require_safe
@member_page
def portfolio_export(request: HttpRequest, portfolio_id: int) -> HttpResponse:
    """Download a portfolio's cells as CSV."""
    portfolio = get_portfolio(portfolio_id)
    views = cell_views(cell_rows([portfolio], archived=portfolio.is_archived))
    return csv_response(f"portfolio-{portfolio.pk}", _CELL_HEADER, (_cell(view) for view in views))


_CELL_HEADER = (
    "symbol", "name", "status", "as_of", "price", "value", "cash", "shares", "receivable", "stock_share", "anchor",
    "buy_price", "buy_quantity", "sell_price", "sell_quantity", "total_return", "stock_return", "mix_return",
)  # fmt: skip


def _cell(view: CellView) -> Sequence[Any]:
    levels = (*_level(view.buy), *_level(view.sell))
    made = view.returns
    return (
        view.symbol, view.label, view.status, view.as_of and view.as_of.isoformat(), view.price, view.value, view.cash,
        view.shares, view.receivable, view.stock_share, view.anchor, *levels, made.total, made.stock, made.mix,
    )  # fmt: skip


def _level(level: Level | None) -> tuple[float | None, float | None]:
    return (None, None) if level is None else (level.price, level.quantity)


def _prices(point: charts.PricePoint) -> tuple[float | None, ...]:
    return (
        point.price, point.anchor, point.buy_trigger, point.sell_trigger, point.guardrail_low, point.guardrail_high,
    )  # fmt: skip


def _after(request: HttpRequest) -> int | None:
    text = request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _table(request: HttpRequest, title: str, header: Sequence[str], rows: list[Any], csv: str) -> HttpResponse:
    template = "trading/parts/records.html" if is_part(request) else "trading/records.html"
    return render(request, template, context_of(request, title=title, header=header, rows=rows, csv=csv))


def _export_prices(_: HttpRequest, cell: Cell) -> Table:
    return PRICE_HEADER, ((point.as_of.isoformat(), *_prices(point)) for point in charts.price_history(cell))


def _export_performance(_: HttpRequest, cell: Cell) -> Table:
    return GROWTH_HEADER, (
        (one.day, one.close, one.value, one.total - 1, one.mix - 1, one.stock - 1) for one in daily_points(cell)
    )


_TIMELINE_HEADER = (
    "as_of", "until", "looks", "action", "reason", "sentence", "price", "source", "is_synthetic", "age_seconds",
    "anchor", "cash", "shares", "receivable", "value", "stock_share", "orders_today", "trigger_up", "trigger_down",
    "signal", "raw_quantity", "quantity", "parameters__number",
)  # fmt: skip


def _export_timeline(request: HttpRequest, cell: Cell) -> Table:
    return _TIMELINE_HEADER, history(cell, request.GET.getlist("action")).newest(_TIMELINE_HEADER)


def _export_columns(read: Callable[[HttpRequest, Cell], Any], *columns: str) -> Callable[[HttpRequest, Cell], Table]:
    def export_rows(request: HttpRequest, cell: Cell) -> Table:
        return columns, read(request, cell).values_list(*columns).iterator()

    return export_rows


_EXPORTS: dict[str, Callable[[HttpRequest, Cell], Table]] = {
    "prices": _export_prices,
    "performance": _export_performance,
    "timeline": _export_timeline,
    "orders": _export_columns(
        lambda _, cell: records.orders(cell).prefetch_related(None),
        "as_of", "client_order_id", "broker_order_id", "side", "type", "quantity", "limit_price", "status",
        "status_detail", "filled_quantity", "notional", "commission", "reason",
    ),
    "ledger": _export_columns(
        lambda _, cell: records.ledger(cell),
        "as_of", "recorded_at", "kind", "key", "cash", "shares", "receivable", "currency", "price", "actor_id", "task",
        "note",
    ),
    "dividends": _export_columns(
        lambda _, cell: records.dividends(cell),
        "action__ex_date", "action__kind", "action__amount", "action__ratio", "shares", "gross", "tax", "net",
        "pay_date", "paid_at", "anchor_before", "anchor_after", "learned_late", "booking", "corrected_at",
    ),
}  # fmt: skip
