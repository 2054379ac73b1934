"""The reference price of a quote, as strategy 9 says it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from hypothesis import given
from hypothesis import strategies as st

from trading.feeds.base import PriceQuote
from trading.services.price_limits import PriceLimits
from trading.services.pricing import needs_new_decision
from trading.services.quote_checks import quote_problem
from trading.services.reference_price import moves_too_far, reference_price, spread_bps

NOW = dt.datetime(2024, 3, 7, 15, 30, tzinfo=dt.UTC)
LIMITS = PriceLimits()

# bid, ask, last, age of the last trade, age of the quote → price, or what the refusal says
TWO_SIDED = """
 99.90 100.10 100.05   0    0   100.05   the last trade, fresh and near the mid
 99.90 100.10 100.05   3    0   100.05   three seconds are still fresh
 99.90 100.10 100.05   3.1  0   100      an older trade gives way to the mid
 99.90 100.10 101.00   0    0   101      exactly one percent from the mid
 99.90 100.10  99.00   0    0   99       exactly one percent under the mid
 99.90 100.10 101.01   0    0   100      further than one percent from the mid
 99.90 100.10 100.05   ?    0   100      a trade of an unknown time is not known to be fresh
 99.90 100.10 100.05  -5    0   100.05   a clock five seconds ahead
 99.90 100.10 100.05  -6    0   100      a trade from the future
 99.90 100.10      -   -    0   100      no trade at all
 99.99 100.00      -   -    0   99.995   the mid of a cent
 99.50 100.50      -   -    0   100      a spread of exactly one percent
 99.49 100.50      -   -    0   spread of 101.0 bps is more than 100.0 bps
     0 100.10 100.05   0    0   no bid
     - 100.10 100.05   0    0   no bid
 99.90      - 100.05   0    0   no ask
     -      - 100.05   0    0   no bid and no ask
100.20 100.10 100.15   0    0   bid of 100.20 is above its ask of 100.10
100.10 100.10      -   -    0   100.1    bid and ask meet
 99.90 100.10 100.05   0   30   100.05   thirty seconds old
 99.90 100.10 100.05   0   30.1 quote is 30 s old and may be 30 s
 99.90 100.10 100.05   0   -5   100.05   a quote five seconds ahead of us
 99.90 100.10 100.05   0 -600   quote is dated 10 min ahead of our clock
