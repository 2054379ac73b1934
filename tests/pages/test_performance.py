"""Returns beside stock and mix, by hand (strategy 11)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from portfolios import services
from portfolios.models import Cell
from tests.pages.worlds import TRADED, World, make_world
from tests.portfolios.builders import BY_TEST
from trading.models import CorporateAction
from trading.selectors.performance import Returns, daily_points, histories, returns, together
from volbal.common.tenancy import tenant_scope

DAY = dt.date(2024, 3, 1)


def at(cell: Cell, value: float, price: float, day: dt.date = DAY) -> Returns:
    row = Cell.objects.select_related("instrument", "parameters").get(pk=cell.pk)
    return returns(histories([row], {row.pk: day})[row.pk], value=value, price=price)


@pytest.fixture
def quiet(db: None) -> World:
    """A cell that was opened at 100 with 5,000.00 and 50 shares and was looked at once, at 100."""
    return make_world()


def test_the_stock_takes_the_whole_move_and_the_mix_half_of_it(quiet: World) -> None:
    with tenant_scope(quiet.firm.tenant.pk):
        made = at(quiet.cell, value=10_600.0, price=110.0)
    assert made.total == pytest.approx(0.06)
    assert made.stock == pytest.approx(0.10)
    assert made.mix == pytest.approx(0.05)
    assert made.over_stock == pytest.approx(-0.04)
    assert made.over_mix == pytest.approx(0.01)


def test_a_deposit_is_no_return(quiet: World) -> None:
    with tenant_scope(quiet.firm.tenant.pk):
        quiet.tick(TRADED, "102")  # 5,000 + 50 × 102 = 10,100
        services.cell_deposit(cell=quiet.cell, cash=Decimal(10_100), as_of=TRADED, origin=BY_TEST)
        made = at(quiet.cell, value=20_200 * 1.02, price=104.0)
    assert made.total == pytest.approx(1.01 * 1.02 - 1)
    assert made.mix == pytest.approx(0.02)


def test_two_flows_at_one_moment_count_once_each(quiet: World) -> None:
    with tenant_scope(quiet.firm.tenant.pk):
        quiet.tick(TRADED, "100")
        services.cell_deposit(cell=quiet.cell, cash=Decimal(1_000), as_of=TRADED, origin=BY_TEST)
        services.cell_withdraw(cell=quiet.cell, cash=Decimal(500), as_of=TRADED, origin=BY_TEST)
        assert at(quiet.cell, value=10_500.0, price=100.0).total == pytest.approx(0.0)


def test_splits_and_net_dividends_reach_stock_and_mix_from_the_day_after_the_opening(quiet: World) -> None:
    with tenant_scope(quiet.firm.tenant.pk):
        instrument = quiet.cell.instrument
        for day, facts in (
            (dt.date(2024, 2, 29), {"kind": "dividend", "amount": Decimal(5)}),  # on the opening day: in its price
            (DAY, {"kind": "split", "ratio": Decimal(2)}),
            (DAY, {"kind": "dividend", "amount": Decimal(1)}),
            (dt.date(2024, 3, 4), {"kind": "dividend", "amount": Decimal(7)}),  # not yet
        ):
            CorporateAction.objects.create(instrument=instrument, ex_date=day, source="test", **facts)
        made = at(quiet.cell, value=10_000.0, price=50.0)
    # 100 shares become 200, each with a dividend of 1.00 less 25 %: 200 × 50 + 150
    assert made.stock == pytest.approx(0.015)
    # 50 shares become 100: 100 × 50 + 5,000 + 75
    assert made.mix == pytest.approx(0.0075)


def test_daily_points_end_where_the_returns_of_now_are(world: World) -> None:
    last = daily_points(Cell.objects.select_related("instrument", "parameters").get(pk=world.cell.pk))[-1]
    made = at(world.cell, value=last.value, price=last.close)
    assert (last.total - 1, last.stock - 1, last.mix - 1) == pytest.approx((made.total, made.stock, made.mix))
    assert last.close == 104.0


def test_cells_together_weigh_by_what_they_opened_with() -> None:
    both = together(
        [(100.0, Returns(0.10, 0.0, 0.0)), (300.0, Returns(-0.10, 0.2, 0.1)), (50.0, Returns(None, None, None))]
    )
    assert both.total == pytest.approx(-0.05)
    assert both.stock == pytest.approx(0.15)
    assert together([]).total is None
