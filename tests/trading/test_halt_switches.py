"""The console's first page: halts in force with their age, and a switch for every level a person acts on."""

from __future__ import annotations

import pytest

from portfolios.models import Cell, TradingRestriction
from portfolios.services import Origin, restriction_place
from portfolios.standings import everywhere, place_of
from tests.trading.builders import Desk
from tests.trading.test_console import client_of
from volbal.common.tenancy import every_tenant

LEVELS = {
    "platform": {"everywhere", "broker", "tenant", "account", "portfolio", "cell"},
    "operator": {"tenant", "account", "portfolio", "cell"},
    "auditor": set(),
}


@pytest.mark.parametrize("role", LEVELS)
def test_each_role_has_the_switches_of_its_levels_and_sees_what_is_halted(desk: Desk, cell: Cell, role: str) -> None:
    restriction_place(on=place_of(cell), state="halted", origin=Origin(task="desk", reason="a drill"))
    with every_tenant():
        restriction_place(on=everywhere(), state="reducing", origin=Origin(task="desk", reason="a storm"))
    page = client_of(desk, role).get("/admin/").content.decode()
    offered = {level for level in LEVELS["platform"] if f"?level={level}" in page}
    assert offered == LEVELS[role]
    assert "Cell IBM of Core is halted" in page
    assert "Everything is reducing" in page
    assert page.count("/operation/lift/") == {"platform": 2, "operator": 1, "auditor": 0}[role]


def test_an_operator_cannot_halt_everything_by_hand(desk: Desk) -> None:
    given = {"level": "everywhere", "state": "halted", "reason": "mischief"}
    refused = client_of(desk, "operator").post("/admin/portfolios/tradingrestriction/add/?level=everywhere", given)
    assert refused.status_code == 200
    assert not TradingRestriction.objects.exists()


def test_a_halt_of_a_level_names_what_is_to_be_halted(desk: Desk, cell: Cell) -> None:
    operator = client_of(desk, "operator")
    form = operator.get("/admin/portfolios/tradingrestriction/add/?level=cell").content.decode()
    assert '<option value="cell" selected>' in form
    assert "1 active cell, 0 open orders" in form
    given = {"level": "cell", "cell": cell.pk, "state": "halted", "cancels_orders": "on", "reason": "a drill"}
    assert operator.post("/admin/portfolios/tradingrestriction/add/", given).status_code == 302
    assert TradingRestriction.objects.get().cell == cell
