"""Quotes dropped as files: read once, row by row."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import time_machine

from portfolios.models import Portfolio
from portfolios.services import portfolio_create
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import OPEN, Desk, open_cell
from trading.models import Evaluation, FeedStatus, Quote
from trading.services.portfolio_ticks import portfolio_tick
from trading.services.quote_folder import folder_take

HEADER = "symbol,time,bid,ask,last\n"
NOW = "2024-03-07T15:30:00Z"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(OPEN, tick=False) as traveller:
        yield traveller


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.QUOTES_FOLDER = tmp_path / "quotes"
    settings.QUOTES_FOLDER.mkdir()
    return tmp_path / "quotes"


@pytest.fixture
def dropped(desk: Desk, folder: Path) -> Portfolio:
    make_instrument("AAPL")
    portfolio = portfolio_create(account=desk.account, name="Files", mode="paper", feed="folder", origin=BY_TEST)
    open_cell(portfolio)
    return portfolio


def drop(folder: Path, name: str, text: str) -> None:
    """Write a file as its sender should: whole, by a rename."""
    written = folder / f".{name}.part"
    written.write_text(text)
    written.rename(folder / name)


def names(folder: Path) -> list[str]:
    return sorted(one.name.partition("-")[2] for one in folder.iterdir())


def test_cells_trade_on_a_dropped_file_which_is_put_away(dropped: Portfolio, folder: Path) -> None:
    drop(folder, "a.csv", HEADER + f"IBM,{NOW},103.90,104.10,\n")
    portfolio_tick(portfolio=dropped)
    evaluation = Evaluation.objects.get()
    assert (evaluation.reason, evaluation.price, evaluation.source) == ("trigger_up", 104, "folder")
    assert (names(folder / "done"), list((folder / "refused").iterdir())) == (["a.csv"], [])
    assert not [one for one in folder.iterdir() if one.is_file()]


def test_a_parquet_file_is_read_as_well(dropped: Portfolio, folder: Path) -> None:
    frame = pd.DataFrame({"symbol": ["IBM"], "time": [pd.Timestamp(NOW)], "last": [101.25]})
    frame.to_parquet(folder / "a.parquet")
    portfolio_tick(portfolio=dropped)
    assert Quote.objects.get().last == Decimal("101.25")


def test_malformed_rows_are_refused_with_file_line_value_and_what_was_expected(
    dropped: Portfolio, folder: Path
) -> None:
    rows = [
        f"AAPL,{NOW},49.9,50.1,", f"IBM,{NOW},-5,104,", f"IBM,{NOW},abc,104,", "IBM,2024-03-07T15:30:00,,,104",
        "IBM,2024-03-07T15:45:00Z,,,104", f"NONE,{NOW},,,104", f",{NOW},,,104", f"IBM,{NOW},,,",
    ]  # fmt: skip
    drop(folder, "b.csv", HEADER + "\n".join(rows) + "\n")
    portfolio_tick(portfolio=dropped)
    (report,) = (folder / "refused").iterdir()
    with report.open(newline="") as file:
        told = [(one["file"], one["line"], one["what"], one["expected"]) for one in csv.DictReader(file)]
    moment = "a time with a zone, for example 2014-06-09T13:30:00Z"
    assert told == [
        ("b.csv", "3", "bid is '-5'", "a number above 0"),
        ("b.csv", "4", "bid is 'abc'", "a number above 0"),
        ("b.csv", "5", "time is '2024-03-07T15:30:00', a naive time", moment),
        (
            "b.csv", "6",
            "its time 2024-03-07T15:45:00+00:00 is 15 min ahead of our clock; at most 5 s are allowed",
            "a quote of the present",
        ),
        ("b.csv", "7", "symbol is 'NONE'", "an instrument of this installation"),
        ("b.csv", "8", "symbol is blank", "a text"),
        ("b.csv", "9", "bid, ask and last are blank", "at least one price"),
    ]  # fmt: skip
    assert [quote.instrument.symbol for quote in Quote.objects.select_related("instrument")] == ["AAPL"]
    assert FeedStatus.objects.get().refused_count == 7
    assert names(folder / "done") == ["b.csv"]


@pytest.mark.parametrize(
    "text,what", [("", "the file is empty"), ("a,b\n1,2\n", "no column symbol, time"), ("\x00\x01", "binary")]
)
def test_a_file_that_is_wrong_as_a_whole_is_put_aside(dropped: Portfolio, folder: Path, text: str, what: str) -> None:
    drop(folder, "c.csv", text)
    portfolio_tick(portfolio=dropped)
    kept = names(folder / "refused")
    assert kept == ["c.csv", "c.csv.problems.csv"]
    report = next(one for one in (folder / "refused").iterdir() if one.name.endswith("problems.csv"))
    assert what in report.read_text()


def test_a_file_is_read_once_and_one_that_is_still_written_is_left(dropped: Portfolio, folder: Path) -> None:
    (folder / ".b.csv.part").write_text(HEADER)
    (folder / "notes.txt").write_text("not for us")
    drop(folder, "a.csv", HEADER + f"IBM,{NOW},,,100\n")
    outcomes = [folder_take(folder=folder, source="folder", is_synthetic=False) for _ in range(2)]
    assert [(one.files, one.quotes) for one in outcomes] == [(1, 1), (0, 0)]
    assert sorted(one.name for one in folder.iterdir() if one.is_file()) == [".b.csv.part", "notes.txt"]


def test_a_file_that_a_killed_process_left_is_read_again(dropped: Portfolio, folder: Path) -> None:
    (folder / "reading").mkdir()
    left = folder / "reading" / "a.csv"
    left.write_text(HEADER + f"IBM,{NOW},,,100\n")
    os.utime(left, (OPEN.timestamp() - 30, OPEN.timestamp() - 30))
    assert folder_take(folder=folder, source="folder", is_synthetic=False).files == 0
    os.utime(left, (OPEN.timestamp() - 61, OPEN.timestamp() - 61))
    assert folder_take(folder=folder, source="folder", is_synthetic=False).quotes == 1


def test_the_newest_row_wins_whatever_the_order_of_files(dropped: Portfolio, folder: Path) -> None:
    drop(folder, "1.csv", HEADER + f"IBM,{NOW},,,101\nIBM,2024-03-07T15:29:50Z,,,99\n")
    drop(folder, "2.csv", HEADER + "IBM,2024-03-07T15:29:55Z,,,98\n")
    folder_take(folder=folder, source="folder", is_synthetic=False)
    assert Quote.objects.get().last == 101


def test_without_a_folder_the_feed_says_so(desk: Desk, settings: Any) -> None:
    settings.QUOTES_FOLDER = None
    portfolio = portfolio_create(account=desk.account, name="Files", mode="paper", feed="folder", origin=BY_TEST)
    open_cell(portfolio)
    portfolio_tick(portfolio=portfolio)
    assert "QUOTES_FOLDER names it" in FeedStatus.objects.get().error
