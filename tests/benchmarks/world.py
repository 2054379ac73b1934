"""A database of its own on PostgreSQL, a desk of many cells in it, and a broker that only notes when orders come."""

import datetime as dt
import os
import threading
import time
from contextlib import contextmanager
from decimal import Decimal

from tests import services

OPEN = dt.datetime(2024, 3, 7, 15, 30, tzinfo=dt.UTC)
ALWAYS_OPEN = "24/7"
HELD, ACTING = Decimal("100.37"), Decimal(104)


def absent(what, why_not):
    """Return the row that says why nothing was measured."""
    return {
        "what": what, "figure_ms": None, "reference": f"not measured: {why_not}", "reference_ms": None,
        "ratio": None, "same_results": None,
    }  # fmt: skip


@contextmanager
def database(*, workers=False):
    """Set Django up on a new database of PostgreSQL and drop it afterwards; yield why there is none, or nothing.

    With `workers` Redis is needed as well, for Celery's messages under a prefix of this run's own.
    """
    found, redis = services.postgresql(), services.redis_server()
    why_not = found.why_not or (redis.why_not if workers else "")
    if why_not:
        yield why_not
        return
    name = f"volbal_bench_{os.getpid()}"
    before, _, options = found.address.partition("?")
    os.environ["DATABASE_URL"] = f"{before.rpartition('/')[0]}/{name}{'?' if options else ''}{options}"
    os.environ["REDIS_URL"] = redis.address
    os.environ["CELERY_TASK_ALWAYS_EAGER"] = "0"
    os.environ["DJANGO_SETTINGS_MODULE"] = "volbal.settings.test"

    import django

    django.setup()

    from django.db import connection

    from volbal.celery import app

    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "global_keyprefix": f"{name}:"}
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield ""
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def desk(count, slug, *, broker="paper", feed="synthetic", exchange="XNYS"):
    """Return a portfolio of `count` active cells, each in an instrument of its own, anchored at 100.

    Call it in the scope of every tenant. Rows are written in bulk: opening 10,000 cells by hand takes minutes.
    """
    from django.db import connection

    from portfolios.models import BrokerAccount, Cell, Instrument, ParameterVersion, Portfolio, Tenant

    tenant = Tenant.objects.create(name=slug, slug=slug)
    account = BrokerAccount.objects.create(tenant=tenant, name="Main", broker=broker)
    portfolio = Portfolio.objects.create(tenant=tenant, account=account, name="Core", mode="paper", feed=feed)
    instruments = Instrument.objects.bulk_create(
        Instrument(symbol=f"{slug.upper()}-{number}", name=f"{slug} {number}", exchange=exchange)
        for number in range(count)
    )
    yesterday = (
        dt.datetime.now(dt.UTC) - dt.timedelta(days=1) if exchange == ALWAYS_OPEN else OPEN - dt.timedelta(days=1)
    )
    cells = Cell.objects.bulk_create(
        Cell(
            tenant=tenant, portfolio=portfolio, instrument=instrument, status="active", cash=Decimal(5_000),
            shares=Decimal(50), anchor=Decimal(100), anchor_set_at=yesterday, opened_at=yesterday,
            opening_value=Decimal(10_000), opening_price=Decimal(100), average_cost=Decimal(100),
        )
        for instrument in instruments
    )  # fmt: skip
    versions = ParameterVersion.objects.bulk_create(
        ParameterVersion(tenant=tenant, cell=cell, number=1) for cell in cells
    )
    for cell, version in zip(cells, versions, strict=True):
        cell.parameters = version
    Cell.objects.bulk_update(cells, ["parameters"], batch_size=1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return portfolio, instruments


def quotes_at(instruments, moment, *, last=HELD, acting=()):
    """Return a quote of each instrument at one price; those that act are beyond their trigger."""
    from trading.feeds.base import PriceQuote

    moved = {one.pk for one in acting}
    quotes = []
    for one in instruments:
        price = ACTING if one.pk in moved else last
        quotes.append(
            PriceQuote(
                instrument_id=one.pk, source="bench", is_synthetic=True, last=price, last_at=moment, as_of=moment,
                received_at=moment, bid=price - Decimal("0.01"), ask=price + Decimal("0.01"), is_two_sided=True,
            )
        )  # fmt: skip
    return quotes


def warm():
    """Compile the rule and load the calendars, which no tick of a worker pays for."""
    from trading.services.ticks import tick_run

    for exchange, slug in (("XNYS", "warm"), (ALWAYS_OPEN, "warmer")):
        portfolio, instruments = desk(2, slug, exchange=exchange)
        tick_run(portfolio_id=portfolio.pk, as_of=OPEN, quotes=quotes_at(instruments, OPEN, acting=instruments[:1]))


class BenchFeed:
    """Gives the prices it was told."""

    name = source = "bench"
    is_synthetic = is_two_sided = True
    is_remote = is_delayed = False
    acting = ()

    def quotes(self, instruments, moment):
        """Return a quote of each instrument, made now."""
        return quotes_at(instruments, moment, acting=self.acting)


class Door:
    """A broker that notes when an order comes and answers at once."""

    def __init__(self):
        self._came = []
        self._book = {}
        self._changed = threading.Condition()

    @property
    def capabilities(self):
        """Return what every broker can do."""
        from trading.brokers.base import Capabilities

        return Capabilities(extended_hours=True)

    def opens(self):
        """Forget what came."""
        with self._changed:
            self._came.clear()
            self._book.clear()

    def wait(self, count, seconds):
        """Return when so many orders came. Raises RuntimeError where they did not in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._came) >= count, seconds):
                raise RuntimeError(f"{len(self._came)} of {count} orders came within {seconds} s")
            return list(self._came)

    def submit(self, request):
        """Note the moment."""
        from trading.brokers.base import BrokerOrder, BrokerOrderStatus

        with self._changed:
            self._came.append(time.perf_counter())
            order = BrokerOrder(request.client_order_id, f"D{len(self._came)}", BrokerOrderStatus.WORKING)
            self._book[request.client_order_id] = order
            self._changed.notify_all()
        return order

    def cancel(self, client_order_id):
        """Cancel nothing."""
        return client_order_id in self._book

    def order(self, client_order_id):
        """Return an order that came."""
        return self._book.get(client_order_id)

    def open_orders(self):
        """Return what came since it opened."""
        with self._changed:
            return list(self._book.values())

    def fills_since(self, cursor):
        """Report nothing: what is measured ends at the door."""
        return []

    def cash_since(self, moment):
        """Tell of no cash."""
        return []

    def holdings(self):
        """Return that nothing was filled."""
        from trading.brokers.base import Holdings

        return Holdings(shares={}, cash=Decimal(0), is_total=False)

    def stream(self):
        """Yield nothing."""
        return iter(())


DOOR = Door()


@contextmanager
def senders():
    """Run the worker of orders as a thread of this process, with the broker that only notes and prices as told."""
    from trading.brokers import registry as brokers
    from trading.feeds import registry as feeds
    from volbal.celery import app
    from volbal.common.serving.workers import WorkerPlan, WorkerThread

    brokers._factories["door"] = lambda account: DOOR
    feeds._factories["bench"] = lambda portfolio: BenchFeed()
    app.set_default()
    app.loader.import_default_modules()
    app.finalize()
    worker = WorkerThread(app, WorkerPlan("bench", ("orders",), "threads", 4))
    worker.start()
    worker.wait_until_ready()
    try:
        yield
    finally:
        app.control.shutdown(destination=[worker.hostname])
        worker.join(10)


def settle(portfolio):
    """Let every cell be free to order again: its orders are over and were not counted."""
    from portfolios.models import Cell
    from trading.models import Order

    # The sender writes what it was answered after the order came; it must be done before the order ends here.
    deadline = time.monotonic() + 20
    open_orders = Order.objects.filter(cell__portfolio=portfolio)
    while open_orders.filter(status__in=["intent", "submitting"]).exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    open_orders.update(status="cancelled")
    Cell.objects.filter(portfolio=portfolio).update(orders_today=0)
