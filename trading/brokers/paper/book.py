"""The account's book: what it was sent, what it carried out and what it has told, changed under one lock."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet, Sum

from portfolios.models import BrokerAccount, Instrument
from trading.brokers.base import OrderRequest, TimeInForce
from trading.brokers.paper.dice import Dice
from trading.brokers.paper.settings import PaperSettings
from trading.brokers.paper.work import Quoted, order_close, order_fill, order_work
from trading.models import PaperBook, PaperFill, PaperOrder, PaperReport
from volbal.common import clock

S = PaperOrder.Status
REFUSALS = (
    ("insufficient_buying_power", "The account has not enough buying power."),
    ("not_tradable", "The instrument is not tradable at the moment."),
    ("rate_limit", "Too many orders were sent in the last minute."),
)
_SUMS = ("filled_quantity__sum", "notional__sum", "commission__sum")
_MATCHED = (
    "status", "detail", "is_triggered", "filled_quantity", "filled_value", "fill_count", "notional", "commission",
    "works_from",
)  # fmt: skip


def book_lock(account: BrokerAccount) -> PaperBook:
    """Return the account's book, held until the transaction ends; it is begun on first use.

    One change of a book at a time: numbers of reports are the cursor of its readers, and one that is committed after
    a higher one would never be read.
    """
    rows = PaperBook.objects.select_for_update(no_key=True)
    found = rows.filter(account=account).first()
    if found is None:
        PaperBook.objects.get_or_create(account=account, defaults={"tenant_id": account.tenant_id})
        found = rows.get(account=account)
    return found


class Book:
    """What an account's book can be asked and told."""

    def __init__(self, account: BrokerAccount, settings: PaperSettings) -> None:
        self.account, self.settings, self.dice = account, settings, Dice(settings.seed)

    def orders(self) -> QuerySet[PaperOrder]:
        """Return all orders of the account."""
        return PaperOrder.objects.filter(account=self.account).select_related("instrument")

    def find(self, client_order_id: str) -> PaperOrder | None:
        """Return an order as it stands, or None where it was never taken."""
        return self.orders().filter(client_order_id=client_order_id).first()

    def take(self, request: OrderRequest, instrument: Instrument) -> PaperOrder:
        """Take an order, or find it where it was taken before, and let it do at once what the market allows."""
        with transaction.atomic():
            book = book_lock(self.account)
            known = self.find(request.client_order_id)
            if known is not None:
                return known
            book.orders += 1
            order = self._new(book.orders, request, instrument)
            quoted = Quoted.of([order])
            done = order_work(order, quoted, self.settings) if order.is_open else []
            if order.is_open and order.time_in_force == TimeInForce.DAY and order.expires_at is None:
                order.expires_at = order_close(order, quoted, after_hours=request.extended_hours)
            order.save(force_insert=True)
            self._keep(book, done)
            book.save(update_fields=["orders", "reports"])
        return order

    def cancel(self, client_order_id: str) -> bool:
        """Cancel an order; return whether it was still open."""
        with transaction.atomic():
            book_lock(self.account)
            still_open = self.orders().filter(client_order_id=client_order_id, status__in=PaperOrder.OPEN)
            return still_open.update(status=S.CANCELLED, detail="as asked") == 1

    def look(self) -> list[PaperOrder]:
        """Let every open order do what the market allows now; return those that are open after it, oldest first.

        Two queries where nothing happens: the book is locked only where something does.
        """
        orders = self._open_orders()
        if not orders or not _would_change(orders, self.settings):
            return orders
        with transaction.atomic():
            book = book_lock(self.account)
            orders = self._open_orders()
            quoted = Quoted.of(orders)
            done = [one for order in orders for one in order_work(order, quoted, self.settings)]
            PaperOrder.objects.bulk_update(orders, _MATCHED)
            self._keep(book, done)
            book.save(update_fields=["reports"])
        return [order for order in orders if order.is_open]

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> PaperOrder:
        """Fill a part of an order outside the market. Raises ValueError for more than is left of it."""
        with transaction.atomic():
            book = book_lock(self.account)
            order = self.orders().get(client_order_id=client_order_id)
            done = order_fill(order, quantity, price, clock.now())
            order.save(update_fields=_MATCHED)
            self._keep(book, [done])
            book.save(update_fields=["reports"])
        return order

    def told_after(self, number: int) -> list[PaperReport]:
        """Give numbers to the reports that are due, then return those after `number`, in order."""
        if self._due().exists():
            with transaction.atomic():
                book = book_lock(self.account)
                self._give_numbers(book, list(self._due().select_related("fill__order")))
                book.save(update_fields=["reports"])
        told = PaperReport.objects.filter(book=self.account.pk, number__gt=number)
        return list(told.select_related("fill__order__instrument").order_by("number"))

    def totals(self) -> list[tuple[str, str, Decimal, Decimal, Decimal]]:
        """Return symbol, side, shares, notional and commission of what was filled, one for each symbol and side."""
        filled = PaperOrder.objects.filter(account=self.account, fill_count__gt=0).order_by()
        sums = filled.values("instrument__symbol", "side").annotate(
            Sum("filled_quantity"), Sum("notional"), Sum("commission")
        )
        return list(sums.values_list("instrument__symbol", "side", *_SUMS))

    def _open_orders(self) -> list[PaperOrder]:
        return list(self.orders().filter(status__in=PaperOrder.OPEN).order_by("id"))

    def _due(self) -> QuerySet[PaperReport]:
        return PaperReport.objects.filter(book=self.account.pk, number__isnull=True, due_at__lte=clock.now())

    def _new(self, number: int, request: OrderRequest, instrument: Instrument) -> PaperOrder:
        day = request.time_in_force == TimeInForce.DAY
        order = PaperOrder(
            tenant_id=self.account.tenant_id,
            account=self.account,
            number=number,
            client_order_id=request.client_order_id,
            instrument=instrument,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            quantity=request.quantity,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            quote_source=request.quote_source,
            commission_rate=request.commission.rate,
            commission_per_share=request.commission.per_share,
            commission_min=request.commission.minimum,
            commission_cap=request.commission.cap,
            works_from=self._later("delay", number),
            expires_at=request.expires_at if day else None,
        )
        if self.dice.happens(self.settings.reject_rate, "reject", number):
            order.status = S.REJECTED
            order.code, order.detail = REFUSALS[int(self.dice.draw("refusal", number) * len(REFUSALS))]
        return order

    def _later(self, *key: object) -> dt.datetime:
        """Return when something that may be delayed happens."""
        if self.settings.delay_seconds == 0.0:
            return clock.now()
        return clock.now() + dt.timedelta(seconds=self.settings.delay_seconds * self.dice.draw(*key))

    def _keep(self, book: PaperBook, done: list[PaperFill]) -> None:
        """Store fills with the reports that will tell them, numbered already where nothing holds them back."""
        if not done:
            return
        PaperFill.objects.bulk_create(done)
        reports = [report for one in done for report in self._reports(book, one)]
        if not self.settings.reports_wait:
            for report in reports:
                book.reports += 1
                report.number = book.reports
        PaperReport.objects.bulk_create(reports)

    def _reports(self, book: PaperBook, fill: PaperFill) -> list[PaperReport]:
        key = fill.order.number, fill.number
        copies = 2 if self.dice.happens(self.settings.duplicate_rate, "twice", *key) else 1
        return [
            PaperReport(
                tenant_id=book.tenant_id,
                book=book,
                fill=fill,
                copy=copy,
                due_at=self._later("told", *key, copy),
            )
            for copy in range(copies)
        ]

    def _give_numbers(self, book: PaperBook, reports: list[PaperReport]) -> None:
        reports.sort(key=self._turn if self.settings.shuffle else lambda report: (report.due_at, report.pk))
        for report in reports:
            book.reports += 1
            report.number = book.reports
        PaperReport.objects.bulk_update(reports, ["number"])

    def _turn(self, report: PaperReport) -> float:
        return self.dice.draw("turn", report.fill.order.number, report.fill.number, report.copy)


def _would_change(orders: list[PaperOrder], settings: PaperSettings) -> bool:
    """Tell whether the market lets any order do something. The rows in memory are then of no more use."""
    quoted, before = Quoted.of(orders), [_state(order) for order in orders]
    for order in orders:
        order_work(order, quoted, settings)
    return before != [_state(order) for order in orders]


def _state(order: PaperOrder) -> tuple[str, int, bool]:
    return order.status, order.fill_count, order.is_triggered
