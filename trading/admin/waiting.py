"""What the console's first page shows of work that waits for a person: how much of each kind, and where it is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse

from trading.models import (
    BrokerCash,
    BrokerDifference,
    FeedStatus,
    HeldFill,
    PriceQuarantine,
    RefusedReport,
    StuckOrder,
)
from trading.selectors.orders import stuck
from volbal.common import clock


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many of one kind, in words, and the table in which a person acts on them."""

    count: int
    words: str
    url: str


@dataclass(frozen=True, slots=True)
class _Work:
    """A table's rows that wait: one of them and several in words, which they are, and the list's filter for them."""

    model: type[Model]
    one: str
    several: str
    which: Callable[[], Q]
    filtered: str = "?status__exact=open"


WORK = (
    _Work(
        StuckOrder, "order is stuck or unknown", "orders are stuck or unknown", lambda: stuck(clock.now()), filtered=""
    ),
    _Work(
        HeldFill,
        "fill belongs to no order of ours",
        "fills belong to no order of ours",
        lambda: Q(resolution=None),
        filtered="?resolution__isempty=1",
    ),
    _Work(
        RefusedReport,
        "report of a broker cannot be true",
        "reports of brokers cannot be true",
        lambda: Q(status=RefusedReport.Status.OPEN),
    ),
    _Work(
        BrokerDifference,
        "difference with a broker is open",
        "differences with brokers are open",
        lambda: Q(status=BrokerDifference.Status.OPEN),
    ),
    _Work(
        BrokerCash,
        "movement of cash at a broker is not booked",
        "movements of cash at brokers are not booked",
        lambda: Q(status=BrokerCash.Status.OPEN),
    ),
    _Work(
        PriceQuarantine,
        "price is quarantined",
        "prices are quarantined",
        lambda: Q(status=PriceQuarantine.Status.OPEN),
    ),
    _Work(
        FeedStatus,
        "feed is silent",
        "feeds are silent",
        lambda: Q(silent_since__isnull=False),
        filtered="?silent_since__isempty=0",
    ),
)


def waiting_for(request: HttpRequest) -> list[Waiting]:
    """Return what waits in the tables that a person reads, a query for each table."""
    found = []
    for work in WORK:
        table = admin.site.get_model_admin(work.model)
        if not table.has_view_permission(request):
            continue
        count = table.get_queryset(request).filter(work.which()).count()
        if count:
            name = work.model._meta.model_name
            url = reverse(f"admin:{work.model._meta.app_label}_{name}_changelist") + work.filtered
            found.append(Waiting(count, work.one if count == 1 else work.several, url))
    return found
