"""The commands themselves: options, outputs, refusals that write nothing, no database."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from django.core.management import CommandError, call_command

from tests.optimization.workbooks import read_workbook

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "trading" / "demo_data"
IBM = ("--bars", str(DATA / "IBM.csv"), "--symbol", "IBM", "--start", "2005-01-03", "--end", "2006-12-29")
ACTIONS = ("--dividends", str(DATA / "dividends.csv"), "--splits", str(DATA / "splits.csv"))
GRID = '{"trigger_up": {"from": 0.02, "to": 0.04, "step": 0.01}, "trigger_down": [0.02, 0.05]}'


@pytest.fixture
def backtest(capsys):
    def run(*arguments):
        call_command("backtest", *IBM, *arguments, "--json", "-")
        return json.loads(capsys.readouterr().out)

    return run


def refusal(command, *arguments):
    with pytest.raises(CommandError) as caught:
        call_command(command, *arguments)
    assert caught.value.returncode == 2
    return str(caught.value)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_document_says_what_was_asked(backtest):
    found = backtest(*ACTIONS, "--set", "trigger_up=0.05", "--cash", "5000", "--fill", "next_open")
    assert list(found) == ["name", "input", "bars", "first", "last", "measures", "skips", "final", "trades", "quality"]
    assert found["name"] == "IBM"
    assert found["input"] == {
        "bars": str(DATA / "IBM.csv"),
        "symbol": "IBM",
        "dividends": str(DATA / "dividends.csv"),
        "splits": str(DATA / "splits.csv"),
        "cash": 5000.0,
        "start": "2005-01-03",
        "end": "2006-12-29",
        "fill": "next_open",
        "params": {"trigger_up": 0.05},
    }
    assert (found["first"], found["last"]) == ("2005-01-03", "2006-12-29")


def test_a_setting_wins_over_the_parameters_given_as_json(backtest, tmp_path):
    file = tmp_path / "parameters.json"
    file.write_text('{"trigger_up": 0.2, "sizing": "original"}')
    found = backtest("--params", str(file), "--set", "trigger_up=0.04", "--set", "auto_rebalance=false")
    assert found["input"]["params"] == {"trigger_up": 0.04, "sizing": "original", "auto_rebalance": False}


def test_shares_cash_and_anchor_may_be_given_outright(backtest):
    found = backtest("--shares", "10", "--cash", "500")
    assert found["trades"] == []  # no anchor given is no anchor
    assert found["final"] == {"cash": 500.0, "shares": 10.0, "anchor": None, "receivable": 0.0}
    assert backtest("--shares", "10", "--cash", "500", "--anchor", "80")["trades"] != []


def test_dividends_are_reinvested_when_asked(backtest):
    plain, reinvested = backtest(*ACTIONS), backtest(*ACTIONS, "--reinvest")
    assert reinvested["final"]["shares"] != plain["final"]["shares"]
    assert reinvested["input"]["reinvest"] is True


def test_the_risk_free_rate_lowers_sharpe_alone(backtest):
    plain, above = backtest()["measures"], backtest("--risk-free-rate", "0.03")["measures"]
    assert above["sharpe"] < plain["sharpe"]
    assert above["final_value"] == plain["final_value"]


def test_the_band_gives_both_paths(backtest):
    resting = ("--execution", "resting")
    band = backtest(*resting, "--path", "band")["band"]
    assert list(band) == ["ohlc", "olhc"]
    for path, one in band.items():
        alone = backtest(*resting, "--path", path)
        assert {name: alone[name] for name in one} == one
    assert band["ohlc"]["measures"] != band["olhc"]["measures"]


def test_a_result_of_resting_orders_is_never_without_its_band(backtest, capsys):
    alone = backtest("--execution", "resting", "--path", "olhc")
    assert list(alone["band"]) == ["olhc", "ohlc"]
    assert alone["band"]["olhc"]["measures"] == alone["measures"]
    assert alone["band"]["ohlc"]["measures"] == backtest("--execution", "resting")["measures"]
    assert "band" not in backtest()
    capsys.readouterr()
    call_command("backtest", *IBM, "--execution", "resting")
    assert "Intrabar band" in capsys.readouterr().out


def test_a_sweep_of_resting_orders_has_both_paths_in_each_row(tmp_path, backtest, capsys):
    target = tmp_path / "band.csv"
    grid = '{"trigger_up": [0.03, 0.05]}'
    call_command(
        "sweep", *IBM, "--grid", grid, "--execution", "resting", "--out", str(target), "--top", "1", "--by", "trades"
    )
    assert " / " in capsys.readouterr().out
    row = pd.read_csv(target).iloc[0]
    for path, name in (("ohlc", "final_value"), ("olhc", "final_value_olhc")):
        alone = backtest("--execution", "resting", "--path", path, "--set", "trigger_up=0.03")
        assert row[name] == pytest.approx(alone["measures"]["final_value"], rel=1e-12)


def test_people_get_units_definitions_and_cautions(capsys):
    call_command("backtest", *IBM, *ACTIONS, "--set", "guardrail_tolerance=0")
    told = capsys.readouterr()
    assert "IBM · 503 daily bars · 2005-01-03 to 2006-12-29" in told.out
    assert "Maximum drawdown" in told.out
    assert "Deepest fall of the value from its highest before" in told.out
    assert " %  Total return compounded to 252 trading days." in told.out
    assert "Skipped orders by reason:" in told.out
    assert "Bars: clean: nothing odd in 503 bars." in told.out
    assert told.err.startswith("Note: ")


def test_people_see_the_band_side_by_side(capsys):
    call_command("backtest", *IBM, "--execution", "resting", "--path", "band")
    out = capsys.readouterr().out
    assert "Intrabar band" in out
    assert "ohlc: Trades:" in out
    assert "olhc: Trades:" in out


def test_the_workbook_holds_summary_trades_days_and_definitions(tmp_path):
    target = tmp_path / "result.xlsx"
    call_command("backtest", *IBM, *ACTIONS, "--xlsx", str(target), "--json", str(tmp_path / "result.json"))
    document = json.loads((tmp_path / "result.json").read_text())
    book = read_workbook(target)
    assert list(book) == ["Summary", "Trades", "Daily", "Bars", "Definitions"]
    assert book["Bars"][0][0] == f"Quality of the bars: {document['quality']['grade']}"
    assert {"Missing", "Outliers", "Jumps"} <= {row[0] for row in book["Bars"] if row}
    summary = {row[0]: row[1] for row in book["Summary"] if len(row) > 1}
    assert summary["Final value"] == document["measures"]["final_value"]
    assert summary["trigger_up"] == 0.03
    assert book["Trades"][1:] == [list(trade.values()) for trade in document["trades"]]
    assert len(book["Daily"]) == document["bars"] + 1
    assert book["Daily"][-1][2] == pytest.approx(document["measures"]["final_value"])
    assert "xl/charts/chart2.xml" in zipfile.ZipFile(target).namelist()


def test_the_workbook_of_a_band_has_sheets_for_both(tmp_path):
    target = tmp_path / "band.xlsx"
    call_command("backtest", *IBM, "--execution", "resting", "--path", "band", "--xlsx", str(target))
    assert list(read_workbook(target)) == [
        "Summary",
        "Trades ohlc",
        "Daily ohlc",
        "Trades olhc",
        "Daily olhc",
        "Bars",
        "Definitions",
    ]


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--set", "trigger_up=3"), "trigger_up is 3; expected a number above 0 and below 1"),
        (("--set", "trigger_sideways=0.1"), "trigger_sideways is [0.1]; expected a known parameter"),
        (("--set", "trigger_up"), "--set trigger_up: expected name=value"),
        (("--params", "{"), "--params, line 1, column 2: Expecting property name"),
        (("--params", '{"trigger_up": NaN}'), "--params: NaN is no number"),
        (("--params", '{"trigger_up": 0.1, "trigger_up": 0.2}'), "--params: 'trigger_up' stands there twice"),
        (("--params", "none.json"), "--params none.json: it cannot be read (No such file or directory)"),
        (("--start", "2020-01-02", "--end", "2020-02-03"), "expected a range that holds at least one bar"),
        (("--set", "slice_notional=1000", "--execution", "resting"), "none with execution resting"),
        (("--cash", "-1"), "cash is -1.0; expected a finite number of at least 0"),
        (("--anchor", "80"), "anchor is 80.0; expected none, or shares given with it"),
        (("--path", "band"), "--path band shows what resting orders do within a bar; expected --execution resting"),
        (
            ("--execution", "resting", "--fill", "next_open"),
            "fill is 'next_open'; expected close with",
        ),
        (("--symbol", "IBMX", *ACTIONS), "The symbol 'IBMX' is unknown"),
        (("--bars", str(DATA / "none.csv")), "it cannot be read (No such file or directory)"),
        (("--bars", str(DATA / "PROVENANCE.md")), "the extension is .md; expected .csv or .parquet"),
    ],
)
def test_a_backtest_refuses_and_writes_nothing(tmp_path, arguments, expected):
    outputs = ("--json", str(tmp_path / "result.json"), "--xlsx", str(tmp_path / "result.xlsx"))
    assert expected in refusal("backtest", *IBM, *outputs, *arguments)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--cash", "much"), "argument --cash: 'much' is no number"),
        (("--cash", "inf"), "argument --cash: 'inf' is no number"),
        (("--start", "03/01/2005"), "argument --start: '03/01/2005' is no date"),
        (("--fill", "open"), "argument --fill: invalid choice: 'open'"),
        (("--shares", "1", "--stock-fraction", "0.5"), "not allowed with argument"),
    ],
)
def test_a_malformed_command_line_is_refused(arguments, expected):
    with pytest.raises(CommandError, match="Error: ") as caught:
        call_command("backtest", *IBM, *arguments)
    assert expected in str(caught.value)


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(CommandError, match="argument --workers: '0' is no whole number of at least 1"):
        call_command("sweep", *IBM, "--grid", GRID, "--out", str(tmp_path / "results.csv"), "--workers", "0")


def test_off_is_a_value_that_can_be_set(backtest):
    found = backtest("--set", "stop_loss=none", "--set", "sizing=original")
    assert found["input"]["params"] == {"stop_loss": None, "sizing": "original"}


def test_an_output_in_no_folder_is_refused_before_any_work(tmp_path):
    name = str(tmp_path / "none" / "result.json")
    assert f"{name}: its folder does not exist" in refusal("backtest", *IBM, "--json", name)


def test_two_outputs_in_one_file_are_refused(tmp_path):
    name = str(tmp_path / "result")
    assert "Two outputs name the same file" in refusal("backtest", *IBM, "--json", name, "--xlsx", name)


def test_what_stands_in_an_outputs_place_is_kept_when_a_run_is_refused(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("kept")
    refusal("backtest", *IBM, "--json", str(target), "--set", "trigger_up=3")
    assert target.read_text() == "kept"


def test_an_output_that_cannot_be_replaced_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "result.json").mkdir()
    assert "cannot be written" in refusal("backtest", *IBM, "--json", str(tmp_path / "result.json"))
    assert left_in(tmp_path) == ["result.json"]


def test_an_output_can_be_read_by_those_a_plain_file_could(tmp_path):
    plain, target = tmp_path / "plain", tmp_path / "result.json"
    plain.touch()
    call_command("backtest", *IBM, "--json", str(target))
    assert target.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("extension", ["csv", "parquet"])
def test_a_sweep_writes_one_row_a_combination_in_grid_order(tmp_path, extension):
    target = tmp_path / f"results.{extension}"
    call_command("sweep", *IBM, "--grid", GRID, "--out", str(target), "--workers", "2")
    frame = pd.read_csv(target) if extension == "csv" else pd.read_parquet(target)
    assert frame["trigger_up"].tolist() == [0.02, 0.02, 0.03, 0.03, 0.04, 0.04]
    assert frame["trigger_down"].tolist() == [0.02, 0.05] * 3
    assert frame["trades"].dtype == "int64"


def test_a_sweep_row_equals_its_backtest(tmp_path, backtest, capsys):
    target = tmp_path / "results.csv"
    call_command("sweep", *IBM, "--grid", GRID, "--out", str(target), "--set", "min_stock=0.1", "--cash", "5000")
    capsys.readouterr()
    with target.open() as file:
        row = list(csv.DictReader(file))[3]
    alone = backtest(
        "--set", "min_stock=0.1", "--set", "trigger_up=0.03", "--set", "trigger_down=0.05", "--cash", "5000"
    )
    measures = alone["measures"]
    assert {name: float(row[name]) for name in measures if row[name]} == {
        name: value for name, value in measures.items() if value is not None
    }


def test_an_undefined_measure_is_empty_not_infinite(tmp_path):
    target = tmp_path / "results.csv"
    call_command("sweep", *IBM, "--grid", '{"trigger_up": [0.9]}', "--set", "trigger_down=0.9", "--out", str(target))
    with target.open() as file:
        row = next(csv.DictReader(file))
    assert row["trades"] == "0"
    assert row["win_rate"] == ""


@pytest.mark.parametrize("measure, best", [("final_value", max), ("commission", min)])
def test_the_best_are_shown_by_the_measure_asked_for(tmp_path, capsys, measure, best):
    target = tmp_path / "results.csv"
    call_command("sweep", *IBM, "--grid", GRID, "--out", str(target), "--top", "2", "--by", measure)
    out = capsys.readouterr().out
    assert f"Best 2 by {measure}" in out
    assert "of 6 tried" in out
    wanted = best(pd.read_csv(target)[measure])
    assert f"{wanted:,.2f}" in out.splitlines()[-2]


@pytest.mark.parametrize(
    "grid, expected",
    [
        ("{}", "the grid names no parameter"),
        ('{"trigger_up": []}', "the grid has 0 combinations"),
        (
            '{"trigger_up": {"from": 0.0001, "to": 0.9999, "step": 0.0001},'
            ' "trigger_down": {"from": 0.001, "to": 0.999, "step": 0.001}}',
            "the grid has 9,989,001 combinations; expected at least 1 and at most 1,000,000",
        ),
        ('{"trigger_up": {"from": 0.2, "to": 0.1, "step": 0.01}}', "goes from 0.2 to 0.1"),
        ('{"trigger_up": [0.1, 2]}', "trigger_up is 2; expected"),
        ('{"colour": [1]}', "the grid names colour"),
        ("[1, 2]", "it cannot be read"),
        ('{"min_stock": [0.1]}', "min_stock is given both as a parameter and in the grid"),
    ],
)
def test_a_sweep_refuses_and_writes_nothing(tmp_path, grid, expected):
    target = str(tmp_path / "results.csv")
    assert expected in refusal("sweep", *IBM, "--grid", grid, "--out", target, "--set", "min_stock=0.1")
    assert left_in(tmp_path) == []


def test_a_grid_that_is_a_list_is_refused(tmp_path):
    grid = tmp_path / "grid.json"
    grid.write_text("[1, 2]")
    told = refusal("sweep", *IBM, "--grid", str(grid), "--out", str(tmp_path / "results.csv"))
    assert "holds a JSON list; expected an object" in told


def test_a_sweep_into_an_unknown_kind_of_file_is_refused(tmp_path):
    told = refusal("sweep", *IBM, "--grid", GRID, "--out", str(tmp_path / "results.xlsx"))
    assert "the extension is .xlsx; expected .csv or .parquet" in told


def test_a_stopped_sweep_writes_nothing(tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("volbal.strategy.sweep", stop)
    with pytest.raises(CommandError, match=r"Stopped. Nothing was written.") as caught:
        call_command("sweep", *IBM, "--grid", GRID, "--out", str(tmp_path / "results.csv"))
    assert caught.value.returncode == 130
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "arguments", [("backtest", "--json", "-"), ("sweep", "--grid", '{"trigger_up": [0.1]}', "--out", "results.csv")]
)
def test_no_database_is_needed(tmp_path, arguments):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "volbal.settings.development",
        "DATABASE_URL": "postgres://nobody:nothing@203.0.113.1:1/none",
        "REDIS_URL": "redis://203.0.113.1:1/0",
        "VOLBAL_DATA_DIR": str(tmp_path / "var"),
    }
    command = [sys.executable, str(ROOT / "manage.py"), arguments[0], *IBM, *arguments[1:]]
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr


def test_a_process_refuses_with_status_two_and_one_message(tmp_path):
    bars = tmp_path / "bars.csv"
    bars.write_text("date,open,high,low,close\n2005-01-03,1,1,1,-1\n")
    command = [sys.executable, str(ROOT / "manage.py"), "backtest", "--bars", str(bars), "--json", "-"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr == f"CommandError: {bars}, line 2: close is '-1'; expected a number above 0.\n"
