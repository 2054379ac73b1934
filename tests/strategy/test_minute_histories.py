"""What must hold for every history of minutes, with the protective stop and slices (strategy 14)."""

from hypothesis import given
from hypothesis import strategies as st

from tests.strategy.histories import WAYS, minutes, working
from tests.strategy.test_properties import SETTINGS
from volbal.strategy import simulate, sweep


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS)
def test_nothing_is_oversold_or_overspent(bars, parameters, options):
    result = simulate(bars, parameters, **options)
    for name in ("cash", "shares"):
        assert getattr(result.columns, name).min() >= 0.0
    stops = [trade for trade in result.trades if trade.reason == "stop_loss"]
    assert stops in ([], [result.trades[-1]] if result.trades else [])
    for trade in stops:
        assert trade.shares_after == 0.0


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS)
def test_a_sweep_is_the_simulation_with_stops_and_slices_too(bars, parameters, options):
    plain = parameters.replace(slice_notional=None, stop_loss=None)
    swept = sweep(bars, [parameters, plain], workers=2, **options)
    for index, one in enumerate((parameters, plain)):
        assert swept.measures(index) == simulate(bars, one, **options).measures


@SETTINGS
@given(bars=minutes(), parameters=working(), options=WAYS, cut=st.integers(0, 4))
def test_cutting_the_future_off_changes_no_past_day(bars, parameters, options, cut):
    kept = int((bars.days <= cut).sum())
    whole = simulate(bars, parameters, **options)
    part = simulate(bars.select(end=f"1970-01-0{cut + 1}"), parameters, **options)
    assert part.trades == tuple(trade for trade in whole.trades if trade.bar < kept)


@SETTINGS
@given(bars=minutes(), parameters=working(), fraction=st.sampled_from([0.0, 0.5, 1.0]))
def test_resting_orders_with_a_stop_sweep_as_they_simulate(bars, parameters, fraction):
    one = parameters.replace(slice_notional=None)
    options = {"execution": "resting", "stock_fraction": fraction}
    assert sweep(bars, [one], **options).measures(0) == simulate(bars, one, **options).measures
