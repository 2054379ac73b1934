"""Live equals backtest: the same bars through the live path and through `simulate`, and no difference."""

from __future__ import annotations

import datetime as dt
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from optimization.management.commands import parity as parity_command
from optimization.services.parity import ParityCase, parity_run
from portfolios.commission import CommissionTerms
from tests.conftest import SHARED
from trading.marketdata.files import read_bars, read_dividends, read_splits
from trading.models import Order, OrderTransition
from trading.services import fills, marks, order_plans
from trading.services.demonstration import DATA
from volbal.common.tenancy import every_tenant
from volbal.strategy import Bars, StrategyParameters
from volbal.strategy import simulate as really_simulate

pytestmark = pytest.mark.django_db

MINUTES = SHARED / "data" / "minute"
DAILY = SHARED / "data" / "daily"


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def case(bars: Bars, folder: Path = DATA, *, reinvest: bool = False, **parameters: Any) -> ParityCase:
    """Return a case with the dividends and splits that `folder` knows of the bars' symbol."""
    return ParityCase(
        bars=bars,
        parameters=StrategyParameters(**parameters),
        dividends=tuple(read_dividends(folder / "dividends.csv").get(bars.symbol, [])),
        splits=tuple(read_splits(folder / "splits.csv").get(bars.symbol, [])),
        reinvest=reinvest,
    )


def demo(symbol: str, start: str, end: str) -> Bars:
    return read_bars(DATA / f"{symbol}.csv", symbol=symbol).select(start, end)


def some(bars: Bars, rows: slice) -> Bars:
    columns = (getattr(bars, name)[rows] for name in ("open", "high", "low", "close", "volume", "days", "in_session"))
    return Bars(bars.stamps[rows], *columns, symbol=bars.symbol, resolution=bars.resolution)


def told(one: ParityCase) -> tuple[int, int, list[str]]:
    report = parity_run(one)
    return report.bars, report.trades, [str(difference) for difference in report.differences]


@pytest.mark.parametrize(
    "symbol,start,end",
    [("GOOG", "2004-08-19", "2005-02-28"), ("MSFT", "2003-01-02", "2003-06-30")],
)
def test_demonstration_days(symbol: str, start: str, end: str) -> None:
    bars, trades, differences = told(case(demo(symbol, start, end)))
    assert differences == []
    assert (bars > 120, trades > 10) == (True, True)


@pytest.mark.histories
def test_across_a_split_with_a_commission_minimum_and_whole_shares() -> None:
    one = case(demo("AAPL", "2004-12-01", "2005-05-31"), commission_rate=0.0005, commission_min=1.0, quantity_step=1.0)
    _, trades, differences = told(one)
    assert differences == []
    assert trades > 20


@pytest.mark.histories
def test_adaptive_triggers_and_reinvested_dividends() -> None:
    one = case(
        demo("IBM", "2008-07-01", "2008-12-31"), reinvest=True, adaptive_multiple=1.5, sizing="fixed_percentage",
        rebalance_ratio=0.1,
    )  # fmt: skip
    _, trades, differences = told(one)
    assert differences == []
    assert trades > 10


class TestPartialFills:
    """Each order in parts, through the state table, and still no difference."""

    @pytest.mark.parametrize("seed", [0, 1])
    def test_orders_fill_in_parts_and_come_to_the_same(self, seed: int) -> None:
        whole = case(demo("GOOG", "2004-08-19", "2004-10-29"))
        report = parity_run(replace(whole, partial_fills=True, seed=seed))
        assert [str(difference) for difference in report.differences] == []
        assert report.fills >= 2 * report.trades > 10
        with every_tenant():
            for order in Order.objects.all():
                path = OrderTransition.objects.filter(order=order).order_by("id").values_list("after", flat=True)
                parts = order.fills.count()
                assert list(path) == ["submitting", "accepted", *["partially_filled"] * (parts - 1), "filled"]

    def test_with_a_commission_minimum_whole_shares_and_a_split(self) -> None:
        one = case(
            demo("AAPL", "2005-02-14", "2005-03-31"), commission_rate=0.0005, commission_min=1.0, quantity_step=1.0
        )
        report = parity_run(replace(one, partial_fills=True))
        assert [str(difference) for difference in report.differences] == []
        assert report.fills > report.trades > 5

    def test_with_adaptive_triggers_and_reinvested_dividends(self) -> None:
        one = case(
            demo("IBM", "2008-09-02", "2008-10-31"), reinvest=True, adaptive_multiple=1.5, sizing="fixed_percentage",
            rebalance_ratio=0.1,
        )  # fmt: skip
        report = parity_run(replace(one, partial_fills=True, seed=5))
        assert [str(difference) for difference in report.differences] == []
        assert report.fills > report.trades > 5

    @pytest.mark.shared
    def test_minutes(self) -> None:
        bars = read_bars(MINUTES / "AAPL_trade.csv", symbol="AAPL").select("2014-06-06", "2014-06-09")
        one = case(some(bars, slice(340, 430)), DAILY, trigger_up=0.001, trigger_down=0.001, min_notional=1.0)
        report = parity_run(replace(one, partial_fills=True))
        assert [str(difference) for difference in report.differences] == []
        assert report.fills > report.trades > 5

    def test_the_command_says_how_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out, error = run_command(monkeypatch, partial_fills=True, seed=3)
        assert error is None
        assert "30 evaluations and 8 trades compared, filled in " in out

    def test_a_seed_that_cannot_be_is_refused_with_2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _, error = run_command(monkeypatch, partial_fills=True, seed=-1)
        assert error is not None
        assert (error.returncode, "paper.seed is -1; expected 0 to 2147483648" in str(error)) == (2, True)


