"""What an order pays, when it fills at all, and in which parts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.brokers.base import OrderType
from trading.brokers.paper.dice import Dice
from trading.brokers.paper.matching import Market, Terms, parts_of

D = Decimal
prices = st.decimals("0.01", "10000", places=2)
sides = st.sampled_from(["BUY", "SELL"])


def quoted(bid: str | None = None, ask: str | None = None, last: str | None = None) -> Market:
    return Market(*(None if price is None else D(price) for price in (bid, ask, last)))


@pytest.mark.parametrize(
    "side,market,price",
    [
        ("BUY", quoted("99", "101", "100"), "101"),
        ("SELL", quoted("99", "101", "100"), "99"),
        ("BUY", quoted(last="100"), "100"),
        ("BUY", quoted(bid="99", last="100"), "100"),
        ("SELL", quoted(ask="101", last="100"), "100"),
        ("SELL", quoted(bid="99"), "99"),
        # What cannot be traded on never fills.
        ("BUY", quoted(), None),
        ("BUY", quoted(bid="99"), None),
        ("BUY", quoted("101", "99", "100"), None),
        ("SELL", quoted("101", "99", "100"), None),
        ("BUY", quoted("0", "101", "100"), None),
        ("BUY", quoted("99", "0", "100"), None),
        ("SELL", quoted("-1", "101", "100"), None),
        ("BUY", quoted(last="0"), None),
    ],
)
def test_a_buy_pays_the_ask_and_a_sale_gets_the_bid(side: str, market: Market, price: str | None) -> None:
    assert Terms(side, OrderType.MARKET).price(market) == (None if price is None else D(price))


@pytest.mark.parametrize(
    "side,limit,market,price",
    [
        ("BUY", "101", quoted("99", "101", "100"), "101"),
        ("BUY", "100.99", quoted("99", "101", "100"), None),
        ("BUY", "105", quoted("99", "101", "100"), "101"),
        ("SELL", "99", quoted("99", "101", "100"), "99"),
        ("SELL", "99.01", quoted("99", "101", "100"), None),
        ("SELL", "95", quoted("99", "101", "100"), "99"),
    ],
)
def test_a_limit_fills_within_it_and_at_the_better_price(side: str, limit: str, market: Market, price: str) -> None:
    terms = Terms(side, OrderType.LIMIT, limit_price=D(limit))
    assert terms.price(market) == (None if price is None else D(price))


@given(sides, prices, prices, st.floats(0, 1000))
def test_a_limit_is_never_passed_whatever_the_slippage(side: str, limit: Decimal, last: Decimal, bps: float) -> None:
    price = Terms(side, OrderType.LIMIT, limit_price=limit).price(Market(None, None, last), slippage_bps=bps)
    if price is not None:
        assert price <= limit if side == "BUY" else price >= limit
    reaches = last <= limit if side == "BUY" else last >= limit
    assert (price is not None) == reaches


@given(prices, st.floats(0, 1000))
def test_slippage_is_never_in_our_favour(last: Decimal, bps: float) -> None:
    market = Market(None, None, last)
    bought = Terms("BUY", OrderType.MARKET).price(market, slippage_bps=bps)
    sold = Terms("SELL", OrderType.MARKET).price(market, slippage_bps=bps)
    assert bought is not None
    assert sold is not None
    assert 0 < sold <= last <= bought


def test_ten_basis_points_of_slippage() -> None:
    market = quoted("99", "101", "100")
    assert Terms("BUY", OrderType.MARKET).price(market, slippage_bps=10.0) == D("101.101")
    assert Terms("SELL", OrderType.MARKET).price(market, slippage_bps=10.0) == D("98.901")


@pytest.mark.parametrize(
    "side,stop,last,triggers",
    [
        ("BUY", "105", "104.99", False),
        ("BUY", "105", "105", True),
        ("SELL", "95", "95.01", False),
        ("SELL", "95", "95", True),
    ],
)
def test_a_stop_is_reached_by_the_last_price(side: str, stop: str, last: str, triggers: bool) -> None:
    for kind in (OrderType.STOP, OrderType.STOP_LIMIT):
        assert Terms(side, kind, stop_price=D(stop)).triggers(quoted(last=last)) is triggers


def test_a_crossed_market_triggers_no_stop() -> None:
    assert not Terms("SELL", OrderType.STOP, stop_price=D(95)).triggers(quoted("96", "94", "90"))


@given(
    st.one_of(
        st.decimals("0.000001", "100000", places=6),
        st.integers(1, 100_000).map(Decimal),
    ),
    st.integers(1, 1000),
    st.integers(0, 1000),
    st.integers(2, 20),
)
def test_parts_are_the_whole_and_none_is_empty(quantity: Decimal, number: int, seed: int, most: int) -> None:
    parts = parts_of(quantity, number=number, dice=Dice(seed), rate=1.0, most=most)
    assert sum(parts) == quantity
    assert all(part > 0 for part in parts)
    assert 1 <= len(parts) <= most
    if quantity == quantity.to_integral_value():
        assert all(part == part.to_integral_value() for part in parts)
    if quantity >= 2:
        assert len(parts) >= 2
    assert parts == parts_of(quantity, number=number, dice=Dice(seed), rate=1.0, most=most)


def test_without_a_rate_there_is_one_part() -> None:
    assert parts_of(D("7.5"), number=1, dice=Dice(1), rate=0.0, most=9) == (D("7.5"),)


@given(st.integers(0, 2**31), st.text(max_size=10), st.integers())
def test_chance_is_the_same_for_the_same_key(seed: int, word: str, number: int) -> None:
    draw = Dice(seed).draw(word, number)
    assert 0.0 <= draw < 1.0
    assert draw == Dice(seed).draw(word, number)
    assert Dice(seed).happens(1.0, word, number)
    assert not Dice(seed).happens(0.0, word, number)


def test_chance_comes_out_as_often_as_it_should() -> None:
    for rate in (0.1, 0.5, 0.9):
        happened = sum(Dice(7).happens(rate, "x", number) for number in range(20_000))
        assert abs(happened / 20_000 - rate) < 0.015
