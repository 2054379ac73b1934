"""An account at Interactive Brokers, its gateway of our own."""

from __future__ import annotations

from collections.abc import Iterator

import ib_async
import pytest

from portfolios.models import BrokerAccount
from tests.interactive_brokers.gateway import Book, Gateway
from tests.trading.builders import make_desk
from trading.brokers.interactive_brokers import InteractiveBrokersBroker, broker
from volbal.common.tenancy import tenant_scope


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    made = Book()
    monkeypatch.setattr(ib_async, "IB", lambda: Gateway(made))
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.02)
    return made


@pytest.fixture
def account(db: None, book: Book) -> Iterator[BrokerAccount]:
    desk = make_desk("ib", broker="interactive_brokers")
    with tenant_scope(desk.tenant.pk):
        yield desk.account


@pytest.fixture
def ib(account: BrokerAccount) -> InteractiveBrokersBroker:
    return InteractiveBrokersBroker(account)