@pytest.mark.histories
@pytest.mark.shared
@pytest.mark.parametrize(
    "symbol,file,start,end,after_hours,rows",
    [
        # Seven for one on 9 June 2014, a Monday: the last hour and a half before it and the first after.
        ("AAPL", "AAPL_trade.csv", "2014-06-06", "2014-06-09", False, slice(300, 480)),
        # The first of them before the session opens.
        ("SPY", "SPY_trade_201101_ninja.csv", "2011-01-03", "2011-01-03", True, slice(100, 400)),
    ],
)
def test_minutes(symbol: str, file: str, start: str, end: str, after_hours: bool, rows: slice) -> None:
    bars = some(read_bars(MINUTES / file, symbol=symbol).select(start, end, after_hours=after_hours), rows)
    # Triggers of a tenth of a percent, so that a few hours have many orders.
    one = case(
        bars, DAILY, trigger_up=0.001, trigger_down=0.001, max_orders_per_day=50, min_notional=1.0,
        allow_after_hours=after_hours,
    )  # fmt: skip
    count, trades, differences = told(one)
    assert differences == []
    assert (count, trades > 5) == (len(bars), True)


@pytest.mark.histories
class TestPlantedDifferences:
    """What is compared is really compared: each fault is found and named."""

    @pytest.fixture
    def bars(self) -> Bars:
        return demo("GOOG", "2004-08-19", "2004-09-30")

    def test_another_rule_is_found_where_it_first_differs(self, bars: Bars, monkeypatch: pytest.MonkeyPatch) -> None:
        def other(bars: Bars, parameters: StrategyParameters, **options: Any) -> Any:
            return really_simulate(bars, parameters.replace(trigger_up=0.04), **options)

        monkeypatch.setattr("optimization.services.parity.simulate", other)
        _, _, differences = told(case(bars))
        assert differences[0] == "2004-09-29: action is SELL live and HOLD in the backtest"

    @pytest.mark.parametrize(
        "fault,named",
        [
            ("a cent more commission", "commission is"),
            ("an anchor that stays", "action is"),
            ("a mark that is a dollar off", "closing value is"),
            ("a dollar that no entry has", "by its ledger"),
        ],
    )
    def test_a_fault_of_the_live_path_is_found(
        self, bars: Bars, monkeypatch: pytest.MonkeyPatch, fault: str, named: str
    ) -> None:
        plant(fault, monkeypatch)
        _, _, differences = told(case(bars))
        assert any(named in one for one in differences), differences

    def test_the_command_names_it_and_ends_with_1(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plant("a mark that is a dollar off", monkeypatch)
        out, error = run_command(monkeypatch)
        assert error is not None
        assert (error.returncode, "differences between live and backtest" in str(error)) == (1, True)
        assert "2004-08-20: closing value is" in out


def plant(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "a cent more commission":
        really = CommissionTerms.commission
        monkeypatch.setattr(
            CommissionTerms, "commission", lambda terms, **order: really(terms, **order) + Decimal("0.01")
        )
    elif fault == "an anchor that stays":
        monkeypatch.setattr(order_plans, "end_order", lambda position, filled, ordered: position)
    elif fault == "a mark that is a dollar off":
        value_at = marks.value_at
        monkeypatch.setattr(marks, "value_at", lambda cell, last: value_at(cell, last) + 1)
    else:
        monkeypatch.setattr(fills, "halt_if_negative", lambda cell, position: setattr(cell, "cash", cell.cash + 1))


def run_command(monkeypatch: pytest.MonkeyPatch, **arguments: Any) -> tuple[str, CommandError | None]:
    """Run the command on GOOG's first weeks in this test's own database instead of one made for it."""
    monkeypatch.setattr(parity_command, "scratch_database", nullcontext)
    options = {"bars": str(DATA / "GOOG.csv"), "symbol": "GOOG", "end": dt.date(2004, 9, 30)} | arguments
    out = StringIO()
    try:
        call_command("parity", stdout=out, stderr=StringIO(), **options)
    except CommandError as error:
        return out.getvalue(), error
    return out.getvalue(), None


def test_the_command_says_that_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    out, error = run_command(monkeypatch)
    assert error is None
    assert out.splitlines() == ["30 bars: 30 evaluations and 8 trades compared.", "No difference."]


def test_what_only_a_backtest_has_is_refused_with_2(monkeypatch: pytest.MonkeyPatch) -> None:
    _, error = run_command(monkeypatch, fill="next_open")
    assert error is not None
    assert error.returncode == 2
    assert "--fill next_open exists in backtests only" in str(error)


@pytest.mark.histories
def test_the_protective_stop_sells_and_halts_as_in_the_backtest() -> None:
    one = case(demo("AAPL", "2008-01-02", "2008-04-30"), stop_loss=0.12)
    bars, trades, differences = told(one)
    assert differences == []
    assert (bars > 80, trades > 3) == (True, True)


@pytest.mark.histories
def test_slices_on_days_end_with_their_close() -> None:
    one = case(demo("IBM", "2008-09-02", "2008-12-31"), slice_notional=1500.0, stop_loss=0.3)
    _, trades, differences = told(one)
    assert differences == []
    assert trades > 20


@pytest.mark.histories
def test_slices_on_minutes_wait_for_one_another() -> None:
    one = ParityCase(
        bars=swinging_minutes(),
        parameters=StrategyParameters(
            trigger_up=0.004, trigger_down=0.004, rebalance_ratio=3.0, slice_notional=300.0,
            slice_interval_seconds=120, stop_loss=0.05,
        ),
    )  # fmt: skip
    bars, trades, differences = told(one)
    assert differences == []
    assert (bars, trades > 30) == (360, True)


def resting(one: ParityCase, path: str, *, in_parts: bool = False) -> ParityCase:
    return replace(one, execution="resting", path=path, partial_fills=in_parts, seed=2)


@pytest.mark.histories
class TestRestingOrders:
    """Orders that rest meet each bar along its path, live as in the backtest."""

    @pytest.mark.parametrize("path", ["ohlc", "olhc"])
    def test_days_with_dividends_reinvested_and_a_rebalance_at_the_close(self, path: str) -> None:
        one = case(demo("IBM", "2008-09-29", "2008-11-14"), reinvest=True, max_stock=0.55, guardrail_tolerance=0.0)
        _, trades, differences = told(resting(one, path, in_parts=path == "olhc"))
        assert differences == []
        assert trades > 20

    def test_across_a_split_with_a_commission_minimum_and_whole_shares(self) -> None:
        one = case(
            demo("AAPL", "2005-02-22", "2005-03-14"), commission_rate=0.0005, commission_min=1.0, quantity_step=1.0
        )
        _, trades, differences = told(resting(one, "ohlc"))
        assert differences == []
        assert trades > 5

    def test_adaptive_triggers_and_a_protective_stop(self) -> None:
        one = case(demo("IBM", "2008-09-02", "2008-10-15"), adaptive_multiple=1.0, stop_loss=0.2)
        _, trades, differences = told(resting(one, "ohlc"))
        assert differences == []
        assert trades > 5

    @pytest.mark.shared
    def test_minutes(self) -> None:
        bars = read_bars(MINUTES / "SPY_trade_201101_ninja.csv", symbol="SPY").select("2011-01-03", "2011-01-03")
        one = case(some(bars, slice(0, 120)), DAILY, trigger_up=0.0005, trigger_down=0.0005, max_orders_per_day=20,
                   min_notional=1.0)  # fmt: skip
        count, trades, differences = told(resting(one, "ohlc"))
        assert differences == []
        assert (count, trades > 5) == (120, True)

    @pytest.mark.parametrize(
        "fault,named", [("an anchor that stays", "anchor is"), ("a mark that is a dollar off", "closing value is")]
    )
    def test_a_fault_of_the_live_path_is_found(self, monkeypatch: pytest.MonkeyPatch, fault: str, named: str) -> None:
        plant(fault, monkeypatch)
        _, _, differences = told(resting(case(demo("GOOG", "2004-08-19", "2004-08-27")), "ohlc"))
        assert any(named in one for one in differences), differences

    def test_the_command_takes_execution_and_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out, error = run_command(monkeypatch, execution="resting", path="olhc", end=dt.date(2004, 8, 31))
        assert error is None
        assert out.splitlines()[-1] == "No difference."

    def test_a_path_without_resting_orders_is_refused_with_2(self, monkeypatch: pytest.MonkeyPatch) -> None:
        _, error = run_command(monkeypatch, path="olhc")
        assert error is not None
        assert (error.returncode, "expected --execution resting" in str(error)) == (2, True)


def swinging_minutes() -> Bars:
    """Return three days of bars a minute apart that swing up and down, and fall at the end."""
    minutes = np.arange(360)
    close = np.round(
        100.0 + 1.5 * np.sin(minutes / 9.0) + 0.3 * np.sin(minutes * 1.7) - np.maximum(minutes - 330, 0) * 0.4, 2
    )
    opens = np.array(
        [int(dt.datetime(2011, 1, day, 14, 30, tzinfo=dt.UTC).timestamp()) for day in (4, 5, 6)], dtype=np.int64
    )
    stamps = np.concatenate([(first + np.arange(120) * 60) * 1_000_000_000 for first in opens])
    days = np.repeat([(dt.date(2011, 1, day) - dt.date(1970, 1, 1)).days for day in (4, 5, 6)], 120)
    return Bars(stamps, close, close, close, close, days=days, symbol="SWING", resolution="intraday")
