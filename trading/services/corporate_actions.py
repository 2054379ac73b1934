"""Dividends and splits as each cell takes them, once, before the first evaluation of their date (strategy 8)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal

from django.db.models import Max

from portfolios.models import Cell, LedgerEntry
from portfolios.services.changes import changing
from portfolios.services.ledger import Movement, book
from portfolios.services.origin import Origin
from trading.marketdata.calendars import exchange_calendar
from trading.models import ActionApplication, CorporateAction, DailyMark
from trading.services.positions import position_of, position_write
from trading.services.pricing import MarketPrice
from volbal.common import numbers
from volbal.common.numbers import MICRO
from volbal.strategy.corporate_actions import apply_ex_date, apply_reinvestment, apply_split

ORIGIN = Origin(task="corporate actions")
Kind = LedgerEntry.Kind


def actions_apply(
    *,
    cells: list[Cell],
    days: dict[int, dt.date],
    prices: dict[int, MarketPrice],
    as_of: dt.datetime,
    open_orders: frozenset[int],
) -> frozenset[int]:
    """Apply what is due to each cell, ex-dates and splits first, then payments; call it inside the tick's transaction.

    Return the cells that must wait because an order is still open across a split. `cells` are up to date afterwards.
    """
    due = _due(cells, days)
    waiting = frozenset(
        cell.pk for cell in cells if cell.pk in open_orders and any(one.ratio is not None for one in due[cell.pk])
    )
    for cell in cells:
        if cell.pk not in waiting:
            for action in due[cell.pk]:
                _apply(cell, action, as_of)
    _pay_due([cell for cell in cells if cell.pk not in waiting], days, prices, as_of)
    return waiting


def splits_due(cells: list[Cell], moment: dt.datetime) -> frozenset[int]:
    """Return the ids of cells to which a split is to be applied at their next tick, in a fixed number of queries."""
    days = {cell.pk: exchange_calendar(cell.instrument.exchange).day_of(moment) for cell in cells}
    due = _due(cells, days)
    return frozenset(cell_id for cell_id, actions in due.items() if any(one.ratio is not None for one in actions))


def _due(cells: list[Cell], days: dict[int, dt.date]) -> dict[int, list[CorporateAction]]:
    """Return each cell's actions since the day it was last marked, splits before dividends of their date."""
    due: dict[int, list[CorporateAction]] = {cell.pk: [] for cell in cells}
    since = _taken_through(cells)
    behind = [cell for cell in cells if since[cell.pk] < days[cell.pk]]
    if not behind:
        return due
    window = CorporateAction.objects.filter(
        instrument__in={cell.instrument_id for cell in behind},
        ex_date__gt=min(since[cell.pk] for cell in behind),
        ex_date__lte=max(days[cell.pk] for cell in behind),
    )
    for action in window.order_by("ex_date", "-kind", "id"):
        for cell in behind:
            if cell.instrument_id == action.instrument_id and since[cell.pk] < action.ex_date <= days[cell.pk]:
                due[cell.pk].append(action)
    return due


def _taken_through(cells: Iterable[Cell]) -> dict[int, dt.date]:
    """Return the day through which each cell has taken its actions: its newest mark, else the day it was opened."""
    marked = DailyMark.objects.filter(cell__in=cells).order_by().values_list("cell_id").annotate(Max("day"))
    newest: dict[int, dt.date] = dict(marked)
    return {cell.pk: newest.get(cell.pk) or _day_opened(cell) for cell in cells}


def _day_opened(cell: Cell) -> dt.date:
    opened = cell.opened_at or cell.created_at
    return exchange_calendar(cell.instrument.exchange).day_of(opened)


def _apply(cell: Cell, action: CorporateAction, as_of: dt.datetime) -> None:
    if action.ratio is not None:
        _apply_split(cell, action, as_of)
    else:
        _apply_dividend(cell, action, as_of)


def _apply_split(cell: Cell, action: CorporateAction, as_of: dt.datetime) -> None:
    with changing(cell, kind="cell.split", origin=ORIGIN, as_of=as_of) as change:
        row = change.row
        application = _application(row, action, as_of)
        after = apply_split(position_of(row), float(action.ratio or 1))
        gained = numbers.shares(after.shares) - row.shares
        if gained:
            movement = Movement(kind=Kind.SPLIT, key=f"action:{action.pk}:cell:{row.pk}", shares=gained)
            book(account=row.portfolio.account, owner=row, movements=[movement], as_of=as_of, origin=ORIGIN)
        position_write(row, after, as_of)
        _record(application, row)
        change.details |= {"action": action.pk, "ratio": action.ratio}