"""
ONE_SIDED = """
- - 100.05   -    0   100.05   its last trade stands
- - 100.05   -   30   100.05   thirty seconds old
- - 100.05   -   31   last trade is 31 s old and may be 30 s
- - 100.05  31    0   last trade is 31 s old and may be 30 s
- - 100.05   ?    0   100.05   of an unknown time: as old as the quote
- -      -   -    0   gives no price
- 100.10 100.05 0 0   no bid
"""


def rows(table: str) -> list[pytest.param]:
    cases = [line.split(maxsplit=5) for line in table.strip().splitlines()]
    return [pytest.param(*case, id=" ".join(case)) for case in cases]


def number(text: str) -> Decimal | None:
    return None if text == "-" else Decimal(text)


def before(text: str) -> dt.datetime | None:
    return None if text in "-?" else NOW - dt.timedelta(seconds=float(text))


def made(bid: str, ask: str, last: str, last_age: str, age: str, *, two_sided: bool) -> PriceQuote:
    return PriceQuote(
        instrument_id=1, source="s", is_synthetic=False, last=number(last), bid=number(bid), ask=number(ask),
        last_at=before(last_age), as_of=NOW - dt.timedelta(seconds=float(age)), received_at=NOW,
        is_two_sided=two_sided,
    )  # fmt: skip


def check(quote: PriceQuote, expected: str) -> None:
    found = reference_price(quote, NOW, LIMITS)
    told = expected.split()[0]
    if told.replace(".", "").isdigit():
        assert (found.price, found.refusal) == (Decimal(told), "")
    else:
        assert found.price is None
        assert expected in found.refusal


@pytest.mark.parametrize("bid,ask,last,last_age,age,expected", rows(TWO_SIDED))
def test_a_source_of_two_sides(bid: str, ask: str, last: str, last_age: str, age: str, expected: str) -> None:
    check(made(bid, ask, last, last_age, age, two_sided=True), expected)


@pytest.mark.parametrize("bid,ask,last,last_age,age,expected", rows(ONE_SIDED))
def test_a_source_of_last_trades(bid: str, ask: str, last: str, last_age: str, age: str, expected: str) -> None:
    check(made(bid, ask, last, last_age, age, two_sided=False), expected)


prices = st.one_of(st.none(), st.decimals("0.000001", 10_000, places=6))
ages = st.floats(-20, 60, allow_nan=False)


@given(bid=prices, ask=prices, last=prices, last_age=st.one_of(st.none(), ages), age=ages)
def test_a_price_lies_within_its_quote_or_there_is_none(
    bid: Decimal | None, ask: Decimal | None, last: Decimal | None, last_age: float | None, age: float
) -> None:
    quote = PriceQuote(
        1, "s", False, last, NOW - dt.timedelta(seconds=age), NOW, bid=bid, ask=ask,
        last_at=None if last_age is None else NOW - dt.timedelta(seconds=last_age), is_two_sided=True,
    )  # fmt: skip
    found = reference_price(quote, NOW, LIMITS)
    assert (found.price is None) == bool(found.refusal)
    if found.price is not None:
        assert bid is not None
        assert ask is not None
        assert bid <= ask
        mid = (bid + ask) / 2
        assert (ask - bid) <= mid / 100
        assert abs(found.price - mid) <= mid / 100 + Decimal("0.000001")
        assert -5 <= age <= 30.0001


@given(bid=st.decimals(1, 1_000, places=4), ask=st.decimals(1, 1_000, places=4))
def test_a_spread_is_measured_on_the_mid(bid: Decimal, ask: Decimal) -> None:
    found = spread_bps(bid, ask)
    if bid > ask:
        assert found is None
    else:
        assert found == pytest.approx(float(ask - bid) / float(bid + ask) * 20_000)


def test_limits_are_an_installations_own() -> None:
    patient = PriceLimits(max_quote_age_seconds=120, max_spread_ratio=0.05)
    quote = made("98", "102", "100", "0", "100", two_sided=True)
    assert reference_price(quote, NOW, patient).price == 100
    with pytest.raises(ValueError, match="outlier_sigma is 0; expected a number above 0"):
        PriceLimits(outlier_sigma=0)


@pytest.mark.parametrize(
    "limits,told",
    [
        ({"max_quote_age": 3.0}, "unexpected keyword argument 'max_quote_age'"),
        ({"recheck_bps": -1.0}, "recheck_bps is -1"),
    ],
)
def test_an_installation_does_not_start_with_limits_that_cannot_be(
    limits: dict[str, float], told: str, settings: Any
) -> None:
    settings.PRICE_LIMITS = limits
    with pytest.raises(SystemCheckError, match=told):
        call_command("check")
    settings.PRICE_LIMITS = {"recheck_bps": 5.0}
    call_command("check")
    assert needs_new_decision(decided_at=Decimal(100), now=Decimal("100.06"))


@pytest.mark.parametrize("now,again", [("100.2", False), ("99.8", False), ("100.201", True), ("99.799", True)])
def test_more_than_twenty_basis_points_are_decided_again(now: str, again: bool) -> None:
    assert moves_too_far(Decimal(100), Decimal(now), LIMITS) is again


BAD = [
    ({"last": Decimal(-5)}, "its last is -5; expected a number above 0"),
    ({"bid": Decimal(0)}, "its bid is 0; expected a number above 0"),
    ({"ask": Decimal("NaN")}, "its ask is NaN"),
    ({"last": Decimal("Infinity")}, "its last is Infinity"),
    ({"last": Decimal("1e15")}, "expected a number above 0"),
    ({"previous_close": Decimal(-1)}, "its previous close is -1"),
    ({"last": None}, "no bid, ask or last price"),
    ({"as_of": NOW.replace(tzinfo=None)}, "its time 2024-03-07T15:30:00 has no time zone"),
    ({"as_of": NOW + dt.timedelta(minutes=10)}, "is 10 min ahead of our clock; at most 5 s are allowed"),
    ({"last_at": NOW + dt.timedelta(minutes=10)}, "its time of the last trade"),
]


@pytest.mark.parametrize("changes,told", BAD, ids=[told for _, told in BAD])
def test_what_cannot_be_true_is_named(changes: dict[str, object], told: str) -> None:
    options: dict[str, object] = {
        "instrument_id": 1, "source": "s", "is_synthetic": False, "last": Decimal(100), "as_of": NOW,
        "received_at": NOW,
    }  # fmt: skip
    assert told in quote_problem(PriceQuote(**(options | changes)), NOW, LIMITS)  # type: ignore[arg-type]
    assert quote_problem(PriceQuote(**options), NOW, LIMITS) == ""  # type: ignore[arg-type]
