"""Each verb leaves exactly its own event, with what changed and who did it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from portfolios import services
from portfolios.models import Cell, Event, LedgerEntry
from portfolios.services import Movement, Origin
from portfolios.services.events import plain
from portfolios.standings import place_of
from tests.portfolios.builders import AS_OF, Firm, make_cell, make_instrument
from volbal.common.middleware import current_request_id

WHO = Origin(actor_id=None, task="night-shift", reason="for the record")
WHEN = {"as_of": AS_OF, "origin": WHO}
ONE = Decimal(1)

Verb = Callable[[Firm, Cell], object]


def _started(cell: Cell) -> Cell:
    return services.cell_start(cell=cell, origin=Origin(task="before"))


def _deposit_of(cell: Cell) -> LedgerEntry:
    services.cell_deposit(cell=cell, cash=ONE, as_of=AS_OF, origin=Origin(task="before"))
    return LedgerEntry.objects.filter(cell=cell, kind="deposit").latest("id")


VERBS: dict[str, tuple[Verb, list[str]]] = {
    "account_create": (
        lambda firm, _: services.account_create(tenant=firm.tenant, name="B", broker="paper", origin=WHO),
        ["account.created"],
    ),
    "account_deposit": (
        lambda firm, _: services.account_deposit(account=firm.account, amount=ONE, **WHEN),
        ["account.deposited"],
    ),
    "account_withdraw": (
        lambda firm, _: services.account_withdraw(account=firm.account, amount=ONE, **WHEN),
        ["account.withdrawn"],
    ),
    "portfolio_create": (
        lambda firm, _: services.portfolio_create(account=firm.account, name="B", mode="paper", origin=WHO),
        ["portfolio.created"],
    ),
    "restriction_place": (
        lambda firm, _: services.restriction_place(on=place_of(firm.portfolio), state="reducing", origin=WHO),
        ["portfolio.reducing"],
    ),
    "portfolio_archive": (
        lambda firm, _: services.portfolio_archive(portfolio=firm.portfolio, origin=WHO),
        ["cell.archived", "portfolio.archived"],
    ),
    "cell_open": (
        lambda firm, _: services.cell_open(
            portfolio=firm.portfolio,
            instrument=make_instrument("IBM"),
            name="second",
            price=ONE,
            cash=ONE,
            shares=ONE,
            anchor=None,
            **WHEN,
        ),
        ["cell.opened"],
    ),
    "cell_start": (lambda _, cell: services.cell_start(cell=cell, origin=WHO), ["cell.started"]),
    "cell_pause": (lambda _, cell: services.cell_pause(cell=_started(cell), origin=WHO), ["cell.paused"]),
    "cell_halt": (lambda _, cell: services.cell_halt(cell=cell, origin=WHO), ["cell.halted"]),
    "cell_resume": (
        lambda _, cell: services.cell_resume(
            cell=services.cell_pause(cell=_started(cell), origin=Origin(task="before")), origin=WHO
        ),
        ["cell.resumed"],
    ),
    "cell_archive": (lambda _, cell: services.cell_archive(cell=cell, origin=WHO), ["cell.archived"]),
    "cell_deposit": (lambda _, cell: services.cell_deposit(cell=cell, cash=ONE, **WHEN), ["cell.deposited"]),
    "cell_withdraw": (lambda _, cell: services.cell_withdraw(cell=cell, cash=ONE, **WHEN), ["cell.withdrawn"]),
    "cell_adjust": (lambda _, cell: services.cell_adjust(cell=cell, shares=ONE, **WHEN), ["cell.adjusted"]),
    "cash_transfer": (
        lambda firm, cell: services.cash_transfer(source=firm.account, destination=cell, amount=ONE, **WHEN),
        ["cash.transferred", "cash.transferred"],
    ),
    "entry_reverse": (lambda _, cell: services.entry_reverse(entry=_deposit_of(cell), **WHEN), ["entry.reversed"]),
    "cell_set_anchor": (
        lambda _, cell: services.cell_set_anchor(cell=cell, anchor=ONE, **WHEN),
        ["cell.anchor_set"],
    ),
    "parameters_change": (
        lambda _, cell: services.parameters_change(cell=cell, values={"trigger_up": 0.1}, origin=WHO),
        ["parameters.changed"],
    ),
    "ledger_post": (
        lambda firm, cell: services.ledger_post(
            account=firm.account, cell=cell, movements=[Movement("buy", "k", cash=-ONE, shares=ONE)], **WHEN
        ),
        ["ledger.posted"],
    ),
    "instrument_create": (
        lambda *_: services.instrument_create(symbol="XYZ", name="Xyz", origin=WHO),
        ["instrument.created"],
    ),
    "user_create": (lambda *_: services.user_create(email="a@example.com", origin=WHO), ["user.created"]),
}


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_leaves_its_event(firm: Firm, verb: str) -> None:
    act, kinds = VERBS[verb]
    act(firm, make_cell(firm))
    from volbal.common.tenancy import every_tenant

    with every_tenant():
        written = list(Event.objects.filter(task="night-shift").order_by("id"))
    assert sorted(event.kind for event in written) == kinds
    assert {event.reason for event in written} == {"for the record"}
    shared = verb in ("instrument_create", "user_create")
    assert {event.tenant_id for event in written} == {None if shared else firm.tenant.pk}


def test_an_event_says_what_changed_from_what_to_what(cell: Cell) -> None:
    version = cell.version
    services.cell_withdraw(cell=cell, cash=Decimal("0.10"), **WHEN)
    event = Event.objects.get(kind="cell.withdrawn")
    entry = LedgerEntry.objects.get(kind="withdrawal")
    assert event.subject == f"cell:{cell.pk}"
    assert event.before == {"cash": "5000.00", "version": version}
    assert event.after == {"cash": "4999.90", "version": version + 1, "entries": [entry.pk]}
    assert event.as_of == AS_OF


def test_numbers_and_times_are_kept_exactly_as_texts() -> None:
    assert plain({"a": Decimal("1E+2"), 1: [0.1, AS_OF, None, True]}) == {
        "a": "100",
        "1": ["0.1", "2024-03-01T20:59:59+00:00", None, True],
    }


def test_outside_a_request_there_is_no_request() -> None:
    assert current_request_id() == ""
