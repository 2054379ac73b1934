"""Say a decision in one plain English sentence with its numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from volbal.strategy import indices as at
from volbal.strategy.codes import Action, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from volbal.strategy.decision import Decision
    from volbal.strategy.numeric import FloatArray
    from volbal.strategy.rests import Rest

GATE_SENTENCES = {
    Reason.MARKET_CLOSED: "Not asked: the market is closed.",
    Reason.HALTED: "Not asked: trading is halted here until a person resumes it.",
    Reason.STALE_PRICE: "Not asked: the price {price} is too old or its quote cannot be trusted.",
    Reason.PRICE_OUTLIER: "Not asked: {price} is too far from the last accepted price to be believed.",
    Reason.ORDER_IN_FLIGHT: "Not asked: an order is still on its way.",
    Reason.CORPORATE_ACTION_PENDING: "Not asked: a split or dividend of today is not booked yet.",
    Reason.TRADING_PAUSED: "Not asked: the cell is paused.",
    Reason.PRICE_QUARANTINED: "Not asked: {price} is too far from the last accepted price; a person must look at it.",
    Reason.WIDE_SPREAD: "Not asked: bid and ask are further apart than this cell allows.",
    Reason.BACKING_OFF: "Not asked: the broker refused the last order; it asks again after a while.",
}

WITHHELD_SENTENCES = {
    Reason.REDUCING: "only sells that do not lead away from the guardrails go out until a person resumes it",
    Reason.EXPOSURE_LIMIT: "a limit on what may be held in stock leaves no room for it",
}


def sentence(decision: Decision, cell: FloatArray, parameters: FloatArray) -> str:
    """Return one sentence that explains a decision with its numbers."""
    if decision.reason in GATE_SENTENCES:
        return GATE_SENTENCES[decision.reason].format(price=price_text(decision.price))
    if decision.action is Action.HOLD:
        return _held(decision)
    if decision.action is Action.SKIP:
        return _skipped(decision, cell, parameters)
    return _ordered(decision, cell, parameters)


def decimals_of(price: float) -> int:
    """Return how many decimals show a price in full: at least 2, at most 6."""
    return max(2, len(f"{price:.6f}".rstrip("0").partition(".")[2]))


def price_text(price: float) -> str:
    """Return a price with all its decimals: at least 2, at most 6."""
    text = f"{price:,.6f}"
    return text[:-4] if text.endswith("0000") else text.rstrip("0")


def quantity_text(quantity: float) -> str:
    """Return a number of shares without its sign and trailing zeros."""
    text = f"{abs(quantity):,.6f}".rstrip("0").rstrip(".")
    return f"{text} share" if text == "1" else f"{text} shares"


def percent_text(fraction: float | None) -> str:
    """Return a fraction as a percentage with two decimals."""
    return "none" if fraction is None else f"{fraction * 100:.2f} %"


def thresholds_text(decision: Decision) -> str:
    """Say at which prices the triggers stand, rounded away from the anchor."""
    buys_at, sells_at = decision.buy_threshold, decision.sell_threshold
    if buys_at is None or sells_at is None:
        return ""
    scale = 10.0 ** _threshold_places(decision.price, buys_at)
    low = math.floor(buys_at * scale + 1e-6) / scale
    high = math.ceil(sells_at * scale - 1e-6) / scale
    return f"it buys at {price_text(low)} or lower and sells at {price_text(high)} or higher"


def _threshold_places(price: float, threshold: float) -> int:
    """Return the decimals of the price, and 6 where its own leave fewer than three digits of the threshold."""
    places = decimals_of(price)
    return places if threshold * 10.0**places >= 100.0 else 6


def _where(decision: Decision) -> str:
    distance = 0.0 if decision.distance is None else decision.distance
    anchor = 0.0 if decision.anchor is None else decision.anchor
    if distance == 0.0:
        return f"{price_text(decision.price)} is at the anchor"
    side = "under" if distance < 0.0 else "over"
    far = percent_text(abs(distance))
    return f"{price_text(decision.price)} is {far} {side} the anchor {price_text(anchor)}"


def _held(decision: Decision) -> str:
    if decision.reason is Reason.NO_ANCHOR:
        price = price_text(decision.price)
        return f"Held: there is no anchor to compare {price} with; set one to start trading."
    if decision.stock_share is None:
        return "Held: the cell has no value to trade with."
    return f"Held: {_where(decision)}; {thresholds_text(decision)}."


def _stopped(decision: Decision, cell: FloatArray, parameters: FloatArray) -> str:
    cost, stop_loss = float(cell[at.COST]), float(parameters[at.STOP_LOSS])
    below = percent_text(1.0 - decision.price / cost)
    return (
        f"Protective stop: {price_text(decision.price)} is {below} under the average cost {price_text(cost)}, and the "
        f"stop stands at {percent_text(stop_loss)}; sells all {quantity_text(decision.quantity)} at the market "
        f"({abs(decision.quantity) * decision.price:,.2f}) and halts."
    )


def _ordered(decision: Decision, cell: FloatArray, parameters: FloatArray) -> str:
    notional = abs(decision.quantity) * decision.price
    before, after = percent_text(decision.stock_share), percent_text(decision.stock_share_after)
    order = (
        f"{quantity_text(decision.quantity)} at about {price_text(decision.price)} ({notional:,.2f}); "
        f"the stock share goes from {before} to {after}."
    )
    if decision.reason is Reason.STOP_LOSS:
        return _stopped(decision, cell, parameters)
    verb = "Buys" if decision.action is Action.BUY else "Sells"
    if decision.reason is Reason.GUARDRAIL_REBALANCE:
        rail = at.MIN_STOCK if decision.action is Action.BUY else at.MAX_STOCK
        return f"Rebalances toward the {percent_text(parameters[rail])} guardrail: {verb.lower()} {order}"
    return f"{_where(decision)}: {verb.lower()} {order}"


def withheld_sentence(decision: Decision) -> str:
    """Return one sentence that says which order of the rule the caller keeps back, and why."""
    verb = "buy" if decision.quantity > 0.0 else "sell"
    order = f"{verb} {quantity_text(decision.quantity)} at about {price_text(decision.price)}"
    return f"Skipped: {_where(decision)} and the rule would {order}, but {WITHHELD_SENTENCES[decision.reason]}."


NOTHING_RESTS = {
    Reason.NO_ANCHOR: "it would rest below one cent",
    Reason.INSUFFICIENT_FUNDS: "there is not enough cash",
    Reason.INSUFFICIENT_SHARES: "there are not enough shares",
    Reason.AT_GUARDRAIL: "the stock share there is at or beyond its guardrail",
    Reason.BELOW_STEP: "it is less than one step",
    Reason.ALREADY_FILLED: "all of it was filled since the anchor was set",
    Reason.BELOW_MIN_NOTIONAL: "it is worth less than the smallest order",
    Reason.BELOW_MIN_QUANTITY: "it is smaller than the smallest order",
    Reason.DAILY_ORDER_CAP: "today's orders are used up",
    Reason.GUARDRAIL_REBALANCE: "the guardrail asks for the other side there",
    Reason.STOP_LOSS: "the protective stop would strike there",
    Reason.REDUCING: WITHHELD_SENTENCES[Reason.REDUCING],
    Reason.EXPOSURE_LIMIT: WITHHELD_SENTENCES[Reason.EXPOSURE_LIMIT],
    Reason.HALTED: "trading is halted here",
    Reason.BACKING_OFF: "the broker refused the last order",
}


def rests_sentence(rests: Sequence[Rest]) -> str:
    """Say what rests at a cell's triggers, and why something does not."""
    parts = [_rest_text(one) for one in rests]
    return f"Orders rest: {'; '.join(parts)}." if any(one.is_order for one in rests) else f"Held: {'; '.join(parts)}."


