"""Dividends and splits in files."""

import datetime as dt

import pytest

from trading.marketdata.files import FileRefused, read_dividends, read_splits
from volbal.strategy import Dividend, Split

DIVIDENDS = "symbol,ex_date,amount,pay_date,kind\nIBM,2000-05-08,0.13,2000-06-10,cash\nIBM,2000-02-08,0.12,,cash\n"


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "actions.csv"
        path.write_text(text)
        return path

    return write


def test_dividends_come_in_date_order_with_their_pay_dates(file):
    assert read_dividends(file(DIVIDENDS)) == {
        "IBM": [
            Dividend(dt.date(2000, 2, 8), 0.12, None),
            Dividend(dt.date(2000, 5, 8), 0.13, dt.date(2000, 6, 10)),
        ]
    }


def test_pay_dates_may_be_missing_altogether(file):
    path = file("symbol,ex_date,amount\nIBM,2000-05-08,0.13\n")
    assert read_dividends(path)["IBM"] == [Dividend(dt.date(2000, 5, 8), 0.13)]


def test_only_the_symbol_asked_for_is_returned(file):
    path = file("symbol,ex_date,ratio\nAAPL,2014-06-09,7\nIBM,1999-05-27,2\n")
    assert read_splits(path, "AAPL") == {"AAPL": [Split(dt.date(2014, 6, 9), 7.0)]}
    assert read_splits(path, "GOOG") == {}


def test_two_different_dividends_of_one_day_are_kept(file):
    path = file("symbol,ex_date,amount\nIBM,2000-05-08,0.13\nIBM,2000-05-08,1.5\n")
    assert [dividend.amount for dividend in read_dividends(path)["IBM"]] == [0.13, 1.5]


@pytest.mark.parametrize(
    "row, expected",
    [
        ("IBM,2001-05-08,0,", "line 4: amount is '0'; expected a number above 0"),
        ("IBM,2001-05-08,,", "line 4: amount is blank"),
        (",2001-05-08,1,", "line 4: symbol is blank"),
        ("IBM,,1,", "line 4: ex_date is blank"),
        ("IBM,2001-05-08,1,soon", "line 4: pay_date is 'soon'; expected a date"),
        ("IBM,2000-05-08,0.13,2000-06-10", "line 4: IBM on 2000-05-08 repeats line 2; expected each action once"),
    ],
)
def test_a_bad_dividend_is_named(file, row, expected):
    text = DIVIDENDS.replace(",kind", "").replace(",cash", "")
    with pytest.raises(FileRefused) as caught:
        read_dividends(file(text + row + "\n"))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "row, expected",
    [
        ("AAPL,2014-06-09,-7", "line 3: ratio is '-7'; expected a number above 0"),
        ("IBM,1999-05-27,2", "line 3: IBM on 1999-05-27 repeats line 2"),
    ],
)
def test_a_bad_split_is_named_whatever_symbol_is_asked_for(file, row, expected):
    with pytest.raises(FileRefused) as caught:
        read_splits(file(f"symbol,ex_date,ratio\nIBM,1999-05-27,2\n{row}\n"), "GOOG")
    assert expected in str(caught.value)


def test_a_missing_column_is_named(file):
    with pytest.raises(FileRefused, match="no column ratio among symbol, ex_date, amount"):
        read_splits(file("symbol,ex_date,amount\nIBM,1999-05-27,2\n"))
