"""Orders that rest, with two processes at work at once on PostgreSQL: never two of one side."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from functools import partial

import pytest
import time_machine

from portfolios.services import cell_deposit
from portfolios.services.cells import cell_halt
from portfolios.services.origin import Origin
from tests.portfolios.at_once import at_once
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, fresh, make_desk, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.models import Order
from trading.services.orders import orders_send
from volbal.common.tenancy import tenant_scope

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def far_desk(transactional_db: None, broker: StandInBroker) -> Iterator[Desk]:
    made = make_desk("told", broker="stand-in")
    with tenant_scope(made.tenant.pk), time_machine.travel(OPEN, tick=False):
        yield made


def look(desk: Desk, seconds: int) -> None:
    moment = OPEN + dt.timedelta(seconds=seconds)
    tick(desk.portfolio, {"IBM": "100"}, moment)


def sides(broker: StandInBroker) -> Counter[str]:
    """Return how many orders work at the broker on each side."""
    requests = {request.client_order_id: request for request in broker.requests}
    return Counter(requests[key].side for key, order in broker.book.items() if order.is_open)


def test_many_looks_and_senders_at_once_lay_one_of_each_side(far_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(far_desk.portfolio, execution="resting")
    send = partial(orders_send, account_id=far_desk.account.pk)
    for round_number in range(4):
        start = round_number * 10
        at_once([*(partial(look, far_desk, start + number) for number in range(3)), send, send])
        send()
        assert all(count == 1 for count in sides(broker).values()), sides(broker)
        cell_deposit(cell=fresh(cell), cash=Decimal(100), as_of=OPEN, origin=BY_TEST)
    look(far_desk, 100)
    send()
    look(far_desk, 101)
    send()
    assert sides(broker) == {"SELL": 1, "BUY": 1}
    assert Order.objects.exclude(status__in=Order.ENDED).count() == 2


def test_a_halt_beside_a_look_leaves_nothing_at_the_broker(far_desk: Desk, broker: StandInBroker) -> None:
    cell = open_cell(far_desk.portfolio, execution="resting")
    halt = partial(cell_halt, cell=fresh(cell), origin=Origin(task="test", reason="looks wrong"))
    send = partial(orders_send, account_id=far_desk.account.pk)
    at_once([partial(look, far_desk, 1), halt, send])
    send()
    look(far_desk, 2)
    send()
    assert sides(broker) == {}
    assert not Order.objects.exclude(status__in=Order.ENDED).exists()
