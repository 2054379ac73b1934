"""Ticks that do not overlap, do not drift, and are missed aloud; and portfolios that quotes wake."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portfolios.models import Event, Portfolio
from portfolios.services import member_add, portfolio_archive, portfolio_create, portfolio_set_ticks, user_create
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, make_desk, open_cell, quote
from trading import tasks
from trading.models import Evaluation, Tick, TickState
from trading.selectors.tick_states import tick_lateness
from trading.services.dispatch import next_due, portfolios_claim_due
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.pricing import prices_judge
from trading.services.tick_states import ticks_notice_missed
from trading.services.wake_claims import WAKE_LOST_SECONDS
from trading.services.wakes import quotes_wake
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.exclusive import only_one
from volbal.common.tenancy import every_tenant


def events(kind: str) -> list[dict[str, Any]]:
    return [event.after for event in Event.objects.filter(kind=kind).order_by("id")]


@pytest.fixture
def ticking(desk: Desk) -> Portfolio:
    """A portfolio looked at every ten seconds, one second after it was made."""
    open_cell(desk.portfolio)
    Portfolio.objects.update(tick_interval_seconds=10, created_at=OPEN, next_tick_at=OPEN)
    return Portfolio.objects.select_related("account").get()


def at(seconds: float) -> Any:
    return time_machine.travel(OPEN + dt.timedelta(seconds=seconds), tick=False)


class TestDue:
    """Due times are whole intervals apart, however late the dispatcher comes."""

    @pytest.mark.parametrize("late,following", [(0, 10), (0.4, 10), (9.9, 10), (10, 20), (35, 40), (86_400, 86_410)])
    def test_the_next_due_time_is_a_whole_number_of_intervals_later(self, late: float, following: float) -> None:
        moment = OPEN + dt.timedelta(seconds=late)
        assert next_due(OPEN, 10, moment) == OPEN + dt.timedelta(seconds=following)

    def test_many_portfolios_of_one_second_are_due_each_second_and_do_not_drift(self, desk: Desk) -> None:
        Portfolio.objects.bulk_create(
            Portfolio(
                tenant=desk.tenant, account=desk.account, name=f"P{number}", mode="paper", feed="synthetic",
                tick_interval_seconds=1, next_tick_at=OPEN + dt.timedelta(milliseconds=10 * number),
            )
            for number in range(100)
        )  # fmt: skip
        Portfolio.objects.filter(pk=desk.portfolio.pk).update(next_tick_at=None)
        claimed: Counter[int] = Counter()
        # The dispatcher comes each second, up to 300 ms late, and the portfolios' seconds begin anywhere in its own.
        for second in range(1, 11):
            with at(second + (second * 97 % 300) / 1000), every_tenant():
                claimed.update(tick.portfolio_id for tick in portfolios_claim_due())
        assert len(claimed) == 100
        assert set(claimed.values()) <= {10, 11}
        for name, following in Portfolio.objects.exclude(next_tick_at=None).values_list("name", "next_tick_at"):
            assert (following - OPEN).total_seconds() % 1.0 == pytest.approx(int(name[1:]) / 100)

    def test_claiming_takes_the_same_statements_for_one_and_for_forty(
        self, desk: Desk, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(40):
            Portfolio.objects.create(
                tenant=desk.tenant, account=desk.account, name=f"P{number}", mode="paper", next_tick_at=clock.now()
            )
        with every_tenant(), django_assert_max_num_queries(6):
            assert len(portfolios_claim_due()) == 41

    def test_a_person_sets_the_interval_and_a_shorter_one_counts_from_now(self, ticking: Portfolio) -> None:
        Portfolio.objects.update(tick_interval_seconds=3600, next_tick_at=OPEN + dt.timedelta(hours=1))
        with at(0):
            portfolio_set_ticks(portfolio=ticking, tick_interval_seconds=1, tick_on_quotes=True, origin=BY_TEST)
        ticking.refresh_from_db()
        assert (ticking.tick_interval_seconds, ticking.tick_on_quotes) == (1, True)
        assert ticking.next_tick_at == OPEN + dt.timedelta(seconds=1)
        with pytest.raises(Refused, match="expected at least 1"):
            portfolio_set_ticks(portfolio=ticking, tick_interval_seconds=0, tick_on_quotes=True, origin=BY_TEST)


class TestOverlap:
    """A second tick of a portfolio sees the first and leaves; another portfolio's does not care."""

    def test_the_second_leaves_and_nothing_is_fetched_or_written(self, ticking: Portfolio) -> None:
        with only_one("tick", ticking.pk) as is_ours:
            assert is_ours
            assert portfolio_tick(portfolio=ticking) is None
        assert not Tick.objects.exists()
        assert portfolio_tick(portfolio=ticking) is not None

    def test_another_kind_and_another_key_are_free(self, db: None) -> None:
        with (
            only_one("tick", 1) as first,
            only_one("tick", 2) as other,
            only_one("send", 1) as kind,
            only_one("tick", 1) as second,
        ):
            assert (first, other, kind, second) == (True, True, True, False)
        with only_one("tick", 1) as again:
            assert again

    def test_it_is_free_again_after_an_error(self, db: None) -> None:
        with pytest.raises(OSError, match="broken"), only_one("tick", 1):
            raise OSError("broken")
        with only_one("tick", 1) as again:
            assert again

    def test_a_tick_taken_since_it_was_due_is_not_taken_again(self, ticking: Portfolio) -> None:
        with at(1):
            assert portfolio_tick(portfolio=ticking, due=OPEN) is not None
        with at(2):
            assert portfolio_tick(portfolio=ticking, due=OPEN) is None
        assert Tick.objects.count() == 1


