"""Parameters that are legal but unwise (strategy 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from volbal.strategy.parameters import StrategyParameters


@dataclass(frozen=True, slots=True)
class Caution:
    """Warn of one thing; `refused_live` marks what a live cell may not have."""

    code: str
    sentence: str
    refused_live: bool = False

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def cautions(
    parameters: StrategyParameters, slippage_bps: float, value: float | None, bar_seconds: int | None = None
) -> tuple[Caution, ...]:
    """Return every caution for these parameters, in a fixed order."""
    return (
        *_small_order(parameters, value),
        *_no_tolerance(parameters),
        *_costs(parameters, slippage_bps),
        *_original(parameters),
        *_floor(parameters),
        *_coarse_bars(parameters, bar_seconds),
    )


def _order_fraction(parameters: StrategyParameters) -> float:
    """Return about which share of the value an order at the nearer trigger moves."""
    nearer = min(parameters.trigger_up, parameters.trigger_down)
    moved = nearer * parameters.rebalance_ratio if parameters.sizing == "proportional" else parameters.rebalance_ratio
    return min(moved, parameters.max_trade_fraction)


def _small_order(parameters: StrategyParameters, value: float | None) -> Iterator[Caution]:
    if value is None:
        return
    notional = _order_fraction(parameters) * value
    if notional < parameters.min_notional:
        yield Caution(
            "order_below_min_notional",
            f"An order at the trigger is about {notional:,.2f}, below min_notional "
            f"{parameters.min_notional:,.2f}: it would be skipped.",
        )


def _no_tolerance(parameters: StrategyParameters) -> Iterator[Caution]:
    if parameters.auto_rebalance and parameters.guardrail_tolerance == 0:
        yield Caution("no_tolerance", "With a guardrail_tolerance of 0 rebalancing can use up the day's orders.")


def _costs(parameters: StrategyParameters, slippage_bps: float) -> Iterator[Caution]:
    span = (1 + parameters.trigger_up) / (1 - parameters.trigger_down) - 1
    cost = 2 * (parameters.commission_rate + slippage_bps / 10_000)
    if span < cost:
        yield Caution(
            "triggers_closer_than_costs",
            f"The triggers are {span:.4%} apart and a round trip costs {cost:.4%}: every pair of orders loses.",
        )


def _original(parameters: StrategyParameters) -> Iterator[Caution]:
    ratio, most = parameters.rebalance_ratio, parameters.max_trade_fraction
    if parameters.sizing == "original" and ratio > most:
        yield Caution(
            "original_always_capped",
            f"With sizing original and rebalance_ratio {ratio:g} above max_trade_fraction {most:g}, "
            f"every order moves {most:.2%} of the value.",
        )


def _floor(parameters: StrategyParameters) -> Iterator[Caution]:
    if parameters.auto_rebalance and parameters.min_stock > parameters.guardrail_tolerance:
        return
    switch = "on" if parameters.auto_rebalance else "off"
    yield Caution(
        "floor_not_restorable",
        f"The floor of {parameters.min_stock:.2%} cannot be restored (auto_rebalance is {switch}, "
        f"guardrail_tolerance {parameters.guardrail_tolerance:.2%}): "
        "once without shares the cell never buys again while the price rises.",
        refused_live=True,
    )


def _coarse_bars(parameters: StrategyParameters, bar_seconds: int | None) -> Iterator[Caution]:
    interval = parameters.slice_interval_seconds
    if parameters.slice_notional is None or bar_seconds is None or bar_seconds <= interval:
        return
    day = 86_400
    pace = "only its first slice before the day's close" if bar_seconds >= day else "one slice a bar"
    yield Caution(
        "bars_coarser_than_slices",
        f"Slices are {interval:,} s apart and the bars {bar_seconds:,} s: a slice needs a bar at its time, so that an "
        f"order above slice_notional takes {pace}. Finer bars show what the slices do.",
    )
