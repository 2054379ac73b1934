"""A database of its own on PostgreSQL, and a desk of many cells in it, written in bulk."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests import services

if TYPE_CHECKING:
    from portfolios.models import Portfolio

OPEN = dt.datetime(2024, 3, 7, 15, 30, tzinfo=dt.UTC)


@contextmanager
def database() -> Iterator[str]:
    """Set Django up on a new database of PostgreSQL and drop it afterwards; yield why there is none, or nothing."""
    found = services.postgresql()
    if found.why_not:
        yield found.why_not
        return
    before, _, options = found.address.partition("?")
    base, _, _ = before.rpartition("/")
    suffix = f"?{options}" if options else ""
    os.environ["DATABASE_URL"] = f"{base}/volbal_bench_{os.getpid()}{suffix}"
    os.environ["DJANGO_SETTINGS_MODULE"] = "volbal.settings.test"

    import django

    django.setup()

    from django.db import connection

    import volbal.celery  # noqa: F401  # tasks bind to the configured application

    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield ""
    finally:
        connection.creation.destroy_test_db(f"volbal_bench_{os.getpid()}", verbosity=0)


def desk(count: int, slug: str, *, broker: str = "paper") -> tuple[Portfolio, list[Any]]:
    """Return a portfolio of `count` active cells, each in an instrument of its own, anchored at 100.

    Call it in the scope of every tenant. Rows are written in bulk: opening 10,000 cells by hand takes minutes.
    """
    from portfolios.models import BrokerAccount, Cell, Instrument, ParameterVersion, Portfolio, Tenant

    tenant = Tenant.objects.create(name=slug, slug=slug)
    account = BrokerAccount.objects.create(tenant=tenant, name="Main", broker=broker)
    portfolio = Portfolio.objects.create(
        tenant=tenant, account=account, name="Core", mode=Portfolio.Mode.PAPER, feed="synthetic"
    )
    instruments = Instrument.objects.bulk_create(
        Instrument(symbol=f"{slug.upper()}{number:05}", name=f"{slug} {number}") for number in range(count)
    )
    cells = Cell.objects.bulk_create(
        Cell(
            tenant=tenant,
            portfolio=portfolio,
            instrument=instrument,
            status=Cell.Status.ACTIVE,
            cash=Decimal(5_000),
            shares=Decimal(50),
            anchor=Decimal(100),
            anchor_set_at=OPEN - dt.timedelta(days=1),
            opened_at=OPEN - dt.timedelta(days=1),
            opening_value=Decimal(10_000),
            opening_price=Decimal(100),
            average_cost=Decimal(100),
        )
        for instrument in instruments
    )
    versions = ParameterVersion.objects.bulk_create(
        ParameterVersion(tenant=tenant, cell=cell, number=1) for cell in cells
    )
    for cell, version in zip(cells, versions, strict=True):
        cell.parameters = version
    Cell.objects.bulk_update(cells, ["parameters"], batch_size=1_000)
    return portfolio, instruments


def quotes_at(instruments: list[Any], moment: dt.datetime, *, last: Decimal = Decimal("100.37")) -> list[Any]:
    """Return a quote of each instrument at one price."""
    from trading.feeds.base import PriceQuote

    return [
        PriceQuote(
            instrument_id=one.pk,
            source="synthetic",
            is_synthetic=True,
            last=last,
            as_of=moment,
            received_at=moment,
            bid=last - Decimal("0.01"),
            ask=last + Decimal("0.01"),
        )
        for one in instruments
    ]