class TestMissed:
    """A tick that does not happen is told once with how late it is, and so is its recovery."""

    def test_a_tick_that_nobody_takes_is_noticed_once(self, ticking: Portfolio) -> None:
        with at(1):
            portfolio_tick(portfolio=ticking)
        with at(36), every_tenant():
            assert ticks_notice_missed() == []
        with at(37), every_tenant():
            assert ticks_notice_missed() == [ticking]
            assert ticks_notice_missed() == []
        (told,) = events("tick.missed")
        assert (told["late_seconds"], told["interval_seconds"]) == ("26.0", 10)
        state = TickState.objects.get()
        assert (state.missed_since, state.missed_count) == (OPEN + dt.timedelta(seconds=11), 1)

    def test_the_next_tick_tells_that_it_goes_again(self, ticking: Portfolio) -> None:
        with at(60), every_tenant():
            ticks_notice_missed()
        with at(61):
            portfolio_tick(portfolio=ticking)
        assert [told["late_seconds"] for told in events("tick.recovered")] == ["51.0"]
        assert TickState.objects.get().missed_since is None

    def test_what_nobody_noticed_is_told_by_the_tick_that_follows(self, ticking: Portfolio) -> None:
        for second in (1, 100):
            with at(second):
                portfolio_tick(portfolio=ticking)
        assert [told["late_seconds"] for told in events("tick.missed")] == ["89.0"]
        assert len(events("tick.recovered")) == 1
        assert TickState.objects.get().missed_count == 1

    def test_ticks_in_time_tell_nothing(self, ticking: Portfolio) -> None:
        for second in range(0, 100, 10):
            with at(second), every_tenant():
                portfolio_tick(portfolio=ticking)
                assert ticks_notice_missed() == []
        assert events("tick.missed") == events("tick.recovered") == []

    @pytest.mark.parametrize("change", [{"is_archived": True}, {"mode": "replay"}, {"next_tick_at": None}])
    def test_what_does_not_tick_by_the_clock_is_never_late(self, ticking: Portfolio, change: dict[str, Any]) -> None:
        Portfolio.objects.update(**change)
        with at(1000), every_tenant():
            assert ticks_notice_missed() == []
            assert tick_lateness(Portfolio.objects.get()).text == ""

    def test_a_tick_that_raises_is_kept_and_the_others_go_on(
        self, ticking: Portfolio, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        south = make_desk("south")
        with every_tenant():
            open_cell(south.portfolio, "AAPL")

        def broken(portfolio: Portfolio) -> Any:
            if portfolio.pk == ticking.pk:
                raise OSError("no route to the source")
            return feed_of(portfolio)

        from trading.services.portfolio_ticks import feed_of

        monkeypatch.setattr("trading.services.portfolio_ticks.feed_of", broken)
        with every_tenant():
            for _ in range(2):
                with pytest.raises(OSError, match="no route"):
                    portfolio_tick(portfolio=ticking)
            assert portfolio_tick(portfolio=south.portfolio) is not None
            state = TickState.objects.get(portfolio=ticking)
            assert (state.last_error, state.failed_in_a_row) == ("OSError: no route to the source", 2)
            assert len(events("tick.failed")) == 1
            monkeypatch.undo()
            portfolio_tick(portfolio=ticking)
            state.refresh_from_db()
            assert (state.last_error, state.failed_in_a_row) == ("", 0)


class TestShown:
    """Console and dashboard say how late a portfolio is."""

    def client(self, desk: Desk, role: str) -> Client:
        person = user_create(email=f"{role}@people.example", password="long enough 1", origin=BY_TEST)
        member_add(tenant=desk.tenant, user=person, role=role, origin=BY_TEST)
        client = Client()
        client.force_login(person)
        return client

    def test_where_people_look(self, desk: Desk, ticking: Portfolio) -> None:
        trader, operator = self.client(desk, "trader"), self.client(desk, "operator")
        with at(1):
            portfolio_tick(portfolio=ticking)
            assert "not looked at for" not in trader.get(reverse("dashboard")).content.decode()
        with at(121):
            TickState.objects.update(last_error="OSError: no route")
            told = "not looked at for 2\u00a0min, due every 10 s; the last tick failed: OSError: no route"
            for client, address in (
                (trader, reverse("dashboard")),
                (trader, reverse("portfolio", args=[ticking.pk])),
                (operator, reverse("admin:trading_tickstate_changelist")),
                (operator, reverse("admin:portfolios_portfolio_changelist")),
            ):
                assert told in client.get(address).content.decode(), address

    def test_several_late_portfolios_are_one_line_that_counts_and_names_them(
        self, desk: Desk, ticking: Portfolio
    ) -> None:
        for name in ("Second", "Third", "Fourth"):
            portfolio_create(account=desk.account, name=name, mode="paper", feed="synthetic", origin=BY_TEST)
        Portfolio.objects.update(created_at=OPEN, next_tick_at=OPEN)
        with at(3_600):
            page = self.client(desk, "trader").get(reverse("dashboard")).content.decode()
        assert "4 portfolios are late: Core, Second, Third and 1 more. Core: not looked at for" in page
        assert page.count("not looked at for") == 1

    def test_an_operator_sets_how_often_it_is_looked_at(self, desk: Desk, ticking: Portfolio) -> None:
        operator = self.client(desk, "operator")
        address = f"{reverse('admin:portfolios_portfolio_operation_ticks')}?ids={ticking.pk}"
        assert 'value="10"' in operator.get(address).content.decode()
        typed = {"tick_interval_seconds": "1", "tick_on_quotes": "on", "reason": "faster"}
        assert operator.post(address, typed | {"tick_interval_seconds": "0"}).status_code == 200
        assert operator.post(address, typed).status_code == 302
        ticking.refresh_from_db()
        assert (ticking.tick_interval_seconds, ticking.tick_on_quotes) == (1, True)


class TestWoken:
    """A new quote wakes the portfolios that asked for it, hold the instrument and take their prices from its source."""

    @pytest.fixture
    def asked(self, ticking: Portfolio, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float]]:
        """The ticks that were asked of the workers: portfolio and delay."""
        Portfolio.objects.update(tick_on_quotes=True)
        sent: list[tuple[int, float]] = []
        monkeypatch.setattr(
            tasks.tick_woken, "apply_async", lambda arguments, countdown: sent.append((arguments[1], countdown))
        )
        return sent

    def wake(self, symbol: str = "IBM", source: str = "synthetic") -> int:
        return quotes_wake(instrument_ids=[make_instrument(symbol).pk], source=source)

    def test_it_ticks(self, ticking: Portfolio) -> None:
        Portfolio.objects.update(tick_on_quotes=True)
        assert self.wake() == 1
        assert Evaluation.objects.count() == 1
        assert TickState.objects.get().wake_asked_at is None

    def test_only_where_it_is_asked_for_held_and_the_source(
        self, desk: Desk, ticking: Portfolio, asked: list[Any]
    ) -> None:
        assert self.wake("AAPL") == self.wake(source="alpaca") == 0
        Portfolio.objects.update(tick_on_quotes=False)
        assert self.wake() == 0
        Portfolio.objects.update(tick_on_quotes=True)
        portfolio_archive(portfolio=ticking, origin=BY_TEST)
        assert self.wake() == 0
        assert asked == []

    def test_many_quotes_are_one_waiting_tick(self, ticking: Portfolio, asked: list[Any]) -> None:
        with at(1):
            assert [self.wake() for _ in range(50)] == [1, *[0] * 49]
        assert asked == [(ticking.pk, 0.0)]

    def test_no_more_than_so_many_a_second(self, ticking: Portfolio, asked: list[Any], settings: Any) -> None:
        settings.TICKS_PER_SECOND_ON_QUOTES = 4
        with at(1):
            self.wake()
            portfolio_tick(portfolio=ticking, woken=True)
        with at(1.1):
            self.wake()
        assert [round(delay, 3) for _, delay in asked] == [0.0, 0.15]

    def test_a_quote_during_a_tick_is_followed_by_another(self, ticking: Portfolio, asked: list[Any]) -> None:
        with at(1):
            self.wake()
            asked.clear()
            with only_one("tick", ticking.pk):
                tasks.tick_woken(ticking.tenant_id, ticking.pk)
            assert asked == [(ticking.pk, tasks.WAKE_AGAIN_SECONDS)]
            tasks.tick_woken(ticking.tenant_id, ticking.pk)
        assert Tick.objects.count() == 1
        assert len(asked) == 1

    def test_a_wake_whose_message_was_lost_does_not_silence_the_next(
        self, ticking: Portfolio, asked: list[Any]
    ) -> None:
        with at(1):
            self.wake()
        with at(1 + WAKE_LOST_SECONDS):
            assert self.wake() == 0
        with at(1.1 + WAKE_LOST_SECONDS):
            assert self.wake() == 1

    def test_the_tick_sees_the_quote_that_woke_it(self, ticking: Portfolio) -> None:
        # The synthetic feed makes its own prices: what matters is that the stored quote is older than the tick.
        Portfolio.objects.update(tick_on_quotes=True)
        prices_judge(quotes=[quote(make_instrument(), 101, clock.now())], as_of=clock.now())
        self.wake()
        assert Tick.objects.get().as_of <= clock.now()
