"""Portfolios and accounts: created, archived; and what the database itself refuses."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portfolios import services
from portfolios.commission import CommissionTerms
from portfolios.models import BrokerAccount, Cell, ParameterVersion, Portfolio
from portfolios.selectors import rule_parameters
from portfolios.services.order_counts import cells_count_orders
from tests.portfolios.builders import AS_OF, BY_TEST, Firm, make_cell
from volbal.common.errors import Refused


def test_an_archive_is_for_good_and_asked_for_once(firm: Firm) -> None:
    services.portfolio_archive(portfolio=firm.portfolio, origin=BY_TEST)
    assert (firm.portfolio.is_archived, firm.portfolio.next_tick_at) == (True, None)
    with pytest.raises(Refused, match="archived already"):
        services.portfolio_archive(portfolio=firm.portfolio, origin=BY_TEST)


@pytest.mark.parametrize(
    "options,told",
    [
        ({"name": "Core"}, "already exists"),
        ({"name": ""}, "name: This field cannot be blank"),
        ({"mode": "imaginary"}, "Value 'imaginary' is not a valid choice"),
        ({"tick_interval_seconds": 0}, "tick_interval_seconds is 0; expected at least 1"),
        ({"feed": "replay"}, "recorded prices go with mode replay alone"),
        ({"mode": "replay", "feed": "synthetic"}, "recorded prices go with mode replay alone"),
    ],
)
def test_a_portfolio_that_cannot_be_is_refused(firm: Firm, options: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused) as refusal:
        services.portfolio_create(
            **{"account": firm.account, "name": "New", "mode": "paper", "origin": BY_TEST} | options
        )
    assert told in str(refusal.value)
    assert Portfolio.objects.count() == 1


@pytest.mark.parametrize(
    "options,told",
    [
        ({"rate": Decimal("0.1")}, "rate is 0.1; expected at least 0 and below 0.1"),
        ({"rate": Decimal("-0.01")}, "rate is -0.01"),
        ({"minimum": Decimal(-1)}, "minimum is -1; expected at least 0"),
        ({"minimum": Decimal(2), "cap": Decimal(1)}, "cap is 1.00; expected at least the minimum 2.00"),
    ],
)
def test_an_account_keeps_the_bounds_of_commission(firm: Firm, options: dict[str, Any], told: str) -> None:
    with pytest.raises(Refused, match=told):
        services.account_create(
            tenant=firm.tenant, name="New", broker="paper", commission=CommissionTerms(**options), origin=BY_TEST
        )
    assert BrokerAccount.objects.count() == 1


def test_orders_are_counted_by_the_exchanges_day(cell: Cell, django_assert_num_queries: Any) -> None:
    friday, monday = dt.date(2024, 3, 1), dt.date(2024, 3, 4)
    for day, counted in ((friday, 1), (friday, 2), (monday, 1)):
        with django_assert_num_queries(1):
            cells_count_orders(cells=[cell], days={cell.pk: day})
        stored = Cell.objects.get(pk=cell.pk)
        assert (stored.orders_day, stored.orders_today) == (day, counted)


def test_a_cell_without_parameters_is_told_so(firm: Firm) -> None:
    bare = Cell.objects.create(
        tenant=firm.tenant, portfolio=firm.portfolio, instrument=make_cell(firm).instrument, name="x"
    )
    with pytest.raises(Refused, match="has no parameters"):
        rule_parameters(bare)
    with pytest.raises(Refused, match="has no parameters yet"):
        services.parameters_change(cell=bare, values={"trigger_up": 0.1}, origin=BY_TEST)


OUT_OF_BOUNDS: tuple[dict[str, Any], ...] = (
    {"trigger_up": 0}, {"trigger_up": 1}, {"trigger_down": -1}, {"trigger_down": 3},
    {"rebalance_ratio": 0}, {"rebalance_ratio": 2, "sizing": "fixed_percentage"},
    {"min_stock": "0.8"}, {"min_stock": "-0.1"}, {"max_stock": "1.1"}, {"guardrail_tolerance": "-0.01"},
    {"min_notional": -1}, {"min_quantity": -1}, {"quantity_step": 0},
    {"max_trade_fraction": 0}, {"max_trade_fraction": "1.01"}, {"max_orders_per_day": 0},
    {"withholding_rate": 1}, {"withholding_rate": "-0.1"},
    {"adaptive_multiple": -1}, {"adaptive_floor": 0}, {"adaptive_floor": "0.2"}, {"adaptive_cap": 1},
    {"adaptive_decay": 0}, {"adaptive_decay": 1}, {"stop_loss": 0}, {"stop_loss": 1},
    {"slice_notional": 0}, {"slice_interval_seconds": 0},
)  # fmt: skip


@pytest.mark.parametrize("values", OUT_OF_BOUNDS, ids=str)
def test_the_database_itself_refuses_parameters_out_of_bounds(cell: Cell, values: dict[str, Any]) -> None:
    row = ParameterVersion(tenant=cell.tenant, cell=cell, number=2, **values)
    with pytest.raises(IntegrityError, match="parameters_"), transaction.atomic():
        row.save()


def test_the_database_itself_refuses_an_anchor_of_nothing(cell: Cell) -> None:
    with pytest.raises(IntegrityError, match="cell_anchor_bounds"), transaction.atomic():
        Cell.objects.filter(pk=cell.pk).update(anchor=0)


def test_no_constraint_refuses_a_brokers_fact(cell: Cell) -> None:
    movement = services.Movement("sell", "fill:1", shares=Decimal(-51), cash=Decimal(-10_000), receivable=Decimal(-1))
    services.ledger_post(account=cell.portfolio.account, cell=cell, movements=[movement], as_of=AS_OF, origin=BY_TEST)
    assert (cell.shares, cell.cash, cell.receivable) == (-1, -5_000, -1)


def test_a_portfolio_is_due_at_once_where_it_has_current_prices(firm: Firm) -> None:
    made = {
        name: services.portfolio_create(account=firm.account, name=name, mode=mode, feed=feed, origin=BY_TEST)
        for name, mode, feed in (("now", "paper", "synthetic"), ("later", "paper", ""), ("then", "replay", ""))
    }
    assert {name: one.next_tick_at is not None for name, one in made.items()} == {
        "now": True,
        "later": False,
        "then": False,
    }
    assert made["then"].feed == Portfolio.REPLAY_FEED
