"""What was tried, how it was made, and what came out."""

from optimization.models.backtest import MOVES, Backtest

__all__ = ["MOVES", "Backtest"]
