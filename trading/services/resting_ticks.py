"""What a tick makes of cells that rest orders: what rests, the stop, and the question near the close (strategy 12)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from portfolios.commission import CommissionTerms
from portfolios.models import Cell
from trading.marketdata.calendars import exchange_calendar
from trading.services.exposure import exposure_decision
from trading.services.gates import Gate, GateFacts
from trading.services.pricing import MarketPrice
from trading.services.resting_rule import CellRests, open_rests, rests_wanted
from trading.services.restrictions import reducing_decision
from volbal.common import numbers
from volbal.strategy import Decision, Rest, decide, gate_decision, rest_decision
from volbal.strategy import indices as at
from volbal.strategy.codes import Action, Reason
from volbal.strategy.numeric import FloatArray
from volbal.strategy.rule import is_stopped

# The question about the guardrails is asked at the first look within so long of the close, or three intervals.
CLOSE_WINDOW = dt.timedelta(minutes=5)
INTERVALS_BEFORE_CLOSE = 3
# With these nothing may lie at the broker; with any other gate what lies there stays and nothing is laid anew.
CLEARING = frozenset({Reason.HALTED, Reason.CORPORATE_ACTION_PENDING, Reason.ORDER_IN_FLIGHT, Reason.PRICE_QUARANTINED})
SENTENCE_LENGTH = 400
TRADES = (Action.BUY, Action.SELL)


@dataclass(slots=True)
class RestingLook:
    """What a tick decided for cells that rest orders, by cell id: answers, rests, and who asked at a close."""

    answers: dict[int, Decision] = field(default_factory=dict)
    rests: dict[int, CellRests] = field(default_factory=dict)
    asked_on: dict[int, dt.date] = field(default_factory=dict)


def resting_look(
    cells: Sequence[Cell],
    days: Mapping[int, dt.date],
    prices: Mapping[int, MarketPrice],
    read: tuple[FloatArray, FloatArray],
    gates: Sequence[Gate | None],
    terms: Mapping[int, CommissionTerms],
    facts: GateFacts,
) -> RestingLook:
    """Decide for the cells that rest orders; one query for all of them, none where there are none.

    `read` are the rows of all cells and their parameters as the rule reads them. An evaluation of theirs is a HOLD
    that says what rests, but for an order of the protective stop or of the question near the close. Live such an order
    waits until nothing rests any more; in a replay the market stands still meanwhile, and it goes out at once.
    """
    look = RestingLook()
    places = [index for index, cell in enumerate(cells) if cell.execution == Cell.Execution.RESTING]
    if not places:
        return look
    chosen, (rows, parameters) = [cells[index] for index in places], read
    held = open_rests(chosen)
    wanted = rests_wanted(
        chosen, (rows[np.array(places)], parameters[np.array(places)]), terms, held, facts.standings, facts.rooms
    )
    for index, cell, sides in zip(places, chosen, wanted, strict=True):
        own = {side: order for (cell_id, side), order in held.items() if cell_id == cell.pk}
        rests = CellRests(cell, facts.standings[cell.pk], terms[cell.pk], sides, own)
        one = _CellLook(cell, rests, rows[index], parameters[index], prices[cell.instrument_id], facts)
        look.answers[cell.pk], look.rests[cell.pk] = one.look(gates[index], days[cell.pk])
        if one.has_asked:
            look.asked_on[cell.pk] = days[cell.pk]
    return look


def asked_at_close_keep(asked_on: Mapping[int, dt.date]) -> None:
    """Note for whom the question near the close of a day was asked; cells are held locked."""
    for day in set(asked_on.values()):
        ids = [cell_id for cell_id, asked in asked_on.items() if asked == day]
        Cell.objects.filter(pk__in=ids).update(close_asked_on=day)


@dataclass(slots=True)
class _CellLook:
    cell: Cell
    rests: CellRests
    row: FloatArray
    parameters: FloatArray
    price: MarketPrice
    facts: GateFacts
    has_asked: bool = False

    def look(self, gate: Gate | None, day: dt.date) -> tuple[Decision, CellRests]:
        if gate is not None and gate.reason != Reason.WIDE_SPREAD:
            return self._gated(gate)
        order = self._order(day)
        if order is None or order.action not in TRADES:
            return self._held(rests=self.rests.wanted), self.rests
        clears = self._with(clears=True)
        if self.facts.is_replay or not self.rests.held:
            return order, clears
        return self._held(sentence=f"What rests is cancelled first. {order.sentence}"[:SENTENCE_LENGTH]), clears

    def _gated(self, gate: Gate) -> tuple[Decision, CellRests]:
        told = gate_decision(gate.reason, self._price, self.row, self.parameters, because=gate.because)
        clears = gate.reason in CLEARING and not self._waits_for_account(gate)
        what = "Nothing rests" if clears or not self.rests.held else "What rests stays, nothing is laid anew"
        sentence = told.sentence.replace("Not asked", what, 1)[:SENTENCE_LENGTH]
        rests = self._with(clears=True) if clears else self._with(lays=False)
        return self._held(reason=gate.reason, sentence=sentence), rests

    def _waits_for_account(self, gate: Gate) -> bool:
        """Whether it is halted only while books and broker are compared: what rests is part of what is compared."""
        halted = self.facts.standings[self.cell.pk].is_halted or self.row[: at.ANCHOR].min() < 0.0
        return gate.reason == Reason.HALTED and not halted and self.facts.account_is_blocked

    def _order(self, day: dt.date) -> Decision | None:
        """Return the rule's answer without a signal, where the stop strikes or the close is near; else None."""
        asks = self.facts.is_replay or (self.cell.close_asked_on != day and self._close_is_near())
        if not asks and not is_stopped(self._price, self.row, self.parameters):
            return None
        answer = decide(self._price, self.row, self.parameters, signal=0)
        if self.facts.standings[self.cell.pk].is_reducing:
            low, high = float(self.parameters[at.MIN_STOCK]), float(self.parameters[at.MAX_STOCK])
            answer = reducing_decision(answer, min_stock=low, max_stock=high)
        if answer.action in TRADES and not (self.rests.held and not self.facts.is_replay):
            answer = exposure_decision(answer, self.facts.rooms.get(self.cell.pk, ()))
        # Asked once a day: with an order it is asked again until nothing rests and it goes out.
        waits = answer.action in TRADES and bool(self.rests.held)
        self.has_asked = asks and not self.facts.is_replay and not waits
        return answer

    def _close_is_near(self) -> bool:
        calendar = exchange_calendar(self.cell.instrument.exchange)
        session = calendar.session(calendar.day_of(self.facts.as_of))
        if session is None:
            return False
        interval = dt.timedelta(seconds=self.facts.portfolio.tick_interval_seconds)
        window = max(CLOSE_WINDOW, INTERVALS_BEFORE_CLOSE * interval)
        return session.close - window <= self.facts.as_of < session.close

    def _with(self, *, clears: bool = False, lays: bool = True) -> CellRests:
        one = self.rests
        return CellRests(one.cell, one.standing, one.terms, one.wanted, one.held, clears=clears, lays=lays)

    def _held(self, *, rests: Sequence[Rest] = (), reason: Reason | None = None, sentence: str = "") -> Decision:
        return rest_decision(self._price, self.row, self.parameters, rests=rests, reason=reason, sentence=sentence)

    @property
    def _price(self) -> float:
        return numbers.to_float(self.price.price)
