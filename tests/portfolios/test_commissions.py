"""What an order costs: the most specific schedule counts, as a whole, and the order keeps it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolios import services
from portfolios.commission import CommissionTerms
from portfolios.models import Cell, CommissionSchedule, Event
from portfolios.selectors import account_commission, commission_terms, rule_parameters, rules_of
from tests.portfolios.builders import BY_TEST, Firm, make_cell, make_firm
from volbal.common.tenancy import every_tenant, tenant_scope
from volbal.strategy import StrategyParameters
from volbal.strategy.fills import commission_of
from volbal.strategy.parameters import parameter_row

AMOUNTS = st.decimals(min_value=0, max_value=1_000_000, places=2)


def costing(cents: int) -> CommissionTerms:
    """Return terms that are told apart by their minimum."""
    return CommissionTerms(minimum=Decimal(cents) / 100)


@given(notional=AMOUNTS, rate=st.decimals(min_value=0, max_value=Decimal("0.0999"), places=8), minimum=AMOUNTS)
def test_rate_and_minimum_are_the_rules_own_commission(notional: Decimal, rate: Decimal, minimum: Decimal) -> None:
    terms = CommissionTerms(rate=rate, minimum=minimum)
    row = parameter_row(StrategyParameters(commission_rate=float(rate), commission_min=float(minimum)))
    assert float(terms.commission(quantity=Decimal(3), notional=notional)) == commission_of(float(notional), row)


@pytest.mark.parametrize(
    "terms,quantity,notional,cost",
    [
        (CommissionTerms(rate=Decimal(0), per_share=Decimal("0.005")), 200, 4_000, "1.00"),
        (CommissionTerms(rate=Decimal("0.001"), per_share=Decimal("0.01")), 100, 5_000, "6.00"),
        (CommissionTerms(rate=Decimal(0), per_share=Decimal("0.005"), minimum=Decimal(1)), 10, 400, "1.00"),
        (CommissionTerms(rate=Decimal("0.01"), cap=Decimal(25)), 100, 10_000, "25.00"),
    ],
)
def test_an_order_costs_what_its_schedule_says(terms: CommissionTerms, quantity: int, notional: int, cost: str) -> None:
    assert terms.commission(quantity=Decimal(quantity), notional=Decimal(notional)) == Decimal(cost)


def test_an_amount_a_share_becomes_a_rate_at_the_price() -> None:
    terms = CommissionTerms(rate=Decimal("0.001"), per_share=Decimal("0.05"))
    assert terms.rule_rate(Decimal(100)) == Decimal("0.0015")


def test_the_most_specific_schedule_counts_as_a_whole(firm: Firm, cell: Cell) -> None:
    other = make_cell(firm, "AAPL")

    def costs() -> tuple[Decimal, Decimal]:
        terms = commission_terms([Cell.objects.get(pk=one.pk) for one in (cell, other)])
        return terms[cell.pk].minimum, terms[other.pk].minimum

    levels: list[tuple[dict[str, Any], tuple[int, int]]] = [
        ({}, (1, 1)),
        ({"tenant": firm.tenant}, (2, 2)),
        ({"account": firm.account}, (3, 3)),
        ({"instrument": cell.instrument}, (4, 3)),
        ({"tenant": firm.tenant, "instrument": cell.instrument}, (5, 3)),
        ({"account": firm.account, "instrument": cell.instrument}, (6, 3)),
    ]
    assert costs() == (0, 0)
    for number, (level, expected) in enumerate(levels, start=1):
        services.commission_set(terms=costing(100 * number), origin=BY_TEST, **level)
        assert costs() == expected
    for schedule in CommissionSchedule.objects.filter(instrument__isnull=False):
        services.commission_withdraw(schedule=schedule, origin=BY_TEST)
    assert costs() == (3, 3)
    assert account_commission(firm.account).minimum == 3


def test_another_tenants_schedule_is_out_of_sight(firm: Firm, cell: Cell) -> None:
    with every_tenant():
        south = make_firm("south-of-it")
        services.commission_set(terms=costing(700), tenant=south.tenant, origin=BY_TEST)
    with tenant_scope(firm.tenant.pk):
        assert CommissionSchedule.objects.count() == 0
        assert commission_terms([cell])[cell.pk] == CommissionTerms()


def test_setting_again_changes_the_one_row_and_leaves_what_was(firm: Firm) -> None:
    for cents in (100, 250):
        services.commission_set(terms=costing(cents), account=firm.account, origin=BY_TEST)
    assert CommissionSchedule.objects.get().minimum == Decimal("2.50")
    told = Event.objects.filter(kind="commission.set").order_by("id")
    assert [one.after["minimum"] for one in told] == ["1.00", "2.50"]
    assert told[1].before["minimum"] == "1.00"


def test_rules_of_many_cells_cost_one_query(firm: Firm, cell: Cell, django_assert_num_queries: Any) -> None:
    services.commission_set(
        terms=CommissionTerms(rate=Decimal(0), per_share=Decimal("0.05"), minimum=Decimal(1)),
        account=firm.account,
        origin=BY_TEST,
    )
    make_cell(firm, "AAPL")
    cells = list(Cell.objects.select_related("parameters", "portfolio", "instrument"))
    with django_assert_num_queries(1):
        rules = rules_of(cells, {one.pk: Decimal(100) for one in cells})
    assert [(rule.commission_rate, rule.commission_min) for rule in rules] == [(0.0005, 1.0)] * 2
    assert rule_parameters(cells[0]).commission_rate == 0.0
