"""What tests of owned things share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portfolios.models import Cell
from tests.portfolios.builders import Firm, make_cell, make_firm
from tests.portfolios.console import World, make_world
from volbal.common.tenancy import tenant_scope


@pytest.fixture
def firm(db: None) -> Iterator[Firm]:
    """A firm, with its tenant in scope for the test."""
    made = make_firm()
    with tenant_scope(made.tenant.pk):
        yield made


@pytest.fixture
def cell(firm: Firm) -> Cell:
    return make_cell(firm)


@pytest.fixture
def world(db: None) -> World:
    return make_world()
