"""Figures on a page: signs, units and tabular digits always shown. Available in every template without loading."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

Number = Decimal | float | int | str
NOTHING = "—"
MINUS = "−"
NARROW_UNIT = "\u00a0%"


def _decimal(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _grouped(value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    return f"{rounded + 0:,f}".replace("-", MINUS)


def _signed(value: Decimal, places: int) -> str:
    text = _grouped(value, places)
    return text if text.startswith(MINUS) or not any(digit in "123456789" for digit in text) else f"+{text}"


@register.filter
def money(value: Number | None) -> str:
    """Return an amount to the cent with thousands: `104,312.44`."""
    return NOTHING if value is None else _grouped(_decimal(value), 2)


@register.filter
def price(value: Number | None) -> str:
    """Return a price with two decimals, four below 1: `184.35`, `0.9731`."""
    if value is None:
        return NOTHING
    exact = _decimal(value)
    return _grouped(exact, 2 if abs(exact) >= 1 else 4)


@register.filter
def buy_price(value: Number | None) -> str:
    """Return a price to buy at, rounded down: at what is shown the rule buys, as its sentences say."""
    return NOTHING if value is None else _outward(_decimal(value), ROUND_FLOOR)


@register.filter
def sell_price(value: Number | None) -> str:
    """Return a price to sell at, rounded up: at what is shown the rule sells, as its sentences say."""
    return NOTHING if value is None else _outward(_decimal(value), ROUND_CEILING)


def _outward(value: Decimal, rounding: str) -> str:
    places = 2 if abs(value) >= 1 else 4
    return _grouped(value.quantize(Decimal(1).scaleb(-places), rounding=rounding), places)


@register.filter
def shares(value: Number | None) -> str:
    """Return shares to 1e-6 without trailing zeros: `296.515`."""
    if value is None:
        return NOTHING
    text = _grouped(_decimal(value), 6)
    return text.rstrip("0").rstrip(".")


@register.filter
def quantity(value: Number | None) -> str:
    """Return shares rounded for reading at a glance, three decimals at most: `41.2`."""
    if value is None:
        return NOTHING
    return _grouped(_decimal(value), 3).rstrip("0").rstrip(".")


@register.filter
def signed_shares(value: Number | None) -> str:
    """Return a movement of shares with its sign."""
    if value is None:
        return NOTHING
    text = _signed(_decimal(value), 6)
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def percent(value: Number | None) -> str:
    """Return a fraction as a percentage with one decimal: `52.4 %`."""
    return NOTHING if value is None else _grouped(_decimal(value) * 100, 1) + NARROW_UNIT


@register.filter
def percent2(value: Number | None) -> str:
    """Return a fraction as a percentage with two decimals: `2.35 %`."""
    return NOTHING if value is None else _grouped(_decimal(value) * 100, 2) + NARROW_UNIT


@register.filter
def grouped(value: Number | None) -> str:
    """Return a whole number with thousands: `3,270`."""
    return NOTHING if value is None else _grouped(_decimal(value), 0)


@register.filter
def signed_quantity(value: Number | None) -> str:
    """Return a quantity with its sign, three decimals at most: `−38.9`; nothing moved is `0`."""
    if value is None:
        return NOTHING
    text = _signed(_decimal(value), 3)
    return text.rstrip("0").rstrip(".")


@register.filter
def plain(value: Any) -> str:
    """Return a stored value without trailing zeros; yes, no and off in words."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


@register.filter
def words(value: object) -> str:
    """Return a code in words: `inside_band` as `Inside band`."""
    return str(value).replace("_", " ").capitalize() if value else NOTHING


@register.filter
def unbroken(sentence: str) -> str:
    """Return a sentence in which no line ends between a number and its percent sign."""
    return sentence.replace(" %", NARROW_UNIT)


@register.filter
def bound(value: Number | None) -> str:
    """Return a guardrail or threshold as a percentage without needless zeros: `25 %`."""
    if value is None:
        return NOTHING
    text = _grouped(_decimal(value) * 100, 4)
    return text.rstrip("0").rstrip(".") + NARROW_UNIT


@register.filter
def signed_percent(value: Number | None) -> str:
    """Return a fraction as a signed percentage with two decimals: `−0.67 %`."""
    return NOTHING if value is None else _signed(_decimal(value) * 100, 2) + NARROW_UNIT


@register.filter
def signed_money(value: Number | None) -> str:
    """Return a movement of money with its sign: `+1,000.00`."""
    return NOTHING if value is None else _signed(_decimal(value), 2)


@register.filter
def age(seconds: Number | None) -> str:
    """Return an age in its largest whole unit: `0 s`, `3 min`, `2 h`, `5 days`."""
    if seconds is None:
        return NOTHING
    whole = int(_decimal(seconds))
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172800, "h", 3600)):
        if whole < limit:
            return f"{whole // size}\u00a0{unit}"
    return f"{whole // 86400:,}\u00a0days"


FORMATS: dict[str, Callable[[Any], str]] = {
    "money": money,
    "price": price,
    "buy-price": buy_price,
    "sell-price": sell_price,
    "shares": shares,
    "quantity": quantity,
    "percent": percent,
    "percent2": percent2,
    "signed-percent": signed_percent,
    "signed-money": signed_money,
    "count": grouped,
    "words": words,
    "text": lambda value: NOTHING if value is None else str(value),
}


