"""Cells whose source never gave a quote that could be believed: looked at all the same, refused, and told once."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal

from portfolios.models import Cell, Portfolio
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.feeds.registry import REPLAY
from trading.feeds.sources import source_of
from trading.models import Evaluation, Quote
from trading.services.decisions import CellDecision
from trading.services.pricing import MarketPrice
from volbal.strategy.codes import Reason
from volbal.strategy.sentences import price_text

# The source of a price that no feed gave.
OPENING = "opening price"
ORIGIN = Origin(task="feeds")

logger = logging.getLogger(__name__)


def unheard_prices(
    *, portfolio: Portfolio, cells: Sequence[Cell], prices: Mapping[int, MarketPrice], as_of: dt.datetime
) -> dict[int, MarketPrice]:
    """Return a price that nothing may trade on for each instrument that no quote ever came of, by instrument id.

    It is what the cell was opened or anchored at, and says so; a cell that has neither holds nothing that had a price.
    One query where an instrument is without a price, none otherwise and in a replay.
    """
    missing = [cell for cell in cells if cell.instrument_id not in prices]
    if not missing or portfolio.feed == REPLAY:
        return {}
    source = source_of(portfolio)
    heard = set(
        Quote.objects.filter(
            source=source, instrument__among={cell.instrument_id for cell in missing}, price__isnull=False
        ).values_list("instrument_id", flat=True)
    )
    priced = [(cell, _price(cell)) for cell in missing if cell.instrument_id not in heard]
    return {cell.instrument_id: _refused(cell, price, source, as_of) for cell, price in priced if price is not None}


def _price(cell: Cell) -> Decimal | None:
    return next((one for one in (cell.opening_price, cell.anchor, cell.average_cost) if one), None)


def _refused(cell: Cell, price: Decimal, source: str, as_of: dt.datetime) -> MarketPrice:
    made = min(cell.opened_at or cell.created_at, as_of)
    text = (
        f"no quote of {cell.instrument} that can be believed has ever come from {source}; "
        f"its last known price is {price_text(float(price))}, of the cell's opening"
    )
    return MarketPrice(
        instrument_id=cell.instrument_id,
        price=price,
        source=OPENING,
        is_synthetic=False,
        as_of=made,
        age_seconds=(as_of - made).total_seconds(),
        accepted=price,
        refusal=Reason.STALE_PRICE,
        refusal_text=text,
    )


def unheard_tell(*, decided: Sequence[CellDecision], as_of: dt.datetime) -> None:
    """Record once for each cell that it cannot trade because no quote ever came; a closed market is no reason yet.

    Call it after the evaluations are written. One query where a cell is without a quote.
    """
    silent = [one.cell for one in decided if one.price.source == OPENING and one.decision.reason == Reason.STALE_PRICE]
    if not silent:
        return
    rows = Evaluation.objects.filter(cell__among=[cell.id for cell in silent], source=OPENING)
    known = rows.filter(reason=Reason.STALE_PRICE, as_of__lt=as_of)
    told = set(known.order_by().values_list("cell_id", flat=True).distinct())
    for cell in silent:
        if cell.id in told:
            continue
        logger.warning("no quote of %s has ever come from %s", cell.instrument, source_of(cell.portfolio))
        event_record(
            kind="cell.unquoted",
            subject=subject_of(cell),
            origin=ORIGIN,
            tenant_id=cell.tenant_id,
            after={"source": source_of(cell.portfolio), "instrument": cell.instrument.symbol},
            as_of=as_of,
        )
