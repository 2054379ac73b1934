"""A repeated task, a late one, one too many: every message twice, in any order, and the books stay the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import time_machine

from portfolios.models import Cell, LedgerEntry, Portfolio
from portfolios.selectors import reconcile
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import Desk, make_actions, make_desk, make_replay, make_series, open_cell, plan, quote
from trading import tasks
from trading.feeds import registry
from trading.feeds.base import PriceQuote
from trading.models import ActionApplication, DailyMark, Evaluation, Fill, Order, OrderTransition, PaperOrder, Tick
from trading.services.replay_runs import replay_run_steps
from trading.services.replays import replay_start
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Dividend, Split

NOW = dt.datetime(2024, 3, 7, 15, 30, tzinfo=dt.UTC)
TASKS = ("dispatch_due", "advance_replay", "tick_portfolio", "send_waiting", "send_orders")
Message = tuple[str, tuple[Any, ...]]


@dataclass(slots=True)
class Post:
    """Keeps messages instead of running them, and everything that was ever sent."""

    waiting: list[Message] = field(default_factory=list)
    sent: list[Message] = field(default_factory=list)

    def keep(self, name: str) -> Callable[..., None]:
        def apply_async(args: tuple[Any, ...] = (), kwargs: Any = None, **_: Any) -> None:
            self.waiting.append((name, tuple(args)))
            self.sent.append((name, tuple(args)))

        return apply_async


def run_task(message: Message) -> None:
    name, args = message
    getattr(tasks, name)(*args)


def deliver_once(post: Post) -> None:
    """Deliver each message once, oldest first."""
    while post.waiting:
        run_task(post.waiting.pop(0))


def deliver_again_and_again(post: Post) -> None:
    """Deliver the newest first and twice, and after each every message there ever was, and what the clock sends."""
    for _ in range(200):
        if not post.waiting:
            return
        message = post.waiting.pop()
        run_task(message)
        run_task(message)
        waiting = list(post.waiting)
        for old in [*dict.fromkeys(post.sent), ("dispatch_due", ()), ("send_waiting", ())]:
            run_task(old)
        # What the repetitions sent is sent again by the clock if it matters.
        post.waiting = waiting if waiting else post.waiting[:3]
    pytest.fail("the messages never end")


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    kept = Post()
    for name in TASKS:
        monkeypatch.setattr(getattr(tasks, name), "apply_async", kept.keep(name))
    return kept


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def books(portfolio: Portfolio) -> dict[str, list[tuple[Any, ...]]]:
    """Return what happened in a portfolio, without the ids that any two runs differ in."""
    own = {"cell__portfolio": portfolio}
    rows = {
        "ticks": Tick.objects.filter(portfolio=portfolio).order_by("as_of"),
        "evaluations": Evaluation.objects.filter(**own).order_by("as_of", "cell_id"),
        "orders": Order.objects.filter(**own).order_by("as_of", "cell_id"),
        "moves": OrderTransition.objects.filter(order__cell__portfolio=portfolio).order_by("order_id", "id"),
        "fills": Fill.objects.filter(order__cell__portfolio=portfolio).order_by("as_of", "order__cell_id"),
        "ledger": LedgerEntry.objects.filter(**own).order_by("as_of", "cell_id", "kind", "cash"),
        "actions": ActionApplication.objects.filter(**own).order_by("as_of", "action_id"),
        "marks": DailyMark.objects.filter(**own).order_by("day", "cell_id"),
        "cells": Cell.objects.filter(portfolio=portfolio).order_by("id"),
    }
    columns = {
        "ticks": ("as_of", "cell_count", "order_count", "value"),
        "evaluations": ("as_of", "price", "anchor", "cash", "shares", "action", "reason", "quantity"),
        "orders": ("as_of", "side", "quantity", "status", "filled_quantity", "notional", "commission"),
        "moves": ("before", "after"),
        "fills": ("as_of", "quantity", "price", "notional", "commission"),
        "ledger": ("as_of", "kind", "cash", "shares", "receivable"),
        "actions": ("as_of", "shares", "gross", "tax", "net", "paid_at"),
        "marks": ("day", "close", "value"),
        "cells": ("cash", "shares", "receivable", "anchor", "orders_today", "version"),
    }
    return {name: list(found.values_list(*columns[name])) for name, found in rows.items()}


@pytest.mark.parametrize("deliver", [deliver_once, deliver_again_and_again])
def test_a_replay_comes_to_the_same_whatever_is_repeated(
    desk: Desk, post: Post, clock: time_machine.Traveller, deliver: Callable[[Post], None]
) -> None:
    make_actions(Dividend(dt.date(2024, 3, 6), 0.5, dt.date(2024, 3, 8)), Split(dt.date(2024, 3, 8), 2.0))
    closes = [100, 104, 104, 99, 48, 51, 53]
    run = make_replay(desk.account, make_series(closes), plans=[plan(reinvest=True)])
    replay_start(run=run, origin=BY_TEST)
    for _ in closes:
        clock.shift(1)
        tasks.dispatch_due()
        deliver(post)
        # The sweeper and the dispatcher pick up whatever got lost.
        tasks.send_waiting()
        deliver(post)
        tasks.dispatch_due()
        deliver(post)
    run.refresh_from_db()
    told = books(run.portfolio)
    assert (run.status, len(told["ticks"]), len(told["evaluations"])) == ("finished", 7, 7)
    assert [(row[1], row[3]) for row in told["orders"]] == [
        ("SELL", "filled"), ("BUY", "filled"), ("BUY", "filled"), ("SELL", "filled"), ("SELL", "filled")
    ]  # fmt: skip
    assert told["moves"] == [("intent", "submitting"), ("submitting", "accepted"), ("accepted", "filled")] * 5
    assert len(told["fills"]) == PaperOrder.objects.count() == 5
    assert len(told["actions"]) == 2
    assert reconcile() == []
    calm = make_desk("calm")
    with tenant_scope(calm.tenant.pk):
        assert told == calm_books(calm, closes)


def calm_books(desk: Desk, closes: list[float]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the books of the same replay with nothing repeated, each step taken by hand."""
    run = make_replay(desk.account, make_series(closes), plans=[plan(reinvest=True)])
    replay_run_steps(run=run, steps=len(closes))
    return books(run.portfolio)


