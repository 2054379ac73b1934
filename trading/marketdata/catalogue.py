"""The catalogue: bars as Parquet files in the project's storage, described by rows; corporate actions as rows."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max

from portfolios.models import Instrument
from portfolios.services.events import event_record
from portfolios.services.origin import Origin
from trading.marketdata.calendars import exchange_calendar
from trading.marketdata.files import read_bars, read_dividends, read_splits
from trading.marketdata.files.bars import bars_as_parquet
from trading.marketdata.quality import QualityReport, quality_of
from trading.models import BarSeries, CorporateAction
from trading.services.action_changes import RATIO_STEP, actions_announce
from volbal.common import numbers
from volbal.strategy import Bars, Dividend, Split

ORIGIN = Origin(task="catalogue")
EPOCH = dt.date(1970, 1, 1)


def series_import(*, instrument: Instrument, path: Path, source: str, is_synthetic: bool = False) -> BarSeries:
    """Read a CSV or Parquet file into a new version of an instrument's series.

    Raises FileRefused, naming file, line, value and what was expected, before anything is written.
    """
    bars = read_bars(path, symbol=instrument.symbol, exchange=instrument.exchange)
    return series_store(instrument=instrument, bars=bars, source=source, is_synthetic=is_synthetic)


def series_store(
    *,
    instrument: Instrument,
    bars: Bars,
    source: str,
    is_synthetic: bool = False,
    corrections: Sequence[str] = (),
    origin: Origin = ORIGIN,
) -> BarSeries:
    """Keep bars as a new version of an instrument's series with their quality report; those before stay as they are.

    `corrections` says where they differ from the version before.
    """
    content = bars_as_parquet(bars)
    quality = _quality(instrument, bars)
    resolution = BarSeries.Resolution.DAILY if bars.resolution == "daily" else BarSeries.Resolution.MINUTE
    with transaction.atomic():
        Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
        before = BarSeries.objects.filter(instrument=instrument, resolution=resolution).aggregate(newest=Max("version"))
        version = (before["newest"] or 0) + 1
        series = BarSeries(
            instrument=instrument,
            resolution=resolution,
            version=version,
            source=source,
            is_synthetic=is_synthetic,
            first=_moment(bars, 0, instrument),
            last=_moment(bars, len(bars) - 1, instrument),
            rows=len(bars),
            sha256=hashlib.sha256(content).hexdigest(),
            quality=quality.as_json(),
            corrections=list(corrections),
        )
        series.file.save(f"{instrument.symbol}-{resolution}-v{version}.parquet", ContentFile(content), save=True)
        event_record(
            kind="series.imported",
            subject=f"series:{series.pk}",
            origin=origin,
            tenant_id=None,
            after={
                "instrument": instrument.pk,
                "version": version,
                "rows": len(bars),
                "sha256": series.sha256,
                "quality": quality.sentence,
            },
        )
    return series


def series_check(*, series: BarSeries, origin: Origin) -> BarSeries:
    """Check a series again with the dividends and splits known now, and keep the report."""
    quality = _quality(series.instrument, load_bars(series))
    with transaction.atomic():
        series.quality = quality.as_json()
        series.save(update_fields=["quality"])
        event_record(
            kind="series.checked",
            subject=f"series:{series.pk}",
            origin=origin,
            tenant_id=None,
            after={"quality": quality.sentence},
        )
    return series


def _quality(instrument: Instrument, bars: Bars) -> QualityReport:
    dividends, splits = load_actions(instrument)
    return quality_of(bars, exchange=instrument.exchange, dividends=dividends, splits=splits)


def load_bars(series: BarSeries) -> Bars:
    """Return the bars of a series. Kept in memory by their content, so that a step of a replay reads no file."""
    return _load(series.sha256, series.file.name, series.instrument.symbol, series.instrument.exchange)


@lru_cache(maxsize=16)
def _load(sha256: str, name: str, symbol: str, exchange: str) -> Bars:
    storage = BarSeries._meta.get_field("file").storage
    with storage.open(name) as file, TemporaryDirectory() as folder:
        content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"{name} is not the file that was catalogued: its SHA-256 differs from {sha256}")
        copy = Path(folder) / f"{symbol}.parquet"
        copy.write_bytes(content)
        return read_bars(copy, symbol=symbol, exchange=exchange)


def _moment(bars: Bars, row: int, instrument: Instrument) -> dt.datetime:
    """Return the time of a bar: its start, or for a daily one the stamp inside its session."""
    if bars.resolution == "daily":
        day = EPOCH + dt.timedelta(days=int(bars.days[row]))
        return exchange_calendar(instrument.exchange).session_stamp(day)
    return dt.datetime.fromtimestamp(int(bars.stamps[row]) // 1_000_000_000, dt.UTC)


def actions_import(*, instrument: Instrument, dividends: Path, splits: Path, source: str) -> int:
    """Read an instrument's dividends and splits from files. Return how many were new. Raises FileRefused."""
    return actions_store(
        instrument=instrument,
        dividends=read_dividends(dividends).get(instrument.symbol, []),
        splits=read_splits(splits).get(instrument.symbol, []),
        source=source,
    )


def actions_store(
    *, instrument: Instrument, dividends: Iterable[Dividend], splits: Iterable[Split], source: str
) -> int:
    """Keep dividends and splits; what is known already stays as it is. Return how many were new.

    Two dividends of one date are two actions, numbered in the order given.
    """
    kinds = CorporateAction.Kind
    rows = [
        CorporateAction(
            instrument=instrument,
            kind=kinds.DIVIDEND,
            ex_date=one.ex_date,
            pay_date=one.pay_date,
            amount=numbers.price(one.amount),
            source=source,
        )
        for one in dividends
    ]
    rows += [
        CorporateAction(
            instrument=instrument,
            kind=kinds.SPLIT,
            ex_date=one.ex_date,
            ratio=Decimal(repr(one.ratio)).quantize(RATIO_STEP),
            source=source,
        )
        for one in splits
    ]
    seen: Counter[tuple[str, dt.date]] = Counter()
    for row in rows:
        seen[row.kind, row.ex_date] += 1
        row.number = seen[row.kind, row.ex_date]
    with transaction.atomic():
        Instrument.objects.select_for_update(no_key=True).get(pk=instrument.pk)
        known = set(CorporateAction.objects.filter(instrument=instrument).values_list("kind", "ex_date", "number"))
        fresh = [row for row in rows if (row.kind, row.ex_date, row.number) not in known]
        return actions_announce(instrument=instrument, actions=fresh, origin=ORIGIN) if fresh else 0


def load_actions(instrument: Instrument) -> tuple[tuple[Dividend, ...], tuple[Split, ...]]:
    """Return an instrument's dividends and splits as the rule takes them, each in date order."""
    rows = CorporateAction.objects.filter(instrument=instrument).order_by("ex_date", "number")
    dividends = tuple(Dividend(row.ex_date, float(row.amount), row.pay_date) for row in rows if row.amount is not None)
    return dividends, tuple(Split(row.ex_date, float(row.ratio)) for row in rows if row.ratio is not None)
