"""A backtest as text for a terminal: measures with units and definitions, trades, skips, the cell at the end."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

from optimization.figures import measure_text
from trading.marketdata.quality import QualityReport
from volbal.strategy import MEASURES, Result

WIDTH = 118


def summary_text(results: Mapping[str, Result]) -> str:
    """Return the summary of one result, or of several side by side under their names (the intrabar band)."""
    result = next(iter(results.values()))
    symbol, bars = result.bars.symbol, len(result.bars)
    kind = "daily bars" if result.bars.resolution == "daily" else "intraday bars"
    lines = [f"{symbol} · {bars:,} {kind} · {result.first} to {result.last}"]
    if len(results) > 1:
        lines.append("Intrabar band: the results if each bar went to its high first (ohlc) or to its low first (olhc).")
    lines += ["", *_measures(results), ""]
    for name, one in results.items():
        prefix = f"{name}: " if len(results) > 1 else ""
        lines += [f"{prefix}{line}" for line in _closing(one)]
    return "\n".join(lines)


def quality_text(report: QualityReport) -> str:
    """Return what is odd about the bars that a run was made on: a line, and below it the worst of each kind."""
    lines = [f"Bars: {report.sentence}."]
    lines += [f"  {one.name.replace('_', ' ')}: {example}" for one in report.findings for example in one.examples[:2]]
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return right-aligned columns under their names."""
    widths = [max(len(row[place]) for row in (header, *rows)) for place in range(len(header))]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in (list(header), *rows)
    ]


def _measures(results: Mapping[str, Result]) -> list[str]:
    label_width = max(len(measure.label) for measure in MEASURES)
    texts = {
        name: [measure_text(measure, result.measures[measure.name]) for measure in MEASURES]
        for name, result in results.items()
    }
    width = max(len(text) for column in texts.values() for text in column)
    lines = []
    if len(results) > 1:
        lines.append(" " * label_width + "".join(f"  {name:>{width}}" for name in results))
    indent = label_width + len(results) * (width + 2) + 2
    for place, measure in enumerate(MEASURES):
        figures = "".join(f"  {column[place]:>{width}}" for column in texts.values())
        definition = textwrap.wrap(measure.definition, max(WIDTH - indent, 30))
        lines.append(f"{measure.label:<{label_width}}{figures}  {definition[0]}")
        lines += [" " * indent + more for more in definition[1:]]
    return lines


def _closing(result: Result) -> list[str]:
    sides = Counter(trade.side for trade in result.trades)
    skips = ", ".join(f"{reason} {count:,}" for reason, count in sorted(result.skips.items())) or "none"
    final = result.final
    anchor = "unset" if final.anchor is None else f"{final.anchor:,.6f}".rstrip("0").rstrip(".")
    return [
        f"Trades: {sides['BUY']:,} buys, {sides['SELL']:,} sells. Skipped orders by reason: {skips}.",
        f"At the end: cash {final.cash:,.2f}, shares {final.shares:,.6f}, dividends due {final.receivable:,.2f}, "
        f"anchor {anchor}. Money is in the currency of the prices.",
    ]