def _apply_dividend(cell: Cell, action: CorporateAction, as_of: dt.datetime) -> None:
    with changing(cell, kind="cell.dividend", origin=ORIGIN, as_of=as_of) as change:
        row = change.row
        application = _application(row, action, as_of)
        rate = float(row.parameters.withholding_rate) if row.parameters is not None else 0.0
        after, entitled = apply_ex_date(position_of(row), float(action.amount or 0), rate)
        application.gross, application.tax = numbers.money(entitled.gross), numbers.money(entitled.tax)
        application.net = numbers.money(entitled.net)
        application.pay_date = action.pay_date or action.ex_date
        key = f"action:{action.pk}:cell:{row.pk}"
        movements = [
            Movement(kind=Kind.DIVIDEND, key=key, receivable=application.gross, price=action.amount),
            Movement(kind=Kind.TAX, key=f"{key}:tax", receivable=-application.tax),
        ]
        if application.gross:
            book(account=row.portfolio.account, owner=row, movements=movements, as_of=as_of, origin=ORIGIN)
        position_write(row, after, as_of)
        if row.anchor is None and application.anchor_before is not None:
            row.status_reason = f"A dividend of {action.amount:f} a share left no anchor above 0: set a new one."
        _record(application, row)
        change.details |= {"action": action.pk, "gross": application.gross, "tax": application.tax}


def _step_of(cell: Cell) -> float:
    """Return the step of a cell's shares; the finest where it has no parameters."""
    return float(MICRO if cell.parameters is None else cell.parameters.quantity_step)


def _application(cell: Cell, action: CorporateAction, as_of: dt.datetime) -> ActionApplication:
    return ActionApplication(
        tenant_id=cell.tenant_id,
        cell=cell,
        action=action,
        shares=cell.shares,
        anchor_before=cell.anchor,
        as_of=as_of,
        paid_at=as_of if action.ratio is not None else None,
    )


def _record(application: ActionApplication, cell: Cell) -> None:
    """Insert the row that makes a second application fail."""
    application.anchor_after = cell.anchor
    application.save(force_insert=True)


def _pay_due(cells: list[Cell], days: dict[int, dt.date], prices: dict[int, MarketPrice], as_of: dt.datetime) -> None:
    if not cells:
        return
    by_id = {cell.pk: cell for cell in cells}
    unpaid = ActionApplication.objects.filter(
        cell__in=by_id, paid_at__isnull=True, pay_date__lte=max(days[cell.pk] for cell in cells)
    )
    for application in unpaid.order_by("pay_date", "id"):
        cell = by_id[application.cell_id]
        if application.pay_date is not None and application.pay_date <= days[cell.pk]:
            _pay(cell, application, prices[cell.instrument_id].accepted, as_of)


def _pay(cell: Cell, application: ActionApplication, close: Decimal, as_of: dt.datetime) -> None:
    """Move a dividend from receivable to cash, and into shares at this price where the cell reinvests."""
    with changing(cell, kind="cell.dividend_paid", origin=ORIGIN, as_of=as_of) as change:
        row, key = change.row, f"action:{application.action_id}:cell:{cell.pk}:paid"
        account, net = row.portfolio.account, application.net
        if net:
            movement = Movement(kind=Kind.DIVIDEND, key=key, receivable=-net, cash=net)
            book(account=account, owner=row, movements=[movement], as_of=as_of, origin=ORIGIN)
        application.paid_at = as_of
        application.save(update_fields=["paid_at"])
        change.details |= {"action": application.action_id, "net": net}
        if not row.reinvest_dividends:
            return
        held = position_of(row)
        after, bought = apply_reinvestment(held, float(net), float(close), _step_of(row))
        if bought:
            movement = Movement(
                kind=Kind.BUY,
                key=f"{key}:reinvested",
                cash=numbers.money(after.cash) - row.cash,
                shares=numbers.shares(bought),
                price=close,
                note="dividend reinvested",
            )
            book(account=account, owner=row, movements=[movement], as_of=as_of, origin=ORIGIN)
            position_write(row, after, as_of)
