"""Booking what a broker or a backtest filled (strategy 7), the average cost (11) and the anchor."""

from dataclasses import dataclass

import numpy as np

from volbal.strategy import indices as at
from volbal.strategy.compile import compiled
from volbal.strategy.numeric import FloatArray, cents, micro, round_down
from volbal.strategy.parameters import StrategyParameters, parameter_row
from volbal.strategy.rule import affordable

LIMIT_BEYOND_PRICE = 0.005  # a live order is a marketable limit at most this far beyond the price (strategy 7)


@compiled
def commission_of(notional: float, parameters: FloatArray) -> float:
    """Return the commission of an order by its schedule, in currency (strategy 7)."""
    least: float = parameters[at.COMMISSION_MIN]
    return max(cents(notional * parameters[at.COMMISSION_RATE]), least)


@compiled
def cost_after_buy(cost: float, shares: float, quantity: float, paid: float) -> float:
    """Return the average cost after `quantity` more shares came for `paid`, unrounded (strategy 11)."""
    return (cost * shares + paid) / (shares + quantity)


@compiled
def book_row(cell: FloatArray, signed_quantity: float, notional: float, commission: float) -> None:
    """Move cash, shares and average cost for a fill; the anchor stays (strategy 7)."""
    if signed_quantity > 0.0:
        cell[at.COST] = cost_after_buy(cell[at.COST], cell[at.SHARES], signed_quantity, notional + commission)
        cell[at.CASH] = cents(cell[at.CASH] - (notional + commission))
    else:
        cell[at.CASH] = cents(cell[at.CASH] + (notional - commission))
    cell[at.SHARES] = micro(cell[at.SHARES] + signed_quantity)
    cell[at.RECEIVABLE] = cents(cell[at.RECEIVABLE])


@compiled
def move_anchor(cell: FloatArray, price: float) -> None:
    """Set the anchor and forget what was filled toward the last one (strategy 7)."""
    cell[at.ANCHOR] = price
    cell[at.BOUGHT] = 0.0
    cell[at.SOLD] = 0.0


@compiled
def is_half_filled(filled: float, ordered: float) -> bool:
    """Tell whether an order that ends moves the anchor: something filled, at least half of it (strategy 7)."""
    return filled > 0.0 and filled >= ordered / 2.0


@compiled
def mean_price(gross: float, filled: float) -> float:
    """Return the quantity-weighted mean price, to 1e-6."""
    return micro(gross / filled)


@compiled
def cut_to_cash(cash: float, quantity: float, price: float, parameters: FloatArray) -> float:
    """Return the quantity of a buy, cut where it would cost more than there is (strategy 10)."""
    notional = cents(quantity * price)
    if notional + commission_of(notional, parameters) <= cash:
        return quantity
    limit = affordable(cash, price, parameters[at.COMMISSION_RATE], parameters[at.COMMISSION_MIN])
    return round_down(limit, parameters[at.QUANTITY_STEP])


@compiled
def slipped(price: float, side: int, slippage_bps: float) -> float:
    """Return the fill price, worsened by slippage: up for a buy (+1), down for a sell (-1) (strategy 10)."""
    return micro(price * (1.0 + side * slippage_bps / 10000.0))


@compiled
def opening_holding(price: float, cash: float, stock_fraction: float, quantity_step: float) -> tuple[float, float]:
    """Return the shares that a fraction of the cash buys at the start and the cash left (strategy 10)."""
    shares = round_down(stock_fraction * cash / price, quantity_step)
    return shares, cents(cash - cents(shares * price))


@dataclass(frozen=True, slots=True)
class Position:
    """Hold a cell's money, shares and cost while facts are booked on it.

    Unlike `CellState` it takes what a broker reports, negative cash or shares included (strategy 7).
    `anchor` is None while unset, `average_cost` currency a share.
    """

    cash: float
    shares: float
    receivable: float = 0.0
    anchor: float | None = None
    average_cost: float = 0.0
    bought_since_anchor: float = 0.0
    sold_since_anchor: float = 0.0

    def to_row(self) -> FloatArray:
        """Return the row of numbers that compiled code reads and writes, by `indices`."""
        anchor = 0.0 if self.anchor is None else self.anchor
        return np.array(
            [
                self.cash, self.shares, self.receivable, anchor, 0.0,
                self.bought_since_anchor, self.sold_since_anchor, self.average_cost,
            ]
        )  # fmt: skip

    @classmethod
    def from_row(cls, row: FloatArray) -> "Position":
        """Build from such a row."""
        anchor = float(row[at.ANCHOR])
        return cls(
            float(row[at.CASH]), float(row[at.SHARES]), float(row[at.RECEIVABLE]),
            None if anchor <= 0.0 else anchor, float(row[at.COST]),
            float(row[at.BOUGHT]), float(row[at.SOLD]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Booking:
    """Hold what one report of a fill books: signed shares, money and the position after it."""

    quantity: float
    notional: float
    commission: float
    position: Position


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """Hold what is filled and booked of one order so far; all ≥ 0, `gross` being Σ q·F before rounding."""

    quantity: float = 0.0
    gross: float = 0.0
    notional: float = 0.0
    commission: float = 0.0


def book_fill(
    position: Position,
    filled: OrderFilled,
    signed_quantity: float,
    price: float,
    commission: float,
) -> tuple[Booking, OrderFilled]:
    """Book one part of an order so that the parts add up to the whole (strategy 7).

    `signed_quantity` is + for a buy; `filled` is what the order's earlier parts booked. `commission` is the order's
    in all so far, as the broker says it or the schedule has it.
    Returns the booking and the order's new sum; the anchor moves only in `end_order`.
    """
    quantity = filled.quantity + abs(signed_quantity)
    gross = filled.gross + abs(signed_quantity) * price
    notional = float(cents(gross))
    part = float(cents(notional - filled.notional))
    part_commission = float(cents(commission - filled.commission))
    row = position.to_row()
    book_row(row, signed_quantity, part, part_commission)
    row[at.BOUGHT if signed_quantity > 0.0 else at.SOLD] += abs(signed_quantity)
    booking = Booking(signed_quantity, part, part_commission, Position.from_row(row))
    return booking, OrderFilled(quantity, gross, notional, commission)


def end_order(position: Position, filled: OrderFilled, ordered_quantity: float) -> Position:
    """Move the anchor to the mean price where an ended order filled at least half (strategy 7)."""
    if not is_half_filled(filled.quantity, ordered_quantity):
        return position
    row = position.to_row()
    move_anchor(row, mean_price(filled.gross, filled.quantity))
    return Position.from_row(row)


def buy_limit(price: float) -> float:
    """Return the highest price a live buy may pay (strategy 7), on the price grid."""
    return float(np.floor(price * (1.0 + LIMIT_BEYOND_PRICE) * 1e6 + 1e-4) / 1e6)


def affordable_quantity(cash: float, quantity: float, limit_price: float, parameters: StrategyParameters) -> float:
    """Return a buy's quantity, cut so that at its limit price cash stays at or above 0 (strategy 7, 10)."""
    return float(cut_to_cash(cash, quantity, limit_price, parameter_row(parameters)))
