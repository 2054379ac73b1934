"""From quotes in hand to the order at the broker's door, 100 cells on PostgreSQL and Redis."""

import gc
import time

from tests.benchmarks import world

CELLS = 100
ROUNDS = 100
SECONDS_TO_ARRIVE = 20.0


def rows():
    """Yield the percentiles, for one order in a tick and for an order in every cell."""
    with world.database(workers=True) as why_not:
        if why_not:
            yield world.absent(f"tick to order at the broker's door, {CELLS} cells", why_not)
            return
        from volbal.common.tenancy import every_tenant

        with every_tenant(), world.senders():
            world.warm()
            yield from percentile_rows("1 of 100 cells orders", ROUNDS, orders=1)
            yield from percentile_rows("all 100 cells order", ROUNDS // 20, orders=CELLS)


def percentile_rows(title, rounds, *, orders):
    """Yield a row for each percentile."""
    import numpy as np

    ticks, arrivals = measure(rounds, orders=orders, slug=f"door{orders}")
    reference = float(np.median(ticks))
    for percentile in (50, 95, 99):
        figure = float(np.percentile(arrivals, percentile))
        yield {
            "what": f"quotes in → order at the broker, {title}, p{percentile}",
            "figure_ms": figure,
            "reference": "the tick alone, committed (median)",
            "reference_ms": reference,
            "ratio": figure / reference,
            "same_results": None,
            "samples": len(arrivals),
        }


def measure(rounds, *, orders, slug):
    """Return, in milliseconds, how long each tick took and when each of its orders was at the broker."""
    from trading.services.portfolio_ticks import portfolio_tick
    from trading.tasks import tick_follow_up

    portfolio, instruments = world.desk(CELLS, slug, broker="door", feed="bench", exchange=world.ALWAYS_OPEN)
    gc.collect()
    gc.freeze()
    ticks, arrivals = [], []
    for number in range(rounds + 1):
        acting = instruments[:orders] if orders == CELLS else [instruments[number % CELLS]]
        world.DOOR.opens()
        world.BenchFeed.acting = acting
        started = time.perf_counter()
        outcome = portfolio_tick(portfolio=portfolio)
        committed = time.perf_counter()
        tick_follow_up(portfolio, outcome)
        came = world.DOOR.wait(len(acting), SECONDS_TO_ARRIVE)
        if number:  # the first warms what both ends load
            ticks.append((committed - started) * 1e3)
            arrivals += [(moment - started) * 1e3 for moment in came]
        world.settle(portfolio)
    gc.unfreeze()
    return ticks, arrivals
