"""What tests of research share: a firm, and two years of IBM in the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portfolios.models import Instrument
from tests.portfolios.builders import Firm, make_firm, make_instrument
from trading.marketdata.catalogue import actions_import, series_store
from trading.marketdata.files import read_bars
from trading.models import BarSeries
from volbal.common.tenancy import tenant_scope
from volbal.strategy import Bars

DATA = Path(__file__).resolve().parent.parent.parent / "trading" / "demo_data"


@pytest.fixture(scope="session")
def ibm_bars() -> Bars:
    return read_bars(DATA / "IBM.csv").select("2005-01-03", "2006-12-29")


@pytest.fixture(autouse=True)
def _files_in_a_folder_of_the_test(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


@pytest.fixture
def scoped(firm: Firm) -> Iterator[Firm]:
    with tenant_scope(firm.tenant.pk):
        yield firm


@pytest.fixture
def ibm(db: None) -> Instrument:
    return make_instrument("IBM")


@pytest.fixture
def series(ibm: Instrument, ibm_bars: Bars) -> BarSeries:
    actions_import(
        instrument=ibm, dividends=DATA / "dividends.csv", splits=DATA / "splits.csv", source="WIKI, public domain"
    )
    return series_store(instrument=ibm, bars=ibm_bars, source="WIKI, public domain")
