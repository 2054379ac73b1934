"""Versions of a cell's parameters: changed, compared, rolled back; never edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField

from portfolios.models import Cell, ParameterVersion, Portfolio
from portfolios.services.changes import changing
from portfolios.services.checks import require_not_archived
from portfolios.services.origin import Origin
from volbal.common.errors import Refused
from volbal.strategy import ParameterError, StrategyParameters

# Live, these have another home: the account's commission schedule and the portfolio's trading hours (strategy 2).
RESOLVED_ELSEWHERE = frozenset({"commission_rate", "commission_min", "allow_after_hours"})
PARAMETER_NAMES = tuple(field.name for field in fields(StrategyParameters) if field.name not in RESOLVED_ELSEWHERE)

Values = StrategyParameters | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParameterDifference:
    """One parameter that differs between two versions."""

    name: str
    before: Any
    after: Any


def parameters_change(
    *, cell: Cell, values: Values, origin: Origin, expected_version: int | None = None, note: str = "", preset: str = ""
) -> ParameterVersion:
    """Make a new version from the present one with `values` changed, and put it in force.

    Returns the present version when nothing differs. Raises Refused naming the parameter, the value and the bound.
    """
    with changing(cell, kind="parameters.changed", origin=origin, expected_version=expected_version) as change:
        row = change.row
        require_not_archived(row)
        if row.parameters is None:
            raise Refused(f"{row} has no parameters yet; open it with some.", code="no_parameters")
        rule = merged(stored_rule(row.parameters), values)
        if rule == stored_rule(row.parameters):
            return row.parameters
        version = _insert(cell=row, rule=rule, number=row.parameters.number, origin=origin, note=note, preset=preset)
        change.details["changes"] = {
            difference.name: [difference.before, difference.after]
            for difference in parameters_difference(row.parameters, version)
        }
        row.parameters = version
    return version


def parameters_roll_back(
    *, cell: Cell, number: int, origin: Origin, expected_version: int | None = None
) -> ParameterVersion:
    """Put an earlier version's values in force again, as a new version equal to it."""
    wanted = ParameterVersion.objects.filter(cell=cell, number=number).first()
    if wanted is None:
        raise Refused(f"{cell} has no parameter version {number}.", code="no_such_version")
    values = {name: value for name, value in stored_rule(wanted).to_dict().items() if name in PARAMETER_NAMES}
    return parameters_change(
        cell=cell,
        values=values,
        origin=origin,
        expected_version=expected_version,
        note=f"as version {number}",
        preset=wanted.preset,
    )


def parameters_difference(before: ParameterVersion, after: ParameterVersion) -> tuple[ParameterDifference, ...]:
    """Return the parameters in which two versions differ, in the rule's order."""
    return tuple(
        ParameterDifference(name, getattr(before, name), getattr(after, name))
        for name in PARAMETER_NAMES
        if getattr(before, name) != getattr(after, name)
    )


def first_version(*, cell: Cell, values: Values | None, origin: Origin) -> ParameterVersion:
    """Make version 1 of a cell being opened; None takes every default."""
    rule = merged(StrategyParameters(), {} if values is None else values)
    return _insert(cell=cell, rule=rule, number=0, origin=origin)


def stored_rule(version: ParameterVersion, **resolved: Any) -> StrategyParameters:
    """Return a version as the rule reads it, exactly; `resolved` are those that have their home elsewhere."""
    return StrategyParameters.from_dict({name: _number(getattr(version, name)) for name in PARAMETER_NAMES} | resolved)


def merged(rule: StrategyParameters, values: Values) -> StrategyParameters:
    """Return `rule` with `values` changed. Raises Refused naming the parameter, the value and the bound."""
    if isinstance(values, StrategyParameters):
        chosen = {name: value for name, value in values.to_dict().items() if name in PARAMETER_NAMES}
    else:
        chosen = {name: _number(value) for name, value in values.items()}
    misplaced = sorted(RESOLVED_ELSEWHERE & chosen.keys())
    if misplaced:
        raise Refused(
            f"{', '.join(misplaced)} is no parameter of a cell: commission is the account's, after hours the "
            "portfolio's.",
            code="parameter",
        )
    try:
        return rule.replace(**chosen)
    except ParameterError as error:
        raise Refused(str(error), code="parameter") from error


def require_live_floor(cell: Cell) -> None:
    """Raise Refused for a live cell whose floor cannot be restored (strategy 2)."""
    if cell.parameters is not None:
        _require_live(cell.portfolio, stored_rule(cell.parameters))


def _require_live(portfolio: Portfolio, rule: StrategyParameters) -> None:
    if portfolio.mode != Portfolio.Mode.LIVE:
        return
    for caution in rule.warnings():
        if caution.refused_live:
            raise Refused(f"Refused for a live cell: {caution.sentence}", code=caution.code)


def _insert(
    *, cell: Cell, rule: StrategyParameters, number: int, origin: Origin, note: str = "", preset: str = ""
) -> ParameterVersion:
    _require_live(cell.portfolio, rule)
    require_execution(cell.execution, rule)
    version = ParameterVersion(
        tenant_id=cell.tenant_id,
        cell=cell,
        number=number + 1,
        created_by_id=origin.actor_id,
        note=note,
        preset=preset,
        **{name: _stored(name, getattr(rule, name)) for name in PARAMETER_NAMES},
    )
    version.save(force_insert=True)
    return version


def require_execution(execution: str, rule: StrategyParameters) -> None:
    """Raise Refused for slices of orders that rest: those are filled where they lie (strategy 12 and 14)."""
    if execution == Cell.Execution.RESTING and rule.slice_notional is not None:
        raise Refused(
            f"slice_notional is {rule.slice_notional:,.2f}; expected none: orders that rest are filled where they lie.",
            code="parameter",
        )


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _stored(name: str, value: Any) -> Any:
    """Return a number as its column keeps it. Raises Refused where that would change it: live must equal backtest."""
    column = ParameterVersion._meta.get_field(name)
    if value is None or not isinstance(column, DecimalField):
        return value
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(-column.decimal_places)
    if abs(exact) >= Decimal(10) ** (column.max_digits - column.decimal_places) or exact != exact.quantize(step):
        raise Refused(
            f"{name} is {value!r}; expected at most {column.decimal_places} decimals and "
            f"{column.max_digits - column.decimal_places} digits before them.",
            code="parameter",
        )
    return exact.quantize(step)
