"""Run cells through bars: the one loop that `simulate` and `sweep` share (strategy 10 and 12 to 14)."""

import math

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy import workspace as ws
from volbal.strategy.adaptive import set_triggers
from volbal.strategy.compile import compiled, inlined
from volbal.strategy.corporate_actions import ex_date_row, pay_row, reinvest_row, split_row
from volbal.strategy.execution import fill_order, record_bar
from volbal.strategy.fills import opening_holding, slipped
from volbal.strategy.market import Market
from volbal.strategy.measures import measure_run
from volbal.strategy.numeric import FloatArray, IntArray
from volbal.strategy.quiet import pass_over, quiet_band
from volbal.strategy.resting import rebalance_at_close, walk_bar
from volbal.strategy.rule import decide_row
from volbal.strategy.slices import is_sliced
from volbal.strategy.slicing import begin_slices, end_slices, fill_slice, look_at_slices, submit_slice
from volbal.strategy.timeline import IS_SPLIT
from volbal.strategy.workspace import Options, Record, Workspace


@inlined
def start_cell(work: Workspace, market: Market, options: Options, parameters: FloatArray) -> None:
    """Reset the workspace to the start of a run (strategy 10)."""
    for column in range(at.PARAMETER_COUNT):
        work.parameters[column] = parameters[column]
    work.cell.fill(0.0)
    work.tally.fill(0.0)
    work.skips.fill(0)
    cell, price = work.cell, market.close[0]
    if options.shares >= 0.0:
        cell[at.SHARES], cell[at.CASH], cell[at.ANCHOR] = options.shares, options.cash, options.anchor
        value = options.shares * price + options.cash
    else:
        cell[at.SHARES], cell[at.CASH] = opening_holding(
            price, options.cash, options.stock_fraction, parameters[at.QUANTITY_STEP]
        )
        cell[at.ANCHOR] = price
        value = options.cash
    cell[at.COST] = price
    work.tally[ws.DAY] = -1.0
    work.tally[ws.START_VALUE] = value
    work.tally[ws.STOCK_SHARES] = value / price
    work.tally[ws.MIX_SHARES], work.tally[ws.MIX_CASH] = cell[at.SHARES], cell[at.CASH]


@inlined
def apply_actions(work: Workspace, market: Market, bar: int) -> bool:
    """Apply the corporate actions that fall on a bar and tell whether one was a split (strategy 8)."""
    tally, timeline = work.tally, market.timeline
    split = False
    number = int(tally[ws.NEXT_ACTION])
    while number < timeline.action_bar.shape[0] and timeline.action_bar[number] == bar:
        amount = timeline.action_amount[number]
        if timeline.action_kind[number] == IS_SPLIT:
            split = True
            split_row(work.cell, amount)
            tally[ws.STOCK_SHARES] *= amount
            tally[ws.MIX_SHARES] *= amount
        else:
            rate = work.parameters[at.WITHHOLDING_RATE]
            net = ex_date_row(work.cell, amount, rate)
            work.nets[timeline.action_dividend[number]] = net
            tally[ws.DIVIDENDS] += net
            tally[ws.STOCK_CASH] += tally[ws.STOCK_SHARES] * amount * (1.0 - rate)
            tally[ws.MIX_CASH] += tally[ws.MIX_SHARES] * amount * (1.0 - rate)
        number += 1
    tally[ws.NEXT_ACTION] = number
    return split


@inlined
def pay_dividends(work: Workspace, market: Market, bar: int) -> int:
    """Pay the dividends due on a bar and return how many there were."""
    timeline = market.timeline
    first = int(work.tally[ws.NEXT_PAYMENT])
    number = first
    while number < timeline.payment_bar.shape[0] and timeline.payment_bar[number] == bar:
        pay_row(work.cell, work.nets[timeline.payment_dividend[number]])
        number += 1
    work.tally[ws.NEXT_PAYMENT] = number
    return number - first


@inlined
def reinvest_dividends(work: Workspace, market: Market, bar: int, count: int) -> None:
    """Reinvest the last `count` dividends paid, each at the bar's close."""
    last = int(work.tally[ws.NEXT_PAYMENT])
    for number in range(last - count, last):
        net = work.nets[market.timeline.payment_dividend[number]]
        reinvest_row(work.cell, net, market.close[bar], work.parameters[at.QUANTITY_STEP])


@inlined
def begin_day(work: Workspace, market: Market, sigma: FloatArray, bar: int) -> None:
    """Start counting orders anew, and set adaptive triggers, on the first bar that is looked at in a day."""
    day = market.day[bar]
    if work.tally[ws.DAY] == day:
        return
    work.tally[ws.DAY] = day
    work.cell[at.ORDERS] = 0.0
    if work.parameters[at.ADAPTIVE_MULTIPLE] > 0.0:
        set_triggers(work.parameters, sigma[day])


