"""A page asks the database as often for a hundred cells as for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.pages.worlds import TRADED, World, make_world
from tests.portfolios.builders import make_member
from volbal.common.tenancy import tenant_scope

PAGES: dict[str, Callable[[World], str]] = {
    "dashboard": lambda world: "/",
    "palette": lambda world: "/palette/",
    "bars": lambda world: "/bars/",
    "portfolio": lambda world: f"/portfolios/{world.portfolio.pk}/",
    "portfolio limits": lambda world: f"/portfolios/{world.portfolio.pk}/limits/",
    "portfolio halt": lambda world: f"/portfolios/{world.portfolio.pk}/halt/",
    "portfolio ticks": lambda world: f"/portfolios/{world.portfolio.pk}/ticks/",
    "halts": lambda world: "/halts/",
    "live": lambda world: f"/portfolios/{world.portfolio.pk}/live/",
    "portfolio export": lambda world: f"/portfolios/{world.portfolio.pk}/export.csv",
    "cell": lambda world: f"/cells/{world.cell.pk}/",
    "orders": lambda world: f"/cells/{world.cell.pk}/?tab=orders",
    "ledger": lambda world: f"/cells/{world.cell.pk}/?tab=ledger",
    "dividends": lambda world: f"/cells/{world.cell.pk}/?tab=dividends",
    "prices": lambda world: f"/cells/{world.cell.pk}/?tab=prices",
    "performance": lambda world: f"/cells/{world.cell.pk}/?tab=performance",
    "parameters": lambda world: f"/cells/{world.cell.pk}/?tab=parameters",
    "cell limits": lambda world: f"/cells/{world.cell.pk}/limits/",
    "cell order": lambda world: f"/cells/{world.cell.pk}/order/",
    "change parameters": lambda world: f"/cells/{world.cell.pk}/parameters/",
    "chart": lambda world: f"/cells/{world.cell.pk}/chart/",
    "growth": lambda world: f"/cells/{world.cell.pk}/growth/",
}
MOST = 24


@dataclass(frozen=True, slots=True)
class Reader:
    """A firm's trader before a browser."""

    world: World
    client: Client

    def queries(self, name: str) -> int:
        """Return how many queries a page takes once what is kept between requests is there."""
        address = PAGES[name](self.world)
        self.client.get(address)
        with CaptureQueriesContext(connection) as captured:
            assert self.client.get(address).status_code == 200
        return len(captured)


def reader(slug: str, count: int) -> Reader:
    world = make_world(slug, [f"S{number:02d}" for number in range(count)])
    with tenant_scope(world.firm.tenant.pk):
        world.tick(TRADED, "101")
        world.tick(TRADED.replace(minute=1), "104")
        user = make_member(world.firm, "trader")
    client = Client()
    client.force_login(user)
    return Reader(world, client)


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_cells() -> None:
    one, hundred = reader("one", 1), reader("hundred", 100)
    of_one = {name: one.queries(name) for name in PAGES}
    assert {name: hundred.queries(name) for name in PAGES} == of_one
    assert {name: count for name, count in of_one.items() if count > MOST} == {}
