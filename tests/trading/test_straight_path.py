"""A price crosses a trigger: the whole way from bar to ledger, on hand-made bars with what is expected beside them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
import time_machine

from portfolios.models import Cell, Event, LedgerEntry
from portfolios.selectors import reconcile
from portfolios.services import Origin
from tests.trading.builders import SESSIONS, Desk, make_replay, make_series
from trading.models import DailyMark, Evaluation, Fill, Order, PaperOrder, ReplayRun, Tick
from trading.services.replays import replay_start
from trading.tasks import dispatch_due

# 10,000.00, half in shares at the first close; triggers 3 %, commission a ten-thousandth. Worked out by hand from
# strategy 3 to 7: quantity = |100/P − 1| · 1.6667 · V / P, rounded down to 1e-6.
TABLE = """
close   action reason        quantity  fill_notional commission cash     shares     anchor  mark
100     HOLD   inside_band   -         -             -          5000.00  50         100     10000.00
101     HOLD   inside_band   -         -             -          5000.00  50         100     10050.00
104     SELL   trigger_up    6.287107  653.86        0.07       5653.79  43.712893  104     10199.93
104     HOLD   inside_band   -         -             -          5653.79  43.712893  104     10199.93
100     BUY    trigger_down  6.683519  668.35        0.07       4985.37  50.396412  100     10025.01
100.5   HOLD   inside_band   -         -             -          4985.37  50.396412  100     10050.21
96.9    BUY    trigger_down  5.430441  526.21        0.05       4459.11  55.826853  96.9    9868.73
"""


def rows() -> list[dict[str, str]]:
    header, *lines = TABLE.strip().splitlines()
    return [dict(zip(header.split(), line.split(), strict=True)) for line in lines]


ROWS = rows()


def number(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


@pytest.fixture
def run(desk: Desk) -> ReplayRun:
    """All bars of the table, one a second, by what the scheduler runs each second."""
    made = make_replay(desk.account, make_series([float(row["close"]) for row in ROWS]))
    with time_machine.travel(dt.datetime(2026, 1, 5, tzinfo=dt.UTC), tick=False) as clock:
        replay_start(run=made, origin=Origin(task="test"))
        for _ in ROWS:
            clock.shift(1)
            dispatch_due()
    made.refresh_from_db()
    return made


@pytest.fixture
def cell(run: ReplayRun) -> Cell:
    return Cell.objects.get(portfolio=run.portfolio)


def test_every_bar_is_evaluated_with_its_numbers(run: ReplayRun, cell: Cell) -> None:
    evaluations = list(Evaluation.objects.order_by("as_of"))
    anchors = [Decimal(100), *(Decimal(row["anchor"]) for row in ROWS[:-1])]
    for row, one, anchor, day in zip(ROWS, evaluations, anchors, SESSIONS, strict=False):
        assert (str(one.price.normalize()), one.action, one.reason) == (
            str(Decimal(row["close"]).normalize()),
            row["action"],
            row["reason"],
        )
        assert one.anchor == anchor
        assert (one.as_of.date(), one.source, one.is_synthetic) == (day, run.source, False)
        assert abs(one.quantity) == float(row["quantity"] if row["quantity"] != "-" else 0)
        assert (one.parameters.number, one.trigger_up, one.trigger_down) == (1, 0.03, 0.03)
    assert len(evaluations) == len(ROWS) == Tick.objects.count() == run.position
    assert run.status == ReplayRun.Status.FINISHED


def test_each_decision_carries_its_sentence(run: ReplayRun) -> None:
    sale = Evaluation.objects.get(action="SELL")
    assert sale.sentence.startswith("104.00 is 4.00 % over the anchor 100.00: sells 6.287107 shares at about 104.00")
    assert all(one.sentence.endswith(".") for one in Evaluation.objects.all())


def test_each_signal_is_one_order_one_fill_and_its_ledger_entries(run: ReplayRun, cell: Cell) -> None:
    traded = [row for row in ROWS if row["action"] in ("BUY", "SELL")]
    for row, order in zip(traded, Order.objects.order_by("id"), strict=True):
        assert (order.side, order.reason, order.status) == (row["action"], row["reason"], "filled")
        assert (order.quantity, order.filled_quantity) == (Decimal(row["quantity"]),) * 2
        assert (order.notional, order.commission) == (Decimal(row["fill_notional"]), Decimal(row["commission"]))
        assert order.limit_price == (Decimal(row["close"]) if row["action"] == "BUY" else None)
        moves = [(one.before, one.after) for one in order.transitions.all()]
        assert moves == [("intent", "submitting"), ("submitting", "accepted"), ("accepted", "filled")]
        fill = Fill.objects.get(order=order)
        assert (fill.quantity, fill.price) == (order.quantity, Decimal(row["close"]))
        sign = 1 if row["action"] == "BUY" else -1
        booked = [
            (one.kind, one.cash, one.shares)
            for one in LedgerEntry.objects.filter(key__startswith=f"fill:{fill.pk}").order_by("id")
            if one.key in (f"fill:{fill.pk}", f"fill:{fill.pk}:commission")
        ]
        assert booked == [
            (row["action"].lower(), -sign * fill.notional, sign * fill.quantity),
            ("commission", -fill.commission, 0),
        ]
    assert PaperOrder.objects.count() == len(traded)


def test_the_books_end_where_the_table_does(run: ReplayRun, cell: Cell) -> None:
    last = ROWS[-1]
    assert (cell.cash, cell.shares, cell.anchor) == tuple(number(last[name]) for name in ("cash", "shares", "anchor"))
    assert (cell.orders_today, cell.orders_day) == (1, SESSIONS[6])
    assert cell.anchor_set_at == run.as_of
    assert reconcile() == []


def test_each_day_is_marked_after_its_orders(run: ReplayRun, cell: Cell) -> None:
    marks = list(DailyMark.objects.filter(cell=cell).order_by("day").values_list("day", "close", "value"))
    assert marks == [
        (day, Decimal(row["close"]), Decimal(row["mark"])) for day, row in zip(SESSIONS, ROWS, strict=False)
    ]


def test_every_change_left_its_event(run: ReplayRun, cell: Cell) -> None:
    filled = list(Event.objects.filter(kind="cell.filled").order_by("id"))
    assert [event.after["anchor"] for event in filled] == ["104.000000", "100.000000", "96.900000"]
    assert [event.before["anchor"] for event in filled] == ["100.000000", "104.000000", "100.000000"]
    assert {event.subject for event in filled} == {f"cell:{cell.pk}"}
    assert {event.task for event in filled} == {"fill"}
    kinds = list(Event.objects.exclude(kind="cell.filled").order_by("id").values_list("kind", flat=True))
    told = ["portfolio.created", "replay.created", "replay.started", "cell.opened", "cell.started", "replay.finished"]
    assert kinds[-6:] == told
