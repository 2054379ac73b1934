"""What tests of trading share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from portfolios.models import Cell
from tests.portfolios.builders import make_instrument
from tests.trading.builders import OPEN, Desk, make_desk, open_cell
from tests.trading.standin import StandInBroker
from trading.brokers import registry
from volbal.common.tenancy import tenant_scope


@pytest.fixture(autouse=True)
def _files(tmp_path: object, settings: object) -> None:
    """Keep the bars of each test in a folder of its own."""
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]  # pytest-django's wrapper takes any setting


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The wall clock, standing at `OPEN` until a test moves it."""
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    """A desk at the paper broker, with its tenant in scope for the test."""
    made = make_desk()
    with tenant_scope(made.tenant.pk):
        yield made


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> StandInBroker:
    """The broker that accounts named `stand-in` have."""
    one = StandInBroker()
    monkeypatch.setitem(registry._factories, "stand-in", lambda account: one)
    monkeypatch.setattr(registry, "SIMULATED", registry.SIMULATED | {"stand-in"})
    return one


@pytest.fixture
def told_desk(db: None, broker: StandInBroker) -> Iterator[Desk]:
    """A desk at the broker that does what it is told."""
    made = make_desk("told", broker="stand-in")
    with tenant_scope(made.tenant.pk):
        yield made


@pytest.fixture
def api_desk(db: None) -> Iterator[Desk]:
    """A desk at the broker that fetches its orders over our API."""
    made = make_desk("remote", broker="api")
    with tenant_scope(made.tenant.pk):
        make_instrument("IBM")
        yield made


@pytest.fixture
def cell(desk: Desk) -> Cell:
    """5,000.00 and 50 shares at 100, anchored at 100, at the paper broker."""
    return open_cell(desk.portfolio)


@pytest.fixture
def told_cell(told_desk: Desk) -> Cell:
    """The same at the broker that does what it is told."""
    return open_cell(told_desk.portfolio)
