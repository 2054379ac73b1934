"""Refusals: what a broker does not take is said with a code and not kept."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.conformance.bench import HUNDRED, Bench, S, raises
from trading.brokers.base import BrokerRejectedError, OrderType, TimeInForce


def case_unclaimed_is_refused(bench: Bench) -> None:
    """What the broker does not claim to do is refused with a code"""
    able = bench.broker.capabilities
    bench.harness.price(HUNDRED)
    prices = {"limit_price": Decimal(90), "stop_price": Decimal(90)}
    unclaimed = [bench.request("SELL", type=kind, **prices) for kind in OrderType if kind not in able.order_types]
    unclaimed += [
        replace(bench.resting(), time_in_force=time) for time in TimeInForce if time not in able.times_in_force
    ]
    if not able.fractional_shares:
        unclaimed.append(bench.request(quantity="1.5"))
    unclaimed += [
        replace(bench.resting("SELL", "1.5"), type=kind, stop_price=Decimal(90))
        for kind in able.order_types - able.fractional_types
    ]
    for request in unclaimed:
        refusal = raises(BrokerRejectedError, lambda request=request: bench.broker.submit(request))
        assert refusal.code, "the refusal has no code"
    assert bench.open_ids() == set()


def case_malformed_is_refused(bench: Bench) -> None:
    """An order that makes no sense is refused and not kept"""
    bench.harness.price(HUNDRED)
    for request in (
        bench.request(quantity=0),
        bench.request(quantity=-1),
        bench.request(quantity="NaN"),
        bench.request(type=OrderType.LIMIT, limit_price=None),
        bench.request(type=OrderType.LIMIT, limit_price=Decimal(-1)),
        replace(bench.request(), symbol="NO-SUCH-SYMBOL"),
    ):
        refusal = raises(BrokerRejectedError, lambda request=request: bench.broker.submit(request))
        assert refusal.code, "the refusal has no code"
    assert (bench.open_ids(), bench.reports()) == (set(), [])


def case_refused_with_code(bench: Bench) -> None:
    """A refused order says why, with a code, at once or when it is asked for, and is not open"""
    bench.harness.price(HUNDRED)
    bench.harness.refuse_next()
    request = bench.resting()
    try:
        bench.broker.submit(request)
    except BrokerRejectedError as refusal:
        told = refusal.code, str(refusal)
        known = bench.broker.order(request.client_order_id)
        assert known is None or known.status == S.REJECTED, f"the broker has it {known}"
    else:
        bench.harness.price(HUNDRED)
        rejected = bench.expect(request.client_order_id, S.REJECTED)
        told = rejected.reject_code, rejected.detail
    assert all(told), f"the refusal's code and words are {told}"
    assert bench.open_ids() == set()
