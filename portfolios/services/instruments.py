"""Instruments, which the whole installation shares."""

from __future__ import annotations

from django.db import transaction

from portfolios.models import Instrument
from portfolios.services.checks import insert
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin


def instrument_create(
    *, symbol: str, name: str, origin: Origin, exchange: str = "XNYS", currency: str = "USD"
) -> Instrument:
    """Create an instrument. Raises Refused naming what cannot be."""
    instrument = Instrument(symbol=symbol, name=name, exchange=exchange, currency=currency)
    with transaction.atomic():
        insert(instrument)
        facts = {"symbol": symbol, "exchange": exchange, "currency": currency}
        event_record(
            kind="instrument.created", subject=subject_of(instrument), origin=origin, tenant_id=None, after=facts
        )
    return instrument
