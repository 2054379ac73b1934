"""What an order would pay in a market, and in which parts: pure functions, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from trading.brokers.base import OrderType
from trading.brokers.paper.dice import Dice
from volbal.common import numbers

TEN_THOUSAND = Decimal(10_000)
WHOLE_SHARE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Market:
    """The newest quote: currency a share, None where its source has none."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None

    @property
    def is_sound(self) -> bool:
        """Whether it can be traded on: no price at or below 0, and no bid above the ask."""
        known = [price for price in (self.bid, self.ask, self.last) if price is not None]
        crossed = self.bid is not None and self.ask is not None and self.bid > self.ask
        return bool(known) and min(known) > 0 and not crossed

    def pays(self, side: str) -> Decimal | None:
        """Return what a buy pays (the ask) or a sale gets (the bid), the last price where that side is missing."""
        own = self.ask if side == "BUY" else self.bid
        return self.last if own is None else own

    def traded(self, side: str) -> Decimal | None:
        """Return the price that stops are measured by: the last, or what an order would pay."""
        return self.pays(side) if self.last is None else self.last


@dataclass(frozen=True, slots=True)
class Terms:
    """How an order is priced."""

    side: str
    type: str
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def triggers(self, market: Market) -> bool:
        """Tell whether the market reaches the order's stop; an order without one is always triggered."""
        if self.type not in (OrderType.STOP, OrderType.STOP_LIMIT) or self.stop_price is None:
            return True
        traded = market.traded(self.side)
        if traded is None or not market.is_sound:
            return False
        return traded >= self.stop_price if self.side == "BUY" else traded <= self.stop_price

    def price(self, market: Market, *, slippage_bps: float = 0.0) -> Decimal | None:
        """Return what a triggered order fills at, worsened by slippage but never beyond its limit; None for no fill."""
        quoted = market.pays(self.side)
        if quoted is None or not market.is_sound:
            return None
        limit = self.limit_price if self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None
        buys = self.side == "BUY"
        if limit is not None and (quoted > limit if buys else quoted < limit):
            return None
        slipped = _slipped(quoted, buys, slippage_bps)
        if limit is None:
            return slipped
        return min(slipped, limit) if buys else max(slipped, limit)


def _slipped(quoted: Decimal, buys: bool, slippage_bps: float) -> Decimal:
    if slippage_bps == 0.0:
        return quoted
    share = Decimal(repr(slippage_bps)) / TEN_THOUSAND
    return max(numbers.price(quoted * (1 + share if buys else 1 - share)), numbers.MICRO)


def parts_of(quantity: Decimal, *, number: int, dice: Dice, rate: float, most: int) -> tuple[Decimal, ...]:
    """Return the parts that the account's order `number` fills in, which add up to `quantity`.

    Whole shares are parted in whole shares, fractions in millionths.
    """
    if not dice.happens(rate, "parts", number):
        return (quantity,)
    unit = WHOLE_SHARE if quantity == quantity.to_integral_value() else numbers.MICRO
    units = int(quantity / unit)
    count = min(2 + int(dice.draw("part count", number) * (most - 1)), units)
    return tuple(part * unit for part in _cut(units, count, number, dice))


def _cut(units: int, count: int, number: int, dice: Dice) -> Iterator[int]:
    """Cut `units` into `count` parts of at least one each."""
    left = units
    for place in range(count, 1, -1):
        share = (0.5 + dice.draw("part", number, place)) / place
        part = min(max(int(left * share), 1), left - (place - 1))
        yield part
        left -= part
    yield left