@register.simple_tag
def number(value: Number | None, form: str, live: str = "") -> SafeString:
    """Show a figure; with `live`, the key under which the page's script keeps it moving."""
    text = FORMATS[form](value)
    if not live:
        return format_html('<span class="number">{}</span>', text)
    return format_html('<span class="number" data-live="{}" data-format="{}">{}</span>', live, form, text)


def direction(value: Number | None) -> str:
    """Return `up`, `down` or nothing, by the sign as it is shown: a change that rounds to nothing has none."""
    if value is None:
        return ""
    rounded = round(_decimal(value), 4)
    return "up" if rounded > 0 else "down" if rounded < 0 else ""


@register.simple_tag
def change(value: Number | None, live: str = "") -> SafeString:
    """Show a change, a fraction, by arrow, sign and colour: `▼ −0.67 %`."""
    way = direction(value)
    arrow = {"up": "▲ ", "down": "▼ "}.get(way, "")
    key = format_html(' data-live="{}" data-format="change"', live) if live else ""
    return format_html('<span class="change {}"{}>{}{}</span>', way, key, arrow, signed_percent(value))


@register.simple_tag
def badge(kind: str, label: str = "", live: str = "") -> SafeString:
    """Show a mode, status or action as a badge; the colour follows `kind`, the word is always there."""
    word = label or kind.replace("_", " ").capitalize()
    if kind in ("replay", "paper", "live"):
        word = kind.upper()
    key = format_html(' data-live="{}" data-format="badge"', live) if live else ""
    return format_html('<span class="badge badge-{}"{}>{}</span>', kind.lower().replace("_", "-"), key, word)


@register.simple_tag
def action_badge(action: str) -> SafeString:
    """Show what a decision came to, with the chart's mark beside buys and sells."""
    mark = {"BUY": "▲ ", "SELL": "▼ "}.get(action, "")
    return format_html('<span class="badge badge-{}">{}{}</span>', action.lower(), mark, action)


@register.inclusion_tag("components/gauge.html")
def gauge(share: float | None, low: Number, high: Number, live: str = "", large: bool = False) -> dict[str, Any]:
    """Draw the stock share in its guardrail band. All three are fractions of the value."""
    low_percent, high_percent = float(low) * 100, float(high) * 100
    at = None if share is None else min(max(share, 0.0), 1.0) * 100
    outside = at is not None and not low_percent - 1e-4 <= at <= high_percent + 1e-4
    return {
        "share": share,
        "at": "0" if at is None else f"{at:.2f}",
        "low": low,
        "high": high,
        "low_at": f"{low_percent:.2f}",
        "high_at": f"{high_percent:.2f}",
        "width": f"{high_percent - low_percent:.2f}",
        "live": live,
        "large": large,
        "outside": outside,
    }


@register.inclusion_tag("components/field.html")
def field(bound_field: Any) -> dict[str, Any]:
    """Show a form field with its label, what was typed, its help and its errors."""
    return {"field": bound_field}


def zone_name(zone: dt.tzinfo, at: dt.datetime) -> str:
    """Return a zone's short name for people: the city of `America/New_York`, or `UTC`."""
    key = getattr(zone, "key", None)
    if key is None or "/" not in key:
        return at.astimezone(zone).tzname() or "UTC"
    return str(key).rsplit("/", 1)[1].replace("_", " ")


@register.simple_tag
def moment(value: dt.datetime | None, exchange_zone: str = "", seconds: bool = False) -> SafeString:
    """Show a moment with its zone named; where an exchange's is given, in that one and in the reader's beside it."""
    if value is None:
        return format_html("{}", NOTHING)
    own = timezone.get_current_timezone()
    clock = "%H:%M:%S" if seconds else "%H:%M"
    there = ZoneInfo(exchange_zone) if exchange_zone else None
    first = there or own
    text = f"{value.astimezone(first):%Y-%m-%d {clock}} {zone_name(first, value)}"
    if there is not None and value.astimezone(own).utcoffset() != value.astimezone(there).utcoffset():
        own_text = f"{value.astimezone(own):{clock}} {zone_name(own, value)}"
        return format_html(
            '<time datetime="{}">{} <span class="muted">· {}</span></time>', value.isoformat(), text, own_text
        )
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.simple_tag
def clock_of(value: dt.datetime, zone: dt.tzinfo, seconds: bool = False) -> SafeString:
    """Show a moment in a zone that the column's head names."""
    clock = "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), f"{value.astimezone(zone):{clock}}")


@register.simple_tag
def day_of(value: dt.datetime, exchange_zone: str) -> SafeString:
    """Show the exchange's day of a moment."""
    local = value.astimezone(ZoneInfo(exchange_zone))
    clock = f"{local:%H:%M} {zone_name(ZoneInfo(exchange_zone), value)}"
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), clock, f"{local:%Y-%m-%d}")


@register.simple_tag(takes_context=True)
def query(context: Context, **changed: object) -> str:
    """Return this page's address with some of its query changed; None takes one out."""
    request = context["request"]
    values = request.GET.copy()
    for name, value in changed.items():
        values.pop(name, None)
        if value is not None:
            values[name] = str(value)
    return f"{request.path}?{values.urlencode()}"


@register.filter
def get(values: Mapping[str, object], name: str) -> object:
    """Return what a mapping holds under a name."""
    return values.get(name, "")
