"""Six things that go wrong, from the operator's first page to the screen where a person acts, and until all is well."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from portfolios.models import Cell, Event, TradingRestriction
from portfolios.services import Origin
from portfolios.standings import place_of, trading_states
from tests.trading.builders import OPEN, Desk, fresh, open_cell, tick
from tests.trading.standin import StandInBroker
from tests.trading.test_console import asked, client_of, operate
from trading.feeds.asking import ask
from trading.models import Evaluation, HeldFill, Order, PriceQuarantine
from trading.services import feed_asking
from trading.services.fills import fill_book
from trading.services.limit_watch import limits_watch
from trading.services.limits import limit_set
from trading.services.orders import orders_send
from trading.services.portfolio_ticks import portfolio_tick

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


def first_page(client: Client) -> str:
    return client.get("/admin/").content.decode()


def dashboard(desk: Desk) -> str:
    page: str = client_of(desk, "trader").get("/").content.decode()
    return page.replace("\u00a0", " ").replace("&#x27;", "'")


def table(name: str) -> str:
    return reverse(f"admin:trading_{name}_changelist")


def test_a_portfolio_that_lost_too_much_is_halted_and_trades_again_once_a_person_resumes_it(
    desk: Desk, cell: Cell, clock: time_machine.Traveller
) -> None:
    agreed = Origin(task="desk", reason="agreed")
    limit_set(
        on=place_of(desk.portfolio), kind="daily_loss", threshold=Decimal("0.02"), action="halted", mode="on",
        origin=agreed,
    )  # fmt: skip
    tick(desk.portfolio, {"IBM": 100})
    tick(desk.portfolio, {"IBM": 95}, OPEN + MINUTE)
    Order.objects.all().delete()
    limits_watch(portfolio_id=desk.portfolio.pk)
    why = "a loss of 2.50% on 2024-03-07, from 10,000.00 to 9,750.00; the limit is 2.00%."
    operator = client_of(desk, "operator")
    page = first_page(operator)
    assert "Portfolio Core is halted" in page
    assert why in page
    trader = client_of(desk, "trader")
    assert why in trader.get(f"/cells/{cell.pk}/").content.decode()
    held = TradingRestriction.objects.get()
    follows = "Portfolio Core: 1 active cell is asked again from the next tick on"
    assert follows in asked(operator, "portfolios_tradingrestriction", "lift", held)
    assert follows in trader.get(f"/portfolios/{desk.portfolio.pk}/resume/").content.decode()
    assert operate(operator, "portfolios_tradingrestriction", "lift", held) == 200, "asks for a reason"
    assert operate(operator, "portfolios_tradingrestriction", "lift", held, reason="the news is understood") == 302
    assert "Halts in force: none" in first_page(operator)
    assert trading_states([fresh(cell)])[cell.pk].state == "active"
    tick(desk.portfolio, {"IBM": 95}, OPEN + 2 * MINUTE)
    assert Order.objects.get().side == "BUY"
    assert limits_watch(portfolio_id=desk.portfolio.pk) == [], "measured from here on"
    assert Event.objects.get(kind="portfolio.resumed").reason == "the news is understood"


def test_an_order_whose_answer_was_lost_waits_as_unknown_until_the_broker_is_asked(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    tick(told_desk.portfolio, {"IBM": 104})
    broker.silent_after_accepting = True
    orders_send(account_id=told_desk.account.pk)
    broker.silent_after_accepting = False
    operator, order = client_of(told_desk, "operator"), Order.objects.get()
    assert "1 order is stuck or unknown" in first_page(operator)
    assert f'href="{table("stuckorder")}"' in first_page(operator)
    page = dashboard(told_desk)
    assert "1 thing needs attention" in page
    assert "IBM: order to sell 6.287107: unknown. The line went dead" in page
    broker.fill(order.client_order_id, order.quantity, 104)
    assert operate(operator, "trading_stuckorder", "ask", order) == 302
    order.refresh_from_db()
    assert (order.status, len(broker.requests)) == ("filled", 1), "asked for, never sent a second time"
    assert "Waits for a person: nothing" in first_page(operator)


def test_a_feed_that_falls_silent_is_told_and_its_cells_wait_until_it_speaks_again(
    desk: Desk, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_cell(desk.portfolio, parameters={"trigger_up": 0.9, "trigger_down": 0.9, "auto_rebalance": False})
    portfolio_tick(portfolio=desk.portfolio)
    monkeypatch.setattr(feed_asking, "ask", lambda *_: [])
    for minutes in (1, 2):
        clock.move_to(OPEN + minutes * MINUTE)
        portfolio_tick(portfolio=desk.portfolio)
    assert Evaluation.objects.latest("id").reason == "stale_price"
    platform = client_of(desk, "platform")
    assert "1 feed is silent" in first_page(platform)
    assert "silent for" in platform.get(table("feedstatus")).content.decode()
    assert "The feed synthetic has given nothing new for" in dashboard(desk)
    assert Event.objects.filter(kind="feed.silent").count() <= 1
    monkeypatch.setattr(feed_asking, "ask", ask)
    clock.move_to(OPEN + 3 * MINUTE)
    portfolio_tick(portfolio=desk.portfolio)
    assert Evaluation.objects.latest("id").reason != "stale_price"
    assert "Waits for a person: nothing" in first_page(platform)


def test_a_price_that_jumped_is_quarantined_and_nothing_trades_on_it_until_a_person_accepts_it(
    desk: Desk, cell: Cell
) -> None:
    tick(desk.portfolio, {"IBM": 100})
    tick(desk.portfolio, {"IBM": 140}, OPEN + MINUTE)
    assert (Evaluation.objects.latest("id").reason, Order.objects.count()) == ("price_quarantined", 0)
    platform = client_of(desk, "platform")
    assert "1 price is quarantined" in first_page(platform)
    assert "140.00 is 40.00 % from the last accepted price 100.00" in dashboard(desk)
    row = PriceQuarantine.objects.get()
    waiting = client_of(desk, "operator").get(f"{table('pricequarantine')}{row.pk}/change/").content.decode()
    assert "Whoever runs this installation decides here" in waiting, "a control that is not there is explained"
    assert operate(platform, "trading_pricequarantine", "accept", row) == 200, "asks for a reason"
    assert operate(platform, "trading_pricequarantine", "accept", row, reason="a takeover was announced") == 302
    tick(desk.portfolio, {"IBM": 140}, OPEN + 2 * MINUTE)
    assert Order.objects.get().side == "SELL"
    assert "Waits for a person: nothing" in first_page(platform)


def test_a_fill_that_nobody_ordered_waits_for_a_person_who_adopts_it_into_a_cell(
    told_desk: Desk, told_cell: Cell, broker: StandInBroker
) -> None:
    fill_book(account=told_desk.account, report=broker.fill("theirs", 4, 90, symbol="IBM", side="BUY"))
    operator, held = client_of(told_desk, "operator"), HeldFill.objects.get()
    assert "1 fill belongs to no order of ours" in first_page(operator)
    assert "1 fill without an order of ours. Adopt or ignore." in dashboard(told_desk)
    assert fresh(told_cell).shares == 50, "held, not booked"
    typed = {"cell": told_cell.pk, "reason": "bought by phone"}
    assert operate(operator, "trading_heldfill", "adopt", held, **typed) == 302
    assert (fresh(told_cell).shares, fresh(told_cell).cash) == (54, Decimal("4639.96"))
    assert "Waits for a person: nothing" in first_page(operator)


def test_a_broker_that_refuses_again_and_again_halts_the_cell_until_a_person_resumes_it(
    told_desk: Desk, broker: StandInBroker, clock: time_machine.Traveller
) -> None:
    open_cell(told_desk.portfolio, parameters={"max_orders_per_day": 10})
    broker.refuses, moment = "no such luck", OPEN
    for _ in range(5):
        clock.move_to(moment)
        tick(told_desk.portfolio, {"IBM": 104}, moment)
        orders_send(account_id=told_desk.account.pk)
        limits_watch(portfolio_id=told_desk.portfolio.pk)
        moment += 10 * MINUTE
    operator = client_of(told_desk, "operator")
    why = "The broker refused 5 orders in a row of IBM: no such luck"
    assert why in first_page(operator)
    assert why in dashboard(told_desk)
    clock.move_to(moment)
    tick(told_desk.portfolio, {"IBM": 104}, moment)
    assert (Evaluation.objects.latest("id").reason, Order.objects.count()) == ("halted", 5)
    broker.refuses = ""
    held = TradingRestriction.objects.get()
    assert operate(operator, "portfolios_tradingrestriction", "lift", held, reason="mended, they say") == 302
    moment += 10 * MINUTE
    clock.move_to(moment)
    tick(told_desk.portfolio, {"IBM": 104}, moment)
    orders_send(account_id=told_desk.account.pk)
    newest = Order.objects.order_by("id").last()
    assert newest is not None
    assert (Evaluation.objects.latest("id").reason, newest.status) == ("trigger_up", "accepted")
    assert limits_watch(portfolio_id=told_desk.portfolio.pk) == [], "the same run trips once"
