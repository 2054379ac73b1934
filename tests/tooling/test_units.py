"""What deploy/systemd starts fits what runs in one process."""

from __future__ import annotations

from tests.tooling.units import command
from trading.services.broker_turns import DOUBTFUL_AT_ONCE
from volbal.common.serving.workers import PLANS


def test_those_that_send_have_more_threads_than_may_wait_for_doubtful_brokers() -> None:
    started = command("volbal-worker@.service", "orders")
    threads = int(started[started.index("--concurrency") + 1])
    (plan,) = (plan for plan in PLANS if "orders" in plan.queues)
    assert threads == plan.concurrency >= 4 * DOUBTFUL_AT_ONCE
    others = command("volbal-worker@.service", "ticks")
    assert others[others.index("--concurrency") + 1] == "4"
