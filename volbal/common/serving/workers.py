"""Workers and the scheduler as threads of the serving process.

Three workers: one runs ticks, one thing after the other; one sends orders, many accounts at once, so that brokers that
do not answer delay neither ticks nor other accounts; one runs research and reports, whose compiled code releases the
interpreter. All talk over Celery's in-memory transport.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol

from celery import Celery
from celery.signals import worker_ready
from celery.utils.imports import symbol_by_name
from celery.worker import WorkController
from django.conf import settings
from django.db import DatabaseError, connections
from django.utils.module_loading import import_string

logger = logging.getLogger(__name__)
READY_SECONDS = 30.0
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """One worker: its name, the queues it takes from, and Celery's pool that runs what it takes."""

    name: str
    queues: tuple[str, ...]
    pool: str
    concurrency: int


PLANS = (
    WorkerPlan("trading", ("ticks",), "solo", 1),
    # They wait for brokers (trading.services.broker_turns).
    WorkerPlan("orders", ("orders",), "threads", 16),
    WorkerPlan("research", ("research", "reports"), "threads", 2),
)


class WorkerThread(threading.Thread):
    """A Celery worker that lives in this process and ends when told over its own control queue."""

    def __init__(self, app: Celery, plan: WorkerPlan) -> None:
        super().__init__(name=f"worker-{plan.name}", daemon=True)
        self._app = app
        self._plan = plan
        self._ready = threading.Event()
        self._worker: WorkController | None = None

    @property
    def hostname(self) -> str:
        """Return the name it answers to."""
        return f"{self._plan.name}@embedded"

    def run(self) -> None:
        """Build the worker in its own thread, so that its database connections are its own, and work until stopped."""
        self._worker = WorkController(
            app=self._app,
            hostname=self.hostname,
            queues=list(self._plan.queues),
            pool_cls=self._plan.pool,
            concurrency=self._plan.concurrency,
            ready_callback=self._on_ready,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        try:
            self._worker.start()
        finally:
            connections.close_all()

    def _on_ready(self, _: Any) -> None:
        worker_ready.send(sender=self._worker)
        self._ready.set()

    def wait_until_ready(self) -> None:
        """Return once it takes messages. Raises RuntimeError when it does not come up."""
        if not self._ready.wait(READY_SECONDS):
            raise RuntimeError(f"The worker {self.hostname} did not start within {READY_SECONDS:.0f} s.")


class SchedulerThread(threading.Thread):
    """Celery's scheduler, which sends a message for each task that is due; ends at once when told."""

    def __init__(self, app: Celery) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._app = app
        self._ended = threading.Event()

    def run(self) -> None:
        """Send what is due until told to end, then note what ran when."""
        scheduler = symbol_by_name(self._app.conf.beat_scheduler)(app=self._app)
        pause = 0.0
        while not self._ended.wait(pause):
            try:
                pause = scheduler.tick()
            except DatabaseError:
                # The schedule is read anew at the next turn; one that stopped here would stop all trading.
                logger.exception("could not read the schedules; trying again in %s s", RETRY_SECONDS)
                pause = RETRY_SECONDS
        scheduler.close()
        connections.close_all()

    def end(self) -> None:
        """Send nothing more."""
        self._ended.set()


class Joinable(Protocol):
    """A thread that ends some time after it was told to."""

    name: str

    def join(self, timeout: float | None = None) -> None: ...
    def is_alive(self) -> bool: ...


class Endable(Joinable, Protocol):
    """A thread that can be told to end (settings.EMBEDDED_THREADS)."""

    def start(self) -> None: ...
    def end(self) -> None: ...


class Background:
    """Everything that runs beside the server."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._workers: list[WorkerThread] = []
        self._others: list[Endable] = []

    def start(self) -> None:
        """Load every task, then start the workers one after the other, then what feeds them.

        A task registered after a worker has started is never run. Celery chooses queues for the whole application when
        a worker starts, hence the wait between the two.
        """
        self._app.set_default()
        self._app.loader.import_default_modules()
        self._app.finalize()
        for plan in PLANS:
            worker = WorkerThread(self._app, plan)
            worker.start()
            worker.wait_until_ready()
            self._workers.append(worker)
        self._others = [SchedulerThread(self._app), *(import_string(name)() for name in settings.EMBEDDED_THREADS)]
        for thread in self._others:
            thread.start()

    def stop(self, within_seconds: float) -> bool:
        """Tell all threads to end and return whether they did in time.

        What is still at work is in a transaction or holds a lease: abandoned, it is taken up again at the next start.
        """
        ends = time.monotonic() + within_seconds
        for thread in self._others:
            thread.end()
        if self._workers:
            self._app.control.shutdown(destination=[worker.hostname for worker in self._workers])
        everything: list[Joinable] = [*self._workers, *self._others]
        for one in everything:
            one.join(max(0.0, ends - time.monotonic()))
        late = [one.name for one in everything if one.is_alive()]
        if late:
            logger.warning("stopped without waiting for %s", ", ".join(late))
        return not late
