"""Where each number stands in the rows that compiled code reads and writes.

Numba freezes these constants into the code; the names are the only way the package addresses a row.
"""

PARAMETER_COLUMNS = (
    "trigger_up", "trigger_down", "rebalance_ratio", "sizing", "min_stock", "max_stock",
    "guardrail_tolerance", "auto_rebalance", "min_notional", "min_quantity", "quantity_step",
    "max_trade_fraction", "max_orders_per_day", "commission_rate", "commission_min", "withholding_rate",
    "allow_after_hours", "adaptive_multiple", "adaptive_floor", "adaptive_cap", "adaptive_decay",
    "stop_loss", "slice_notional", "slice_interval_seconds",
)  # fmt: skip
COLUMN_BY_NAME = {name: column for column, name in enumerate(PARAMETER_COLUMNS)}
PARAMETER_COUNT = len(PARAMETER_COLUMNS)

TRIGGER_UP = COLUMN_BY_NAME["trigger_up"]
TRIGGER_DOWN = COLUMN_BY_NAME["trigger_down"]
REBALANCE_RATIO = COLUMN_BY_NAME["rebalance_ratio"]
SIZING = COLUMN_BY_NAME["sizing"]
MIN_STOCK = COLUMN_BY_NAME["min_stock"]
MAX_STOCK = COLUMN_BY_NAME["max_stock"]
GUARDRAIL_TOLERANCE = COLUMN_BY_NAME["guardrail_tolerance"]
AUTO_REBALANCE = COLUMN_BY_NAME["auto_rebalance"]
MIN_NOTIONAL = COLUMN_BY_NAME["min_notional"]
MIN_QUANTITY = COLUMN_BY_NAME["min_quantity"]
QUANTITY_STEP = COLUMN_BY_NAME["quantity_step"]
MAX_TRADE_FRACTION = COLUMN_BY_NAME["max_trade_fraction"]
MAX_ORDERS_PER_DAY = COLUMN_BY_NAME["max_orders_per_day"]
COMMISSION_RATE = COLUMN_BY_NAME["commission_rate"]
COMMISSION_MIN = COLUMN_BY_NAME["commission_min"]
WITHHOLDING_RATE = COLUMN_BY_NAME["withholding_rate"]
ALLOW_AFTER_HOURS = COLUMN_BY_NAME["allow_after_hours"]
ADAPTIVE_MULTIPLE = COLUMN_BY_NAME["adaptive_multiple"]
ADAPTIVE_FLOOR = COLUMN_BY_NAME["adaptive_floor"]
ADAPTIVE_CAP = COLUMN_BY_NAME["adaptive_cap"]
ADAPTIVE_DECAY = COLUMN_BY_NAME["adaptive_decay"]
# What may be switched off stands as 0 there.
STOP_LOSS = COLUMN_BY_NAME["stop_loss"]
SLICE_NOTIONAL = COLUMN_BY_NAME["slice_notional"]
SLICE_INTERVAL_SECONDS = COLUMN_BY_NAME["slice_interval_seconds"]

# Sizings, as positions in `specifications.SIZINGS`.
PROPORTIONAL, FIXED_PERCENTAGE, ORIGINAL = 0.0, 1.0, 2.0

# A cell. An anchor of 0 is unset; BOUGHT and SOLD were filled since the anchor was set (strategy 7).
CASH, SHARES, RECEIVABLE, ANCHOR, ORDERS, BOUGHT, SOLD, COST = range(8)
CELL_COUNT = 8
