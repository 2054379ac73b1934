"""Forms of the pages. They check shape only; what is allowed is said by the services."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django import forms

from portfolios.models import Cell, ParameterVersion
from portfolios.services.parameters import PARAMETER_NAMES
from portfolios.standings import Place
from trading.models import Order, ReplayRun, TradingLimit
from trading.services.limits import limit_proposed
from trading.services.order_placing import OrderTerms
from volbal.common.templatetags import figures
from volbal.strategy import PARAMETER_SPECIFICATIONS, ParameterError, ParameterSpecification, StrategyParameters

ACCOUNT, OUTSIDE = "account", "outside"
HUNDRED = Decimal(100)


class CashForm(forms.Form):
    """An amount of cash into a cell or out of it, and where it comes from or goes."""

    amount = forms.DecimalField(max_digits=20, decimal_places=2, min_value=Decimal("0.01"))
    other_side = forms.ChoiceField()
    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept in the record")

    def __init__(self, *args: Any, cell: Cell, into: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        account = cell.portfolio.account
        self.fields["amount"].label = f"Amount in {account.currency}"
        choice = self.fields["other_side"]
        choice.label = "From" if into else "To"
        choice.choices = [  # type: ignore[attr-defined]  # a ChoiceField, as declared above
            (ACCOUNT, f"{account.name}, not yet given to a cell: {account.unallocated_cash:,.2f}"),
            (OUTSIDE, "outside the account"),
        ]
        if into and account.unallocated_cash <= 0:
            choice.initial = OUTSIDE


class AnchorForm(forms.Form):
    """A new anchor price."""

    anchor = forms.DecimalField(max_digits=20, decimal_places=6, min_value=Decimal("0.000001"))
    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept in the record")


class SpreadForm(forms.Form):
    """The widest spread a cell trades at."""

    max_spread_bps = forms.DecimalField(
        max_digits=8,
        decimal_places=2,
        min_value=Decimal("0.01"),
        required=False,
        label="Widest spread (bps)",
        help_text="Hundredths of a percent of the mid; 10 is 0.1 %. Empty: any.",
    )
    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept in the record")


class ExecutionForm(forms.Form):
    """How a cell trades."""

    execution = forms.ChoiceField(choices=Cell.Execution.choices, label="How it trades")
    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept in the record")


class PathForm(forms.Form):
    """How orders that rest meet each bar of a replay."""

    path = forms.ChoiceField(
        choices=ReplayRun.Path.choices,
        required=False,
        label="Within a bar",
        help_text="Which price comes first for orders that rest; bars do not tell",
    )


class HaltForm(forms.Form):
    """How far something is stopped, what becomes of its open orders, and why."""

    state = forms.ChoiceField(
        choices=[
            ("halted", "Halt: nothing trades"),
            ("reducing", "Reduce only: sells that do not lead away from the guardrails"),
        ],
        label="From now on",
    )
    cancels_orders = forms.BooleanField(
        required=False, initial=True, label="Cancel the open orders it forbids", help_text="At the broker, at once"
    )
    note = forms.CharField(max_length=240, label="Reason", help_text="Everyone who is held up by it reads this")


class ResumeForm(forms.Form):
    """Why a person lets something trade again, and which restrictions they were shown."""

    note = forms.CharField(max_length=240, label="Reason", help_text="Kept in the record")
    seen = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, seen: Collection[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["seen"].initial = " ".join(str(one) for one in seen)

    def clean_seen(self) -> list[int]:
        """Return the ids that stood in the form when it was shown."""
        return [int(one) for one in self.cleaned_data["seen"].split() if one.isascii() and one.isdigit()]


class RehearsalForm(forms.Form):
    """A limit that is only proposed. Fractions are typed as percentages."""

    kind = forms.ChoiceField(choices=TradingLimit.Kind.choices, label="What is limited")
    threshold = forms.DecimalField(
        max_digits=20,
        decimal_places=6,
        min_value=Decimal("0.000001"),
        label="Limit",
        help_text="% for drawdown, loss and concentration; an amount for notional and stock; a count for orders and "
        "rejects; seconds for the age of a price; 1 for disagreement",
    )
    window_seconds = forms.IntegerField(
        required=False, min_value=1, label="Window (seconds)", help_text="With counts; empty: a day"
    )
    action = forms.ChoiceField(choices=TradingLimit.Action.choices, initial=TradingLimit.Action.HALTED, label="Then")
    resume_after_days = forms.IntegerField(
        initial=5,
        min_value=0,
        max_value=366,
        label="Resumed after (days)",
        help_text="How long a person is taken to wait",
    )

    def clean_threshold(self) -> Decimal:
        """Return the limit as it is stored: fractions as fractions."""
        typed: Decimal = self.cleaned_data["threshold"]
        fraction = self.data.get("kind") in TradingLimit.FRACTIONS
        if fraction and typed >= HUNDRED:
            raise forms.ValidationError("Expected below 100 %.")
        return typed / HUNDRED if fraction else typed

    def limit(self, on: Place) -> TradingLimit:
        """Return the proposed limit on a place; it is never stored."""
        names = ("kind", "threshold", "window_seconds", "action")
        return limit_proposed(on=on, **{name: self.cleaned_data[name] for name in names})


class LimitForm(RehearsalForm):
    """A limit to be set."""

    resume_after_days = None  # type: ignore[assignment]  # a form leaves a field of its base out so
    mode = forms.ChoiceField(
        choices=TradingLimit.Mode.choices, initial=TradingLimit.Mode.REHEARSING, label="From now on"
    )
    note = forms.CharField(max_length=240, label="Reason", help_text="Kept in the record")


class LimitSwitchForm(forms.Form):
    """Off, rehearsing or on, and why."""

    mode = forms.ChoiceField(choices=TradingLimit.Mode.choices, label="From now on")
    note = forms.CharField(max_length=240, label="Reason", help_text="Kept in the record")


class TicksForm(forms.Form):
    """How often a portfolio is looked at, and whether new quotes wake it as well."""

    tick_interval_seconds = forms.IntegerField(
        min_value=1, max_value=86_400, label="Look at every cell every (seconds)", help_text="1 to 86,400, a day."
    )
    tick_on_quotes = forms.BooleanField(
        required=False,
        label="And whenever a new quote comes",
        help_text="Where prices are streamed or pushed; at most one look at a time.",
    )
    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept in the record")


class ReasonForm(forms.Form):
    """Why a person does what the page is about to do."""

    note = forms.CharField(max_length=240, label="Reason", help_text="Kept in the record")


class OrderForm(forms.Form):
    """An order by hand. `key` makes a second click the same order."""

    side = forms.ChoiceField(choices=Order.Side.choices)
    quantity = forms.DecimalField(max_digits=20, decimal_places=6, min_value=Decimal("0.000001"), label="Shares")
    type = forms.ChoiceField(choices=Order.Type.choices, initial=Order.Type.LIMIT)
    limit_price = forms.DecimalField(
        max_digits=20, decimal_places=6, required=False, help_text="For limit and stop-limit orders"
    )
    stop_price = forms.DecimalField(
        max_digits=20, decimal_places=6, required=False, help_text="For stop and stop-limit orders"
    )
    time_in_force = forms.ChoiceField(choices=Order.TimeInForce.choices, label="Lasts")
    note = forms.CharField(max_length=240, label="Reason", help_text="Kept with the order")
    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("limit_price", "stop_price"):
            self.fields[name].label = f"{name.replace('_', ' ').capitalize()} in {currency}"

    def terms(self) -> OrderTerms:
        """Return what is asked for."""
        values = self.cleaned_data
        return OrderTerms(
            side=values["side"],
            quantity=values["quantity"],
            type=values["type"],
            time_in_force=values["time_in_force"],
            limit_price=values["limit_price"],
            stop_price=values["stop_price"],
        )


class ParametersForm(forms.Form):
    """All parameters a cell has of its own. Fractions are typed as percentages, the only place they are."""

    note = forms.CharField(max_length=240, required=False, label="Reason", help_text="Kept with the new version")

    def __init__(
        self, *args: Any, version: ParameterVersion, rule: StrategyParameters, preset: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.rule = rule
        note = self.fields.pop("note")
        for specification in editable():
            value = preset.get(specification.name, getattr(version, specification.name))
            self.fields[specification.name] = _field(specification, value)
        self.fields["note"] = note

    def clean(self) -> dict[str, Any]:
        """Check the values by the rule's own bounds, alone and together, and say them as they are typed."""
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                self.rule.replace(**self.values())
            except ParameterError as error:
                self.add_error(error.parameter if error.parameter in self.fields else None, _expected(error))
        return cleaned

    def values(self) -> dict[str, Any]:
        """Return the parameters as the rule takes them: fractions as fractions."""
        return {
            specification.name: _stored(specification, self.cleaned_data[specification.name])
            for specification in editable()
        }


