"""A finished backtest as the document that files, pages and golden results share."""

from __future__ import annotations

from typing import Any

from volbal.strategy import Result, Trade

TRADE_FIELDS = (
    "at", "side", "quantity", "price", "notional", "commission", "reason", "cash_after", "shares_after",
)  # fmt: skip


def result_document(result: Result) -> dict[str, Any]:
    """Return bars, first, last, measures (null where undefined), skips by reason, final cell and every trade."""
    final = result.final
    return {
        "bars": len(result.bars),
        "first": result.first,
        "last": result.last,
        "measures": dict(result.measures),
        "skips": dict(sorted(result.skips.items())),
        "final": {
            "cash": final.cash,
            "shares": final.shares,
            "anchor": final.anchor,
            "receivable": final.receivable,
        },
        "trades": [trade_document(trade) for trade in result.trades],
    }


def trade_document(trade: Trade) -> dict[str, Any]:
    """Return one trade; money in currency, `at` is the stamp of the bar that filled it."""
    return {name: getattr(trade, name) for name in TRADE_FIELDS}
