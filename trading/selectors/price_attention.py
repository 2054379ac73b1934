"""What a person should look at for its prices: a silent feed once, else each cell that does not trade by its price."""

from __future__ import annotations

from collections.abc import Sequence

from trading.selectors.attention import Attention
from trading.selectors.cells import CellView
from trading.selectors.quotes import silent_feeds
from volbal.strategy.codes import Reason

# While the market is open: in closed hours a cell is not asked for another reason, and nothing is amiss.
PRICE_REASONS = frozenset({Reason.STALE_PRICE, Reason.PRICE_OUTLIER, Reason.PRICE_QUARANTINED})


def price_attention(cells: Sequence[CellView]) -> list[Attention]:
    """Return notes on the prices of cells that trade, in one query."""
    trading = [cell for cell in cells if cell.acts]
    found = []
    quiet = set()
    for feed in silent_feeds(cell.source for cell in trading):
        first = next(cell for cell in trading if cell.source == feed.source)
        found.append(Attention("silent", feed.text, None, first.portfolio_id))
        quiet.add(feed.source)
    heard = [cell for cell in trading if cell.source not in quiet and cell.mode != "replay"]
    return found + [note for cell in heard if (note := _note(cell)) is not None]


def _note(cell: CellView) -> Attention | None:
    if cell.price is None:
        return Attention("no_price", f"{cell.symbol}: no price has come from {cell.source} yet.", cell.id, None)
    if cell.last is not None and cell.last.reason in PRICE_REASONS:
        return Attention(cell.last.reason, f"{cell.symbol}: {cell.last.sentence}", cell.id, None)
    return None
