"""Many processes at one book on PostgreSQL: every order once, every fill told once, whoever is first."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.paper.market import market
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, make_desk
from tests.trading.test_concurrency import together
from trading.brokers.api import ApiBroker
from trading.brokers.base import FillReport, OrderRequest
from trading.brokers.paper import PaperBroker
from trading.models import ApiOrder, PaperFill, PaperOrder
from trading.services.api_orders import api_order_claim
from trading.services.api_reports import api_fills_report
from volbal.common.errors import Conflict
from volbal.common.tenancy import tenant_scope

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def far_desk(transactional_db: None) -> Iterator[Desk]:
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        yield made


def test_one_paper_book_takes_many_at_once_and_tells_every_fill_once(far_desk: Desk) -> None:
    market(104)
    read: list[str] = []

    def sends(first: int) -> None:
        paper = PaperBroker(far_desk.account)
        for number in range(first, first + 10):
            # Every order is sent by two.
            paper.submit(OrderRequest(f"vb-{number % 30}", "IBM", "BUY", Decimal(1), quote_source="synthetic"))

    def reads() -> None:
        cursor = ""
        for _ in range(40):
            for report in PaperBroker(far_desk.account).fills_since(cursor):
                cursor = report.cursor
                read.append(report.broker_fill_id)

    together(far_desk.tenant.pk, *[lambda first=first: sends(first) for first in (0, 5, 10, 15, 20, 25)], reads)
    last = len(read)
    read.extend(one.broker_fill_id for one in PaperBroker(far_desk.account).fills_since(str(last) if last else ""))
    assert len(read) == len(set(read)) == PaperFill.objects.count() == PaperOrder.objects.count() == 30
    assert sorted(PaperOrder.objects.values_list("number", flat=True)) == list(range(1, 31))


def test_fills_reported_over_the_api_at_once_are_each_read_once(transactional_db: None) -> None:
    desk = make_desk("remote", broker="api")
    with tenant_scope(desk.tenant.pk):
        make_instrument("IBM")
        ApiBroker(desk.account).submit(OrderRequest("vb-1", "IBM", "BUY", Decimal(40)))

        def reports(first: int) -> list[bool]:
            answers = []
            for number in range(first, first + 10):
                one = FillReport("", f"F-{number}", "vb-1", Decimal(1), Decimal(104), None, OPEN)
                answers.extend(api_fills_report(account=desk.account, reports=[one], origin=BY_TEST))
            return [answer.is_taken for answer in answers]

        read: list[str] = []

        def reads() -> None:
            cursor = ""
            for _ in range(60):
                for report in ApiBroker(desk.account).fills_since(cursor):
                    cursor = report.cursor
                    read.append(report.broker_fill_id)
            read.extend(report.broker_fill_id for report in ApiBroker(desk.account).fills_since(cursor))

        together(desk.tenant.pk, *[lambda first=first: reports(first) for first in (0, 5, 10, 20, 30)], reads)
        reads_once = {report.broker_fill_id for report in ApiBroker(desk.account).fills_since("")}
        assert len(read) == len(set(read))
        assert reads_once == {f"F-{number}" for number in range(40)}
        assert (ApiOrder.objects.get().state, ApiOrder.objects.get().filled_quantity) == ("filled", 40)


def test_an_api_order_is_claimed_by_one(transactional_db: None) -> None:
    desk = make_desk("remote", broker="api")
    with tenant_scope(desk.tenant.pk):
        make_instrument("IBM")
        ApiBroker(desk.account).submit(OrderRequest("vb-1", "IBM", "BUY", Decimal(1)))

        def claims(claimant: str) -> str:
            try:
                return api_order_claim(order=ApiOrder.objects.get(), claimant=claimant, origin=BY_TEST).claimed_by
            except Conflict:
                return "late"

        made = together(desk.tenant.pk, *[lambda name=name: claims(name) for name in ("one", "two", "three")])
        assert sorted(made).count("late") == 2
        assert ApiOrder.objects.get().claimed_by in made
