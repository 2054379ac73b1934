"""Alpaca's rate limit: what is beyond it is not sent, and cancels still are."""

from __future__ import annotations

import pytest

from portfolios.models import BrokerAccount
from tests.alpaca.requests import posts, request
from tests.alpaca.world import Fault, World, now
from trading.brokers.alpaca import AlpacaBroker
from trading.brokers.base import BrokerBusyError


class TestLimits:
    def _allow(self, account: BrokerAccount, count: int) -> AlpacaBroker:
        account.settings = {"alpaca": account.settings["alpaca"] | {"requests_a_minute": count}}
        return AlpacaBroker(account)

    def test_what_is_beyond_the_limit_is_not_sent_and_cancels_still_are(
        self, account: BrokerAccount, world: World
    ) -> None:
        broker = self._allow(account, 20)
        for number in range(18):
            broker.submit(request(number))
        with pytest.raises(BrokerBusyError, match="limit of 20 requests a minute is used up"):
            broker.submit(request(19))
        with pytest.raises(BrokerBusyError):
            broker.fills_since("")
        assert posts(world) == 18
        assert [broker.cancel("vb-0"), broker.cancel("vb-1")] == [True, True]
        with pytest.raises(BrokerBusyError):
            broker.cancel("vb-2")

    def test_all_processes_count_together(self, account: BrokerAccount) -> None:
        first, second = self._allow(account, 20), self._allow(account, 20)
        for number in range(9):
            first.submit(request(number))
            second.submit(request(number + 100))
        for one in (first, second):
            with pytest.raises(BrokerBusyError):
                one.order("vb-1")

    def test_a_minute_later_there_is_room_again(self, account: BrokerAccount, monkeypatch: pytest.MonkeyPatch) -> None:
        broker = self._allow(account, 4)
        broker.submit(request(1))
        broker.submit(request(2))
        limit = broker.client.limit
        at = {"time": 1_000_000.0}
        monkeypatch.setattr("trading.brokers.rates.time.time", lambda: at["time"])
        assert [limit.take() for _ in range(4)] == [True, True, True, False]
        at["time"] += 59
        assert limit.take() is False
        at["time"] += 11
        assert limit.take() is True

    def test_when_alpaca_says_too_many_nothing_more_is_sent_until_it_said(
        self, broker: AlpacaBroker, world: World
    ) -> None:
        reset = str(int(now().timestamp()) + 30)
        too_many = {"code": 42910000, "message": "rate limit exceeded"}
        world.faults.append(Fault("POST", status=429, body=too_many, headers=(("X-Ratelimit-Reset", reset),)))
        with pytest.raises(BrokerBusyError, match="did not do this one"):
            broker.submit(request())
        with pytest.raises(BrokerBusyError, match="used up"):
            broker.submit(request())
        assert posts(world) == 1
        assert broker.cancel("vb-1") is False
        assert len(world.requests) == 2
