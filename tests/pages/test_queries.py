"""A page asks the database as often for twenty cells as for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.pages.worlds import TRADED, World, make_world
from tests.portfolios.builders import make_member
from volbal.common.tenancy import tenant_scope

PAGES: dict[str, Callable[[World], str]] = {
    "dashboard": lambda world: "/",
    "portfolio": lambda world: f"/portfolios/{world.portfolio.pk}/",
    "limits": lambda world: f"/portfolios/{world.portfolio.pk}/limits/",
    "halts": lambda world: "/halts/",
    "live": lambda world: f"/portfolios/{world.portfolio.pk}/live/",
    "portfolio export": lambda world: f"/portfolios/{world.portfolio.pk}/export.csv",
    "cell": lambda world: f"/cells/{world.cell.pk}/",
    "orders": lambda world: f"/cells/{world.cell.pk}/?tab=orders",
    "ledger": lambda world: f"/cells/{world.cell.pk}/?tab=ledger",
    "prices": lambda world: f"/cells/{world.cell.pk}/?tab=prices",
    "performance": lambda world: f"/cells/{world.cell.pk}/?tab=performance",
    "parameters": lambda world: f"/cells/{world.cell.pk}/?tab=parameters",
    "chart": lambda world: f"/cells/{world.cell.pk}/chart/",
}
MOST = 24


def queries(slug: str, count: int, address: Callable[[World], str]) -> list[str]:
    world = make_world(slug, [f"S{number:02d}" for number in range(count)])
    with tenant_scope(world.firm.tenant.pk):
        world.tick(TRADED, "101")
        world.tick(TRADED.replace(minute=1), "104")
        user = make_member(world.firm, "trader")
    client = Client()
    client.force_login(user)
    client.get(address(world))
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address(world)).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAGES)
def test_the_number_of_queries_does_not_grow_with_the_cells(name: str) -> None:
    one, twenty = queries("one", 1, PAGES[name]), queries("twenty", 20, PAGES[name])
    assert len(twenty) == len(one), "\n".join(twenty)
    assert len(one) <= MOST
