"""Bars, dividends and splits in CSV and Parquet files."""

from trading.marketdata.files.actions import read_dividends, read_splits
from trading.marketdata.files.bars import read_bars, write_bars
from trading.marketdata.files.problems import FileRefused, Problem

__all__ = ["FileRefused", "Problem", "read_bars", "read_dividends", "read_splits", "write_bars"]
