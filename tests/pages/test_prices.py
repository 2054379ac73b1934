"""What pages and the console say of prices: where they come from, why nothing trades on one, and what a person does."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event, User
from tests.pages.worlds import World
from tests.portfolios.builders import make_member
from trading.feeds.base import PriceQuote
from trading.models import FeedStatus, PriceQuarantine, Quote
from trading.services.ticks import tick_run
from volbal.common.tenancy import every_tenant

NOW = dt.datetime(2024, 3, 4, 15, 30, tzinfo=dt.UTC)
# Twenty basis points apart.
SIDES = {"bid": Decimal("103.896"), "ask": Decimal("104.104")}
LATER = NOW + dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def look(world: World, moment: dt.datetime, last: str | None, **changes: Any) -> None:
    options: dict[str, Any] = {
        "instrument_id": world.cell.instrument_id,
        "source": "synthetic",
        "is_synthetic": True,
        "last": None if last is None else Decimal(last),
        "as_of": moment,
        "received_at": moment,
        "last_at": moment,
    }
    tick_run(portfolio_id=world.portfolio.pk, as_of=moment, quotes=[PriceQuote(**(options | changes))])


def words(client: Client, url: str) -> str:
    """Return a page as it is read."""
    text = re.sub(r"<[^>]+>", " ", client.get(url).content.decode())
    return re.sub(r"\s+", " ", html.unescape(text)).replace("\u00a0", " ")


def page(world: World) -> str:
    return f"/cells/{world.cell.pk}/"


def test_a_quote_is_shown_with_source_kind_sides_and_ages(world: World, signed_in: Client) -> None:
    look(world, NOW, "100", bid=Decimal("99.9"), ask=Decimal("100.1"))
    told = words(signed_in, f"{page(world)}?tab=prices")
    assert "synthetic · 99.90 – 100.10" in told
    assert "Source synthetic, synthetic Bid 99.90 Ask 100.10 Spread 20.0 bps Last 100.00 Traded 0 s ago" in told
    assert "2024-03-04 1 20.0 20.0 0.0 0.0" in told
    assert "Nothing trades on the newest quote" not in told


def test_a_quarantined_price_is_said_in_words_and_the_value_stays(world: World, signed_in: Client) -> None:
    look(world, NOW, "104")
    look(world, LATER, "150")
    told = words(signed_in, page(world))
    text = "150.00 is 44.23 % from the last accepted price 104.00"
    assert f"Quarantined Nothing trades on the newest quote: {text}" in told
    assert "it waits for an operator or a second source" in told
    held = Cell.objects.get(pk=world.cell.pk)
    assert f"Value, USD {held.cash + held.shares * 104:,.2f}" in told
    assert f"IBM: Not asked: {text}" in words(signed_in, "/")


def test_a_quote_that_grew_old_since_is_stale_without_a_tick(
    world: World, signed_in: Client, clock: time_machine.Traveller
) -> None:
    look(world, NOW, "100")
    clock.shift(31)
    assert "Stale Nothing trades on the newest quote: the newest quote is 31 s old and may be 30 s" in words(
        signed_in, page(world)
    )


def test_a_silent_feed_needs_attention_once_and_names_its_error(world: World, signed_in: Client) -> None:
    look(world, NOW - dt.timedelta(minutes=1), "100", as_of=NOW - dt.timedelta(minutes=3))
    FeedStatus.objects.update(errors_in_a_row=2, error="reset by peer", silent_since=NOW - dt.timedelta(minutes=4))
    told = words(signed_in, "/")
    line = "The feed synthetic has given nothing new for 4 min: its cells do not trade. Its last error: reset by peer"
    assert told.count(line) == 1
    assert "IBM: Not asked" not in told


class TestSpreadDialog:
    def test_it_shows_how_the_spread_was_and_sets_the_limit(
        self, world: World, signed_in: Client, trader: User
    ) -> None:
        look(world, NOW, "104", **SIDES)
        url = f"{page(world)}spread/"
        assert "On 2024-03-04 its spread was 20.0 bps in the mean and 20.0 at most." in words(signed_in, url)
        assert signed_in.post(url, {"max_spread_bps": "15", "note": "too dear"})["Location"] == page(world)
        assert Cell.objects.get(pk=world.cell.pk).max_spread_bps == 15
        event = Event.objects.get(kind="cell.spread_limited")
        assert (event.actor_id, event.reason, event.after["max_spread_bps"]) == (trader.pk, "too dear", "15.00")
        look(world, LATER, "104", **SIDES)
        told = words(signed_in, page(world))
        assert "the spread of 20.0 bps (bid 103.90, ask 104.10) is more than this cell's 15.00 bps" in told
        assert "Widest spread 15 bps" in words(signed_in, f"{page(world)}?tab=prices")
        signed_in.post(url, {"max_spread_bps": "", "note": ""})
        assert Cell.objects.get(pk=world.cell.pk).max_spread_bps is None

    @pytest.mark.parametrize("typed", ["0", "-3", "abc", "10000.01", "NaN"])
    def test_what_cannot_be_a_spread_is_refused_and_kept_as_typed(
        self, world: World, signed_in: Client, typed: str
    ) -> None:
        answer = signed_in.post(f"{page(world)}spread/", {"max_spread_bps": typed, "note": ""})
        assert answer.status_code == 422
        assert f'value="{typed}"' in answer.content.decode()
        assert Cell.objects.get(pk=world.cell.pk).max_spread_bps is None


class TestConsole:
    def client(self, world: World, role: str) -> Client:
        with every_tenant():
            person = (
                User.objects.create_superuser("platform@example.com")
                if role == "platform"
                else make_member(world.firm, role)
            )
        client = Client()
        client.force_login(person)
        return client

    def quarantined(self, world: World, **changes: Any) -> PriceQuarantine:
        look(world, NOW, "100", **changes)
        look(world, LATER, "140", **changes)
        return PriceQuarantine.objects.get()

    def operate(self, client: Client, name: str, row: PriceQuarantine, reason: str) -> int:
        url = reverse(f"admin:trading_pricequarantine_operation_{name}")
        return client.post(f"{url}?ids={row.pk}", {"reason": reason}).status_code

    @pytest.mark.parametrize("name,status", [("accept", "accepted"), ("refuse", "refused")])
    def test_the_platform_operator_resolves_a_quarantine_with_a_reason(
        self, world: World, name: str, status: str
    ) -> None:
        row = self.quarantined(world)
        client = self.client(world, "platform")
        listed = words(client, reverse("admin:trading_pricequarantine_changelist"))
        assert "140.00 is 40.00 % from the last accepted price 100.00, more than 25.00 %" in listed
        assert self.operate(client, name, row, "") == 200
        assert self.operate(client, name, row, "announced this morning") == 302
        row.refresh_from_db()
        assert (row.status, row.resolution) == (status, "announced this morning")

    def test_a_firms_operator_reads_what_is_shared_and_acts_on_what_is_pushed_for_it(self, world: World) -> None:
        shared = self.quarantined(world)
        assert self.operate(self.client(world, "operator"), "accept", shared, "mine") == 403
        PriceQuarantine.objects.update(source=f"pushed:{world.firm.tenant.pk}")
        Quote.objects.update(source=f"pushed:{world.firm.tenant.pk}")
        shared._meta.apps.get_model("trading", "PriceTrack").objects.update(source=f"pushed:{world.firm.tenant.pk}")
        assert self.operate(Client(), "accept", shared, "mine") == 302  # sent away to sign in
        shared.refresh_from_db()
        assert shared.status == "open"
        operator = Client()
        operator.force_login(User.objects.get(email__contains="operator"))
        assert self.operate(operator, "accept", shared, "mine") == 302
        shared.refresh_from_db()
        assert shared.status == "accepted"

    def test_what_another_firm_is_pushed_is_not_there(self, world: World) -> None:
        row = self.quarantined(world)
        PriceQuarantine.objects.update(source="pushed:999")
        Quote.objects.update(source="pushed:999")
        operator = self.client(world, "operator")
        assert self.operate(operator, "accept", row, "not mine") == 404
        for table in ("quote", "pricequarantine"):
            assert "pushed:999" not in words(operator, reverse(f"admin:trading_{table}_changelist"))

    def test_feeds_say_how_they_do(self, world: World) -> None:
        FeedStatus.objects.create(
            source="yahoo", is_synthetic=False, is_delayed=True, asking_since=NOW, asked_at=NOW, errors_in_a_row=3,
            error="reset by peer", silent_since=NOW - dt.timedelta(minutes=5), refused_count=7,
            refusal="its last is -5",
        )  # fmt: skip
        told = words(self.client(world, "auditor"), reverse("admin:trading_feedstatus_changelist"))
        assert "yahoo silent for 5 min real, delayed" in told
        assert "reset by peer" in told
        assert "its last is -5" in told

    def test_statistics_are_shown_by_day(self, world: World) -> None:
        look(world, NOW, "100", bid=Decimal("99.9"), ask=Decimal("100.1"))
        told = words(self.client(world, "auditor"), reverse("admin:trading_quotestatistic_changelist"))
        assert "IBM synthetic 1 20.00 20.00 0.00 0.00" in told

    def test_an_operator_limits_a_cells_spread(self, world: World) -> None:
        client = self.client(world, "operator")
        url = reverse("admin:portfolios_cell_operation_spread")
        typed = {"max_spread_bps": "25", "reason": "agreed"}
        assert client.post(f"{url}?ids={world.cell.pk}", typed).status_code == 302
        assert Cell.objects.get(pk=world.cell.pk).max_spread_bps == 25
