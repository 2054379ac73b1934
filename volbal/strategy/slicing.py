"""Working an order in slices through the bars of a simulation (strategy 14).

A bar at or after the time a slice is due takes one. The order ends with its last slice, when the rule no longer wants
it, and at the close of its day.
"""

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy import workspace as ws
from volbal.strategy.compile import compiled
from volbal.strategy.execution import book_trade, record_bar
from volbal.strategy.fills import is_half_filled, mean_price, move_anchor, slipped
from volbal.strategy.market import Market
from volbal.strategy.numeric import micro
from volbal.strategy.rule import decide_row, is_stopped
from volbal.strategy.slices import ask_about_slice, next_slice, slice_count, slice_size
from volbal.strategy.workspace import Options, Record, Workspace


@compiled
def begin_slices(work: Workspace, quantity: float, price: float) -> bool:
    """Begin an order of a signed quantity and tell whether it is worked in more than one slice."""
    notional, step = work.parameters[at.SLICE_NOTIONAL], work.parameters[at.QUANTITY_STEP]
    count = slice_count(abs(quantity), price, notional, step)
    if count <= 1.0:
        return False
    work.tally[ws.SLICED] = quantity
    work.tally[ws.SLICED_FILLED] = work.tally[ws.SLICED_GROSS] = 0.0
    work.tally[ws.SLICES_LEFT] = count
    work.tally[ws.SLICE_SIZE] = slice_size(abs(quantity), count, step)
    return True


@compiled
def submit_slice(
    work: Workspace, record: Record, market: Market, options: Options, bar: int, allowed: float, reason: int
) -> float:
    """Fill the next slice at a bar's close, at most `allowed` shares; or return it to wait for the next open."""
    tally = work.tally
    remaining = micro(abs(tally[ws.SLICED]) - tally[ws.SLICED_FILLED])
    size = min(next_slice(tally[ws.SLICE_SIZE], tally[ws.SLICES_LEFT], remaining), abs(allowed))
    signed = size if tally[ws.SLICED] > 0.0 else -size
    tally[ws.SLICES_LEFT] -= 1.0
    tally[ws.SLICE_AT] = market.second[bar] + work.parameters[at.SLICE_INTERVAL_SECONDS]
    if options.next_open:
        return signed
    side = 1 if signed > 0.0 else -1
    fill_slice(work, record, bar, signed, slipped(market.close[bar], side, options.slippage_bps), reason)
    if ends_day(market, bar):
        end_slices(work)
    return 0.0


@compiled
def fill_slice(work: Workspace, record: Record, bar: int, quantity: float, price: float, reason: int) -> None:
    """Fill a slice; the anchor stays until the order ends, which it does with its last slice."""
    filled = abs(book_trade(work, record, bar, quantity, price, reason))
    towards = at.BOUGHT if quantity > 0.0 else at.SOLD
    work.cell[towards] = micro(work.cell[towards] + filled)
    work.tally[ws.SLICED_FILLED] = micro(work.tally[ws.SLICED_FILLED] + filled)
    work.tally[ws.SLICED_GROSS] += filled * price
    if work.tally[ws.SLICES_LEFT] <= 0.0:
        end_slices(work)


@compiled
def end_slices(work: Workspace) -> None:
    """End the order: the anchor moves where at least half of it filled (strategy 7)."""
    tally = work.tally
    filled = tally[ws.SLICED_FILLED]
    if is_half_filled(filled, abs(tally[ws.SLICED])):
        move_anchor(work.cell, mean_price(tally[ws.SLICED_GROSS], filled))
    tally[ws.SLICED] = 0.0


@compiled
def ends_day(market: Market, bar: int) -> bool:
    """Tell whether a bar is the last of its day."""
    last: bool = bar + 1 == market.day_start[market.day[bar] + 1]
    return last


@compiled
def look_at_slices(
    work: Workspace, record: Record, market: Market, options: Options, bar: int
) -> tuple[bool, float, int]:
    """Look at the order at a bar's close: wait, submit its next slice, or end it where the rule says no.

    Returns whether the cell was dealt with by that, the slice that waits for the next open, and its reason. Where it
    was not, the order has ended and the cell is looked at as any other.
    """
    cell, parameters, price = work.cell, work.parameters, market.close[bar]
    if is_stopped(price, cell, parameters):
        end_slices(work)
        return False, 0.0, 0
    last = ends_day(market, bar)
    if market.second[bar] < work.tally[ws.SLICE_AT] or (options.next_open and last):
        if last:
            end_slices(work)
        work.skips[codes.ORDER_IN_FLIGHT] += 1
        record_bar(work, record, bar, codes.SKIP, codes.ORDER_IN_FLIGHT)
        return True, 0.0, 0
    side = 1.0 if work.tally[ws.SLICED] > 0.0 else -1.0
    signed_filled = side * work.tally[ws.SLICED_FILLED]
    ask_about_slice(cell, parameters, signed_filled, work.asked_cell, work.asked_parameters)
    action, reason, _, _, quantity = decide_row(price, work.asked_cell, work.asked_parameters, codes.ASK_SIGNAL)
    if action != (codes.BUY if side > 0.0 else codes.SELL):
        end_slices(work)
        return False, 0.0, 0
    pending = submit_slice(work, record, market, options, bar, quantity, reason)
    record_bar(work, record, bar, action, reason)
    return True, pending, reason
