"""What tests of the paper broker share: a desk in the middle of a session, and its clock."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tests.portfolios.builders import make_instrument
from tests.trading.builders import OPEN, Desk, make_desk
from volbal.common.tenancy import tenant_scope


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        make_instrument("IBM")
        yield made