class Prices:
    """A feed whose price rises by four percent a minute."""

    name = source = "synthetic"
    is_synthetic = True
    is_two_sided = is_remote = is_delayed = False

    def quotes(self, instruments: list[Any], moment: dt.datetime) -> list[PriceQuote]:
        minutes = int((moment - NOW).total_seconds() // 60)
        return [quote(one, f"{100 * 1.04**minutes:.2f}", moment) for one in instruments]


@pytest.mark.parametrize("deliver", [deliver_once, deliver_again_and_again])
def test_the_present_is_ticked_once_each_time_it_is_due(
    desk: Desk,
    post: Post,
    clock: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
    deliver: Callable[[Post], None],
) -> None:
    monkeypatch.setitem(registry._factories, "synthetic", lambda portfolio: Prices())
    open_cell(desk.portfolio)
    Portfolio.objects.filter(pk=desk.portfolio.pk).update(next_tick_at=NOW)
    for _ in range(4):
        tasks.dispatch_due()
        # The messages are late: they are delivered when the clock has gone on a little.
        clock.shift(3)
        deliver(post)
        clock.shift(57)
    told = books(desk.portfolio)
    assert [(row[0] - NOW).total_seconds() for row in told["ticks"]] == [3, 63, 123, 183]
    assert [row[1] for row in told["orders"]] == ["SELL"] * 3
    assert {row[3] for row in told["orders"]} == {"filled"}
    assert PaperOrder.objects.count() == 3
    assert reconcile() == []


def test_two_dispatchers_claim_a_due_portfolio_once(desk: Desk, post: Post) -> None:
    make_instrument("IBM")
    Portfolio.objects.filter(pk=desk.portfolio.pk).update(next_tick_at=NOW)
    tasks.dispatch_due()
    tasks.dispatch_due()
    assert post.sent == [("tick_portfolio", (desk.tenant.pk, desk.portfolio.pk, NOW.isoformat()))]
    assert Portfolio.objects.get(pk=desk.portfolio.pk).next_tick_at == NOW + dt.timedelta(seconds=60)
