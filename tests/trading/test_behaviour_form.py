"""The paper broker's behaviour set in the console: shown, bounded, kept with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from portfolios.models import BrokerAccount, Event
from tests.trading.builders import Desk
from tests.trading.test_console import client_of
from trading.brokers.paper import PaperSettings
from volbal.common.tenancy import every_tenant

TYPED = {
    "seed": "7", "delay_seconds": "2.5", "partial_fill_rate": "0.5", "partial_fill_parts": "4", "slippage_bps": "5",
    "reject_rate": "0.1", "lost_answer_rate": "0.2", "duplicate_rate": "0.3", "shuffle": "on",
    "disconnect_rate": "0.05", "disconnect_seconds": "30", "reason": "rehearse a bad day",
}  # fmt: skip


def address(account: BrokerAccount) -> str:
    return f"{reverse('admin:portfolios_brokeraccount_operation_paper_behaviour')}?ids={account.pk}"


def kept(account: BrokerAccount) -> dict[str, Any]:
    with every_tenant():
        return BrokerAccount.objects.get(pk=account.pk).settings


@pytest.fixture
def operator(desk: Desk) -> Client:
    return client_of(desk, "operator")


def test_it_is_set_audited_and_shown_again(desk: Desk, operator: Client) -> None:
    assert operator.post(address(desk.account), TYPED).status_code == 302
    desk.account.refresh_from_db()
    assert PaperSettings.of(desk.account) == PaperSettings(7, 2.5, 0.5, 4, 5.0, 0.1, 0.2, 0.3, True, 0.05, 30.0)
    event = Event.objects.get(kind="account.configured")
    assert (event.reason, event.before["settings"]) == ("rehearse a bad day", {})
    page = operator.get(address(desk.account)).content.decode()
    assert 'value="2.5"' in page
    assert "How often an order is refused. 0 to 1." in page


@pytest.mark.parametrize(
    "name,value", [("reject_rate", "1.5"), ("seed", "x"), ("partial_fill_parts", "1"), ("reason", "")]
)
def test_what_cannot_be_is_shown_beside_what_was_typed(desk: Desk, operator: Client, name: str, value: str) -> None:
    assert operator.post(address(desk.account), TYPED | {name: value}).status_code == 200
    assert kept(desk.account) == {}


@pytest.mark.parametrize("role", ["auditor", "trader", "broker"])
def test_who_only_reads_sets_nothing(desk: Desk, role: str) -> None:
    assert client_of(desk, role).post(address(desk.account), TYPED).status_code in (302, 403)
    assert kept(desk.account) == {}
