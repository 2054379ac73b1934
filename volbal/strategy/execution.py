"""Filling an order in a simulation: cut, book, move the anchor, keep score (strategy 7, 10 and 11)."""

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy import workspace as ws
from volbal.strategy.compile import compiled
from volbal.strategy.fills import book_row, commission_of, cut_to_cash, move_anchor
from volbal.strategy.numeric import cents
from volbal.strategy.workspace import Record, Workspace


@compiled
def fill_order(work: Workspace, record: Record, bar: int, quantity: float, price: float, reason: int) -> bool:
    """Fill a signed quantity at a price and tell whether anything filled: a buy may be cut to nothing.

    The anchor moves there; what the protective stop sold leaves the cell halted (strategy 14).
    """
    if book_trade(work, record, bar, quantity, price, reason) == 0.0:
        return False
    move_anchor(work.cell, price)
    if reason == codes.BY_STOP:
        work.tally[ws.HALTED] = 1.0
    return True


@compiled
def book_trade(work: Workspace, record: Record, bar: int, quantity: float, price: float, reason: int) -> float:
    """Book a signed quantity at a price and return what of it filled; the anchor stays."""
    cell, parameters = work.cell, work.parameters
    if quantity > 0.0:
        quantity = cut_to_cash(cell[at.CASH], quantity, price, parameters)
        if quantity == 0.0:
            return 0.0
    notional = cents(abs(quantity) * price)
    commission = commission_of(notional, parameters)
    gain = 0.0
    if quantity < 0.0:
        gain = notional - commission + quantity * cell[at.COST]
        score_sell(work, gain)
    book_row(cell, quantity, notional, commission)
    record_trade(work, record, (bar, quantity, price, notional, commission, reason, gain))
    work.tally[ws.TRADES] += 1.0
    work.tally[ws.NOTIONAL] += notional
    work.tally[ws.COMMISSION] += commission
    return quantity


@compiled
def score_sell(work: Workspace, gain: float) -> None:
    """Count a sell and what it gained or lost over the average cost (strategy 11)."""
    work.tally[ws.SELLS] += 1.0
    if gain > 0.0:
        work.tally[ws.WINS] += 1.0
        work.tally[ws.GAINS] += gain
    else:
        work.tally[ws.LOSSES] -= gain


@compiled
def record_trade(work: Workspace, record: Record, trade: tuple[int, float, float, float, float, int, float]) -> None:
    """Keep a trade where the record has room."""
    row = int(work.tally[ws.TRADES])
    if row >= record.trades.shape[0]:
        return
    bar, quantity, price, notional, commission, reason, gain = trade
    record.trades[row, ws.AT_BAR] = bar
    record.trades[row, ws.QUANTITY] = quantity
    record.trades[row, ws.PRICE] = price
    record.trades[row, ws.TRADE_NOTIONAL] = notional
    record.trades[row, ws.TRADE_COMMISSION] = commission
    record.trades[row, ws.TRADE_REASON] = reason
    record.trades[row, ws.CASH_AFTER] = work.cell[at.CASH]
    record.trades[row, ws.SHARES_AFTER] = work.cell[at.SHARES]
    record.trades[row, ws.GAIN] = gain


@compiled
def record_bar(work: Workspace, record: Record, bar: int, action: int, reason: int) -> None:
    """Keep a bar's state and outcome where the record has room."""
    if bar >= record.touched.shape[0]:
        return
    record.touched[bar] = True
    record.outcomes[bar, 0] = action
    record.outcomes[bar, 1] = reason
    record.states[bar, ws.BAR_CASH] = work.cell[at.CASH]
    record.states[bar, ws.BAR_SHARES] = work.cell[at.SHARES]
    record.states[bar, ws.BAR_RECEIVABLE] = work.cell[at.RECEIVABLE]
    record.states[bar, ws.BAR_ANCHOR] = work.cell[at.ANCHOR]
