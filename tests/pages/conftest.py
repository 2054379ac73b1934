"""What tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from portfolios.models import User
from tests.pages.worlds import TRADED, World, make_world
from tests.portfolios.builders import make_member
from volbal.common.tenancy import tenant_scope


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """A firm with one cell that held, then sold; its tenant in scope for the test."""
    made = make_world()
    with tenant_scope(made.firm.tenant.pk):
        made.tick(TRADED, "101")
        made.tick(TRADED.replace(minute=1), "104")
        yield made


@pytest.fixture
def trader(world: World) -> User:
    return make_member(world.firm, "trader")


@pytest.fixture
def signed_in(trader: User) -> Client:
    """A trader's browser."""
    client = Client()
    client.force_login(trader)
    return client


@pytest.fixture
def auditor(world: World) -> Client:
    """An auditor's browser."""
    client = Client()
    client.force_login(make_member(world.firm, "auditor"))
    return client
