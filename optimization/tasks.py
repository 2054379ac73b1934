"""Background work of research, on a queue of its own so that it never delays trading. A message only wakes it."""

from __future__ import annotations

from celery import shared_task

from optimization.services.backtests import backtest_run, backtests_waiting
from volbal.common.tenancy import every_tenant, tenant_scope


@shared_task
def run_backtest(tenant_id: int, backtest_id: int) -> None:
    """Run one backtest; told twice it runs once."""
    with tenant_scope(tenant_id):
        backtest_run(backtest_id=backtest_id)


@shared_task
def run_waiting() -> None:
    """Every few seconds: take up backtests that were forgotten or whose worker was lost."""
    with every_tenant():
        waiting = backtests_waiting()
    for backtest in waiting:
        run_backtest.delay(backtest.tenant_id, backtest.pk)