def _rest_text(rest: Rest) -> str:
    verb = rest.side.lower()
    if rest.is_order:
        return f"{verb} {quantity_text(rest.quantity)} at {price_text(rest.price)}"
    where = f" at {price_text(rest.price)}" if rest.price > 0.0 else ""
    why = NOTHING_RESTS.get(rest.reason, rest.reason.replace("_", " "))
    return f"no {verb} rests{where} because {why}"


def _skipped(decision: Decision, cell: FloatArray, parameters: FloatArray) -> str:
    return f"Skipped: {_where(decision)}, but {_obstacle(decision, cell, parameters)}."


def _obstacle(decision: Decision, cell: FloatArray, parameters: FloatArray) -> str:
    size = quantity_text(decision.quantity)
    step = quantity_text(parameters[at.QUANTITY_STEP])
    rail = percent_text(parameters[at.MAX_STOCK if decision.signal > 0 else at.MIN_STOCK])
    share = percent_text(decision.stock_share)
    worth = f"{math.floor(abs(decision.quantity) * decision.price * 100.0) / 100.0:,.2f}"
    verb = "buy" if decision.quantity > 0.0 else "sell"
    texts = {
        Reason.INSUFFICIENT_FUNDS: f"cash of {cell[at.CASH]:,.2f}{_costs(parameters)} does not buy one step of {step}",
        Reason.INSUFFICIENT_SHARES: f"the {quantity_text(cell[at.SHARES])} held are less than one step of {step}",
        Reason.AT_GUARDRAIL: f"the stock share of {share} is already at or beyond the guardrail of {rail}",
        Reason.BELOW_STEP: f"the order is less than one step of {step}",
        Reason.ALREADY_FILLED: "all of it was filled since the anchor was set",
        Reason.BELOW_MIN_NOTIONAL: f"an order of {size} is worth {worth}, under the smallest of "
        f"{parameters[at.MIN_NOTIONAL]:,.2f}",
        Reason.BELOW_MIN_QUANTITY: f"an order of {size} is under the smallest of "
        f"{quantity_text(parameters[at.MIN_QUANTITY])}",
        Reason.DAILY_ORDER_CAP: f"today's {_cap(parameters)} used up; an order to {verb} {size} had been due",
    }
    return texts[decision.reason]


def _costs(parameters: FloatArray) -> str:
    least = parameters[at.COMMISSION_MIN]
    return f", less a commission of at least {least:,.2f}," if least > 0.0 else ""


def _cap(parameters: FloatArray) -> str:
    orders = int(parameters[at.MAX_ORDERS_PER_DAY])
    return "1 order is" if orders == 1 else f"{orders} orders are"
