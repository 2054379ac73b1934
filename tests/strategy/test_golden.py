"""Every golden result is reproduced through the public functions."""

import json

import pytest

from tests.strategy.reading import GOLDEN, SHARED, read_case, rows
from volbal.strategy import CellState, StrategyParameters, decide, decide_many, simulate, sweep

NOT_BACKTESTS = {"decisions.json", "sweep.json"}


def backtests(folder):
    return [path for path in sorted(folder.glob("*.json")) if path.name not in NOT_BACKTESTS]


DEMO_CASES = [pytest.param(path, id=path.stem) for path in backtests(GOLDEN)]
SHARED_CASES = [
    pytest.param(path, id=f"shared-{path.stem}", marks=pytest.mark.shared) for path in backtests(SHARED / "golden")
]


def close_to(value, expected):
    return (value is None) == (expected is None) and (
        value is None or value == pytest.approx(expected, rel=1e-6, abs=1e-12)
    )


@pytest.mark.parametrize("path", DEMO_CASES + SHARED_CASES)
def test_backtest_is_reproduced(path):
    bars, parameters, options, case = read_case(path)
    expected = case["expected"]
    result = simulate(bars, StrategyParameters.from_dict(parameters), **options)
    assert [(t.at, t.side, t.reason) for t in result.trades] == [
        (t["at"], t["side"], t["reason"]) for t in expected["trades"]
    ]
    for trade, wanted in zip(result.trades, expected["trades"], strict=True):
        assert trade.quantity == pytest.approx(wanted["quantity"], abs=2e-6)
        assert trade.price == pytest.approx(wanted["price"], abs=1e-6)
        assert trade.shares_after == pytest.approx(wanted["shares_after"], abs=2e-6)
        for name in ("notional", "commission", "cash_after"):
            assert getattr(trade, name) == pytest.approx(wanted[name], abs=0.02)
    different = {
        name: (result.measures[name], value)
        for name, value in expected["measures"].items()
        if not close_to(result.measures[name], value)
    }
    assert different == {}
    assert result.skips == expected["skips"]
    assert (len(result.bars), result.first, result.last) == tuple(expected[k] for k in ("bars", "first", "last"))
    for name, value in expected["final"].items():
        assert close_to(getattr(result.final, name), value)
    written = result.to_dict()
    assert {name: sorted(written[name]) for name in ("measures", "final")} == {
        name: sorted(expected[name]) for name in ("measures", "final")
    }
    assert written.keys() == expected.keys()
    assert all(
        trade.keys() >= wanted.keys() for trade, wanted in zip(written["trades"], expected["trades"], strict=True)
    )


def decision_rows():
    return json.loads((GOLDEN / "decisions.json").read_text())


def test_every_decision_is_reproduced():
    different = []
    for row in decision_rows():
        parameters = StrategyParameters.from_dict(row["params"])
        decision = decide(row["price"], CellState(**row["cell"]), parameters)
        expected = row["expected"]
        words = (decision.action, decision.reason, decision.signal)
        same = (
            words == (expected["action"], expected["reason"], expected["signal"])
            and decision.raw_quantity == pytest.approx(expected["raw"], rel=1e-9, abs=0.0)
            and decision.quantity == pytest.approx(expected["quantity"], abs=parameters.quantity_step)
        )
        if not same:
            different.append((row, decision))
    assert different == []


def test_deciding_for_many_cells_equals_deciding_for_each():
    given = decision_rows()
    cells = [CellState(**row["cell"]) for row in given]
    parameters = [StrategyParameters.from_dict(row["params"]) for row in given]
    many = decide_many([row["price"] for row in given], cells, parameters)
    for index, row in enumerate(given):
        assert many.decision(index) == decide(row["price"], cells[index], parameters[index])


def test_the_sweep_is_reproduced_in_grid_order():
    bars, _, options, case = read_case(GOLDEN / "sweep.json")
    result = sweep(bars, case["grid"], **options)
    columns = result.columns()
    expected = rows(GOLDEN / case["expected"])
    assert len(result) == len(expected) == 300
    for index, row in enumerate(expected):
        for name, value in row.items():
            assert columns[name][index] == pytest.approx(float(value), rel=1e-6, abs=1e-12)
