"""The rule: one compiled function that decides (strategy 3 to 6, and the protective stop of 14).

`decide_row` is called by the live tick (`decide`, `decide_many`), by `simulate` and by `sweep`. A cell and
its parameters are rows of numbers addressed by `indices`; the order of every operation is part of the law.
"""

from volbal.strategy import codes
from volbal.strategy import indices as at
from volbal.strategy.compile import compiled
from volbal.strategy.numeric import FloatArray, round_down

Outcome = tuple[int, int, int, float, float]


@compiled
def sell_threshold(anchor: float, trigger_up: float) -> float:
    """Return the lowest price that signals SELL (strategy 3)."""
    return anchor * (1.0 + trigger_up)


@compiled
def buy_threshold(anchor: float, trigger_down: float) -> float:
    """Return the highest price that signals BUY (strategy 3)."""
    return anchor * (1.0 - trigger_down)


@compiled
def stop_threshold(average_cost: float, stop_loss: float) -> float:
    """Return the highest price at which the protective stop sells everything (strategy 14)."""
    return average_cost * (1.0 - stop_loss)


@compiled
def is_stopped(price: float, cell: FloatArray, parameters: FloatArray) -> bool:
    """Tell whether the protective stop strikes: there are shares, and the price is so far below their cost."""
    stop_loss = parameters[at.STOP_LOSS]
    return stop_loss > 0.0 and cell[at.SHARES] > 0.0 and price <= stop_threshold(cell[at.COST], stop_loss)


@compiled
def total_value(cell: FloatArray, price: float) -> float:
    """Return stock, cash and receivable together (strategy 1)."""
    value: float = cell[at.SHARES] * price + cell[at.CASH] + cell[at.RECEIVABLE]
    return value


@compiled
def find_signal(price: float, anchor: float, parameters: FloatArray) -> int:
    """Return -1 to SELL, +1 to BUY, 0 between the triggers (strategy 3)."""
    if price >= sell_threshold(anchor, parameters[at.TRIGGER_UP]):
        return -1
    if price <= buy_threshold(anchor, parameters[at.TRIGGER_DOWN]):
        return 1
    return 0


@compiled
def size_order(signal: int, price: float, value: float, cell: FloatArray, parameters: FloatArray) -> float:
    """Return the raw signed quantity of a signal (strategy 4)."""
    if signal == 0:
        return 0.0
    ratio: float = parameters[at.REBALANCE_RATIO]
    anchor: float = cell[at.ANCHOR]
    if parameters[at.SIZING] == at.PROPORTIONAL:
        return (anchor / price - 1.0) * ratio * value / price
    if parameters[at.SIZING] == at.FIXED_PERCENTAGE:
        quantity: float = cell[at.CASH] * ratio / price if signal > 0 else -cell[at.SHARES] * ratio
        return quantity
    return signal * (anchor / price) * ratio * value / price


@compiled
def quantity_to_share(share: float, price: float, stock: float, value: float, commission_rate: float) -> float:
    """Return the signed quantity after which the stock share, commission paid, is `share` (strategy 5)."""
    gap = share * value - stock
    if gap >= 0.0:
        return gap / (price * (1.0 + share * commission_rate))
    return gap / (price * (1.0 - share * commission_rate))


@compiled
def affordable(cash: float, price: float, commission_rate: float, commission_min: float) -> float:
    """Return the shares that cash buys with their commission and a cent to spare (strategy 5 and 10)."""
    return max(cash - 0.01 - commission_min, 0.0) / (price * (1.0 + commission_rate))


@compiled
def trim(raw: float, signal: int, lower: float, upper: float) -> float:
    """Shrink a signal's order to what the guardrails allow (strategy 5.1)."""
    if signal > 0:
        return min(raw, max(upper, 0.0))
    if signal < 0:
        return max(raw, min(lower, 0.0))
    return 0.0


@compiled
def rebalance(
    quantity: float, stock_share: float, lower: float, upper: float, parameters: FloatArray
) -> tuple[float, bool]:
    """Return the quantity back inside the guardrails and whether it replaced the signal's (strategy 5.2)."""
    if parameters[at.AUTO_REBALANCE] == 0.0:
        return quantity, False
    if stock_share > parameters[at.MAX_STOCK] + parameters[at.GUARDRAIL_TOLERANCE] and quantity > upper:
        return upper, True
    if stock_share < parameters[at.MIN_STOCK] - parameters[at.GUARDRAIL_TOLERANCE] and quantity < lower:
        return lower, True
    return quantity, False


