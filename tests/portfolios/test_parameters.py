"""Versions of parameters: exact, compared, rolled back, never edited."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolios import services
from portfolios.commission import CommissionTerms
from portfolios.models import Cell, Event, ParameterVersion, Portfolio
from portfolios.selectors import cell_state, rule_parameters
from portfolios.services.parameters import PARAMETER_NAMES, RESOLVED_ELSEWHERE, stored_rule
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell
from volbal.common.errors import Conflict, Refused
from volbal.strategy import CellState, StrategyParameters


def _fresh(cell: Cell) -> Cell:
    return Cell.objects.select_related("parameters", "portfolio__account", "instrument").get(pk=cell.pk)


def test_every_parameter_of_the_rule_has_one_home() -> None:
    columns = {column.name for column in ParameterVersion._meta.concrete_fields}
    assert set(PARAMETER_NAMES) <= columns
    assert not RESOLVED_ELSEWHERE & columns
    assert set(StrategyParameters().to_dict()) == set(PARAMETER_NAMES) | RESOLVED_ELSEWHERE


def test_the_columns_defaults_are_the_rules(cell: Cell) -> None:
    bare = ParameterVersion.objects.create(tenant=cell.tenant, cell=cell, number=7)
    bare.refresh_from_db()
    assert stored_rule(bare) == StrategyParameters()


def test_commission_and_after_hours_come_from_their_own_homes(firm: Firm, cell: Cell) -> None:
    services.commission_set(
        terms=CommissionTerms(rate=Decimal("0.00012345"), minimum=Decimal("1.25")), account=firm.account, origin=BY_TEST
    )
    Portfolio.objects.filter(pk=firm.portfolio.pk).update(trading_hours="extended")
    assert rule_parameters(_fresh(cell)) == StrategyParameters(
        commission_rate=0.00012345, commission_min=1.25, allow_after_hours=True
    )


def test_reading_a_loaded_cell_costs_one_query_for_its_commission(cell: Cell, django_assert_num_queries: Any) -> None:
    loaded = _fresh(cell)
    with django_assert_num_queries(1):
        rule_parameters(loaded)
        cell_state(loaded, dt.date(2024, 3, 1))


def test_a_cells_state_counts_only_the_days_own_orders(cell: Cell) -> None:
    day = dt.date(2024, 3, 1)
    Cell.objects.filter(pk=cell.pk).update(
        orders_today=3, orders_day=day, sold_since_anchor=2, receivable=Decimal("1.5")
    )
    loaded = _fresh(cell)
    assert cell_state(loaded, day) == CellState(5000.0, 50.0, 100.0, 1.5, 3, 0.0, 2.0, 100.0)
    assert cell_state(loaded, day + dt.timedelta(days=1)).orders_today == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    up=st.integers(1, 9_999_999_999),
    ratio=st.integers(1, 10**12),
    notional=st.integers(0, 10**9),
    step=st.integers(1, 10**6),
)
def test_what_is_stored_is_the_very_number_given(cell: Cell, up: int, ratio: int, notional: int, step: int) -> None:
    wanted = {
        "trigger_up": up / 10**10,
        "rebalance_ratio": ratio / 10**8,
        "min_notional": notional / 100,
        "quantity_step": step / 10**6,
    }
    services.parameters_change(cell=cell, values=wanted, origin=BY_TEST)
    rule = rule_parameters(_fresh(cell))
    assert {name: getattr(rule, name) for name in wanted} == wanted


def test_a_change_makes_a_version_and_keeps_the_old(cell: Cell) -> None:
    version = services.parameters_change(cell=cell, values={"trigger_up": 0.05}, origin=BY_TEST, note="wider")
    assert (version.number, version.note, version.preset) == (2, "wider", "")
    first = ParameterVersion.objects.get(cell=cell, number=1)
    (difference,) = services.parameters_difference(first, ParameterVersion.objects.get(pk=version.pk))
    assert (difference.name, difference.before, difference.after) == ("trigger_up", Decimal("0.03"), Decimal("0.05"))
    event = Event.objects.get(kind="parameters.changed")
    assert event.after["changes"] == {"trigger_up": ["0.0300000000", "0.0500000000"]}
    assert event.before["parameters_id"] == first.pk


def test_no_difference_makes_no_version(cell: Cell) -> None:
    before = cell.version
    version = services.parameters_change(cell=cell, values={"trigger_up": Decimal("0.03")}, origin=BY_TEST)
    assert (version.number, cell.version) == (1, before)
    assert not Event.objects.filter(kind="parameters.changed").exists()


def test_a_roll_back_is_a_new_version_equal_to_the_old(cell: Cell) -> None:
    services.parameters_change(cell=cell, values={"trigger_up": 0.05, "sizing": "original"}, origin=BY_TEST)
    version = services.parameters_roll_back(cell=cell, number=1, origin=BY_TEST)
    assert version.number == 3
    assert services.parameters_difference(ParameterVersion.objects.get(cell=cell, number=1), version) == ()
    assert rule_parameters(_fresh(cell)) == StrategyParameters()
    with pytest.raises(Refused, match="no parameter version 9"):
        services.parameters_roll_back(cell=cell, number=9, origin=BY_TEST)


def test_a_sizing_brings_its_own_default_ratio(cell: Cell) -> None:
    version = services.parameters_change(cell=cell, values={"sizing": "fixed_percentage"}, origin=BY_TEST)
    assert version.rebalance_ratio == Decimal("0.1")


@pytest.mark.parametrize(
    "values,told",
    [
        ({"trigger_up": 0.0}, "trigger_up is 0.0; expected"),
        ({"trigger_down": Decimal(1)}, "trigger_down is 1.0; expected"),
        ({"trigger_up": float("nan")}, "trigger_up is nan"),
        ({"min_stock": 0.8}, "min_stock is 0.8; expected below max_stock, which is 0.75"),
        ({"sizing": "fixed_percentage", "rebalance_ratio": 1.5}, "rebalance_ratio is 1.5; expected at most 1"),
        ({"sizing": "martingale"}, "sizing is 'martingale'; expected one of"),
        ({"max_orders_per_day": 0}, "max_orders_per_day is 0"),
        ({"quantity_step": 1e-7}, "quantity_step is 1e-07"),
        ({"min_notional": 0.001}, "min_notional is 0.001; expected at most 2 decimals"),
        ({"rebalance_ratio": 1e6}, "6 digits before them"),
        ({"allow_after_hours": True}, "after hours the portfolio's"),
        ({"slice_notional": 0.0}, "slice_notional is 0.0; expected a number above 0, or none"),
        ({"stop_loss": 1.0}, "stop_loss is 1.0; expected a number above 0 and below 1, or none"),
        ({"leverage": 2}, "leverage"),
    ],
)
def test_a_broken_bound_is_refused_with_name_value_and_bound(cell: Cell, values: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused) as refusal:
        services.parameters_change(cell=cell, values=values, origin=BY_TEST)
    assert told in str(refusal.value)
    assert ParameterVersion.objects.count() == 1


def test_a_stale_editor_is_told(cell: Cell) -> None:
    seen = cell.version
    services.parameters_change(cell=cell, values={"trigger_up": 0.05}, origin=BY_TEST, expected_version=seen)
    with pytest.raises(Conflict):
        services.parameters_change(cell=cell, values={"trigger_up": 0.06}, origin=BY_TEST, expected_version=seen)


def test_an_archived_cell_takes_no_parameters(cell: Cell) -> None:
    services.cell_archive(cell=cell, origin=BY_TEST)
    with pytest.raises(Refused, match="archived"):
        services.parameters_change(cell=cell, values={"trigger_up": 0.05}, origin=BY_TEST)
    with pytest.raises(Refused, match="archived"):
        services.cell_set_anchor(cell=cell, anchor=Decimal(1), as_of=AS_OF, origin=BY_TEST)
    with pytest.raises(Refused, match="archived"):
        services.cell_deposit(cell=cell, cash=Decimal(1), as_of=AS_OF, origin=BY_TEST)
    assert services.cell_withdraw(cell=cell, cash=Decimal(5_000), as_of=AS_OF, origin=BY_TEST).cash == 0


@pytest.mark.parametrize("name", services.PRESETS)
def test_every_preset_is_legal_and_not_unwise(firm: Firm, name: str) -> None:
    cell = make_cell(firm, parameters=services.PRESETS[name].values)
    assert rule_parameters(cell).warnings() == ()
