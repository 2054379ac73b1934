"""Splits, dividends and reinvestment (strategy 8): the same functions book them live and in a backtest."""

from dataclasses import dataclass, field
from datetime import date

from volbal.strategy import indices as at
from volbal.strategy.cell import checked_number
from volbal.strategy.compile import compiled
from volbal.strategy.fills import Position, cost_after_buy
from volbal.strategy.numeric import FloatArray, cents, micro, round_down

SHARE_STEP = 0.000001  # shares are kept to 1e-6, whatever the step of orders


@compiled
def split_row(cell: FloatArray, ratio: float) -> None:
    """Apply a split of `ratio` new shares for one old to shares, anchor and average cost."""
    cell[at.SHARES] = round_down(cell[at.SHARES] * ratio, SHARE_STEP)
    cell[at.ANCHOR] = micro(cell[at.ANCHOR] / ratio)
    cell[at.COST] = cell[at.COST] / ratio
    cell[at.BOUGHT] = cell[at.BOUGHT] * ratio
    cell[at.SOLD] = cell[at.SOLD] * ratio


@compiled
def entitle(shares: float, amount: float, withholding_rate: float) -> tuple[float, float]:
    """Return the gross dividend of these shares and the tax withheld from it, in currency."""
    gross = cents(shares * amount)
    return gross, cents(gross * withholding_rate)


@compiled
def lower_anchor(cell: FloatArray, amount: float) -> None:
    """Take a dividend off the anchor; one that is not above 0 is unset."""
    if cell[at.ANCHOR] > 0.0:
        cell[at.ANCHOR] = max(micro(cell[at.ANCHOR] - amount), 0.0)


@compiled
def ex_date_row(cell: FloatArray, amount: float, withholding_rate: float) -> float:
    """Book a dividend of `amount` a share as receivable and return its net, in currency."""
    gross, tax = entitle(cell[at.SHARES], amount, withholding_rate)
    net = cents(gross - tax)
    cell[at.RECEIVABLE] = cents(cell[at.RECEIVABLE] + net)
    lower_anchor(cell, amount)
    return net


@compiled
def pay_row(cell: FloatArray, net: float) -> None:
    """Move a dividend from receivable to cash."""
    cell[at.RECEIVABLE] = cents(cell[at.RECEIVABLE] - net)
    cell[at.CASH] = cents(cell[at.CASH] + net)


@compiled
def reinvestment(net: float, cash: float, price: float, step: float) -> float:
    """Return the shares that a paid dividend buys at a price, without commission."""
    return round_down(max(min(net, cash), 0.0) / price, step)


@compiled
def reinvest_row(cell: FloatArray, net: float, price: float, step: float) -> float:
    """Reinvest a paid dividend and return the shares bought; anchor and order count stay."""
    quantity = reinvestment(net, cell[at.CASH], price, step)
    if quantity > 0.0:
        paid = cents(quantity * price)
        cell[at.COST] = cost_after_buy(cell[at.COST], cell[at.SHARES], quantity, paid)
        cell[at.CASH] = cents(cell[at.CASH] - paid)
        cell[at.SHARES] = micro(cell[at.SHARES] + quantity)
    return quantity


@dataclass(frozen=True, slots=True)
class Dividend:
    """Announce `amount` of currency a share; `pay_date` None is paid on the ex-date in a backtest."""

    ex_date: date
    amount: float
    pay_date: date | None = None

    def __post_init__(self) -> None:
        """Check the amount."""
        checked_number("dividend amount", self.amount, above=0.0)


@dataclass(frozen=True, slots=True)
class Split:
    """Announce `ratio` new shares for one old."""

    ex_date: date
    ratio: float

    def __post_init__(self) -> None:
        """Check the ratio."""
        checked_number("split ratio", self.ratio, above=0.0)


@dataclass(frozen=True, slots=True)
class Entitlement:
    """Hold what a dividend is worth to a holder, in currency: `net = gross − tax`."""

    gross: float
    tax: float
    net: float = field(init=False)

    def __post_init__(self) -> None:
        """Derive the net amount."""
        object.__setattr__(self, "net", float(cents(self.gross - self.tax)))


def dividend_entitlement(shares: float, amount: float, withholding_rate: float) -> Entitlement:
    """Return a dividend's gross, tax and net for the shares held at the end of the day before its ex-date."""
    gross, tax = entitle(shares, amount, withholding_rate)
    return Entitlement(float(gross), float(tax))


def apply_split(position: Position, ratio: float, *, anchor_set_before: bool = True) -> Position:
    """Return the position after a split; the anchor moves only if it was set before the split's date."""
    row = position.to_row()
    split_row(row, ratio)
    if not anchor_set_before:
        row[at.ANCHOR] = position.to_row()[at.ANCHOR]
    return Position.from_row(row)


def split_learned_late(shares_then: float, ratio: float) -> float:
    """Return the signed shares that a split adds when it is learned late, from those held at its date."""
    return float(micro(round_down(shares_then * ratio, SHARE_STEP) - shares_then))


def anchor_after_split(anchor: float, ratio: float) -> float | None:
    """Return the anchor after a split, or None where it would not be above 0."""
    divided = float(micro(anchor / ratio))
    return divided if divided > 0.0 else None


def anchor_after_dividend(anchor: float, amount: float) -> float | None:
    """Return the anchor after an ex-date, or None where it would not be above 0: the cell needs attention."""
    lowered = float(micro(anchor - amount))
    return lowered if lowered > 0.0 else None


def apply_ex_date(position: Position, amount: float, withholding_rate: float) -> tuple[Position, Entitlement]:
    """Return the position after a dividend's ex-date and what it is entitled to."""
    row = position.to_row()
    ex_date_row(row, amount, withholding_rate)
    return Position.from_row(row), dividend_entitlement(position.shares, amount, withholding_rate)


def apply_pay_date(position: Position, net: float) -> Position:
    """Return the position after a dividend's net amount moved from receivable to cash."""
    row = position.to_row()
    pay_row(row, net)
    return Position.from_row(row)


def apply_reinvestment(position: Position, net: float, price: float, quantity_step: float) -> tuple[Position, float]:
    """Return the position after reinvesting a paid dividend at a price, and the shares bought."""
    row = position.to_row()
    quantity = float(reinvest_row(row, net, price, quantity_step))
    return Position.from_row(row), quantity