@compiled
def empty_reason(buying: bool, source: float, limited: float, step: float) -> int:
    """Name why an order came to 0 steps (strategy 6): cash or shares, the step, or what was filled before."""
    if round_down(source, step) == 0.0:
        return codes.INSUFFICIENT_FUNDS if buying else codes.INSUFFICIENT_SHARES
    return codes.BELOW_STEP if round_down(limited, step) == 0.0 else codes.ALREADY_FILLED


@compiled
def decide_row(price: float, cell: FloatArray, parameters: FloatArray, given: int) -> Outcome:
    """Return action, reason, signal, raw and final signed quantity for one cell and price (strategy 3 to 6, 14).

    `price` is finite and > 0. `given` is a signal to use as it is (-1, 0, +1), or `ASK_SIGNAL`. The protective stop
    goes before everything else, with all shares, whatever the limits (strategy 14).
    """
    if is_stopped(price, cell, parameters):
        return codes.SELL, codes.BY_STOP, 0, 0.0, -cell[at.SHARES]
    if cell[at.ANCHOR] <= 0.0:
        return codes.HOLD, codes.NO_ANCHOR, 0, 0.0, 0.0
    stock = cell[at.SHARES] * price
    value = total_value(cell, price)
    if value <= 0.0:
        return codes.HOLD, codes.INSIDE_BAND, 0, 0.0, 0.0
    signal = find_signal(price, cell[at.ANCHOR], parameters) if given == codes.ASK_SIGNAL else given
    raw = size_order(signal, price, value, cell, parameters)
    rate = parameters[at.COMMISSION_RATE]
    lower = quantity_to_share(parameters[at.MIN_STOCK], price, stock, value, rate)
    upper = quantity_to_share(parameters[at.MAX_STOCK], price, stock, value, rate)
    trimmed = trim(raw, signal, lower, upper)
    wanted, rebalancing = rebalance(trimmed, stock / value, lower, upper, parameters)
    if not rebalancing:
        if signal == 0:
            return codes.HOLD, codes.INSIDE_BAND, 0, 0.0, 0.0
        if raw == 0.0:
            return (
                codes.SKIP,
                codes.INSUFFICIENT_FUNDS if signal > 0 else codes.INSUFFICIENT_SHARES,
                signal,
                raw,
                0.0,
            )
        if trimmed == 0.0:
            return codes.SKIP, codes.AT_GUARDRAIL, signal, raw, 0.0
    return limit_order(price, value, wanted, rebalancing, signal, raw, cell, parameters)


@compiled
def limit_order(
    price: float,
    value: float,
    wanted: float,
    rebalancing: bool,
    signal: int,
    raw: float,
    cell: FloatArray,
    parameters: FloatArray,
) -> Outcome:
    """Cut an order to its limits, round it and judge what is left (strategy 5 and 6)."""
    buying = wanted > 0.0
    step = parameters[at.QUANTITY_STEP]
    if buying:
        source = affordable(cell[at.CASH], price, parameters[at.COMMISSION_RATE], parameters[at.COMMISSION_MIN])
    else:
        source = cell[at.SHARES]
    limited = min(abs(wanted), source, parameters[at.MAX_TRADE_FRACTION] * value / price)
    already = 0.0 if rebalancing else (cell[at.BOUGHT] if buying else cell[at.SOLD])
    size = round_down(max(limited - already, 0.0), step)
    if not buying:
        size = min(size, source)  # the noise that rounding forgives is whole steps beyond 1e13 of them
    quantity = size if buying else -size
    if size == 0.0:
        refusal = empty_reason(buying, source, limited, step)
        quantity = 0.0
    else:
        refusal = refuse_order(size, price, cell[at.ORDERS], parameters)
    if refusal >= 0:
        if signal == 0 and refusal != codes.DAILY_ORDER_CAP:
            return codes.HOLD, codes.INSIDE_BAND, 0, 0.0, 0.0
        return codes.SKIP, refusal, signal, raw, quantity
    action = codes.BUY if buying else codes.SELL
    if rebalancing:
        return action, codes.BY_REBALANCE, signal, raw, quantity
    return action, codes.BY_TRIGGER_DOWN if signal > 0 else codes.BY_TRIGGER_UP, signal, raw, quantity


@compiled
def refuse_order(size: float, price: float, orders: float, parameters: FloatArray) -> int:
    """Return the minimum or the cap that an order of this size breaks, or -1 (strategy 6)."""
    if size * price < parameters[at.MIN_NOTIONAL]:
        return codes.BELOW_MIN_NOTIONAL
    if size < parameters[at.MIN_QUANTITY]:
        return codes.BELOW_MIN_QUANTITY
    if orders >= parameters[at.MAX_ORDERS_PER_DAY]:
        return codes.DAILY_ORDER_CAP
    return -1
