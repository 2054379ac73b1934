"""The arguments that a backtest and a sweep share, read into one request."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import OutputWrapper

from optimization.command_line import values
from optimization.command_line.values import InputRefused
from trading.marketdata.files import read_bars, read_dividends, read_splits
from volbal.strategy import Bars, StrategyParameters

if TYPE_CHECKING:
    from trading.marketdata.quality import QualityReport

# Options of a run that are passed on only when they were given, so that each default has one home: the rule.
RUN_OPTIONS = (
    "cash", "stock_fraction", "shares", "anchor", "start", "end", "fill", "execution", "slippage_bps", "reinvest",
    "risk_free_rate",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Request:
    """What to run: bars, the parameters that are the same in every run, and the options of `simulate`.

    `described` is what was asked for, in the names of golden files.
    """

    bars: Bars
    parameters: StrategyParameters
    options: dict[str, Any]
    described: dict[str, Any]


def add_shared_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of bars, parameters and the run."""
    data = parser.add_argument_group("data")
    data.add_argument("--bars", required=True, metavar="F", help="bars: CSV or Parquet, `date` or `ts_utc` first")
    data.add_argument("--symbol", metavar="S", help="instrument, where a file holds several")
    data.add_argument("--dividends", metavar="F", help="symbol, ex_date, amount and, where known, pay_date")
    data.add_argument("--splits", metavar="F", help="symbol, ex_date, ratio")
    data.add_argument("--exchange", default="XNYS", metavar="CODE", help="whose sessions intraday bars follow (XNYS)")
    rule = parser.add_argument_group("parameters")
    rule.add_argument("--params", metavar="JSON|F", help="parameters by name, as JSON or a file of it")
    rule.add_argument(
        "--set", dest="assignments", action="append", default=[], metavar="name=value", help="one of them"
    )
    run = parser.add_argument_group("run")
    run.add_argument("--cash", type=values.number, metavar="N", help="cash at the start (100000)")
    start = run.add_mutually_exclusive_group()
    start.add_argument("--stock-fraction", type=values.number, metavar="X", help="share of it bought at first (0.5)")
    start.add_argument("--shares", type=values.number, metavar="N", help="shares at the start, beside the cash")
    run.add_argument("--anchor", type=values.number, metavar="P", help="anchor at the start, with --shares")
    run.add_argument("--start", type=values.day, metavar="D", help="first day, included, the exchange's date")
    run.add_argument("--end", type=values.day, metavar="D", help="last day, included")
    run.add_argument("--fill", choices=("close", "next_open"), help="where a decision at a close fills (close)")
    run.add_argument("--execution", choices=("watch", "resting"), help="orders at the close, or resting (watch)")
    run.add_argument("--slippage-bps", type=values.number, metavar="N", help="hundredths of a percent (0)")
    run.add_argument("--risk-free-rate", type=values.number, metavar="X", help="a year, in sharpe and sortino (0)")
    run.add_argument("--reinvest", action="store_true", default=None, help="buy shares with dividends when paid")


def read_request(arguments: dict[str, Any]) -> Request:
    """Read every file and value named. Raises VolbalError or StrategyError before anything is written."""
    given = read_parameters(arguments)
    parameters = StrategyParameters.from_dict(given)
    options = {name: arguments[name] for name in RUN_OPTIONS if arguments[name] is not None}
    bars = read_bars(arguments["bars"], symbol=arguments["symbol"], exchange=arguments["exchange"])
    options |= _actions(arguments, bars.symbol)
    described = {
        **{name: arguments[name] for name in ("bars", "symbol", "dividends", "splits") if arguments[name] is not None},
        **{name: _plain(value) for name, value in options.items() if name in RUN_OPTIONS},
        **({"params": given} if given else {}),
    }
    return Request(bars, parameters, options, described)


def quality_of_request(request: Request, exchange: str) -> QualityReport:
    """Return what is odd about the bars that a run looks at, its dividends and splits taken out."""
    from trading.marketdata.quality import quality_of

    given = request.options
    bars = request.bars.select(given.get("start"), given.get("end"), after_hours=True)
    return quality_of(bars, exchange=exchange, dividends=given.get("dividends", ()), splits=given.get("splits", ()))


def read_parameters(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters given by --params and --set, the latter winning. Raises InputRefused."""
    from_json = {} if arguments["params"] is None else values.json_object(arguments["params"], "--params")
    return {**from_json, **dict(values.setting(text) for text in arguments["assignments"])}


def _actions(arguments: dict[str, Any], symbol: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known: set[str] = set()
    if arguments["dividends"] is not None:
        dividends = read_dividends(arguments["dividends"])
        known |= set(dividends)
        found["dividends"] = tuple(dividends.get(symbol, ()))
    if arguments["splits"] is not None:
        splits = read_splits(arguments["splits"])
        known |= set(splits)
        found["splits"] = tuple(splits.get(symbol, ()))
    if found:
        _refuse_unknown(arguments, symbol, known)
    return found


def _refuse_unknown(arguments: dict[str, Any], symbol: str, known: set[str]) -> None:
    """Refuse a symbol that neither the actions nor the bars know: its dividends and splits would be left out silently.

    An instrument without any action is known by its bars alone, from their column or the file's name.
    """
    named_by_bars = Path(arguments["bars"]).stem.upper().startswith(symbol.upper()) and arguments["symbol"] is not None
    if symbol in known or named_by_bars:
        return
    files = " and ".join(arguments[kind] for kind in ("dividends", "splits") if arguments[kind] is not None)
    listed = ", ".join(sorted(known)[:10]) + (" …" if len(known) > 10 else "")
    raise InputRefused(
        f"The symbol {symbol!r} is unknown: {files} hold no row of it and {arguments['bars']} is not named for it; "
        f"expected one of {listed}, given with --symbol."
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def refuse_same_file(*targets: str | None) -> None:
    """Refuse two outputs into one file, and an output that cannot be made, before any work is done."""
    named = [target for target in targets if target is not None and target != "-"]
    if len(set(named)) != len(named):
        raise InputRefused(f"Two outputs name the same file {named[0]}; expected one file for each.")
    for name in named:
        if not Path(name).resolve().parent.is_dir():
            raise InputRefused(f"{name}: its folder does not exist; expected a folder that does.")


def write_notes(stream: OutputWrapper, notes: Iterable[str]) -> None:
    """Write what deserves attention where it does not mix with results."""
    for note in notes:
        stream.write(f"Note: {note}", lambda text: text)
