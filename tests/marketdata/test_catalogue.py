"""The catalogue: versions of a series, files that are what they were, actions kept once."""

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from tests.portfolios.builders import make_instrument
from trading.marketdata import catalogue
from trading.marketdata.files import FileRefused, read_bars
from trading.models import BarSeries, CorporateAction
from volbal.strategy import Dividend, Split

pytestmark = pytest.mark.django_db
HEADER = "date,open,high,low,close,volume\n"
DAYS = HEADER + "2008-11-26,80.1,81.2,79.3,80.4,100\n2008-11-28,80.5,82.6,80.1,82.7,50\n"
SOURCE = "a test"


@pytest.fixture(autouse=True)
def _files_in_a_folder_of_the_test(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "files"
    catalogue._load.cache_clear()


@pytest.fixture
def ibm():
    return make_instrument("IBM")


def imported(instrument, tmp_path, text=DAYS):
    path = tmp_path / "IBM.csv"
    path.write_text(text)
    return catalogue.series_import(instrument=instrument, path=path, source=SOURCE)


def test_an_import_is_described_by_its_row(ibm, tmp_path):
    series = imported(ibm, tmp_path)
    assert (series.version, series.resolution, series.rows, series.source) == (1, "daily", 2, SOURCE)
    assert series.first == dt.datetime(2008, 11, 26, 20, 59, 59, tzinfo=dt.UTC)
    assert series.last == dt.datetime(2008, 11, 28, 17, 59, 59, tzinfo=dt.UTC)  # a half day


def test_bars_come_back_as_they_were(ibm, tmp_path):
    series = imported(ibm, tmp_path)
    again, original = catalogue.load_bars(series), read_bars(tmp_path / "IBM.csv")
    for name in ("stamps", "days", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(again, name), getattr(original, name))
    assert again.symbol == "IBM"


def test_another_import_is_a_new_version_and_the_old_one_stays(ibm, tmp_path):
    first = imported(ibm, tmp_path)
    second = imported(ibm, tmp_path, DAYS.replace("82.7", "82.5"))
    assert (first.version, second.version) == (1, 2)
    assert catalogue.load_bars(first).close[-1] == 82.7
    assert catalogue.load_bars(second).close[-1] == 82.5


def test_a_bad_file_leaves_nothing(ibm, tmp_path):
    with pytest.raises(FileRefused, match="line 3: close is '-1'"):
        imported(ibm, tmp_path, DAYS.replace("82.7", "-1"))
    assert not BarSeries.objects.exists()
    assert not (tmp_path / "files").exists()


def test_a_file_that_was_changed_is_not_used(ibm, tmp_path):
    series = imported(ibm, tmp_path)
    path = Path(series.file.path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="is not the file that was catalogued"):
        catalogue.load_bars(series)


def test_actions_come_back_as_the_rule_takes_them(ibm):
    dividends = [Dividend(dt.date(2008, 11, 6), 0.5, dt.date(2008, 12, 10)), Dividend(dt.date(2009, 2, 6), 0.123456)]
    splits = [Split(dt.date(1999, 5, 27), 2.0), Split(dt.date(2010, 1, 4), 1.5)]
    for _ in range(2):
        catalogue.actions_store(instrument=ibm, dividends=dividends, splits=splits, source=SOURCE)
    assert catalogue.load_actions(ibm) == (tuple(dividends), tuple(splits))
    assert CorporateAction.objects.count() == 4


def test_actions_of_another_instrument_are_left_out(ibm):
    other = make_instrument("MSFT")
    catalogue.actions_store(instrument=other, dividends=[Dividend(dt.date(2008, 11, 6), 0.5)], splits=[], source=SOURCE)
    assert catalogue.load_actions(ibm) == ((), ())


def test_two_dividends_of_one_date_are_two_actions_and_are_kept_once(ibm):
    both = [Dividend(dt.date(2008, 11, 6), 0.5), Dividend(dt.date(2008, 11, 6), 2.0)]
    for expected_new in (2, 0):
        assert catalogue.actions_store(instrument=ibm, dividends=both, splits=[], source=SOURCE) == expected_new
    stored, _ = catalogue.load_actions(ibm)
    assert [one.amount for one in stored if one.ex_date == dt.date(2008, 11, 6)] == [0.5, 2.0]


def test_a_series_keeps_its_quality_report(ibm, tmp_path):
    series = imported(ibm, tmp_path)
    assert (series.grade, series.quality["sentence"]) == ("usable", "usable: 1 order in 2 bars")


def test_checked_again_it_knows_what_was_announced_since(ibm, tmp_path):
    halved = DAYS + "".join(f"2008-12-{day:02d},41,42,40,41.{day},50\n" for day in (1, 2, 3, 4, 5, 8, 9, 10))
    series = imported(ibm, tmp_path, halved)
    assert series.grade == "doubtful"
    catalogue.actions_store(instrument=ibm, dividends=[], splits=[Split(dt.date(2008, 12, 1), 2.0)], source=SOURCE)
    assert catalogue.series_check(series=series, origin=catalogue.ORIGIN).grade == "usable"
    assert BarSeries.objects.get().grade == "usable"
