from fnmatch import fnmatch

from django.conf import settings

from volbal.celery import app

QUEUES = {
    "trading.tasks.reconcile_account": "orders",
    "trading.tasks.reconcile_waiting": "orders",
    "trading.tasks.send_orders": "orders",
    "trading.tasks.send_waiting": "orders",
    "trading.tasks.dispatch_due": "ticks",
    "trading.tasks.advance_replay": "ticks",
    "trading.tasks.tick_portfolio": "ticks",
    "trading.tasks.tick_woken": "ticks",
    "trading.tasks.watch_ticks": "orders",
    "trading.tasks.watch_limits": "orders",
    "trading.tasks.watch_shared_limits": "orders",
    "trading.tasks.archive_old_evaluations": "reports",
    "trading.tasks.backfill_job": "research",
    "trading.tasks.backfill_waiting": "research",
    "trading.tasks.backfill_actions": "research",
    "optimization.tasks.run_backtest": "research",
    "optimization.tasks.run_waiting": "research",
    "reporting.tasks.audit_sequence": "reports",
}


def test_every_task_of_ours_has_its_queue():
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert ours == set(QUEUES)
    for name in ours:
        assert any(fnmatch(name, pattern) for pattern in settings.CELERY_TASK_ROUTES), f"{name} has no queue of its own"
        assert app.amqp.router.route({}, name)["queue"].name == QUEUES[name]
