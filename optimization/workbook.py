"""A backtest as an Excel workbook: summary, trades, days with charts, definitions."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xlsxwriter

from optimization.documents import TRADE_FIELDS
from optimization.series import DailySeries, daily_series
from trading.marketdata.quality import QualityReport
from volbal.strategy import MEASURES, PARAMETER_SPECIFICATIONS, Result

FORMATS = {
    "title": {"bold": True, "font_size": 14},
    "header": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"},
    "text": {},
    "wrapped": {"text_wrap": True, "valign": "top"},
    "currency": {"num_format": "#,##0.00"},
    "price": {"num_format": "#,##0.00####"},
    "shares": {"num_format": "#,##0.000000"},
    "fraction": {"num_format": "0.00%"},
    "ratio": {"num_format": "#,##0.00"},
    "count": {"num_format": "#,##0"},
    "date": {"num_format": "yyyy-mm-dd"},
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet: the field it shows, its heading with the unit, its format and what it means."""

    field: str
    heading: str
    format: str
    meaning: str


TRADE_COLUMNS = tuple(
    Column(field, heading, kind, meaning)
    for field, (heading, kind, meaning) in zip(
        TRADE_FIELDS,
        (
            ("At", "text", "Stamp of the bar that filled the order: the session's date, or the bar's start in UTC."),
            ("Side", "text", "BUY or SELL."),
            ("Quantity (shares)", "shares", "Shares bought or sold."),
            ("Price", "price", "Fill price, slippage included."),
            ("Notional", "currency", "Quantity times price, to the cent."),
            ("Commission", "currency", "Commission of the order."),
            ("Reason", "text", "Why the rule acted: a trigger, or a guardrail to return to."),
            ("Cash after", "currency", "The cell's cash once the order was booked."),
            ("Shares after", "shares", "The cell's shares once the order was booked."),
        ),
        strict=True,
    )
)
DAY_COLUMNS = (
    Column("close", "Close", "price", "Last price of the day, as traded."),
    Column("value", "Value", "currency", "Stock, cash and dividends due at the day's last bar."),
    Column("stock_value", "All in stock", "currency", "The starting value held in stock from the first close."),
    Column("mix_value", "Mix left alone", "currency", "The starting holding of stock and cash left alone."),
    Column("drawdown", "Drawdown", "fraction", "Value against its highest at any bar before."),
    Column("stock_share", "Stock share", "fraction", "Stock value over total value."),
    Column("cash", "Cash", "currency", "Cash of the cell."),
    Column("shares", "Shares", "shares", "Shares of the cell."),
    Column("receivable", "Dividends due", "currency", "Net dividends declared and not yet paid."),
    Column("anchor", "Anchor", "price", "Price that triggers are measured from: the last fill's."),
)


