"""What goes together, by the settings of each environment: refused when it is opened and again when it is used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portfolios.models import BrokerAccount, Portfolio
from portfolios.services import account_create
from tests.check import DEPLOYMENT
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import Desk, make_replay, make_series
from trading.brokers import registry
from trading.brokers.registry import broker_of
from trading.feeds import registry as feeds
from trading.feeds.registry import feed_of
from trading.services.accounts import account_configure, account_open, portfolio_open
from trading.services.replays import replay_step
from volbal.common.errors import Refused

ROOT = Path(__file__).resolve().parent.parent.parent
# Of the environments only production lets orders move real money.
ALLOWED = {"development": False, "staging": False, "production": True}


class RealFeed:
    """A feed of real prices, as far as pairings ask."""

    name, is_synthetic = "real", False


@pytest.fixture(autouse=True)
def _other_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a broker that reaches a market and a feed of real prices."""
    monkeypatch.setitem(registry._factories, "market", lambda account: f"the broker of {account.name}")
    monkeypatch.setitem(feeds._factories, "real", lambda portfolio: RealFeed())


def allowed_by(environment: str) -> bool:
    """Return LIVE_TRADING_ALLOWED as a process with an environment's settings has it."""
    code = "from django.conf import settings; print(settings.LIVE_TRADING_ALLOWED)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **DEPLOYMENT, "DJANGO_SETTINGS_MODULE": f"volbal.settings.{environment}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.strip() == "True"


@pytest.mark.parametrize("environment", list(ALLOWED))
class TestLiveAccounts:
    @pytest.fixture(autouse=True)
    def _environment(self, environment: str, settings: Any) -> None:
        settings.ENVIRONMENT, settings.LIVE_TRADING_ALLOWED = environment, ALLOWED[environment]

    def test_the_settings_say_so(self, environment: str) -> None:
        assert allowed_by(environment) == ALLOWED[environment]

    def test_one_is_opened_only_where_it_is_allowed(self, desk: Desk, environment: str) -> None:
        def open_live() -> BrokerAccount:
            return account_open(tenant=desk.tenant, name="Live", broker="market", is_live=True, origin=BY_TEST)

        if ALLOWED[environment]:
            assert str(broker_of(open_live())) == "the broker of Live"
            return
        with pytest.raises(Refused, match=f"moves real money, which the {environment} settings do not allow") as told:
            open_live()
        assert (told.value.code, BrokerAccount.objects.filter(is_live=True).exists()) == ("live_not_allowed", False)

    def test_one_that_is_there_is_used_only_where_it_is_allowed(self, desk: Desk, environment: str) -> None:
        live = account_create(tenant=desk.tenant, name="Live", broker="market", is_live=True, origin=BY_TEST)
        if ALLOWED[environment]:
            assert str(broker_of(live)) == "the broker of Live"
        else:
            with pytest.raises(Refused, match="no order was sent"):
                broker_of(live)

    def test_the_paper_broker_is_never_live(self, desk: Desk) -> None:
        with pytest.raises(Refused, match="is marked live and its broker 'paper' only simulates") as told:
            account_open(tenant=desk.tenant, name="Live", broker="paper", is_live=True, origin=BY_TEST)
        assert told.value.code == "simulated_live"
        desk.account.is_live = True
        with pytest.raises(Refused, match="only simulates"):
            broker_of(desk.account)

    def test_invented_prices_are_never_live(self, desk: Desk) -> None:
        live = account_create(tenant=desk.tenant, name="Live", broker="market", is_live=True, origin=BY_TEST)
        with pytest.raises(Refused, match="is live and the feed 'synthetic' invents its prices") as told:
            portfolio_open(account=live, name="Live", mode="live", feed="synthetic", origin=BY_TEST)
        assert (told.value.code, Portfolio.objects.filter(mode="live").exists()) == ("synthetic_in_live", False)


@pytest.mark.parametrize(
    "mode,is_live,feed,code",
    [
        ("live", True, "real", None),
        ("live", False, "real", "live_mismatch"),
        ("paper", True, "real", "live_mismatch"),
        ("paper", True, "synthetic", "live_mismatch"),
        ("paper", False, "synthetic", None),
        ("paper", False, "real", None),
        ("replay", False, "", "replay_at_market"),
        ("replay", True, "", "live_mismatch"),
        ("live", True, "nonesuch", "unknown_feed"),
    ],
)
def test_modes_accounts_and_prices(
    desk: Desk, settings: Any, mode: str, is_live: bool, feed: str, code: str | None
) -> None:
    settings.LIVE_TRADING_ALLOWED = True
    account = account_create(tenant=desk.tenant, name="Other", broker="market", is_live=is_live, origin=BY_TEST)

    def open_one() -> Portfolio:
        return portfolio_open(account=account, name="Other", mode=mode, feed=feed, origin=BY_TEST)

    if code is None:
        assert feed_of(open_one()).name == feed
        return
    with pytest.raises(Refused) as told:
        open_one()
    assert (told.value.code, bool(told.value.hint)) == (code, True)
    assert not Portfolio.objects.filter(name="Other").exists()


def test_a_replay_stops_when_its_account_changes_hands(desk: Desk) -> None:
    run = make_replay(desk.account, make_series([100, 101, 102]))
    assert replay_step(run_id=run.pk, only_if_due=False) is not None
    BrokerAccount.objects.filter(pk=desk.account.pk).update(broker="market")
    with pytest.raises(Refused, match="replays the past, and broker 'market' trades in the present"):
        replay_step(run_id=run.pk, only_if_due=False)


class TestSettings:
    @pytest.mark.parametrize(
        "name,value,expected",
        [
            ("sede", 1, "one of delay_seconds"),
            ("reject_rate", 1.5, "0 to 1"),
            ("reject_rate", -0.1, "0 to 1"),
            ("reject_rate", float("nan"), "0 to 1"),
            ("reject_rate", "0.5", "a number"),
            ("reject_rate", True, "a number"),
            ("seed", 1.5, "a whole number"),
            ("seed", -1, "0 to 2147483648"),
            ("partial_fill_parts", 1, "2 to 20"),
            ("shuffle", 1, "true or false"),
            ("slippage_bps", 5000, "0 to 1000"),
        ],
    )
    def test_what_cannot_be_is_refused_and_nothing_is_changed(
        self, desk: Desk, name: str, value: object, expected: str
    ) -> None:
        with pytest.raises(Refused, match=rf"paper\.{name} is .*; expected {expected}"):
            account_configure(account=desk.account, settings={name: value}, origin=BY_TEST)
        assert BrokerAccount.objects.get(pk=desk.account.pk).settings == {}
        with pytest.raises(Refused, match=rf"paper\.{name}"):
            account_open(
                tenant=desk.tenant, name="New", broker="paper", settings={"paper": {name: value}}, origin=BY_TEST
            )

    @pytest.mark.parametrize("kept", [{"paper": {"sede": 1}}, {"paper": 3}, {"paper": ["seed"]}])
    def test_what_was_kept_and_cannot_be_is_refused_at_use(self, desk: Desk, kept: dict[str, Any]) -> None:
        desk.account.settings = kept
        with pytest.raises(Refused, match="paper"):
            broker_of(desk.account)

    def test_a_broker_without_settings_has_nothing_to_set(self, desk: Desk) -> None:
        account = account_open(tenant=desk.tenant, name="Other", broker="market", origin=BY_TEST)
        with pytest.raises(Refused, match="has nothing to set"):
            account_configure(account=account, settings={"seed": 1}, origin=BY_TEST)
