"""A tick of 100, 1,000 and 10,000 cells on PostgreSQL: from quotes in hand to evaluations and intents committed."""

import datetime as dt
import gc
import resource
import time
from decimal import Decimal

from tests.benchmarks import world

SIZES = (100, 1_000, 10_000)
RUNS = {100: 20, 1_000: 10, 10_000: 1}
KIBIBYTE = 1024


def rows():
    """Yield a row for each size, and one that says so where there is no PostgreSQL."""
    with world.database() as why_not:
        if why_not:
            yield world.absent("tick of 100, 1,000 and 10,000 cells", why_not)
            return
        from volbal.common.tenancy import every_tenant

        with every_tenant():
            world.warm()
            for count in SIZES:
                yield size_row(count)


def size_row(count):
    """Measure ticks in which all cells hold, beside Django's own bulk_create of as many evaluations."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from trading.models import Tick
    from trading.services.ticks import tick_run

    portfolio, instruments = world.desk(count, f"tick{count}")
    moments = (world.OPEN + dt.timedelta(seconds=second) for second in range(1, 1_000))

    def tick(last="100.37"):
        moment = next(moments)
        quotes = world.quotes_at(instruments, moment, last=Decimal(last))
        started = time.perf_counter()
        outcome = tick_run(portfolio_id=portfolio.pk, as_of=moment, quotes=quotes)
        passed = (time.perf_counter() - started) * 1e3
        if outcome is None or outcome.cell_count != count:
            raise RuntimeError(f"a tick of {count} cells came to {outcome}")
        return passed

    tick()  # the first one marks the day and begins the memory of prices
    gc.collect()
    gc.freeze()  # as a worker does once it is ready
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = min(tick(last) for last in ["100.37", "100.41"] * -(-RUNS[count] // 2))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / KIBIBYTE
    with CaptureQueriesContext(connection) as captured:
        tick()
    kept = Tick.objects.filter(portfolio=portfolio).order_by("-as_of")[0]
    reference = min(bare(kept, portfolio, RUNS[count]))
    gc.unfreeze()
    return {
        "what": f"tick of {count:,} cells, PostgreSQL, {len(captured)} queries, {took / count:.3f} ms a cell",
        "figure_ms": took,
        "reference": f"bulk_create of {count:,} evaluations alone",
        "reference_ms": reference,
        "ratio": took / reference,
        "same_results": None,
        "queries": len(captured),
        "milliseconds_a_cell": took / count,
        "memory_grown_mib": round(grown, 1),
    }


def bare(kept, portfolio, runs):
    """Yield how long Django's own bulk_create takes for the same evaluations, in milliseconds."""
    from django.db import transaction

    from trading.models import Evaluation, Tick

    evaluations = list(Evaluation.objects.filter(tick=kept))
    for number in range(runs):
        moment = kept.as_of + dt.timedelta(days=1, seconds=number)
        tick = Tick.objects.create(tenant_id=portfolio.tenant_id, portfolio=portfolio, as_of=moment, value=0)
        for one in evaluations:
            one.pk, one.tick = None, tick
        started = time.perf_counter()
        with transaction.atomic():
            Evaluation.objects.bulk_create(evaluations)
        yield (time.perf_counter() - started) * 1e3
