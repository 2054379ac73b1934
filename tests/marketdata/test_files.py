"""Bars in files: what is read, and what is refused with line, value and what was expected."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from trading.marketdata.files import FileRefused, read_bars, write_bars

HEADER = "date,open,high,low,close,volume\n"
MINUTE_HEADER = "ts_utc,open,high,low,close,volume\n"
GOOD = HEADER + "2000-03-01,102,105.5,100.06,100.25,10807800\n2000-03-02,100.5,105.44,99.5,103.12,11192900\n"
SEVERAL = (
    "symbol,date,open,high,low,close,volume\n"
    "IBM,2000-03-01,1,1,1,1.5,1\nAAPL,2000-03-01,2,2,2,2.5,1\nIBM,2000-03-02,3,3,3,3.5,1\n"
)
COLUMNS = ("stamps", "days", "in_session", "open", "high", "low", "close", "volume")


@pytest.fixture
def file(tmp_path):
    def write(content, name="IBM.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refusal(path, **options):
    with pytest.raises(FileRefused) as caught:
        read_bars(path, **options)
    assert str(path) in str(caught.value)
    return caught.value


def test_daily_bars_are_read_as_written(file):
    bars = read_bars(file(GOOD))
    assert (bars.symbol, bars.resolution, bars.label(0), bars.label(1)) == ("IBM", "daily", "2000-03-01", "2000-03-02")
    assert bars.close.tolist() == [100.25, 103.12]
    assert bars.volume.tolist() == [10807800, 11192900]


@pytest.mark.parametrize("text", ["0.1", "1.1e2", "645.57", "1234567.123457", "2.675", "+3.5", ".5", "7."])
def test_a_price_is_the_float_nearest_to_its_text(file, text):
    bars = read_bars(file(f"date,open,high,low,close\n2000-03-01,{text},{text},{text},{text}\n"))
    assert bars.close[0] == float(text)


def test_byte_order_mark_windows_lines_quotes_and_capitals_are_understood(file):
    text = '\ufeffDate, Open,HIGH,low,Close,Volume\r\n"2000-03-01",1,1,1,"1.25",5\r\n\r\n'
    assert read_bars(file(text)).close.tolist() == [1.25]


def test_volume_may_be_missing_and_other_columns_are_ignored(file):
    bars = read_bars(file("date,open,high,low,close,note\n2000-03-01,1,1,1,1,spin-off\n"))
    assert bars.volume.tolist() == [0]


def test_minutes_know_their_exchange_day_and_session(file):
    rows = [
        "2014-06-06T13:29:00Z",
        "2014-06-06T09:30:00-04:00",
        "2014-06-06 19:59:00+00:00",
        "2014-06-06T20:00:00Z",
        "2014-06-07T00:30:00.000Z",
    ]
    bars = read_bars(file(MINUTE_HEADER + "".join(f"{row},1,1,1,1,1\n" for row in rows)))
    assert bars.resolution == "intraday"
    assert bars.in_session.tolist() == [False, True, True, False, False]
    assert {np.datetime64(int(day), "D").item() for day in bars.days} == {dt.date(2014, 6, 6)}
    assert bars.label(1) == "2014-06-06T13:30:00Z"


def test_sessions_are_those_of_the_exchange_asked_for(file):
    path = file(MINUTE_HEADER + "2014-06-06T08:00:00Z,1,1,1,1,1\n")
    assert read_bars(path, exchange="XLON").in_session.tolist() == [True]
    assert read_bars(path, exchange="XNYS").in_session.tolist() == [False]


def test_one_symbol_of_several_is_chosen(file):
    bars = read_bars(file(SEVERAL), symbol="IBM")
    assert (bars.symbol, bars.close.tolist()) == ("IBM", [1.5, 3.5])


def test_a_problem_beside_the_chosen_symbol_keeps_its_own_line(file):
    error = refusal(file(SEVERAL.replace("3.5", "-3.5")), symbol="IBM")
    assert [problem.line for problem in error.problems] == [4]


@pytest.mark.parametrize("header", [HEADER, MINUTE_HEADER])
def test_parquet_gives_the_same_bars_back(file, tmp_path, header):
    stamps = ["2014-06-06", "2014-06-09"] if header == HEADER else ["2014-06-06T13:30:00Z", "2014-06-06T20:01:00Z"]
    written = read_bars(file(header + "".join(f"{stamp},1.1,2.2,0.3,1.7,5\n" for stamp in stamps)))
    path = tmp_path / "bars.parquet"
    write_bars(written, path)
    again = read_bars(path)
    assert all(np.array_equal(getattr(written, name), getattr(again, name)) for name in COLUMNS)
    assert (again.symbol, again.resolution) == (written.symbol, written.resolution)
    assert [left.name for left in tmp_path.iterdir() if left.suffix == ".writing"] == []


@pytest.mark.parametrize(
    "dates",
    [
        pd.to_datetime(["2014-06-06", "2014-06-09"]),
        [dt.date(2014, 6, 6), dt.date(2014, 6, 9)],
        ["2014-06-06", "2014-06-09"],
    ],
)
def test_parquet_dates_may_be_dates_or_texts(tmp_path, dates):
    frame = pd.DataFrame({"date": dates, "open": 1, "high": 1.0, "low": 1.0, "close": 1.5})
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    assert read_bars(tmp_path / "x.parquet").label(1) == "2014-06-09"


def test_parquet_rows_are_named_from_one(tmp_path):
    frame = pd.DataFrame({"date": ["2014-06-06", "2014-06-09"], "open": 1.0, "high": 1.0, "low": 1.0})
    frame["close"] = [1.0, None]
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    assert "row 2: close is blank; expected a number above 0" in str(refusal(tmp_path / "x.parquet"))


@pytest.mark.parametrize(
    "row, expected",
    [
        ("2000-03-03,1,1,1,,1", "line 4: close is blank; expected a number above 0"),
        ("2000-03-03,1,1,1,0,1", "line 4: close is '0'; expected a number above 0"),
        ("2000-03-03,-1,1,1,1,1", "line 4: open is '-1'; expected a number above 0"),
        ("2000-03-03,1,1,1,1,-5", "line 4: volume is '-5'; expected a number of at least 0"),
        ("2000-03-03,1,1,1,1,", "line 4: volume is blank"),
        ("2000-03-03,1,1,1,nan,1", "line 4: close is 'nan'; expected a number above 0"),
        ("2000-03-03,1,inf,1,1,1", "line 4: high is 'inf'; expected a number above 0"),
        ("2000-03-03,1_0,1,1,1,1", "line 4: open is '1_0'; expected a number above 0"),
        ("2000-03-03,1e999,1,1,1,1", "line 4: open is '1e999'; expected a number above 0"),
        ("2000-03-03,twelve,1,1,1,1", "line 4: open is 'twelve'; expected a number above 0"),
        ("2000-03-03,1,1,2,1,1", "line 4: high 1 is below low 2; expected high at least low"),
        ("2000-03-02,1,1,1,1,1", "line 4: date 2000-03-02 repeats line 3 (2000-03-02); expected stamps in rising"),
        ("2000-02-28,1,1,1,1,1", "line 4: date 2000-02-28 is before line 3 (2000-03-02); expected stamps in rising"),
        (",1,1,1,1,1", "line 4: date is blank; expected a date, for example 2014-06-09"),
        ("03/03/2000,1,1,1,1,1", "line 4: date is '03/03/2000'; expected a date"),
        ("2000-02-30,1,1,1,1,1", "line 4: date is '2000-02-30'; expected a date"),
        ("2000-03-03,1,1,1,1", "line 4: 5 values; expected 6 values, as in the header"),
        ("2000-03-03,1,1,1,1,1,1", "line 4: 7 values; expected 6 values, as in the header"),
        ('2000-03-03,1,"1,1,1,1', "line 4: unexpected end of data"),
    ],
)
def test_a_bad_daily_row_is_named(file, row, expected):
    assert expected in str(refusal(file(GOOD + row + "\n")))


@pytest.mark.parametrize(
    "stamp, expected",
    [
        ("2014-06-05T08:00:00", "ts_utc is '2014-06-05T08:00:00', a naive time; expected a time with a zone"),
        ("", "ts_utc is blank; expected a time with a zone"),
        ("1401955200", "ts_utc is '1401955200'; expected a time with a zone"),
        ("2014-06-05T25:00:00Z", "ts_utc is '2014-06-05T25:00:00Z'; expected a time with a zone"),
    ],
)
def test_a_bad_time_is_named(file, stamp, expected):
    assert expected in str(refusal(file(MINUTE_HEADER + f"{stamp},1,1,1,1,1\n")))


def test_naive_times_in_parquet_are_refused(tmp_path):
    frame = pd.DataFrame({"ts_utc": pd.to_datetime(["2014-06-05 08:00"])})
    frame[["open", "high", "low", "close"]] = 1.0
    frame.to_parquet(tmp_path / "x.parquet", index=False)
    assert "row 1: ts_utc is 2014-06-05 08:00:00, a naive time; expected a time with a zone" in str(
        refusal(tmp_path / "x.parquet")
    )


def test_times_beyond_the_calendar_are_refused(file):
    error = refusal(file(MINUTE_HEADER + "1990-06-05T15:00:00Z,1,1,1,1,1\n"))
    assert "does not cover 1990-06-05" in str(error)


@pytest.mark.parametrize(
    "name, content, expected",
    [
        ("IBM.csv", "", "the file is empty; expected a header and at least one row"),
        ("IBM.csv", " \n\n", "the file is empty"),
        ("IBM.csv", HEADER, "no rows; expected at least one row below the header"),
        ("IBM.csv", "date,open,low\n2000-03-01,1,1\n", "no column high, close among date, open, low"),
        ("IBM.csv", "open,high,low,close\n1,1,1,1\n", "no column date among"),
        ("IBM.csv", "date,date,open\n1,1,1\n", "the column 'date' stands there twice"),
        ("IBM.csv", b"date,open\xff\n", "line 1: bytes that are no UTF-8 text"),
        ("IBM.csv", b"date\0,open\n1,1\n", "the content is binary"),
        ("IBM.csv", b"PAR1whatever", "the content is Parquet; expected text, as the extension .csv says"),
        ("IBM.parquet", GOOD, "the content is not Parquet; expected Parquet, as the extension .parquet says"),
        ("IBM.parquet", b"PAR1 cut off", "it cannot be read"),
        ("IBM.xlsx", GOOD, "the extension is .xlsx; expected .csv or .parquet"),
        ("IBM", GOOD, "the extension is missing"),
        ("several.csv", SEVERAL, "2 symbols and none chosen; expected one of AAPL, IBM"),
    ],
)
def test_a_file_wrong_as_a_whole_is_refused(file, name, content, expected):
    assert expected in str(refusal(file(content, name)))


def test_a_missing_file_is_refused(tmp_path):
    assert "it cannot be read (No such file or directory)" in str(refusal(tmp_path / "none.csv"))


def test_an_unknown_symbol_is_refused_naming_the_known(file):
    error = refusal(file(SEVERAL), symbol="MSFT")
    assert "no rows of the unknown symbol 'MSFT'; expected one of AAPL, IBM" in str(error)


def test_everything_wrong_is_found_and_the_first_twenty_listed(file):
    rows = "".join(f"2000-03-{day:02d},x,1,1,1,1\n" for day in range(1, 29))
    error = refusal(file(HEADER + rows))
    assert len(error.problems) == 28
    assert "28 problems" in error.message
    assert "line 21: open is 'x'" in error.message
    assert "line 22: open" not in error.message
    assert error.message.endswith("and 8 more")