def editable() -> list[ParameterSpecification]:
    """Return the parameters a person may set on a cell, in the rule's order."""
    return [one for one in PARAMETER_SPECIFICATIONS if one.name in PARAMETER_NAMES]


def _label(specification: ParameterSpecification) -> str:
    unit = {"fraction": "%", "ratio": ""}.get(specification.unit, specification.unit)
    words = specification.name.replace("_", " ").capitalize()
    return f"{words} ({unit})" if unit else words


def _field(specification: ParameterSpecification, value: Any) -> forms.Field:
    common: dict[str, Any] = {"label": _label(specification), "initial": value}
    if specification.kind == "boolean":
        return forms.BooleanField(required=False, help_text=specification.description, **common)
    if specification.kind == "choice":
        choices = [(one, one.replace("_", " ")) for one in specification.choices]
        return forms.ChoiceField(choices=choices, help_text=specification.description, **common)
    return _number_field(specification, value, common)


def _number_field(specification: ParameterSpecification, value: Any, common: dict[str, Any]) -> forms.Field:
    scale = HUNDRED if specification.unit == "fraction" else Decimal(1)
    field = forms.DecimalField(
        help_text=f"{specification.description} {_bound(specification, scale)}",
        required=not specification.optional,
        **common,
    )
    field.initial = None if value is None else f"{(Decimal(str(value)) * scale).normalize():f}"
    field.widget.attrs |= {"step": "any", "inputmode": "decimal"}
    for name, bound in (("min", specification.minimum), ("max", specification.maximum)):
        if bound is not None:
            field.widget.attrs[name] = f"{(Decimal(str(bound)) * scale).normalize():f}"
    return field


