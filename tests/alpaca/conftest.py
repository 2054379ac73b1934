"""An account connected to the Alpaca of our own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.cache import cache

from portfolios.models import BrokerAccount
from portfolios.services import account_create, account_set_credentials, tenant_create, user_create
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import KEY_ID, SECRET_KEY, World
from tests.portfolios.builders import BY_TEST
from trading.brokers.alpaca import AlpacaBroker
from volbal.common.tenancy import tenant_scope


@pytest.fixture(scope="session")
def _serving() -> Iterator[AlpacaServer]:
    """One server for all tests; each puts a world of its own behind it."""
    serving = AlpacaServer(World())
    serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def server(_serving: AlpacaServer) -> Iterator[AlpacaServer]:
    _serving.serve(World())
    for symbol in ("IBM", "MSFT", "AAPL"):
        _serving.world.list_asset(symbol)
    yield _serving
    _serving.hang_up()


@pytest.fixture
def world(server: AlpacaServer) -> World:
    return server.world


@pytest.fixture
def account(db: None, server: AlpacaServer) -> Iterator[BrokerAccount]:
    """An account whose requests go to the local server."""
    cache.clear()
    with connected_account(server.url) as made:
        yield made


@contextmanager
def connected_account(url: str, **settings: Any) -> Iterator[BrokerAccount]:
    """Open an account at a local Alpaca, with its tenant in scope."""
    owner = user_create(email="owner@alpaca.example", password="long enough 1", origin=BY_TEST)
    tenant = tenant_create(name="Alpaca", slug="alpaca", owner=owner, origin=BY_TEST)
    chosen = {"alpaca": {"trading_url": url, **settings}}
    with tenant_scope(tenant.pk):
        account = account_create(
            tenant=tenant, name="Paper at Alpaca", broker="alpaca", settings=chosen, origin=BY_TEST
        )
        values = {"key_id": KEY_ID, "secret_key": SECRET_KEY}
        yield account_set_credentials(account=account, values=values, origin=BY_TEST)


@pytest.fixture
def broker(account: BrokerAccount) -> AlpacaBroker:
    return AlpacaBroker(account)
