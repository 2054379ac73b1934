import pytest
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from tests.tooling.units import served_queues
from volbal.celery import app
from volbal.common.schedules import SCHEDULES, Schedule, schedules_install
from volbal.common.serving.workers import PLANS


@pytest.fixture(autouse=True)
def _tasks_loaded() -> None:
    app.loader.import_default_modules()


def _queue(task: str) -> str:
    return str(app.amqp.router.route({}, task)["queue"].name)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda one: one.task)
def test_every_schedule_names_a_task_that_exists(schedule: Schedule) -> None:
    assert schedule.task in app.tasks


@pytest.mark.parametrize(
    "task,queue",
    [
        ("trading.tasks.dispatch_due", "ticks"),
        ("trading.tasks.send_waiting", "orders"),
        ("trading.tasks.send_orders", "orders"),
        ("reporting.tasks.audit_sequence", "reports"),
    ],
)
def test_each_kind_of_work_has_its_queue(task: str, queue: str) -> None:
    assert _queue(task) == queue


def test_every_task_goes_to_a_queue_that_is_served_in_one_process_and_in_many() -> None:
    ours = {_queue(name) for name in app.tasks if not name.startswith("celery.")}
    assert ours <= {queue for plan in PLANS for queue in plan.queues}
    assert ours <= served_queues()


@pytest.mark.django_db
def test_schedules_are_there_after_migrating() -> None:
    assert set(PeriodicTask.objects.values_list("task", flat=True)) >= {one.task for one in SCHEDULES}


@pytest.mark.django_db
def test_what_an_operator_has_set_stays() -> None:
    PeriodicTask.objects.filter(name=SCHEDULES[0].name).update(enabled=False)
    assert schedules_install() == []
    assert not PeriodicTask.objects.get(name=SCHEDULES[0].name).enabled


@pytest.mark.django_db
def test_a_schedule_that_is_missing_is_written_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    PeriodicTask.objects.filter(name=SCHEDULES[0].name).delete()
    call_command("schedules")
    assert capsys.readouterr().out == f"Written: {SCHEDULES[0].name}\n"
    call_command("schedules")
    assert capsys.readouterr().out == "Every schedule is there.\n"
