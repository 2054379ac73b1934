"""Actions, reasons and sides: the words people read and the numbers compiled code uses for them."""

from enum import StrEnum


class Action(StrEnum):
    """What the rule decided (strategy 6)."""

    HOLD = "HOLD"
    BUY = "BUY"
    SELL = "SELL"
    SKIP = "SKIP"


class Reason(StrEnum):
    """Why the rule decided so (strategy 6, 7 and 14), and why the caller did not ask it."""

    NO_ANCHOR = "no_anchor"
    INSIDE_BAND = "inside_band"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    INSUFFICIENT_SHARES = "insufficient_shares"
    AT_GUARDRAIL = "at_guardrail"
    BELOW_STEP = "below_step"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    BELOW_MIN_QUANTITY = "below_min_quantity"
    DAILY_ORDER_CAP = "daily_order_cap"
    ALREADY_FILLED = "already_filled"
    TRIGGER_DOWN = "trigger_down"
    TRIGGER_UP = "trigger_up"
    GUARDRAIL_REBALANCE = "guardrail_rebalance"
    STOP_LOSS = "stop_loss"
    MARKET_CLOSED = "market_closed"
    HALTED = "halted"
    STALE_PRICE = "stale_price"
    PRICE_OUTLIER = "price_outlier"
    ORDER_IN_FLIGHT = "order_in_flight"
    CORPORATE_ACTION_PENDING = "corporate_action_pending"
    TRADING_PAUSED = "trading_paused"
    PRICE_QUARANTINED = "price_quarantined"
    WIDE_SPREAD = "wide_spread"
    BACKING_OFF = "backing_off"
    REDUCING = "reducing"
    EXPOSURE_LIMIT = "exposure_limit"


ACTIONS = tuple(Action)
REASONS = tuple(Reason)
# The rule was asked, and its order is kept back.
WITHHELD_REASONS = frozenset({Reason.REDUCING, Reason.EXPOSURE_LIMIT})
GATE_REASONS = frozenset(REASONS[REASONS.index(Reason.MARKET_CLOSED) :]) - WITHHELD_REASONS

HOLD, BUY, SELL, SKIP = range(4)
(
    NO_ANCHOR,
    INSIDE_BAND,
    INSUFFICIENT_FUNDS,
    INSUFFICIENT_SHARES,
    AT_GUARDRAIL,
    BELOW_STEP,
    BELOW_MIN_NOTIONAL,
    BELOW_MIN_QUANTITY,
    DAILY_ORDER_CAP,
    ALREADY_FILLED,
    BY_TRIGGER_DOWN,
    BY_TRIGGER_UP,
    BY_REBALANCE,
    BY_STOP,
) = range(14)
HALTED = REASONS.index(Reason.HALTED)
ORDER_IN_FLIGHT = REASONS.index(Reason.ORDER_IN_FLIGHT)
REASON_COUNT = len(REASONS)

ASK_SIGNAL = 2  # given in place of a signal: let the rule find it from price and anchor