@inlined
def next_appointment(work: Workspace, market: Market, bar: int) -> int:
    """Return the next bar with actions, payments or new adaptive triggers: looked at whatever its price."""
    timeline = market.timeline
    stop: int = market.close.shape[0]
    action, payment = int(work.tally[ws.NEXT_ACTION]), int(work.tally[ws.NEXT_PAYMENT])
    if action < timeline.action_bar.shape[0]:
        stop = min(stop, timeline.action_bar[action])
    if payment < timeline.payment_bar.shape[0]:
        stop = min(stop, timeline.payment_bar[payment])
    if work.parameters[at.ADAPTIVE_MULTIPLE] > 0.0:
        stop = min(stop, market.day_start[market.day[bar] + 1])
    return stop


@inlined
def watch_close(work: Workspace, record: Record, market: Market, options: Options, bar: int) -> tuple[float, int]:
    """Evaluate at the close; fill there, or return the order that waits for the next open (strategy 10.3)."""
    price = market.close[bar]
    if work.tally[ws.SLICED] != 0.0:
        dealt_with, pending, slice_reason = look_at_slices(work, record, market, options, bar)
        if dealt_with:
            return pending, slice_reason
    action, reason, _, _, quantity = decide_row(price, work.cell, work.parameters, codes.ASK_SIGNAL)
    pending = 0.0
    if action == codes.SKIP:
        work.skips[reason] += 1
    elif action != codes.HOLD:
        work.cell[at.ORDERS] += 1.0
        sliced = reason != codes.BY_STOP and is_sliced(abs(quantity), price, work.parameters[at.SLICE_NOTIONAL])
        if sliced and begin_slices(work, quantity, price):
            pending = submit_slice(work, record, market, options, bar, quantity, reason)
        elif options.next_open:
            pending = quantity
        else:
            side = 1 if quantity > 0.0 else -1
            fill_order(work, record, bar, quantity, slipped(price, side, options.slippage_bps), reason)
    record_bar(work, record, bar, action, reason)
    return pending, reason


@compiled
def fill_at_open(
    work: Workspace, record: Record, market: Market, options: Options, bar: int, pending: float, reason: int
) -> None:
    """Fill the order, or the slice, that was decided on the bar before at this bar's open (strategy 10.2)."""
    price = slipped(market.open[bar], 1 if pending > 0.0 else -1, options.slippage_bps)
    if work.tally[ws.SLICED] != 0.0:
        fill_slice(work, record, bar, pending, price, reason)
    else:
        fill_order(work, record, bar, pending, price, reason)


@compiled
def run_cell(
    market: Market,
    options: Options,
    parameters: FloatArray,
    sigma: FloatArray,
    work: Workspace,
    record: Record,
) -> None:
    """Run one cell from the first bar to the last; results are left in the workspace and the record."""
    start_cell(work, market, options, parameters)
    bars = market.close.shape[0]
    bar = 0
    pending, pending_reason = 0.0, 0
    while bar < bars:
        begin_day(work, market, sigma, bar)
        if apply_actions(work, market, bar):
            pending = 0.0
            if work.tally[ws.SLICED] != 0.0:
                end_slices(work)
        paid = pay_dividends(work, market, bar)
        if pending != 0.0:
            fill_at_open(work, record, market, options, bar, pending, pending_reason)
            pending = 0.0
        if options.resting and work.tally[ws.HALTED] == 0.0:
            walk_bar(work, record, market, bar, options.low_first)
        if options.reinvest:
            reinvest_dividends(work, market, bar, paid)
        if work.tally[ws.HALTED] != 0.0:
            record_bar(work, record, bar, codes.HOLD, codes.HALTED)
        elif options.resting:
            rebalance_at_close(work, record, market, bar)
            record_bar(work, record, bar, codes.HOLD, codes.INSIDE_BAND)
        else:
            pending, pending_reason = watch_close(work, record, market, options, bar)
        low, high = quiet_band(work.cell, work.parameters, options.resting)
        if work.tally[ws.HALTED] != 0.0:
            low, high = -math.inf, math.inf
        waits = pending != 0.0 or work.tally[ws.SLICED] != 0.0
        stop = bar + 1 if waits else next_appointment(work, market, bar)
        bar = pass_over(work, market, low, high, bar, stop)
    finish(work, market)


@inlined
def finish(work: Workspace, market: Market) -> None:
    """Note the last mark and the number of bars."""
    work.tally[ws.FINAL_VALUE] = work.day_values[work.day_values.shape[0] - 1]
    work.tally[ws.BARS] = market.close.shape[0]


@compiled
def run_many(
    market: Market,
    options: Options,
    parameters: FloatArray,
    sigmas: FloatArray,
    sigma_of: IntArray,
    work: Workspace,
    record: Record,
    measures: FloatArray,
) -> None:
    """Run combinations of parameters, one row each, and write their measures, one row each."""
    for row in range(parameters.shape[0]):
        run_cell(market, options, parameters[row], sigmas[sigma_of[row]], work, record)
        measure_run(work, market, options.risk_free_rate, measures[row])
