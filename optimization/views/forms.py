"""What a person fills in to ask for a backtest. The rule's own bounds are the only ones."""

from __future__ import annotations

from typing import Any

from django import forms

from trading.models import BarSeries
from volbal.strategy import RunOptions, StrategyParameters

PERCENTS = ("trigger_up", "trigger_down", "min_stock", "max_stock", "max_trade_fraction", "withholding_rate")
LABELS = {
    "trigger_up": "Sell trigger, % above the anchor",
    "trigger_down": "Buy trigger, % below the anchor",
    "min_stock": "Least stock share, %",
    "max_stock": "Greatest stock share, %",
    "max_trade_fraction": "Greatest order, % of the value",
    "withholding_rate": "Tax withheld from dividends, %",
}
DEFAULTS, OPTIONS = StrategyParameters(), RunOptions()


def _shown(value: float) -> str:
    """Return a number as a person would type it: `100000`, `1.6667`."""
    return f"{value:.10g}"


class SeriesChoice(forms.ModelChoiceField):  # type: ignore[type-arg]  # the stubs' generic does not exist at run time
    """A version of an instrument's bars, by what it holds."""

    def label_from_instance(self, obj: BarSeries) -> str:
        """Name instrument, resolution, range and source."""
        synthetic = " · SYNTHETIC" if obj.is_synthetic else ""
        return (
            f"{obj.instrument.symbol} · {obj.get_resolution_display().lower()} · {obj.first:%Y-%m-%d} to "
            f"{obj.last:%Y-%m-%d} · version {obj.version} · {obj.source}{synthetic}"
        )


class BacktestForm(forms.Form):
    """Instrument, dates, costs and the parameters that matter most; the rest keeps its default."""

    series = SeriesChoice(BarSeries.objects.none(), label="Bars", empty_label="Choose…")
    name = forms.CharField(max_length=120, required=False, help_text="Empty: named for the bars.")
    start = forms.DateField(required=False, label="First day", widget=forms.DateInput({"type": "date"}))
    end = forms.DateField(required=False, label="Last day", widget=forms.DateInput({"type": "date"}))
    cash = forms.FloatField(label="Cash at the start", initial=_shown(OPTIONS.cash))
    stock_percent = forms.FloatField(label="Of it in stock at first, %", initial=_shown(OPTIONS.stock_fraction * 100))
    fill = forms.ChoiceField(
        label="A decision at a close fills", choices=[("close", "at that close"), ("next_open", "at the next open")]
    )
    execution = forms.ChoiceField(
        label="Orders",
        choices=[("watch", "follow the watched price"), ("resting", "rest at the triggers")],
        help_text="Resting orders show the intrabar band: both paths of each bar.",
    )
    path = forms.ChoiceField(
        label="Charts and trades of resting orders",
        choices=[("ohlc", "each bar's high first"), ("olhc", "each bar's low first")],
    )
    stop_loss_percent = forms.FloatField(
        required=False, label="Protective stop, % below the average cost", help_text="Empty: none."
    )
    slice_notional = forms.FloatField(
        required=False, label="Work orders in slices above", help_text="In currency. Empty: whole orders."
    )
    slice_interval_seconds = forms.IntegerField(label="Seconds between slices", initial=DEFAULTS.slice_interval_seconds)
    slippage_bps = forms.FloatField(
        label="Slippage, bps", initial=_shown(OPTIONS.slippage_bps), help_text="Hundredths of a percent of the price."
    )
    rebalance_ratio = forms.FloatField(label="Rebalance ratio", initial=_shown(DEFAULTS.rebalance_ratio))
    commission_percent = forms.FloatField(
        label="Commission, % of the notional", initial=_shown(DEFAULTS.commission_rate * 100)
    )

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        series = self.fields["series"]
        if isinstance(series, SeriesChoice):
            series.queryset = BarSeries.objects.select_related("instrument").order_by("instrument__symbol", "-version")
        for name in PERCENTS:
            self.fields[name] = forms.FloatField(label=LABELS[name], initial=_shown(getattr(DEFAULTS, name) * 100))

    def asked(self) -> dict[str, Any]:
        """Return series, name, parameters and options as `backtest_create` takes them."""
        given = self.cleaned_data
        return {
            "series": given["series"],
            "name": given["name"],
            "parameters": {
                **{name: _fraction(given[name]) for name in PERCENTS},
                "rebalance_ratio": given["rebalance_ratio"],
                "commission_rate": _fraction(given["commission_percent"]),
                "stop_loss": None if given["stop_loss_percent"] is None else _fraction(given["stop_loss_percent"]),
                "slice_notional": given["slice_notional"],
                "slice_interval_seconds": given["slice_interval_seconds"],
            },
            "options": {
                **{name: given[name] for name in ("start", "end", "cash", "fill", "execution", "path", "slippage_bps")},
                "stock_fraction": _fraction(given["stock_percent"]),
            },
        }


def _fraction(percent: float) -> float:
    """Return a percentage as the fraction that was meant: 3 % is 0.03, not the float nearest to 3 / 100 by chance."""
    return round(percent / 100, 12)
