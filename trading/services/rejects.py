"""What follows when a broker refuses orders: by kind of refusal how long to wait, and after how many to stop what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from portfolios.models import Portfolio, TradingRestriction
from trading.models import Order
from volbal.common import clock

Level = TradingRestriction.Level
LONGEST_WAIT = dt.timedelta(hours=1)
# A refusal longer ago than this is no part of a run.
RUN_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class RejectResponse:
    """What follows a refusal: the wait after the first, doubled with each in a row, and after how many in a row the
    cell or its account is halted; None: never, for it passes by itself."""

    wait_seconds: int
    in_a_row: int | None
    level: str = Level.CELL


USUAL = RejectResponse(wait_seconds=5, in_a_row=5)
RESPONSES: Mapping[str, RejectResponse] = {
    "market_closed": RejectResponse(300, None),
    "rate_limit": RejectResponse(60, None),
    "insufficient_funds": RejectResponse(30, 3),
    "insufficient_buying_power": RejectResponse(30, 3),
    "insufficient_shares": RejectResponse(30, 3),
    "not_tradable": RejectResponse(60, 3),
    "unknown_symbol": RejectResponse(60, 1),
    "account_blocked": RejectResponse(300, 1, Level.ACCOUNT),
    "not_authorised": RejectResponse(300, 1, Level.ACCOUNT),
}


def response_to(code: str) -> RejectResponse:
    """Return what follows a kind of refusal."""
    return RESPONSES.get(code, USUAL)


@dataclass(frozen=True, slots=True)
class EndedOrder:
    """An order that ended: its cell, how, and when by the wall clock."""

    id: int
    cell_id: int
    status: str
    reject_code: str
    detail: str
    ended_at: dt.datetime


@dataclass(frozen=True, slots=True)
class RejectRun:
    """Refusals in a row of one cell, the newest first."""

    orders: tuple[EndedOrder, ...]

    @property
    def newest(self) -> EndedOrder:
        """Return the last refusal."""
        return self.orders[0]

    @property
    def first_id(self) -> int:
        """Return the id of the order that began it: the name of the run."""
        return self.orders[-1].id

    @property
    def waits_until(self) -> dt.datetime:
        """Return until when nothing is asked of the broker for this cell."""
        seconds = response_to(self.newest.reject_code).wait_seconds * 2 ** min(len(self.orders) - 1, 20)
        return self.newest.ended_at + min(dt.timedelta(seconds=seconds), LONGEST_WAIT)


def ended_orders(*, cell_ids: Iterable[int], since: dt.datetime) -> list[EndedOrder]:
    """Return the orders of cells that ended since a moment, newest first, in one query."""
    rows = Order.objects.filter(cell__among=cell_ids, status__in=Order.ENDED, status_at__gte=since)
    fields = ("pk", "cell_id", "status", "reject_code", "status_detail", "status_at")
    return [EndedOrder(*row) for row in rows.order_by("-id").values_list(*fields)]


def reject_runs(orders: Sequence[EndedOrder]) -> dict[int, RejectRun]:
    """Return each cell's present run of refusals, by cell id; cells whose last order went through have none."""
    by_cell: dict[int, list[EndedOrder]] = {}
    for order in orders:
        by_cell.setdefault(order.cell_id, []).append(order)
    runs = {
        cell_id: tuple(takewhile(lambda one: one.status == Order.Status.REJECTED, rows))
        for cell_id, rows in by_cell.items()
    }
    return {cell_id: RejectRun(rows) for cell_id, rows in runs.items() if rows}


def cells_backing_off(portfolio: Portfolio) -> dict[int, RejectRun]:
    """Return the runs of cells that wait after a refusal, by cell id, in one query. Nothing waits in a replay."""
    if portfolio.mode == Portfolio.Mode.REPLAY:
        return {}
    moment = clock.now()
    rows = Order.objects.filter(
        cell__portfolio=portfolio, status__in=Order.ENDED, status_at__gte=moment - LONGEST_WAIT
    ).order_by("-id")
    fields = ("pk", "cell_id", "status", "reject_code", "status_detail", "status_at")
    runs = reject_runs([EndedOrder(*row) for row in rows.values_list(*fields)])
    return {cell_id: run for cell_id, run in runs.items() if run.waits_until > moment}


def wait_sentence(run: RejectRun) -> str:
    """Say why a cell waits, as the rest of a sentence."""
    times = "its last order" if len(run.orders) == 1 else f"its last {len(run.orders)} orders"
    why = (run.newest.detail or run.newest.reject_code).rstrip(".")
    return f"the broker refused {times} ({why}); it asks again at {run.waits_until:%H:%M:%S} UTC"
