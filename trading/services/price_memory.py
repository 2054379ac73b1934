"""Judging quotes against what is remembered of their source, for all instruments at once (strategy 9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolios.models import Instrument
from trading.feeds.base import PriceQuote
from trading.marketdata.calendars import ExchangeCalendar, exchange_calendar
from trading.models import CorporateAction, PriceQuarantine, PriceTrack
from trading.services.price_judgement import (
    CLOSED,
    EXTENDED,
    MINUTES,
    REGULAR,
    Memory,
    Verdict,
    believed,
    deviation,
    hours_of,
    judge,
    remembered,
    session_code,
)
from trading.services.price_limits import PriceLimits
from trading.services.reference_price import Reference, reference_price
from volbal.common import numbers
from volbal.common.bulk import rows_write
from volbal.strategy.bars import day_number

_REMEMBERED = (
    "quoted_at", "looked_at", "accepted", "accepted_at", "session", "sigma", "pending", "pending_minute",
)  # fmt: skip
_KEPT = [*_REMEMBERED, "quarantine_id"]
_SECONDS_IN_MINUTE = 60


@dataclass(slots=True)
class Track:
    """What a `PriceTrack` remembers of an instrument, without the cost of a model instance for each quote.

    `quarantine` is the price that is held back, None where none is; `history` is there while a minute is put into it.
    """

    instrument_id: int
    quoted_at: dt.datetime
    looked_at: dt.datetime
    accepted: Decimal | None = None
    accepted_at: dt.datetime | None = None
    session: int | None = None
    sigma: float | None = None
    pending: str = ""
    pending_minute: int | None = None
    quarantine: PriceQuarantine | None = None
    history: bytes = b""

    @property
    def quarantine_id(self) -> int | None:
        """Return the id of the price that is held back."""
        return None if self.quarantine is None else self.quarantine.pk


@dataclass(slots=True)
class Judged:
    """A quote, the track of its source and instrument, and what was made of it.

    `day` is the exchange's at the moment of the look. `reference` is None where the quote gives no price to trust, and
    `problem` says why; `minute`, since 1970, and `session` are the quote's, 0 without a reference; `base` is the
    last accepted price after the day's known actions.
    """

    quote: PriceQuote
    track: Track
    calendar: ExchangeCalendar
    day: dt.date
    reference: Decimal | None
    problem: str
    is_true: bool
    is_newest: bool
    is_new_look: bool
    minute: int
    session: int
    base: Decimal | None = None
    verdict: Verdict | None = None
    memory: Memory | None = None


def quotes_judge(
    quotes: Sequence[PriceQuote], problems: Mapping[int, str], moment: dt.datetime, limits: PriceLimits
) -> list[Judged]:
    """Give each quote its reference price and the last accepted one; call it while the source is held.

    `problems` says by instrument why a quote cannot be true. Nothing is remembered yet: see `tracks_keep`.
    """
    ids = {quote.instrument_id for quote in quotes}
    exchanges = dict(Instrument.objects.filter(pk__among=ids).values_list("pk", "exchange"))
    known = _known({quote.source for quote in quotes}, ids)
    calendars = {exchange: exchange_calendar(exchange) for exchange in set(exchanges.values())}
    today = {exchange: calendar.day_of(moment) for exchange, calendar in calendars.items()}
    judged = [
        _judged(
            quote,
            known.get(quote.instrument_id),
            calendars[exchange := exchanges[quote.instrument_id]],
            today[exchange],
            problems[quote.instrument_id],
            moment,
            limits,
        )
        for quote in sorted(quotes, key=lambda one: one.instrument_id)
    ]
    priced = [one for one in judged if one.reference is not None]
    _adjust(priced)
    for one in priced:
        _weigh(one, limits)
    return judged


def tracks_keep(judged: Iterable[Judged], moment: dt.datetime) -> None:
    """Remember what was judged, in at most four statements; a quote that is not the newest known changes nothing."""
    newest = [one for one in judged if one.is_newest]
    began = [one for one in newest if _begins_minute(one)]
    histories = _histories(began)
    for one in began:
        _roll(one, histories.get(one.track.instrument_id, b""))
    for one in newest:
        _remember(one, moment)
    rolled = {one.track.instrument_id for one in began}
    _store([one for one in newest if one.track.instrument_id in rolled], [*_KEPT, "history"])
    _store([one for one in newest if one.track.instrument_id not in rolled], _KEPT)


def _known(sources: set[str], ids: set[int]) -> dict[int, Track]:
    """Return what is remembered by instrument, in one query, and one more where a price is held back."""
    rows = PriceTrack.objects.filter(source__in=sources, instrument__among=ids)
    known, held = {}, {}
    for instrument_id, quarantine_id, *values in rows.values_list("instrument_id", "quarantine_id", *_REMEMBERED):
        known[instrument_id] = Track(instrument_id, *values)
        if quarantine_id is not None:
            held[quarantine_id] = instrument_id
    if held:
        for row in PriceQuarantine.objects.filter(pk__among=held):
            known[held[row.pk]].quarantine = row
    return known


def _judged(
    quote: PriceQuote,
    known: Track | None,
    calendar: ExchangeCalendar,
    day: dt.date,
    problem: str,
    moment: dt.datetime,
    limits: PriceLimits,
) -> Judged:
    track = Track(quote.instrument_id, quoted_at=moment, looked_at=moment) if known is None else known
    found = Reference(None, problem) if problem else reference_price(quote, moment, limits)
    # Without a price to trust nothing is asked of the quote's time, which may be any.
    minute = 0 if found.price is None else _minute_of(quote.as_of)
    return Judged(
        quote=quote,
        track=track,
        calendar=calendar,
        day=day,
        reference=found.price,
        problem=found.refusal,
        is_true=not problem,
        is_newest=not problem and (known is None or quote.as_of >= track.quoted_at),
        is_new_look=known is None or track.looked_at.replace(microsecond=0) < moment.replace(microsecond=0),
        minute=minute,
        session=0 if found.price is None else _session_in(calendar.exchange, minute),
    )


def _minute_of(moment: dt.datetime) -> int:
    """Return the minute of a moment, since 1970."""
    return int(moment.timestamp()) // _SECONDS_IN_MINUTE


@lru_cache(maxsize=4096)
def _session_in(exchange: str, minute: int) -> int:
    """Return the code of the session that a minute belongs to: sessions and days begin and end on whole minutes."""
    calendar, made = exchange_calendar(exchange), dt.datetime.fromtimestamp(minute * _SECONDS_IN_MINUTE, dt.UTC)
    hours = CLOSED
    if calendar.is_open(made):
        hours = REGULAR
    elif calendar.is_open(made, after_hours=True):
        hours = EXTENDED
    return session_code(day_number(calendar.day_of(made)), hours)


def _adjust(priced: Sequence[Judged]) -> None:
    """Take the splits and dividends since the last accepted price out of it (÷ k, − d), in one query if any."""
    behind = []
    for one in priced:
        one.base = one.track.accepted
        accepted_at = one.track.accepted_at
        if accepted_at is not None and one.calendar.day_of(accepted_at) < one.day:
            behind.append(one)
    if not behind:
        return
    first = min(one.calendar.day_of(one.track.accepted_at) for one in behind if one.track.accepted_at is not None)
    actions = CorporateAction.objects.filter(
        instrument__in={one.quote.instrument_id for one in behind},
        ex_date__gt=first,
        ex_date__lte=max(one.day for one in behind),
    )
    for action in actions.order_by("ex_date", "-kind", "id"):
        for one in behind:
            if action.instrument_id == one.quote.instrument_id:
                _adjust_by(one, action)


def _adjust_by(one: Judged, action: CorporateAction) -> None:
    accepted_at = one.track.accepted_at
    if one.base is None or accepted_at is None:
        return
    if not one.calendar.day_of(accepted_at) < action.ex_date <= one.day:
        return
    adjusted = one.base / action.ratio if action.ratio is not None else one.base - (action.amount or numbers.ZERO)
    # A dividend that takes the whole price leaves nothing to compare with.
    one.base = numbers.price(adjusted) if adjusted > 0 else None


def _weigh(one: Judged, limits: PriceLimits) -> None:
    if one.reference is None:
        return
    track = one.track
    memory = Memory(track.accepted, track.session, track.sigma, _prices(track.pending), track.pending_minute)
    one.verdict, one.memory = judge(
        one.reference, minute=one.minute, session=one.session, memory=memory, base=one.base, limits=limits
    )


def confirm(one: Judged) -> None:
    """Believe a quarantined price all the same: a second source agrees."""
    if one.reference is not None and one.memory is not None:
        one.verdict, one.memory = Verdict.ACCEPTED, believed(one.reference, one.session, one.memory)


def _prices(pending: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in pending.split())


def _begins_minute(one: Judged) -> bool:
    """Return whether a believed price is the first of its minute, so that the minute before is complete."""
    accepted_at = one.track.accepted_at
    is_later = accepted_at is not None and _minute_of(accepted_at) < one.minute
    return one.verdict is Verdict.ACCEPTED and is_later


def _histories(began: Sequence[Judged]) -> dict[int, bytes]:
    """Return the packed minutes by instrument, in one query."""
    if not began:
        return {}
    rows = PriceTrack.objects.filter(
        source=began[0].quote.source, instrument__among=[one.track.instrument_id for one in began]
    )
    return {instrument_id: bytes(packed) for instrument_id, packed in rows.values_list("instrument_id", "history")}


def _roll(one: Judged, packed: bytes) -> None:
    """Put the minute that is complete into the history, and measure anew how far prices move in these hours."""
    track = one.track
    history: NDArray[np.void] = np.frombuffer(packed, dtype=MINUTES)
    if track.accepted is not None and track.accepted_at is not None and track.session is not None:
        minute = _minute_of(track.accepted_at)
        history = remembered(history, minute, track.session, float(track.accepted))
    track.history = history.tobytes()
    track.sigma = deviation(history, hours_of(one.session))


def _remember(one: Judged, moment: dt.datetime) -> None:
    track, memory = one.track, one.memory
    track.quoted_at, track.looked_at = one.quote.as_of, moment
    if memory is None:
        return
    track.pending = " ".join(format(price, "f") for price in memory.pending)
    track.pending_minute = memory.pending_minute
    if one.verdict is Verdict.ACCEPTED:
        track.accepted, track.accepted_at, track.session = memory.accepted, one.quote.as_of, memory.session


def _store(judged: Sequence[Judged], names: Sequence[str]) -> None:
    """Write tracks, with their history where `names` has it; a new one is written whole."""
    tracks = [one.track for one in judged]
    columns: dict[str, list[Any]] = {"source": [one.quote.source for one in judged]}
    for name in ("instrument_id", *names):
        columns[name] = [getattr(track, name) for track in tracks]
    if "history" not in names:
        columns["history"] = [b""] * len(tracks)
    rows_write(PriceTrack, columns, unique=["source", "instrument"], update=names)
