"""Alpaca's door: keys, addresses, and a shut door told apart from an order that is refused."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from portfolios.models import BrokerAccount
from portfolios.services import account_create, account_remove_credentials, account_set_credentials
from tests.alpaca.requests import request
from tests.alpaca.server import AlpacaServer
from tests.alpaca.world import SECRET_KEY, Fault, World
from tests.portfolios.builders import BY_TEST
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import BrokerAccessError, BrokerRejectedError
from trading.brokers.registry import broker_of
from volbal.common.errors import Refused


class TestKeys:
    def test_keys_that_alpaca_refuses_place_no_order_and_say_what_to_do(
        self, account: BrokerAccount, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        wrong = {"key_id": "PKWRONGWRONG000000", "secret_key": "wrong-secret-of-somebody-else"}
        connected = AlpacaBroker(account_set_credentials(account=account, values=wrong, origin=BY_TEST))
        with pytest.raises(BrokerAccessError, match="does not accept the keys of account Paper at Alpaca") as no:
            connected.submit(request())
        with pytest.raises(BrokerAccessError, match="Set them anew in the console, those for paper trading") as closed:
            connected.open_orders()
        for told in (str(no.value), str(closed.value), repr(connected.client.credentials), caplog.text):
            assert wrong["secret_key"] not in told
            assert SECRET_KEY not in told

    def test_without_keys_nothing_is_sent(self, account: BrokerAccount, world: World) -> None:
        unarmed = AlpacaBroker(account_remove_credentials(account=account, origin=BY_TEST))
        with pytest.raises(BrokerAccessError, match="has no keys for Alpaca; set them in the console"):
            unarmed.submit(request())
        with pytest.raises(BrokerAccessError):
            unarmed.order("vb-1")
        assert world.requests == []

    @pytest.mark.parametrize(
        "status, body",
        [
            (401, {"message": "unauthorized."}),
            (401, {"code": 40110000, "message": "request is not authorized"}),
            (403, {"message": "forbidden."}),
            (403, {"code": 40310000, "message": "forbidden."}),
            (403, {"code": 40110000, "message": "access key verification failed"}),
            (403, {"message": "something about the caller"}),
        ],
    )
    def test_a_door_that_is_shut_sends_nothing_and_asks_for_access(
        self, broker: AlpacaBroker, world: World, status: int, body: dict[str, Any]
    ) -> None:
        for method, ask in (("POST", lambda: broker.submit(request())), ("GET", lambda: broker.order("vb-1"))):
            world.faults.append(Fault(method, status=status, body=body))
            with pytest.raises(BrokerAccessError, match="Set them anew in the console"):
                ask()
        assert world.orders == {}

    @pytest.mark.parametrize(
        "body", [{"code": 40310000, "message": "insufficient buying power"}, {"message": "insufficient buying power"}]
    )
    def test_a_refused_order_is_no_shut_door(self, broker: AlpacaBroker, world: World, body: dict[str, Any]) -> None:
        said = body | {"message": "insufficient buying power"}
        world.faults.append(Fault("POST", status=403, body=said))
        with pytest.raises(BrokerRejectedError) as refusal:
            broker.submit(request())
        assert refusal.value.code == "insufficient_funds"


class TestAddresses:
    def test_a_live_account_goes_to_alpaca_and_nowhere_else(self, account: BrokerAccount, server: AlpacaServer) -> None:
        live = account_create(tenant=account.tenant, name="Live", broker="alpaca", is_live=True, origin=BY_TEST)
        assert AlpacaBroker(live).client.base_url == "https://api.alpaca.markets"
        live.settings = {"alpaca": {"trading_url": server.url}}
        with pytest.raises(Refused, match="goes to Alpaca's own addresses only") as refusal:
            AlpacaBroker(live)
        assert refusal.value.code == "endpoint_in_live"

    def test_keys_never_go_unencrypted_to_another_machine(self, account: BrokerAccount) -> None:
        account.settings = {"alpaca": {"trading_url": "http://alpaca.example"}}
        with pytest.raises(Refused, match="unencrypted"):
            AlpacaBroker(account)

    def test_a_paper_account_goes_to_alpacas_paper_trading(self, account: BrokerAccount) -> None:
        account.settings = {}
        assert AlpacaBroker(account).client.base_url == "https://paper-api.alpaca.markets"

    def test_the_registry_knows_it(self, account: BrokerAccount) -> None:
        assert isinstance(broker_of(account), AlpacaBroker)
