"""Prices held back until someone looks (strategy 9): opened by a tick, resolved by a person or a second source."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

from django.db import transaction

from portfolios.services.checks import require_reason
from portfolios.services.events import event_record, subject_of
from portfolios.services.origin import Origin
from trading.feeds.sources import confirms, tenant_of_source
from trading.models import FeedStatus, PriceQuarantine, PriceTrack, Quote
from trading.services.price_judgement import Verdict, is_far
from trading.services.price_limits import PriceLimits
from trading.services.price_memory import Judged, confirm
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.strategy.codes import Reason
from volbal.strategy.sentences import percent_text, price_text

ORIGIN = Origin(task="prices")
Status = PriceQuarantine.Status
RESOLVABLE = (Status.OPEN, Status.REFUSED)


def quarantines_confirm(*, judged: Iterable[Judged], moment: dt.datetime, limits: PriceLimits) -> None:
    """Believe those of the far prices that a second source gives too, asked of all at once."""
    far = [one for one in judged if one.verdict is Verdict.QUARANTINED]
    if not far:
        return
    others = Quote.objects.filter(
        instrument__in={one.quote.instrument_id for one in far},
        reference__isnull=False,
        as_of__gte=moment - dt.timedelta(seconds=limits.max_quote_age_seconds),
    )
    others = others.exclude(refusal=Reason.STALE_PRICE)
    rows = list(others.values_list("source", "instrument_id", "is_synthetic", "reference"))
    for one in far:
        for source, instrument_id, is_synthetic, reference in rows:
            same = (instrument_id, is_synthetic) == (one.quote.instrument_id, one.quote.is_synthetic)
            if same and confirms(source, one.quote.source) and _agrees(one, reference, limits):
                confirm(one)


def quarantines_keep(*, judged: Iterable[Judged], limits: PriceLimits) -> None:
    """Open, follow and close the rows of what was judged, in a fixed number of statements; tracks point to theirs."""
    opened, followed, closed = [], [], []
    for one in judged:
        row = one.track.quarantine
        if not one.is_newest or one.reference is None:
            continue
        if one.verdict is Verdict.QUARANTINED:
            if row is None or _is_another(row, one.reference, limits):
                opened.append(one)
            elif row.status == Status.OPEN:
                row.newest_price, row.newest_at = one.reference, one.quote.as_of
                followed.append(row)
        elif row is not None or _was_confirmed(one, limits):
            closed.append(one)
    _open(opened, limits)
    _close(closed, limits)
    PriceQuarantine.objects.bulk_update(followed, ["newest_price", "newest_at"])


def quarantine_accept(*, quarantine: PriceQuarantine, origin: Origin) -> PriceQuarantine:
    """Believe a quarantined price as it stands now; a person says why. From then on it is the last accepted price.

    Raises Refused where it was resolved meanwhile, and without a reason.
    """
    require_reason(origin, "Accepting a quarantined price")
    with transaction.atomic():
        row, track = _resolve(quarantine, Status.ACCEPTED, origin)
        track.accepted, track.accepted_at = row.newest_price, row.newest_at
        # The next price is judged as the first of a session is.
        track.session, track.pending, track.pending_minute, track.quarantine = None, "", None, None
        track.save(update_fields=["accepted", "accepted_at", "session", "pending", "pending_minute", "quarantine"])
        Quote.objects.filter(source=row.source, instrument_id=row.instrument_id).update(
            price=row.newest_price, refusal="", refusal_text=""
        )
        _record("price.accepted", row, origin)
    return row


def quarantine_refuse(*, quarantine: PriceQuarantine, origin: Origin) -> PriceQuarantine:
    """Hold a quarantined price to be wrong; a person says why.

    Nothing trades until the price comes back within bounds of the last accepted one; only a price far from the
    refused one asks again. Raises Refused where it was resolved meanwhile, and without a reason.
    """
    require_reason(origin, "Refusing a quarantined price")
    with transaction.atomic():
        row, _ = _resolve(quarantine, Status.REFUSED, origin)
        _record("price.refused", row, origin)
    return row


def quarantine_text(row_price: Decimal, base: Decimal, limits: PriceLimits) -> str:
    """Say how far a price is, as the beginning of a sentence."""
    distance = percent_text(abs(float(row_price / base) - 1.0))
    return (
        f"{price_text(float(row_price))} is {distance} from the last accepted price {price_text(float(base))}, "
        f"more than {percent_text(limits.quarantine_ratio)}"
    )


def _agrees(one: Judged, reference: Decimal, limits: PriceLimits) -> bool:
    price = one.reference
    return price is not None and not is_far(reference, price, limits.agreement_ratio)


def _is_another(row: PriceQuarantine, price: Decimal, limits: PriceLimits) -> bool:
    """Return whether a price is so far from a refused one that a person must look again."""
    return row.status == Status.REFUSED and is_far(price, row.newest_price, limits.quarantine_ratio)


def _was_confirmed(one: Judged, limits: PriceLimits) -> bool:
    return one.reference is not None and is_far(one.reference, one.base, limits.quarantine_ratio)


def _row(one: Judged, status: Status, limits: PriceLimits) -> PriceQuarantine:
    price, base = one.reference, one.base
    if price is None or base is None:
        raise ValueError(f"a price of instrument {one.quote.instrument_id} is far from nothing")
    return PriceQuarantine(
        source=one.quote.source,
        instrument_id=one.quote.instrument_id,
        is_synthetic=one.quote.is_synthetic,
        status=status,
        price=price,
        newest_price=price,
        accepted_price=base,
        cause=quarantine_text(price, base, limits),
        opened_at=one.quote.as_of,
        newest_at=one.quote.as_of,
    )


def _open(far: Sequence[Judged], limits: PriceLimits) -> None:
    if not far:
        return
    rows = PriceQuarantine.objects.bulk_create([_row(one, Status.OPEN, limits) for one in far])
    for one, row in zip(far, rows, strict=True):
        one.track.quarantine = row
    source = far[0].quote.source
    event_record(
        kind="price.quarantined",
        subject=f"source:{source}",
        origin=ORIGIN,
        tenant_id=tenant_of_source(source),
        after={"quarantines": [row.pk for row in rows], "causes": [row.cause for row in rows]},
    )


def _close(believed: Sequence[Judged], limits: PriceLimits) -> None:
    """Close the rows of prices that are believed again; what a second source confirmed at once gets a row all the
    same."""
    moment, changed, fresh = clock.now(), [], []
    for one in believed:
        confirmed = _was_confirmed(one, limits)
        row = one.track.quarantine
        if row is None:
            row = _row(one, Status.CONFIRMED, limits)
            fresh.append(row)
        elif row.status == Status.OPEN:
            changed.append(row)
        if row.status != Status.REFUSED:
            row.status = Status.CONFIRMED if confirmed else Status.RETURNED
            row.resolution = "a second source agrees" if confirmed else "the price came back"
            row.resolved_at = moment
        one.track.quarantine = None
    PriceQuarantine.objects.bulk_create(fresh)
    PriceQuarantine.objects.bulk_update(changed, ["status", "resolution", "resolved_at"])


def _resolve(quarantine: PriceQuarantine, status: Status, origin: Origin) -> tuple[PriceQuarantine, PriceTrack]:
    """Hold the source, as judging its quotes does, then close the row."""
    list(FeedStatus.objects.select_for_update(no_key=True).filter(source=quarantine.source))
    track = PriceTrack.objects.get(source=quarantine.source, instrument_id=quarantine.instrument_id)
    row = PriceQuarantine.objects.select_for_update(of=("self",), no_key=True).get(pk=quarantine.pk)
    if row.status not in RESOLVABLE or row.status == status or track.quarantine_id != row.pk:
        raise Refused(
            f"The price was resolved meanwhile: {row.get_status_display().lower()}.",
            code="wrong_status",
            hint="Look at it again.",
        )
    row.status, row.resolved_at, row.resolved_by_id = status, clock.now(), origin.actor_id
    row.resolution = origin.reason[:240]
    row.save(update_fields=["status", "resolved_at", "resolved_by", "resolution"])
    return row, track


def _record(kind: str, row: PriceQuarantine, origin: Origin) -> None:
    event_record(
        kind=kind,
        subject=subject_of(row),
        origin=origin,
        tenant_id=tenant_of_source(row.source),
        before={"accepted": row.accepted_price},
        after={"price": row.newest_price, "source": row.source, "instrument_id": row.instrument_id},
        as_of=row.newest_at,
    )
