"""Numbers that people type, refused before anything is written when they cannot be kept exactly."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from django.db.models import Model

from volbal.common.errors import Refused
from volbal.common.numbers import CENT, MICRO, PICO, ZERO

LIMIT = Decimal(10) ** 13


def cash_amount(name: str, value: Decimal | int | str, *, least: Decimal | None = ZERO) -> Decimal:
    """Return an amount of money in whole cents. Raises Refused naming `name`, the value and the bound."""
    return _exact(name, value, CENT, least)


def share_amount(name: str, value: Decimal | int | str, *, least: Decimal | None = ZERO) -> Decimal:
    """Return a number of shares in steps of 1e-6. Raises Refused naming `name`, the value and the bound."""
    return _exact(name, value, MICRO, least)


def told_share_amount(name: str, value: Decimal | int | str) -> Decimal:
    """Return a number of shares as a broker tells it, below 0 too, in steps of 1e-12. Raises Refused."""
    return _exact(name, value, PICO, None)


def price_amount(name: str, value: Decimal | int | str) -> Decimal:
    """Return a price above 0 in steps of 1e-6. Raises Refused naming `name`, the value and the bound."""
    return _exact(name, value, MICRO, MICRO)


def require_some(*amounts: Decimal) -> None:
    """Raise Refused when every amount is 0: there is nothing to do."""
    if all(amount == 0 for amount in amounts):
        raise Refused("The amount is 0; expected one that is not.", code="nothing_to_do")


def require_held(owner: Model, noun: str, *, held: Decimal, wanted: Decimal) -> None:
    """Raise Refused when `owner` holds less than is wanted of it."""
    if wanted > held:
        code = "insufficient_shares" if noun == "shares" else "insufficient_funds"
        raise Refused(
            f"{owner} holds {held:,f} {noun} and {wanted:,f} was asked for: {wanted - held:,f} too much.", code=code
        )


def _exact(name: str, value: Decimal | int | str, step: Decimal, least: Decimal | None) -> Decimal:
    number = _decimal(name, value)
    if abs(number) >= LIMIT:
        raise Refused(f"{name} is {number}; expected less than {LIMIT:,f}.", code="out_of_bounds")
    if number != number.quantize(step):
        raise Refused(f"{name} is {number}; expected whole steps of {step}.", code="out_of_bounds")
    if least is not None and number < least:
        raise Refused(f"{name} is {number}; expected at least {least}.", code="out_of_bounds")
    return number.quantize(step)


def _decimal(name: str, value: Decimal | int | str) -> Decimal:
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        raise Refused(f"{name} is {value!r}; expected a number.", code="out_of_bounds") from None
    if not number.is_finite():
        raise Refused(f"{name} is {value!r}; expected a finite number.", code="out_of_bounds")
    return number
