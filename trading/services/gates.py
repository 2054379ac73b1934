"""What must be true before the rule is asked (strategy 6 and 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from portfolios.models import BrokerAccount, Cell, Portfolio
from portfolios.standings import Standing
from trading.marketdata import calendars
from trading.models import Order, OrderPlan
from trading.services.exposure import Room
from trading.services.pricing import MarketPrice
from trading.services.rejects import RejectRun, wait_sentence
from volbal.strategy.codes import Reason

# No person resumes what is blocked by this; it ends with the agreement.
DISAGREES = "nothing trades here until the account's books and its broker's agree"


@dataclass(frozen=True, slots=True)
class GateFacts:
    """What a tick knows once for all its cells."""

    portfolio: Portfolio
    as_of: dt.datetime
    is_replay: bool
    cells_with_open_orders: frozenset[int]
    cells_awaiting_split: frozenset[int]
    standings: Mapping[int, Standing]
    backing_off: Mapping[int, RejectRun] = field(default_factory=dict)
    rooms: Mapping[int, tuple[Room, ...]] = field(default_factory=dict)
    plans: Mapping[int, OrderPlan] = field(default_factory=dict)
    account_is_blocked: bool = False
    cells_resting: frozenset[int] = frozenset()

    def in_flight(self, cell: Cell) -> bool:
        """Whether an order of a cell is on its way: where orders rest, one that does not (strategy 12)."""
        if cell.id not in self.cells_with_open_orders:
            return False
        return cell.execution != Cell.Execution.RESTING or cell.id not in self.cells_resting


def account_blocks(account: BrokerAccount) -> bool:
    """Return whether an account does not agree with its broker; one never checked is checked when it sends.

    Load `reconciliation` with the account, else it costs a query.
    """
    state = getattr(account, "reconciliation", None)
    return state is not None and state.blocks


@dataclass(frozen=True, slots=True)
class OpenOrders:
    """The ids of cells with an order that has not ended, and of those whose open orders all rest at their triggers."""

    cells: frozenset[int]
    resting: frozenset[int]

    @property
    def others(self) -> frozenset[int]:
        """Return the cells with an open order that does not rest."""
        return self.cells - self.resting


def open_orders(portfolio: Portfolio) -> OpenOrders:
    """Return which cells have orders that have not ended, in one query."""
    rows = Order.objects.filter(cell__portfolio=portfolio).exclude(status__in=Order.ENDED)
    found = rows.order_by().values_list("cell_id", "purpose")
    cells = frozenset(cell_id for cell_id, _ in found)
    others = frozenset(cell_id for cell_id, purpose in found if purpose != Order.Purpose.RESTING)
    return OpenOrders(cells, cells - others)


def cells_with_open_orders(portfolio: Portfolio) -> frozenset[int]:
    """Return the ids of cells whose order has not ended, in one query."""
    return open_orders(portfolio).cells


@dataclass(frozen=True, slots=True)
class Gate:
    """Why the rule is not asked; `because` says it with its numbers, as the rest of a sentence, where there are any."""

    reason: Reason
    because: str = ""


def gate_of(facts: GateFacts, cell: Cell, price: MarketPrice) -> Gate | None:
    """Return why the rule is not asked for this cell at this moment, or None where it is.

    A replay is history, complete and accepted: of the gates on its prices only the calendar's applies.
    """
    if facts.standings[cell.id].is_halted:
        return Gate(Reason.HALTED)
    if facts.account_is_blocked:
        return Gate(Reason.HALTED, DISAGREES)
    if cell.id in facts.cells_awaiting_split:
        return Gate(Reason.CORPORATE_ACTION_PENDING)
    if facts.in_flight(cell):
        return Gate(Reason.ORDER_IN_FLIGHT)
    if not _is_open(facts, cell):
        return Gate(Reason.MARKET_CLOSED)
    if cell.id in facts.backing_off:
        return Gate(Reason.BACKING_OFF, wait_sentence(facts.backing_off[cell.id]))
    if price.refusal is not None:
        return Gate(price.refusal, price.refusal_text)
    return None if facts.is_replay else _too_wide(cell, price)


def _too_wide(cell: Cell, price: MarketPrice) -> Gate | None:
    """Return the gate of a cell that trades up to some spread only; one that cannot be known is too wide as well."""
    limit = cell.max_spread_bps
    if limit is None or (price.spread_bps is not None and price.spread_bps <= float(limit)):
        return None
    if price.spread_bps is None:
        return Gate(
            Reason.WIDE_SPREAD, f"{price.source} gives no bid and ask, and this cell trades up to {limit:f} bps"
        )
    sides = f"bid {price.bid:,.2f}, ask {price.ask:,.2f}"
    return Gate(
        Reason.WIDE_SPREAD,
        f"the spread of {price.spread_bps:,.1f} bps ({sides}) is more than this cell's {limit:f} bps",
    )


def _is_open(facts: GateFacts, cell: Cell) -> bool:
    after_hours = facts.portfolio.trading_hours == Portfolio.TradingHours.EXTENDED
    if facts.is_replay and after_hours:
        # With after hours a backtest drops no bar: where history has a trade, there was trading.
        return True
    return _is_open_at(cell.instrument.exchange, facts.as_of, after_hours=after_hours)


@lru_cache(maxsize=64)
def _is_open_at(exchange: str, moment: dt.datetime, *, after_hours: bool) -> bool:
    """Return what the calendar says, once for all cells of a tick."""
    return calendars.is_open(exchange, moment, after_hours=after_hours)