def _bound(specification: ParameterSpecification, scale: Decimal) -> str:
    low, high = (Decimal(str(bound or 0)) * scale for bound in (specification.minimum, specification.maximum))
    opening = "Above" if specification.above_minimum else "At least"
    if specification.maximum is None:
        return f"{opening} {low.normalize():f}."
    closing = "below" if specification.below_maximum else "at most"
    return f"{opening} {low.normalize():f}, {closing} {high.normalize():f}."


def _expected(error: ParameterError) -> str:
    """Say what a parameter may be in the unit it is typed in: percentages for fractions."""
    specification = next((one for one in editable() if one.name == error.parameter), None)
    if specification is None:
        return str(error)
    is_fraction = specification.unit == "fraction"
    if error.bound == specification.bound and specification.minimum is not None:
        return _bound(specification, HUNDRED if is_fraction else Decimal(1))
    words = error.bound.replace("_", " ")
    if is_fraction:
        words = re.sub(r"which is ([\d.]+)", lambda found: f"which is {figures.bound(found[1])}", words)
    return f"Expected {words}."


def _stored(specification: ParameterSpecification, value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    if specification.kind == "integer":
        return int(value) if value == value.to_integral_value() else float(value)
    return float(value / HUNDRED if specification.unit == "fraction" else value)
