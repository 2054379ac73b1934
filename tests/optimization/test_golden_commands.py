"""Golden results through the command line: the demonstration's always, the reference's where it is."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.conftest import SHARED

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO_GOLDEN = ROOT / "tests" / "golden"
DEMO_DATA = ROOT / "trading" / "demo_data"
NOT_BACKTESTS = ("decisions", "sweep")
OPTIONS = ("symbol", "start", "end", "cash", "stock_fraction", "fill", "slippage_bps", "execution", "path")
KNOWN = {*OPTIONS, "bars", "dividends", "splits", "calendar", "params"}
SHARES_WITHIN, MONEY_WITHIN, MEASURES_WITHIN = 2e-6, 0.02, 1e-6


def cases(folder):
    return sorted(path for path in folder.glob("*.json") if path.stem not in NOT_BACKTESTS)


def demo_file(name):
    return DEMO_DATA / Path(name).name


def shared_file(name):
    return SHARED / "data" / name


def arguments(described, file):
    """Return a golden input as the command line that asks for it."""
    assert set(described) <= KNOWN
    found = []
    for name in ("bars", "dividends", "splits"):
        if name in described:
            found += [f"--{name}", str(file(described[name]))]
    for name in OPTIONS:
        if name in described:
            found += [f"--{name.replace('_', '-')}", str(described[name])]
    if "params" in described:
        found += ["--params", json.dumps(described["params"])]
    return found


def assert_reproduced(found, expected):
    assert [found[name] for name in ("bars", "first", "last")] == [expected[name] for name in ("bars", "first", "last")]
    assert found["skips"] == expected["skips"]
    assert set(found["measures"]) == set(expected["measures"])
    for name, value in expected["measures"].items():
        within_relative = None if value is None else pytest.approx(value, rel=MEASURES_WITHIN, abs=1e-12)
        assert found["measures"][name] == within_relative, name
    identity = ("at", "side", "reason")
    assert [[trade[name] for name in identity] for trade in found["trades"]] == [
        [trade[name] for name in identity] for trade in expected["trades"]
    ]
    within = {"quantity": SHARES_WITHIN, "shares_after": SHARES_WITHIN, "price": SHARES_WITHIN}
    for trade, golden in zip(found["trades"], expected["trades"], strict=True):
        assert set(trade) == set(golden)
        for name in set(golden) - set(identity):
            assert trade[name] == pytest.approx(golden[name], abs=within.get(name, MONEY_WITHIN), rel=0), trade
    for name, value in expected["final"].items():
        assert found["final"][name] == pytest.approx(value, abs=within.get(name, MONEY_WITHIN))


def run(described, file, tmp_path):
    out = tmp_path / "result.json"
    call_command("backtest", *arguments(described, file), "--json", str(out))
    return json.loads(out.read_text())


@pytest.mark.parametrize("path", cases(DEMO_GOLDEN), ids=lambda path: path.stem)
def test_the_demonstrations_golden_results(path, tmp_path):
    golden = json.loads(path.read_text())
    assert_reproduced(run(golden["input"], demo_file, tmp_path), golden["expected"])


@pytest.mark.shared
@pytest.mark.parametrize("path", cases(SHARED / "golden"), ids=lambda path: path.stem)
def test_every_golden_result(path, tmp_path):
    golden = json.loads(path.read_text())
    assert_reproduced(run(golden["input"], shared_file, tmp_path), golden["expected"])


def assert_sweep_reproduced(folder, file, tmp_path):
    golden = json.loads((folder / "sweep.json").read_text())
    out = tmp_path / "results.csv"
    call_command("sweep", *arguments(golden["input"], file), "--grid", json.dumps(golden["grid"]), "--out", str(out))
    with out.open() as found_file, (folder / "sweep.csv").open() as golden_file:
        found, expected = list(csv.DictReader(found_file)), list(csv.DictReader(golden_file))
    assert len(found) == len(expected)
    for row, golden_row in zip(found, expected, strict=True):
        assert {name: float(row[name]) for name in golden_row} == pytest.approx(
            {name: float(value) for name, value in golden_row.items()}, rel=MEASURES_WITHIN
        )


def test_the_demonstrations_golden_sweep(tmp_path):
    assert_sweep_reproduced(DEMO_GOLDEN, demo_file, tmp_path)


@pytest.mark.shared
def test_the_golden_sweep(tmp_path):
    assert_sweep_reproduced(SHARED / "golden", shared_file, tmp_path)


def test_a_process_of_its_own_reproduces_a_golden_result():
    golden = json.loads((DEMO_GOLDEN / "demo-ibm.json").read_text())
    command = [sys.executable, "manage.py", "backtest", *arguments(golden["input"], demo_file), "--json", "-"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert_reproduced(json.loads(told.stdout), golden["expected"])


def test_the_demonstration_has_golden_results():
    assert len(cases(DEMO_GOLDEN)) >= 10
