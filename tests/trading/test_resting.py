"""Orders that rest at their triggers, live: laid, filled, sized anew, cancelled, and never two of one side."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from portfolios.models import Event
from portfolios.services import cell_deposit, cell_pause, cell_set_anchor, cell_set_execution, cell_start
from portfolios.services.cells import cell_halt
from portfolios.services.origin import Origin
from portfolios.services.parameters import parameters_change
from portfolios.services.restrictions import restriction_place
from portfolios.standings import place_of
from tests.portfolios.builders import BY_TEST
from tests.trading.builders import OPEN, Desk, by_owner, fresh, open_cell, tick
from tests.trading.resting import BUY, SELL, look, resting, rests
from trading.models import Evaluation, Order
from trading.services.order_placing import OrderTerms, order_place
from trading.services.orders import orders_send
from volbal.common.errors import Conflict, Refused

pytestmark = pytest.mark.django_db


def cancelled_because() -> set[str]:
    """Return why orders were cancelled, once all of them are."""
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
    return set(Order.objects.values_list("status_detail", flat=True))


def test_both_triggers_rest_each_sized_at_its_own_price(desk: Desk) -> None:
    cell = resting(desk)
    said = look(desk, "100", 0)
    assert (said.action, said.reason) == ("HOLD", "inside_band")
    assert said.sentence == "Orders rest: sell 4.783769 shares at 103.00; buy 5.234454 shares at 97.00."
    assert rests() == [SELL, BUY]
    assert set(Order.objects.values_list("type", "time_in_force")) == {("limit", "day")}
    assert Order.objects.first().expires_at == dt.datetime(2024, 3, 7, 21, tzinfo=dt.UTC)
    # Nothing is counted before it fills, and nothing moves while nothing changes.
    look(desk, "101", 1)
    assert (rests(), fresh(cell).orders_today, Order.objects.count()) == ([SELL, BUY], 0, 2)


def test_a_fill_moves_the_anchor_and_both_are_laid_anew(desk: Desk) -> None:
    cell = resting(desk)
    look(desk, "100", 0)
    look(desk, "103", 1)
    held = fresh(cell)
    assert (held.anchor, held.orders_today, held.sold_since_anchor) == (103, 1, 0)
    assert Order.objects.get(status="filled").mean_price == 103
    look(desk, "103", 2)  # the other side is cancelled
    assert [side for side, *_ in rests()] == ["SELL"]
    look(desk, "103", 3)
    assert [(side, limit) for side, limit, _ in rests()] == [
        ("SELL", Decimal("106.090000")),
        ("BUY", Decimal("99.910000")),
    ]


def test_the_day_of_a_count_is_that_of_its_first_fill_and_the_cap_holds(desk: Desk) -> None:
    cell = resting(desk, parameters={"max_orders_per_day": 1})
    look(desk, "100", 0)
    look(desk, "103", 1)
    said = look(desk, "103", 2)
    assert said.sentence == (
        "Held: no sell rests at 106.09 because today's orders are used up; "
        "no buy rests at 99.91 because today's orders are used up."
    )
    assert (fresh(cell).orders_today, rests()) == (1, [])


def test_the_next_day_lays_what_expired_anew(desk: Desk) -> None:
    cell = resting(desk)
    look(desk, "100", 0)
    look(desk, "103", 1)
    look(desk, "103", 2)
    look(desk, "103", 3)
    evening = look(desk, "104", 6 * 60)
    assert (evening.reason, rests()) == ("market_closed", [])
    assert set(Order.objects.exclude(status="filled").values_list("status", flat=True)) == {"cancelled", "expired"}
    assert evening.sentence.startswith(("Nothing rests: the market is closed", "What rests stays"))
    look(desk, "104", 24 * 60)
    assert [side for side, *_ in rests()] == ["SELL", "BUY"]
    assert fresh(cell).orders_today == 1  # of yesterday: it counts no more
    assert Evaluation.objects.order_by("id").last().orders_today == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: cell_deposit(cell=cell, cash=Decimal(1_000), as_of=OPEN, origin=BY_TEST),
        lambda cell: cell_set_anchor(cell=cell, anchor=Decimal(101), as_of=OPEN, origin=BY_TEST),
        lambda cell: parameters_change(cell=cell, values={"trigger_up": 0.05, "trigger_down": 0.05}, origin=BY_TEST),
        lambda cell: parameters_change(cell=cell, values={"rebalance_ratio": 1.0}, origin=BY_TEST),
    ],
    ids=["deposit", "anchor", "triggers", "ratio"],
)
def test_what_changes_a_cell_lays_both_anew(desk: Desk, change: Any) -> None:
    cell = resting(desk)
    look(desk, "100", 0)
    change(fresh(cell))
    look(desk, "100", 1)
    assert rests() == []
    look(desk, "100", 2)
    assert len(rests()) == 2
    assert not {SELL, BUY} & set(rests())
    assert set(Order.objects.filter(status="cancelled").values_list("status_detail", flat=True)) != {""}


class TestWhatTakesRestsBack:
    @pytest.mark.parametrize("cancels", [True, False])
    def test_a_halt_cancels_them_without_a_tick(self, desk: Desk, cancels: bool) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        cell_halt(cell=fresh(cell), origin=Origin(task="test", reason="looks wrong"), cancels_orders=cancels)
        with time_machine.travel(OPEN, tick=False):
            orders_send(account_id=desk.account.pk)
        assert set(Order.objects.values_list("status", flat=True)) == {"cancelled"}
        said = look(desk, "103", 1)
        assert (said.action, said.reason) == ("HOLD", "halted")
        assert said.sentence == "Nothing rests: trading is halted here until a person resumes it."
        assert Order.objects.count() == 2

    def test_a_pause_cancels_them_and_a_start_lays_them_again(self, desk: Desk) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        cell_pause(cell=fresh(cell), origin=BY_TEST)
        with time_machine.travel(OPEN, tick=False):
            orders_send(account_id=desk.account.pk)
        assert cancelled_because() == {"the cell is paused"}
        cell_start(cell=fresh(cell), origin=BY_TEST)
        look(desk, "100", 1)
        assert rests() == [SELL, BUY]

    def test_switching_back_cancels_them_before_the_rule_is_asked_again(self, desk: Desk) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        cell_set_execution(cell=fresh(cell), execution="watch", origin=BY_TEST)
        assert look(desk, "102", 1).reason == "order_in_flight"
        assert cancelled_because() == {"the cell watches its price"}
        assert look(desk, "104", 2).action == "SELL"
        assert fresh(cell).orders_today == 1

    def test_only_reducing_leaves_the_sell(self, desk: Desk) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        restriction_place(on=place_of(fresh(cell)), state="reducing", origin=by_owner(desk), cancels_orders=True)
        said = look(desk, "100", 1)
        look(desk, "100", 2)
        assert rests() == [SELL]
        assert "no buy rests at 97.00 because only sells that do not lead away" in said.sentence

    def test_a_quarantined_price_cancels_them_and_a_stale_one_does_not(self, desk: Desk) -> None:
        resting(desk)
        look(desk, "100", 0)
        moment = OPEN + dt.timedelta(minutes=1)
        with time_machine.travel(moment, tick=False):
            tick(desk.portfolio, {"IBM": "100"}, moment, quoted_at=OPEN + dt.timedelta(seconds=1))
            orders_send(account_id=desk.account.pk)
        stale = Evaluation.objects.order_by("id").last()
        assert (stale.action, stale.reason, rests()) == ("HOLD", "stale_price", [SELL, BUY])
        assert stale.sentence.startswith("What rests stays, nothing is laid anew: ")
        moment += dt.timedelta(minutes=1)
        with time_machine.travel(moment, tick=False):
            tick(desk.portfolio, {"IBM": "50"}, moment)
        doubted = Evaluation.objects.order_by("id").last()
        assert doubted.reason == "price_quarantined"
        assert set(Order.objects.values_list("status", flat=True)) == {"cancelling"}

    def test_a_person_s_order_goes_first_and_counts_once_it_fills(self, desk: Desk) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        with time_machine.travel(OPEN + dt.timedelta(seconds=30), tick=False):
            terms = OrderTerms("BUY", Decimal(1), "limit", limit_price=Decimal(98))
            order_place(cell=fresh(cell), terms=terms, origin=by_owner(desk))
        said = look(desk, "100", 1)
        assert (said.reason, rests(), fresh(cell).orders_today) == ("order_in_flight", [], 0)
        look(desk, "98", 2)
        assert (fresh(cell).orders_today, fresh(cell).anchor) == (1, 98)
        look(desk, "98", 3)
        assert [limit for _, limit, _ in rests()] == [Decimal("100.940000"), Decimal("95.060000")]

    def test_a_level_below_a_cent_has_no_order(self, desk: Desk) -> None:
        resting(desk, price=Decimal("0.01"), anchor=Decimal("0.01"), shares=Decimal(900_000), cash=Decimal(9_000))
        said = look(desk, "0.01", 0)
        assert [side for side, *_ in rests()] == ["SELL"]
        assert said.sentence.endswith("no buy rests because it would rest below one cent.")


class TestTheClose:
    # 90 of 100 parts are stock: over the guardrail of 75 % by more than its tolerance, and inside the band.
    HEAVY: dict[str, Any] = {"cash": Decimal(1_000), "shares": Decimal(90)}
    NEAR = 5 * 60 + 26  # minutes after 10:30 in New York

    def test_the_guardrails_are_asked_about_once_near_it(self, desk: Desk) -> None:
        cell = resting(desk, **self.HEAVY)
        look(desk, "100", 0)
        held = rests()
        assert look(desk, "100", self.NEAR - 30).action == "HOLD"
        assert rests() == held
        first = look(desk, "100", self.NEAR)
        assert (first.action, rests()) == ("HOLD", [])
        assert first.sentence.startswith("What rests is cancelled first. Rebalances toward the 75.00 % guardrail")
        assert fresh(cell).close_asked_on is None
        second = look(desk, "100.2", self.NEAR + 1)
        assert (second.action, second.reason) == ("SELL", "guardrail_rebalance")
        sold = Order.objects.get(purpose="rule")
        assert (sold.status, sold.type, fresh(cell).anchor) == ("filled", "market", Decimal("100.200000"))
        assert (fresh(cell).orders_today, fresh(cell).close_asked_on) == (1, OPEN.date())
        look(desk, "100.2", self.NEAR + 2)
        assert [side for side, *_ in rests()] == ["SELL"]  # at its guardrail it buys no more
        look(desk, "100.2", self.NEAR + 3)
        assert Order.objects.filter(purpose="rule").count() == 1

    def test_an_answer_without_an_order_disturbs_nothing(self, desk: Desk) -> None:
        cell = resting(desk)
        look(desk, "100", 0)
        look(desk, "100", self.NEAR)
        assert (rests(), fresh(cell).close_asked_on) == ([SELL, BUY], OPEN.date())

    def test_the_stop_sells_once_nothing_rests(self, desk: Desk) -> None:
        cell = resting(desk, parameters={"stop_loss": 0.1, "trigger_down": 0.2})
        look(desk, "100", 0)
        first = look(desk, "89", 1)
        assert (first.action, rests()) == ("HOLD", [])
        assert first.sentence.startswith("What rests is cancelled first. Protective stop: 89.00")
        second = look(desk, "89", 2)
        assert (second.action, second.reason) == ("SELL", "stop_loss")
        assert (fresh(cell).shares, look(desk, "89", 3).reason) == (0, "halted")


def test_the_database_refuses_a_second_of_one_side(desk: Desk) -> None:
    resting(desk)
    look(desk, "100", 0)
    second = Order.objects.get(side="SELL")
    second.pk, second.client_order_id = None, "vb-second"
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save(force_insert=True)


class TestChoosing:
    def test_the_choice_is_kept_with_its_event(self, desk: Desk) -> None:
        cell = open_cell(desk.portfolio)
        cell_set_execution(cell=cell, execution="resting", origin=by_owner(desk, "small moves"), expected_version=2)
        event = Event.objects.get(kind="cell.execution_set")
        assert (event.before["execution"], event.after["execution"], event.reason) == (
            "watch",
            "resting",
            "small moves",
        )
        with pytest.raises(Conflict):
            cell_set_execution(cell=cell, execution="watch", origin=BY_TEST, expected_version=1)

    def test_slices_and_rests_exclude_each_other_either_way(self, desk: Desk) -> None:
        sliced = open_cell(desk.portfolio, parameters={"slice_notional": 500.0})
        with pytest.raises(Refused, match=r"slice_notional is 500\.00; expected none"):
            cell_set_execution(cell=sliced, execution="resting", origin=BY_TEST)
        lying = open_cell(desk.portfolio, "AAPL", execution="resting")
        with pytest.raises(Refused, match=r"slice_notional is 500\.00; expected none"):
            parameters_change(cell=lying, values={"slice_notional": 500.0}, origin=BY_TEST)
        with pytest.raises(Refused, match=r"slice_notional is 500\.00; expected none"):
            open_cell(desk.portfolio, "KO", execution="resting", parameters={"slice_notional": 500.0})

    @pytest.mark.parametrize("word", ["", "floating", "RESTING"])
    def test_what_is_no_way_to_trade_is_refused(self, desk: Desk, word: str) -> None:
        with pytest.raises(Refused, match="expected one of watch, resting"):
            cell_set_execution(cell=open_cell(desk.portfolio), execution=word, origin=BY_TEST)