def write_backtest(
    path: Path, results: Mapping[str, Result], described: Mapping[str, Any], quality: QualityReport
) -> None:
    """Write one result, or the two of the intrabar band, to `path`. `described` is what was asked for."""
    options = {"strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        formats = {name: book.add_format(look) for name, look in FORMATS.items()}
        writer = _Writer(book, formats)
        writer.summary(results, described)
        for name, result in results.items():
            suffix = f" {name}" if len(results) > 1 else ""
            writer.trades(f"Trades{suffix}", result)
            writer.days(f"Daily{suffix}", daily_series(result))
        writer.quality(quality)
        writer.definitions()


class _Writer:
    """Write sheets into one workbook with one set of formats."""

    def __init__(self, book: Any, formats: Mapping[str, Any]) -> None:
        self._book = book
        self._formats = formats

    def summary(self, results: Mapping[str, Result], described: Mapping[str, Any]) -> None:
        sheet = self._book.add_worksheet("Summary")
        sheet.set_column(0, 0, 26)
        sheet.set_column(1, len(results), 18)
        sheet.set_column(len(results) + 1, len(results) + 1, 90)
        result = next(iter(results.values()))
        title = f"{result.bars.symbol}: {len(result.bars):,} bars, {result.first} to {result.last}"
        sheet.write_string(0, 0, title, self._formats["title"])
        names = list(results) if len(results) > 1 else ["Value"]
        self._header(sheet, 2, ["Measure", *names, "Definition"])
        row = 3
        for measure in MEASURES:
            sheet.write_string(row, 0, measure.label)
            for place, one in enumerate(results.values(), 1):
                self._cell(sheet, row, place, one.measures[measure.name], measure.unit)
            sheet.write_string(row, len(results) + 1, measure.definition)
            row += 1
        self._settings(sheet, row + 1, result, described)

    def _settings(self, sheet: Any, row: int, result: Result, described: Mapping[str, Any]) -> None:
        asked = {name: value for name, value in described.items() if name != "params"}
        rows = [("Input", "Value"), *asked.items(), ("Parameter", "Value"), *result.parameters.to_dict().items()]
        for name, value in rows:
            if value == "Value":
                self._header(sheet, row, [name, value])
            else:
                sheet.write_string(row, 0, name)
                self._cell(sheet, row, 1, value, "text")
            row += 1

    def trades(self, name: str, result: Result) -> None:
        """Write every filled order, in order."""
        columns = [[getattr(trade, column.field) for trade in result.trades] for column in TRADE_COLUMNS]
        sheet = self._table(name, TRADE_COLUMNS, columns)
        sheet.set_column(0, 0, 22)
        sheet.set_column(6, 6, 20)

    def days(self, name: str, series: DailySeries) -> None:
        """Write the last mark of each day, with charts of value and drawdown beside it."""
        dates = [dt.date(1970, 1, 1) + dt.timedelta(days=day) for day in series.days.tolist()]
        date = Column("date", "Date", "date", "")
        values = [getattr(series, column.field).tolist() for column in DAY_COLUMNS]
        sheet = self._table(name, (date, *DAY_COLUMNS), [dates, *values])
        count = len(dates)
        sheet.insert_chart("M2", self._chart(name, "Value", ("value", "stock_value", "mix_value"), count))
        sheet.insert_chart("M26", self._chart(name, "Drawdown", ("drawdown",), count))

    def _chart(self, name: str, title: str, fields: Sequence[str], count: int) -> Any:
        chart = self._book.add_chart({"type": "line"})
        for place, column in enumerate(DAY_COLUMNS, 1):
            if column.field in fields:
                chart.add_series(
                    {
                        "name": [name, 0, place],
                        "categories": [name, 1, 0, count, 0],
                        "values": [name, 1, place, count, place],
                        "line": {"width": 1.25},
                    }
                )
        chart.set_title({"name": title})
        chart.set_x_axis({"date_axis": True, "num_format": "yyyy", "label_position": "low"})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 900, "height": 440})
        return chart

    def quality(self, report: QualityReport) -> None:
        """Write what is odd about the bars that the run was made on."""
        sheet = self._book.add_worksheet("Bars")
        sheet.set_column(0, 0, 16)
        sheet.set_column(1, 1, 12)
        sheet.set_column(2, 3, 90)
        sheet.write_string(0, 0, f"Quality of the bars: {report.grade}", self._formats["title"])
        sheet.write_string(1, 0, report.meaning)
        self._header(sheet, 3, ["Check", "Bars", "Worst examples", "Rule"])
        for row, one in enumerate(report.findings, 4):
            sheet.write_string(row, 0, one.name.replace("_", " ").capitalize(), self._formats["wrapped"])
            sheet.write_number(row, 1, one.count, self._formats["count"])
            sheet.write_string(row, 2, "\n".join(one.examples), self._formats["wrapped"])
            sheet.write_string(row, 3, one.rule, self._formats["wrapped"])
        sheet.freeze_panes(4, 0)

    def definitions(self) -> None:
        """Write what every figure in the book means, with its unit."""
        sheet = self._book.add_worksheet("Definitions")
        sheet.set_column(0, 1, 24)
        sheet.set_column(2, 2, 12)
        sheet.set_column(3, 3, 100)
        self._header(sheet, 0, ["Sheet", "Name", "Unit", "Meaning"])
        rows = [
            *(("Summary", measure.label, measure.unit, measure.definition) for measure in MEASURES),
            *(("Parameter", one.name, one.unit, f"{one.description} {one.bound}") for one in PARAMETER_SPECIFICATIONS),
            *(("Trades", column.heading, column.format, column.meaning) for column in TRADE_COLUMNS),
            *(("Daily", column.heading, column.format, column.meaning) for column in DAY_COLUMNS),
        ]
        for row, texts in enumerate(rows, 1):
            for place, text in enumerate(texts):
                sheet.write_string(row, place, text, self._formats["wrapped"])
        sheet.freeze_panes(1, 0)

    def _table(self, name: str, columns: Sequence[Column], values: Sequence[Sequence[Any]]) -> Any:
        sheet = self._book.add_worksheet(name)
        sheet.set_column(0, len(columns) - 1, 14)
        self._header(sheet, 0, [column.heading for column in columns])
        for place, (column, cells) in enumerate(zip(columns, values, strict=True)):
            for row, cell in enumerate(cells, 1):
                self._cell(sheet, row, place, cell, column.format)
        sheet.freeze_panes(1, 1)
        return sheet

    def _header(self, sheet: Any, row: int, texts: Sequence[str]) -> None:
        for place, text in enumerate(texts):
            sheet.write_string(row, place, text, self._formats["header"])

    def _cell(self, sheet: Any, row: int, place: int, value: Any, kind: str) -> None:
        """Write a value as what it is; what is undefined stays empty."""
        look = self._formats[kind]
        if value is None or (isinstance(value, float) and math.isnan(value)):
            sheet.write_blank(row, place, None, look)
        elif isinstance(value, bool):
            sheet.write_boolean(row, place, value, look)
        elif isinstance(value, dt.date):
            sheet.write_datetime(row, place, dt.datetime.combine(value, dt.time()), look)
        elif isinstance(value, str):
            sheet.write_string(row, place, value, look)
        else:
            sheet.write_number(row, place, value, look)
