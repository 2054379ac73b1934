"""Judging one limit by what is known: its figure, the sentence that says it, and the episode it belongs to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence

from portfolios.models import Cell, TradingRestriction
from trading.marketdata.calendars import exchange_calendar
from trading.models import TradingLimit
from trading.services.breakers import Finding
from trading.services.exposure import stock_by_instrument
from trading.services.limit_cells import LimitedCell
from trading.services.limit_facts import Watched
from trading.services.reach import place_named
from trading.services.rejects import USUAL, RejectRun, response_to
from volbal.common import clock

Kind = TradingLimit.Kind
Action = TradingLimit.Action
Level = TradingRestriction.Level


def findings(limit: TradingLimit, watched: Watched) -> list[Finding]:
    """Return what a limit finds broken; nothing for a kind that is found elsewhere."""
    look = LOOKS.get(limit.kind)
    return [] if look is None else look(limit, watched)


def _finding(
    limit: TradingLimit, watched: Watched, measured: float, cause: str, sentence: str, **figures: object
) -> list[Finding]:
    """Return the finding where a limit of a whole is reached; the episode counts from the last resumption."""
    if measured < float(limit.threshold) or not watched.cells_of(limit):
        return []
    start = watched.baseline(limit.scope, limit.kind)
    return [
        Finding(
            kind=limit.kind,
            on=place_named(limit),
            sentence=f"{limit.label}: {sentence}",
            cause=f"{limit.kind} {0 if start is None else start.pk}: {cause}",
            as_of=watched.as_of,
            action=limit.action,
            measured=measured,
            threshold=limit.threshold,
            figures=figures,
            limit=limit,
        )
    ]


def _drawdown(limit: TradingLimit, watched: Watched) -> list[Finding]:
    course = watched.course(limit)
    if course is None:
        return []
    since = "its start" if course.peak_day is None else str(course.peak_day)
    limited = f"the limit is {float(limit.threshold):.2%}"
    words = f"{course.drawdown:.2%} below the peak of {since}, {limited}; it is worth {course.value:,.2f}."
    return _finding(limit, watched, course.drawdown, f"peak {since}", words, value=course.value, peak=since)


def _daily_loss(limit: TradingLimit, watched: Watched) -> list[Finding]:
    course = watched.course(limit)
    if course is None:
        return []
    went = f"from {course.before:,.2f} to {course.value:,.2f}"
    words = f"a loss of {course.loss:.2%} on {watched.day}, {went}; the limit is {float(limit.threshold):.2%}."
    return _finding(limit, watched, course.loss, f"day {watched.day}", words, value=course.value, before=course.before)


def _notional(limit: TradingLimit, watched: Watched) -> list[Finding]:
    cells = {cell.cell_id: cell for cell in watched.cells_of(limit)}
    today = [order for order in watched.orders_of(limit) if cells[order.cell_id].day_of(order.as_of) == watched.day]
    notional = sum(order.notional for order in today)
    words = f"orders of {notional:,.2f} on {watched.day}; the limit is {float(limit.threshold):,.2f}."
    return _finding(limit, watched, notional, f"day {watched.day}", words, orders=len(today))


def _orders_in_window(limit: TradingLimit, watched: Watched) -> list[Finding]:
    window = limit.window_seconds or 1
    since = watched.as_of - dt.timedelta(seconds=window)
    count = sum(order.as_of > since for order in watched.orders_of(limit))
    part = int(watched.as_of.timestamp() // window)
    words = f"{count} orders within {window:,} s; the limit is {int(limit.threshold)}."
    return _finding(limit, watched, float(count), f"window {window}/{part}", words)


def _exposure(limit: TradingLimit, watched: Watched) -> list[Finding]:
    stock = sum(cell.stock for cell in watched.cells_of(limit))
    words = f"{stock:,.2f} held in stock; the limit is {float(limit.threshold):,.2f}."
    return _finding(limit, watched, stock, f"day {watched.day}", words)


def _concentration(limit: TradingLimit, watched: Watched) -> list[Finding]:
    held = watched.cells_of(limit)
    value, stock = sum(one.value for one in held), stock_by_instrument(held)
    if value <= 0.0 or not stock:
        return []
    instrument, most = max(stock.items(), key=lambda one: one[1])
    symbol = next(cell.symbol for cell in held if cell.instrument_id == instrument)
    words = f"{most / value:.2%} of its value is {symbol}; the limit is {float(limit.threshold):.2%}."
    return _finding(limit, watched, most / value, f"day {watched.day} {symbol}", words, symbol=symbol, stock=most)


def _rejects(limit: TradingLimit, watched: Watched) -> list[Finding]:
    since = clock.now() - dt.timedelta(seconds=limit.window_seconds or 1)
    found = []
    for cell in watched.cells_of(limit):
        run = watched.runs.get(cell.cell_id)
        if run is None or response_to(run.newest.reject_code).in_a_row is None:
            continue
        if sum(order.ended_at >= since for order in run.orders) >= int(limit.threshold):
            found.append(_reject_finding(cell, run, watched, limit))
    return found


def unlimited_rejects(limits: Sequence[TradingLimit], watched: Watched) -> list[Finding]:
    """Return the runs of refusals that stop a cell, or its account, where no limit of that kind says otherwise."""
    ruled = [limit for limit in limits if limit.kind == Kind.REJECTS]
    covered = {cell.cell_id for limit in ruled for cell in watched.cells_of(limit)}
    found = []
    for cell in watched.cells:
        run = watched.runs.get(cell.cell_id)
        if run is None or cell.cell_id in covered:
            continue
        most = response_to(run.newest.reject_code).in_a_row
        if most is not None and len(run.orders) >= most:
            found.append(_reject_finding(cell, run, watched, None))
    return found


def _reject_finding(cell: LimitedCell, run: RejectRun, watched: Watched, limit: TradingLimit | None) -> Finding:
    response = response_to(run.newest.reject_code)
    on = cell.place_of_account if response.level == Level.ACCOUNT else cell.place
    count = len(run.orders)
    refused = "its last order" if count == 1 else f"{count} orders in a row"
    return Finding(
        kind=Kind.REJECTS,
        on=on,
        sentence=f"The broker refused {refused} of {cell}: {run.newest.detail or run.newest.reject_code}",
        cause=f"rejects from order {run.first_id}",
        as_of=watched.as_of,
        action=Action.HALTED if limit is None else limit.action,
        measured=float(count),
        threshold=None if limit is None else limit.threshold,
        figures={"code": run.newest.reject_code or USUAL.level, "orders": [one.id for one in run.orders]},
        limit=limit,
    )


def _stale(limit: TradingLimit, watched: Watched) -> list[Finding]:
    found = []
    for cell in watched.cells_of(limit):
        quoted = watched.quoted.get(cell.cell_id)
        if quoted is None or cell.status != Cell.Status.ACTIVE:
            continue
        age = open_age_seconds(cell.exchange, quoted, clock.now())
        if age >= float(limit.threshold):
            found.append(
                Finding(
                    kind=limit.kind,
                    on=cell.place,
                    sentence=f"{cell}: its price is of {quoted:%H:%M:%S} UTC, {age:,.0f} s old while the market is "
                    f"open; the limit is {float(limit.threshold):,.0f} s.",
                    cause=f"price of {quoted.isoformat()}",
                    as_of=watched.as_of,
                    action=limit.action,
                    measured=age,
                    threshold=limit.threshold,
                    limit=limit,
                )
            )
    return found


def open_age_seconds(exchange: str, quoted: dt.datetime, moment: dt.datetime) -> float:
    """Return for how long the market has been open without a newer price; 0 while it is closed."""
    calendar = exchange_calendar(exchange)
    session = calendar.session(calendar.day_of(moment))
    if session is None or not calendar.is_open(moment):
        return 0.0
    return max((moment - max(quoted, session.open)).total_seconds(), 0.0)


LOOKS: Mapping[str, Callable[[TradingLimit, Watched], list[Finding]]] = {
    Kind.DRAWDOWN: _drawdown,
    Kind.DAILY_LOSS: _daily_loss,
    Kind.DAILY_NOTIONAL: _notional,
    Kind.ORDERS_IN_WINDOW: _orders_in_window,
    Kind.EXPOSURE: _exposure,
    Kind.CONCENTRATION: _concentration,
    Kind.REJECTS: _rejects,
    Kind.STALE_DATA: _stale,
}
