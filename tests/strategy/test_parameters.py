"""Parameters: bounds, defaults, warnings."""

import json

import numpy as np
import pytest

from volbal.strategy import (
    PARAMETER_SPECIFICATIONS,
    CellError,
    CellState,
    ParameterError,
    ParameterSpecification,
    StrategyParameters,
    decide,
    parameter_row,
)  # fmt: skip

BAD = [
    ("trigger_up", 0.0), ("trigger_up", 1.0), ("trigger_down", -0.03), ("trigger_down", 3),
    ("rebalance_ratio", 0.0), ("rebalance_ratio", -1.0), ("min_stock", -0.01), ("min_stock", 0.75),
    ("max_stock", 1.01), ("max_stock", 0.0), ("guardrail_tolerance", -0.01), ("min_notional", -1),
    ("min_quantity", -1), ("quantity_step", 0.0), ("quantity_step", 1e-7), ("max_trade_fraction", 0.0),
    ("max_trade_fraction", 1.5), ("max_orders_per_day", 0), ("max_orders_per_day", 1.5),
    ("commission_rate", 0.1), ("commission_rate", -0.1), ("commission_min", -1), ("withholding_rate", 1.0),
    ("adaptive_multiple", -1), ("adaptive_floor", 0.0), ("adaptive_floor", 0.2), ("adaptive_cap", 1.0),
    ("adaptive_decay", 1.0), ("adaptive_decay", 0.0), ("stop_loss", 1.0), ("stop_loss", 0.0),
    ("slice_notional", 0.0), ("slice_interval_seconds", 0), ("sizing", "kelly"), ("sizing", 1),
    ("auto_rebalance", 1), ("allow_after_hours", "no"), ("trigger_up", True), ("trigger_up", "0.03"),
    ("trigger_up", float("nan")), ("min_notional", float("inf")), ("trigger_up", None),
]  # fmt: skip


@pytest.mark.parametrize("name,value", BAD)
def test_a_broken_bound_names_parameter_value_and_bound(name, value):
    with pytest.raises(ParameterError) as caught:
        StrategyParameters(**{name: value})
    assert caught.value.parameter == name
    assert str(caught.value) == f"{name} is {value!r}; expected {caught.value.bound}"


def test_defaults_are_those_of_the_specifications():
    given = StrategyParameters().to_dict()
    for specification in PARAMETER_SPECIFICATIONS:
        wanted = 1.6667 if specification.name == "rebalance_ratio" else specification.default
        assert given[specification.name] == wanted
    assert list(given) == [specification.name for specification in PARAMETER_SPECIFICATIONS]


def test_bounds_are_said_in_words():
    words = {specification.name: specification.bound for specification in PARAMETER_SPECIFICATIONS}
    assert words["trigger_up"] == "a number above 0 and below 1"
    assert words["max_trade_fraction"] == "a number above 0 and at most 1"
    assert words["max_orders_per_day"] == "a whole number at least 1"
    assert words["stop_loss"] == "a number above 0 and below 1, or none"
    assert words["auto_rebalance"] == "true or false"
    assert ParameterSpecification("free", "", 1.0, "number", "", "Any number.").bound == "a number"


@pytest.mark.parametrize("sizing,ratio", [("proportional", 1.6667), ("fixed_percentage", 0.1), ("original", 0.05)])
def test_the_default_ratio_follows_the_sizing(sizing, ratio):
    assert StrategyParameters(sizing=sizing).rebalance_ratio == ratio
    assert StrategyParameters().replace(sizing=sizing).rebalance_ratio == ratio
    assert StrategyParameters(rebalance_ratio=0.5).replace(sizing=sizing).rebalance_ratio == 0.5


def test_a_fixed_percentage_cannot_exceed_the_whole():
    with pytest.raises(ParameterError, match="at most 1 with sizing fixed_percentage"):
        StrategyParameters(sizing="fixed_percentage", rebalance_ratio=1.5)


def test_parameters_survive_json_and_are_frozen():
    parameters = StrategyParameters(trigger_up=0.05, stop_loss=0.2, max_orders_per_day=np.int64(3))
    again = StrategyParameters.from_dict(json.loads(json.dumps(parameters.to_dict())))
    assert again == parameters
    assert hash(again) == hash(parameters)
    with pytest.raises(AttributeError):
        parameters.trigger_up = 0.5


def test_unknown_names_are_refused_by_name():
    with pytest.raises(ParameterError, match="triger_up"):
        StrategyParameters.from_dict({"triger_up": 0.03})


def test_a_row_holds_every_parameter_the_compiled_rule_reads():
    row = parameter_row(StrategyParameters(sizing="original", allow_after_hours=True))
    assert (row[3], row[7], row[16]) == (2.0, 1.0, 1.0)


def codes(parameters, **options):
    return [caution.code for caution in parameters.warnings(**options)]


def test_the_legal_but_unwise_is_warned_of():
    assert codes(StrategyParameters()) == []
    assert codes(StrategyParameters(), value=100_000.0) == []
    assert codes(StrategyParameters(), value=1000.0) == ["order_below_min_notional"]
    assert codes(StrategyParameters(guardrail_tolerance=0.0)) == ["no_tolerance"]
    assert codes(StrategyParameters(trigger_up=0.0001, trigger_down=0.0001)) == []
    assert codes(StrategyParameters(trigger_up=0.001, trigger_down=0.001), slippage_bps=10.0) == [
        "triggers_closer_than_costs"
    ]
    assert codes(StrategyParameters(sizing="original", rebalance_ratio=0.3), value=300.0) == [
        "order_below_min_notional",
        "original_always_capped",
    ]


@pytest.mark.parametrize("change", [{"auto_rebalance": False}, {"min_stock": 0.01}, {"min_stock": 0.0}])
def test_a_floor_that_cannot_be_restored_is_refused_live(change):
    (caution,) = StrategyParameters(**change).warnings()
    assert (caution.code, caution.refused_live) == ("floor_not_restorable", True)
    assert str(caution) == caution.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"cash": -0.01}, {"shares": -1}, {"anchor": 0.0}, {"anchor": float("nan")}, {"receivable": -1},
        {"orders_today": -1}, {"orders_today": 1.5}, {"cash": True}, {"cash": "5"}, {"cash": float("inf")},
    ],
)  # fmt: skip
def test_a_cell_that_cannot_be_is_refused(change):
    with pytest.raises(CellError, match=next(iter(change))):
        CellState(**{"cash": 1.0, "shares": 1.0, "anchor": 1.0, **change})


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf"), True, "100"])
def test_a_price_that_cannot_be_is_refused(price):
    with pytest.raises(CellError, match="price"):
        decide(price, CellState(1.0, 1.0, 1.0), StrategyParameters())
