"""A message that cannot be left loses nothing: the change stands, and the schedule comes to it."""

from unittest import mock

import pytest
import time_machine
from kombu.exceptions import OperationalError

from portfolios.models import TradingRestriction
from portfolios.standings import place_of
from tests.trading.builders import OPEN, by_owner, make_desk, open_cell, tick
from trading import tasks
from trading.services.halts import place_restrict
from volbal.common.starting import task_start
from volbal.common.tenancy import tenant_scope


def test_a_message_is_left_with_what_the_task_needs() -> None:
    with mock.patch.object(tasks.send_orders, "apply_async") as sent:
        assert task_start(tasks.send_orders, 1, 2, countdown=1.5)
    assert sent.call_args.args == ((1, 2),)
    assert sent.call_args.kwargs == {"countdown": 1.5}


@pytest.mark.django_db(transaction=True)
def test_a_halt_stands_while_the_message_server_is_away(caplog: pytest.LogCaptureFixture) -> None:
    desk = make_desk()
    with tenant_scope(desk.tenant.pk), time_machine.travel(OPEN, tick=False):
        open_cell(desk.portfolio)
        tick(desk.portfolio, {"IBM": 104})
        with mock.patch.object(tasks.send_orders, "apply_async", side_effect=OperationalError("gone")):
            place_restrict(on=place_of(desk.portfolio), state=TradingRestriction.State.HALTED, origin=by_owner(desk))
        assert TradingRestriction.objects.filter(portfolio=desk.portfolio, lifted_at=None).exists()
    assert "no message could be left for trading.tasks.send_orders: gone" in caplog.text
