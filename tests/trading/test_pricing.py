"""Prices as ticks are told of them: judged once for everyone on a source, and held back where they are not believed."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portfolios.models import Cell, Event, Portfolio, User
from portfolios.services import Origin, portfolio_create
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, fresh, make_actions, open_cell, tick
from tests.trading.standin import StandInBroker
from trading.feeds.base import PriceQuote
from trading.models import DailyMark, Evaluation, Order, PriceQuarantine, PriceTrack, Quote, QuoteStatistic, Tick
from trading.services.orders import orders_send
from trading.services.pricing import MarketPrice, prices_judge
from trading.services.quarantines import quarantine_accept, quarantine_refuse
from trading.services.ticks import tick_run
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant
from volbal.strategy import Dividend, Split

MINUTE = dt.timedelta(minutes=1)


def said(price: str | Decimal | None, moment: dt.datetime = OPEN, **changes: Any) -> PriceQuote:
    options: dict[str, Any] = {
        "instrument_id": make_instrument("IBM").pk,
        "source": "wire",
        "is_synthetic": False,
        "last": None if price is None else Decimal(price),
        "as_of": moment,
        "received_at": moment,
    }
    return PriceQuote(**(options | changes))


def judged(price: str | Decimal | None, moment: dt.datetime = OPEN, **changes: Any) -> MarketPrice:
    quote = said(price, moment, **changes)
    return prices_judge(quotes=[quote], as_of=moment)[quote.instrument_id]


def minutes_of(prices: list[float], start: dt.datetime = OPEN) -> dt.datetime:
    """Give one price a minute and return the moment after the last."""
    for at, price in enumerate(prices):
        judged(f"{price:.2f}", start + at * MINUTE)
    return start + len(prices) * MINUTE


def events_of(kind: str) -> list[int | None]:
    """Return the tenants of the events of a kind; None is the whole installation."""
    with every_tenant():
        return list(Event.objects.filter(kind=kind).values_list("tenant_id", flat=True))


WAVE = [100.0 + (0.1 if at % 2 else 0.0) for at in range(40)]


class TestOutlier:
    """Forty minutes that move by a tenth of a percent: ten deviations are about one percent."""

    @pytest.fixture
    def after(self, desk: Desk) -> dt.datetime:
        return minutes_of(WAVE)

    def test_a_far_price_is_not_believed_until_three_minutes_agree(self, after: dt.datetime) -> None:
        told = [judged(price, after + at * MINUTE) for at, price in enumerate(("103", "103.1", "103.05"))]
        assert [one.refusal for one in told] == ["price_outlier", "price_outlier", None]
        assert [one.accepted for one in told] == [Decimal("100.1"), Decimal("100.1"), Decimal("103.05")]
        text = (
            "103.00 is 2.90 % from the last accepted price 100.10, more than 10 times the 0.101 % it moves in a minute"
        )
        assert told[0].refusal_text.startswith(text)

    def test_a_price_that_comes_back_is_believed(self, after: dt.datetime) -> None:
        assert judged("103", after).refusal == "price_outlier"
        assert judged("100.2", after + MINUTE).refusal is None
        assert PriceTrack.objects.get().pending == ""

    def test_the_next_session_begins_without_it(self, after: dt.datetime) -> None:
        assert judged("110", OPEN + dt.timedelta(days=1)).refusal is None
        track = PriceTrack.objects.get()
        assert (track.accepted, track.sigma) == (110, pytest.approx(0.001, rel=0.05))

    def test_it_is_shown_and_neither_valued_nor_marked(self, desk: Desk, after: dt.datetime) -> None:
        portfolio = portfolio_create(account=desk.account, name="Wire", mode="paper", feed="wire", origin=BY_TEST)
        cell = open_cell(portfolio)
        tick_run(portfolio_id=portfolio.pk, as_of=after, quotes=[said("103", after)])
        evaluation = Evaluation.objects.get()
        assert (evaluation.reason, evaluation.price) == ("price_outlier", 103)
        assert (Tick.objects.get().value, DailyMark.objects.count()) == (Decimal("10005.00"), 0)
        newest = Quote.objects.get(source="wire")
        assert (newest.price, newest.reference, newest.refusal) == (Decimal("100.1"), 103, "price_outlier")
        assert fresh(cell).anchor == 100


class TestQuarantine:
    @pytest.fixture
    def accepted(self, desk: Desk) -> Decimal:
        return judged("100").price

    def test_a_price_a_quarter_away_waits_for_a_person(self, accepted: Decimal) -> None:
        told = judged("140", OPEN + MINUTE)
        assert (told.refusal, told.price, told.accepted) == ("price_quarantined", 140, 100)
        row = PriceQuarantine.objects.get()
        assert (row.status, row.price, row.accepted_price) == ("open", 140, 100)
        assert row.cause == "140.00 is 40.00 % from the last accepted price 100.00, more than 25.00 %"
        assert events_of("price.quarantined") == [None]

    def test_it_stays_one_row_while_it_lasts(self, accepted: Decimal) -> None:
        for at in range(1, 6):
            judged(str(139 + at), OPEN + at * MINUTE)
        row = PriceQuarantine.objects.get()
        assert (row.price, row.newest_price, row.newest_at) == (140, 144, OPEN + 5 * MINUTE)
        assert events_of("price.quarantined") == [None]

    def test_a_person_accepts_it(self, accepted: Decimal, person: User) -> None:
        judged("140", OPEN + MINUTE)
        row = PriceQuarantine.objects.get()
        by = Origin(actor_id=person.pk, reason="takeover announced")
        quarantine_accept(quarantine=row, origin=by)
        row.refresh_from_db()
        assert (row.status, row.resolved_by, row.resolution) == ("accepted", person, "takeover announced")
        assert (Quote.objects.get().price, Quote.objects.get().refusal) == (140, "")
        told = judged("141", OPEN + 2 * MINUTE)
        assert (told.refusal, told.accepted) == (None, 141)
        with pytest.raises(Refused, match="resolved meanwhile: accepted by a person"):
            quarantine_accept(quarantine=row, origin=by)

    def test_a_reason_is_needed(self, accepted: Decimal) -> None:
        judged("140", OPEN + MINUTE)
        for act in (quarantine_accept, quarantine_refuse):
            with pytest.raises(Refused, match="reason"):
                act(quarantine=PriceQuarantine.objects.get(), origin=Origin(task="test"))

    def test_a_person_refuses_it(self, accepted: Decimal) -> None:
        judged("140", OPEN + MINUTE)
        quarantine_refuse(quarantine=PriceQuarantine.objects.get(), origin=BY_TEST)
        told = judged("141", OPEN + 2 * MINUTE)
        assert told.refusal == "price_quarantined"
        assert told.refusal_text.endswith("an operator refused it")
        assert PriceQuarantine.objects.count() == 1
        # Far from what was refused: a person looks again.
        judged("20", OPEN + 3 * MINUTE)
        assert list(PriceQuarantine.objects.order_by("id").values_list("status", flat=True)) == ["refused", "open"]
        assert judged("101", OPEN + 4 * MINUTE).refusal is None
        assert PriceTrack.objects.get().quarantine is None

    def test_a_price_that_comes_back_closes_it(self, accepted: Decimal) -> None:
        judged("140", OPEN + MINUTE)
        assert judged("101", OPEN + 2 * MINUTE).refusal is None
        assert PriceQuarantine.objects.get().status == "returned"

    @pytest.mark.parametrize(
        "changes,status",
        [
            ({}, "confirmed"),
            ({"last": Decimal("141.5")}, "open"),  # further than one percent from it
            ({"is_synthetic": True}, "open"),  # invented prices confirm nothing
            ({"source": "pushed:7"}, "open"),  # nor does what a tenant pushes
            ({"source": "replay:7"}, "open"),  # nor history
            ({"as_of": OPEN}, "open"),  # nor an old quote
        ],
    )
    def test_a_second_source_confirms_it(self, accepted: Decimal, changes: dict[str, Any], status: str) -> None:
        moment = OPEN + dt.timedelta(minutes=2)
        other: dict[str, Any] = {"source": "other", "last": Decimal("140.5"), "as_of": moment}
        quote = said(None, moment, **(other | changes))
        prices_judge(quotes=[quote], as_of=moment)
        told = judged("140", moment)
        assert PriceQuarantine.objects.get(source="wire").status == status
        assert told.refusal == (None if status == "confirmed" else "price_quarantined")

    @pytest.mark.parametrize(
        "actions,price,refusal",
        [
            ([Split(dt.date(2024, 3, 8), 2.0)], "51", None),
            ([Split(dt.date(2024, 3, 8), 2.0)], "100", "price_quarantined"),
            ([Dividend(dt.date(2024, 3, 8), 40.0)], "61", None),
            ([Split(dt.date(2024, 3, 8), 2.0), Dividend(dt.date(2024, 3, 8), 10.0)], "31", None),
            ([Split(dt.date(2024, 3, 7), 2.0)], "51", "price_quarantined"),
            ([], "51", "price_quarantined"),
        ],
    )
    def test_the_days_known_actions_are_taken_out_first(
        self, accepted: Decimal, actions: list[Split | Dividend], price: str, refusal: str | None
    ) -> None:
        make_actions(*actions)
        assert judged(price, OPEN + dt.timedelta(days=1)).refusal == refusal

    def test_it_moves_no_anchor_and_marks_no_cell_and_fills_are_booked_all_the_same(
        self, told_desk: Desk, told_cell: Cell, broker: StandInBroker
    ) -> None:
        tick(told_desk.portfolio, {"IBM": 104})
        orders_send(account_id=told_desk.account.pk)
        order = Order.objects.get()
        tick(told_desk.portfolio, {"IBM": 150}, OPEN + MINUTE)
        assert (fresh(told_cell).anchor, DailyMark.objects.get().close) == (100, 104)
        broker.fill(order.client_order_id, order.quantity, 104)
        broker.close(order.client_order_id)
        orders_send(account_id=told_desk.account.pk)
        assert (fresh(told_cell).shares, fresh(told_cell).anchor) == (50 - order.quantity, 104)
        tick(told_desk.portfolio, {"IBM": 150}, OPEN + 2 * MINUTE)
        evaluation = Evaluation.objects.latest("id")
        assert (evaluation.action, evaluation.reason) == ("SKIP", "price_quarantined")
        assert "it waits for an operator or a second source" in evaluation.sentence


@pytest.fixture
def person(desk: Desk) -> User:
    return User.objects.get(email="owner@north.example")


class TestStale:
    def test_a_crossed_quote_is_kept_and_not_traded_on(self, desk: Desk) -> None:
        judged("100", bid=Decimal("99.9"), ask=Decimal("100.1"), last_at=OPEN)
        told = judged("100", OPEN + MINUTE, bid=Decimal("100.2"), ask=Decimal("100.1"), last_at=OPEN)
        assert (told.refusal, told.price, told.spread_bps) == ("stale_price", 100, None)
        assert told.refusal_text == "the price 100.00 cannot be trusted: its bid of 100.2 is above its ask of 100.1"
        assert Quote.objects.get().bid == Decimal("100.2")

    @pytest.mark.parametrize(
        "changes,told",
        [
            ({"last": Decimal(-5)}, "its last is -5; expected a number above 0"),
            ({"last": Decimal("NaN")}, "its last is NaN"),
            ({"as_of": OPEN + dt.timedelta(minutes=11)}, "10 min ahead of our clock"),
            ({"as_of": (OPEN + MINUTE).replace(tzinfo=None)}, "has no time zone"),
        ],
    )
    def test_a_quote_that_cannot_be_true_leaves_the_last_accepted_price_stale(
        self, desk: Desk, changes: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        judged("100")
        price = judged("104", OPEN + MINUTE, **changes)
        assert (price.refusal, price.price, price.age_seconds) == ("stale_price", 100, 60)
        assert told in price.refusal_text
        assert told in caplog.text
        assert (Quote.objects.get().last, PriceTrack.objects.get().accepted) == (100, 100)

    def test_without_a_price_before_it_a_bad_quote_is_left_out(self, desk: Desk) -> None:
        bad = said("-5")
        assert prices_judge(quotes=[bad], as_of=OPEN) == {}
        assert not PriceTrack.objects.exists()

    def test_an_older_quote_changes_nothing(self, desk: Desk) -> None:
        judged("100", OPEN + MINUTE)
        prices_judge(quotes=[said("90", OPEN + MINUTE / 2)], as_of=OPEN + MINUTE)
        assert (Quote.objects.get().last, PriceTrack.objects.get().accepted) == (100, 100)


class TestKinds:
    def test_a_source_is_real_or_invented_for_good(self, desk: Desk) -> None:
        judged("100")
        with pytest.raises(Refused, match="wire would give both real and invented prices"):
            judged("101", OPEN + MINUTE, is_synthetic=True)
        assert (Quote.objects.get().last, PriceTrack.objects.get().accepted) == (100, 100)

    def test_invented_prices_never_reach_a_live_portfolio(self, desk: Desk) -> None:
        Portfolio.objects.filter(pk=desk.portfolio.pk).update(mode="live", feed="wire")
        quote = said("100", is_synthetic=True)
        with pytest.raises(Refused, match="is live and the feed 'wire' invents its prices"):
            tick_run(portfolio_id=desk.portfolio.pk, as_of=OPEN, quotes=[quote])
        assert not Tick.objects.exists()


class TestStatistics:
    def test_spread_and_age_are_kept_by_day(self, desk: Desk) -> None:
        for seconds, bid, ask, age in ((0, "99.9", "100.1", 1), (1, "99.8", "100.2", 3), (2, "100.1", "100", 2)):
            moment = OPEN + dt.timedelta(seconds=seconds)
            quote = said(None, moment - dt.timedelta(seconds=age), bid=Decimal(bid), ask=Decimal(ask))
            prices_judge(quotes=[quote], as_of=moment)
        row = QuoteStatistic.objects.get()
        assert (row.day, row.count, row.spread_count) == (OPEN.date(), 3, 2)
        assert row.spread_bps_mean == pytest.approx(30)
        assert row.spread_bps_max == pytest.approx(40)
        assert (row.age_seconds_mean, row.age_seconds_max) == (2, 3)

    def test_a_second_is_counted_once_whatever_the_number_of_portfolios(self, desk: Desk) -> None:
        for _ in range(3):
            judged("100")
        judged("100", OPEN + dt.timedelta(seconds=1))
        assert QuoteStatistic.objects.get().count == 2


class TestSpreadLimit:
    @pytest.mark.parametrize(
        "limit,sides,reason,told",
        [
            (None, ("99.8", "100.2"), "inside_band", "Held"),
            ("40", ("99.8", "100.2"), "inside_band", "Held"),
            ("39.99", ("99.8", "100.2"), "wide_spread", "the spread of 40.0 bps (bid 99.80, ask 100.20) is more than"),
            ("40", None, "wide_spread", "synthetic gives no bid and ask, and this cell trades up to 40"),
        ],
    )
    def test_a_cell_refuses_a_wider_spread(
        self, desk: Desk, cell: Cell, limit: str | None, sides: tuple[str, str] | None, reason: str, told: str
    ) -> None:
        Cell.objects.filter(pk=cell.pk).update(max_spread_bps=limit)
        bid, ask = (Decimal(sides[0]), Decimal(sides[1])) if sides else (None, None)
        quote = said("100", source="synthetic", is_synthetic=True, bid=bid, ask=ask, last_at=OPEN)
        tick_run(portfolio_id=desk.portfolio.pk, as_of=OPEN, quotes=[quote])
        evaluation = Evaluation.objects.get()
        assert evaluation.reason == reason
        assert told in evaluation.sentence


@pytest.mark.parametrize("count", [1, 30])
def test_judging_takes_the_same_statements_for_one_instrument_and_for_thirty(desk: Desk, count: int) -> None:
    names = [f"S{at:02}" for at in range(count)]
    held = [make_instrument(name) for name in names]
    for at in range(2):
        moment = OPEN + at * MINUTE
        quotes = [said("100", moment, instrument_id=one.pk) for one in held]
        with CaptureQueriesContext(connection) as captured:
            prices_judge(quotes=quotes, as_of=moment)
    asked = [query["sql"] for query in captured.captured_queries if "SAVEPOINT" not in query["sql"]]
    kinds = [sql.partition(" VALUES ")[0].partition(" WHERE ")[0] for sql in asked]
    assert len(dict.fromkeys(kinds)) == 8, "\n".join(kinds)
