"""Opening cells and what they go through."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portfolios import services
from portfolios.models import Cell, LedgerEntry, ParameterVersion
from portfolios.selectors import rule_parameters
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell, make_firm
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import tenant_scope
from volbal.strategy import StrategyParameters

VERBS = {
    "start": services.cell_start,
    "pause": services.cell_pause,
    "resume": services.cell_resume,
    "archive": services.cell_archive,
}
# From each status: what each verb leads to; None is refused.
MOVES = {
    "stopped": {"start": "active", "pause": None, "resume": None, "archive": "archived"},
    "active": {"start": None, "pause": "paused", "resume": None, "archive": None},
    "paused": {"start": "active", "pause": None, "resume": "active", "archive": "archived"},
    "archived": {"start": None, "pause": None, "resume": None, "archive": None},
}


def test_a_new_cell_holds_what_was_given_and_remembers_its_opening(cell: Cell) -> None:
    stored = Cell.objects.get(pk=cell.pk)
    assert (stored.cash, stored.shares, stored.anchor) == (Decimal("5000.00"), Decimal(50), Decimal(100))
    assert (stored.opening_value, stored.opening_price, stored.average_cost) == (Decimal(10_000), 100, 100)
    assert (stored.opened_at, stored.anchor_set_at, stored.status) == (AS_OF, AS_OF, "stopped")
    assert stored.parameters is not None
    assert stored.parameters.number == 1
    assert [entry.kind for entry in LedgerEntry.objects.filter(cell=cell)] == ["opening"]


def test_a_cell_takes_given_parameters(firm: Firm) -> None:
    by_names = make_cell(firm, "IBM", parameters={"trigger_up": 0.05})
    as_rule = make_cell(firm, "AAPL", parameters=StrategyParameters(sizing="original", commission_rate=0.05))
    assert rule_parameters(by_names) == StrategyParameters(trigger_up=0.05)
    assert rule_parameters(as_rule) == StrategyParameters(sizing="original")


@pytest.mark.parametrize(
    "changes,told",
    [
        ({"price": Decimal(0)}, "price is 0; expected at least 0.000001"),
        ({"cash": Decimal("-0.01")}, "cash is -0.01; expected at least 0"),
        ({"cash": Decimal("0.001")}, "cash is 0.001; expected whole steps of 0.01"),
        ({"shares": Decimal("-1")}, "shares is -1; expected at least 0"),
        ({"shares": Decimal("NaN")}, "shares is Decimal('NaN'); expected a finite number"),
        ({"shares": "many"}, "shares is 'many'; expected a number"),
        ({"cash": Decimal("1e13")}, "expected less than 10,000,000,000,000"),
        ({"anchor": Decimal(0)}, "anchor is 0; expected at least 0.000001"),
        ({"parameters": {"trigger_up": 3.0}}, "trigger_up is 3.0; expected"),
        ({"parameters": {"triger_up": 0.03}}, "triger_up"),
        ({"parameters": {"commission_rate": 0.0}}, "commission is the account's"),
        ({"parameters": {"stop_loss": 1.0}}, "stop_loss"),
        ({"parameters": {"trigger_up": 1 / 30}}, "expected at most 10 decimals"),
        ({"name": "x" * 61}, "at most 60 characters (it has 61)"),
    ],
)
def test_a_cell_that_cannot_be_is_refused_with_the_number_and_leaves_nothing(
    firm: Firm, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(Refused) as refusal:
        make_cell(firm, **changes)
    assert told in str(refusal.value)
    assert not Cell.objects.exists()
    assert not ParameterVersion.objects.exists()


def test_a_second_cell_of_an_instrument_needs_another_name(firm: Firm) -> None:
    make_cell(firm)
    with pytest.raises(Refused, match="already exists"):
        make_cell(firm)
    assert make_cell(firm, name="second").pk is not None


def _brought_to(cell: Cell, status: str) -> Cell:
    route = {"stopped": [], "active": ["start"], "paused": ["start", "pause"]}
    for verb in route.get(status, ["archive"]):
        VERBS[verb](cell=cell, origin=BY_TEST)
    return cell


@pytest.mark.parametrize("status", MOVES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_cell_moves_only_as_the_table_says(cell: Cell, status: str, verb: str) -> None:
    _brought_to(cell, status)
    target = MOVES[status][verb]
    if target is None:
        with pytest.raises(Refused) as refusal:
            VERBS[verb](cell=cell, origin=BY_TEST)
        assert refusal.value.code == "wrong_status"
        assert status in str(refusal.value)
    else:
        VERBS[verb](cell=cell, origin=BY_TEST)
    assert Cell.objects.get(pk=cell.pk).status == (target or status) == cell.status


def test_a_cell_without_anchor_is_not_started(firm: Firm) -> None:
    cell = make_cell(firm, anchor=None)
    with pytest.raises(Refused, match="IBM has no anchor") as refusal:
        services.cell_start(cell=cell, origin=BY_TEST)
    assert refusal.value.code == "no_anchor"
    services.cell_set_anchor(cell=cell, anchor=Decimal(90), as_of=AS_OF, origin=BY_TEST)
    assert services.cell_start(cell=cell, origin=BY_TEST).status == "active"


def test_a_cell_with_less_than_nothing_is_not_started(cell: Cell) -> None:
    services.ledger_post(
        account=cell.portfolio.account,
        cell=cell,
        movements=[services.Movement("commission", "late", cash=Decimal("-5000.01"))],
        as_of=AS_OF,
        origin=BY_TEST,
    )
    with pytest.raises(Refused, match=r"holds -0\.01 cash; expected at least 0"):
        services.cell_start(cell=cell, origin=BY_TEST)


@pytest.mark.parametrize("values", [{"min_stock": 0.01}, {"auto_rebalance": False}])
def test_a_floor_that_cannot_be_restored_is_refused_live_and_only_live(db: None, values: dict[str, object]) -> None:
    for mode, refused in (("paper", False), ("live", True)):
        firm = make_firm(mode, mode)
        with tenant_scope(firm.tenant.pk):
            if refused:
                with pytest.raises(Refused, match="floor"):
                    make_cell(firm, parameters=values)
                cell = make_cell(firm)
                with pytest.raises(Refused, match="floor"):
                    services.parameters_change(cell=cell, values=values, origin=BY_TEST)
            else:
                assert services.cell_start(cell=make_cell(firm, parameters=values), origin=BY_TEST)


def test_a_stale_version_is_a_conflict_and_changes_nothing(cell: Cell) -> None:
    seen = cell.version
    services.cell_start(cell=cell, origin=BY_TEST, expected_version=seen)
    with pytest.raises(Conflict, match=f"version {seen + 1}, not {seen}"):
        services.cell_pause(cell=cell, origin=BY_TEST, expected_version=seen)
    assert Cell.objects.get(pk=cell.pk).status == "active"


def test_an_archived_portfolio_takes_its_cells_along(firm: Firm) -> None:
    running, stopped = make_cell(firm, "IBM"), make_cell(firm, "AAPL")
    services.cell_start(cell=running, origin=BY_TEST)
    services.portfolio_archive(portfolio=firm.portfolio, origin=BY_TEST)
    assert {cell.status for cell in Cell.objects.filter(pk__in=(running.pk, stopped.pk))} == {"archived"}
    with pytest.raises(Refused, match="archived"):
        make_cell(firm, "MSFT")


def test_setting_the_anchor_forgets_what_was_filled_toward_the_last(cell: Cell) -> None:
    Cell.objects.filter(pk=cell.pk).update(bought_since_anchor=3, sold_since_anchor=4)
    services.cell_set_anchor(cell=cell, anchor=Decimal("97.5"), as_of=AS_OF, origin=BY_TEST)
    stored = Cell.objects.get(pk=cell.pk)
    assert (stored.anchor, stored.bought_since_anchor, stored.sold_since_anchor) == (Decimal("97.5"), 0, 0)
