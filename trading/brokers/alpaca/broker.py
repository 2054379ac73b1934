"""Alpaca, over its Trading API: paper and live accounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.core.cache import cache

from portfolios.models import BrokerAccount
from trading.brokers.alpaca.client import AlpacaClient, credentials_of
from trading.brokers.alpaca.payloads import (
    PayloadError,
    cash_movement_read,
    cash_read,
    fill_read,
    moment_of,
    order_body,
    order_read,
    position_read,
    text_of,
)
from trading.brokers.alpaca.stream import TradeUpdates
from trading.brokers.base import (
    DUPLICATE_ORDER,
    BrokerOrder,
    BrokerRejectedError,
    BrokerUnreachableError,
    BrokerUpdate,
    Capabilities,
    CashReport,
    DoubtfulReport,
    FillReport,
    Holdings,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from volbal.common import clock

# Activities of the same moment come in any order and some come late: each reading begins this much before the last.
OVERLAP, CASH_OVERLAP = dt.timedelta(minutes=5), dt.timedelta(days=7)
ACTIVITIES_A_PAGE, ORDERS_A_PAGE = 100, 500
PAGE_OVERLAP = dt.timedelta(milliseconds=1)
NAMES_KEPT_SECONDS = 86_400

CAPABILITIES = Capabilities(
    order_types=frozenset(OrderType),
    times_in_force=frozenset(TimeInForce),
    fractional_shares=True,
    fractional_types=frozenset(OrderType),
    fractional_times_in_force=frozenset({TimeInForce.DAY}),
    immediate_types=frozenset({OrderType.MARKET, OrderType.LIMIT}),
    extended_hours=True,
    extended_hours_types=frozenset({OrderType.LIMIT}),
    streams=True,
    reports_commission=False,
    reports_cash=True,
    tells_cash_movements=True,
)
Read = TypeVar("Read")


class AlpacaBroker:
    """One account at Alpaca. Nothing is sent before it is asked for; an order is submitted once and never repeated."""

    def __init__(self, account: BrokerAccount) -> None:
        self.account = account
        self.capabilities = CAPABILITIES
        self.client = AlpacaClient(account)

    def submit(self, request: OrderRequest) -> BrokerOrder:
        """Place an order; one that Alpaca has under this id already is returned as it stands there.

        Raises BrokerRejectedError, BrokerBusyError or BrokerAccessError (nothing was done) or, without an answer,
        BrokerUnreachableError.
        """
        refusal = self.capabilities.refusal(request)
        if refusal:
            raise BrokerRejectedError(f"Alpaca: {refusal}", code="not_supported")
        try:
            return self._known(self.client.post("/orders", order_body(request)))
        except BrokerRejectedError as refused:
            if refused.code != DUPLICATE_ORDER:
                raise
        placed = self.order(request.client_order_id)
        if placed is None:
            raise BrokerUnreachableError("Alpaca says that it has this order and does not find it")
        return placed

    def cancel(self, client_order_id: str) -> bool:
        """Ask for an order to be cancelled; return whether it was still open."""
        number = self._broker_order_id(client_order_id)
        if number is None:
            return False
        try:
            self.client.delete(f"/orders/{number}")
        except BrokerRejectedError:
            # Gone, ended or just filled: what it came to is learned by asking.
            return False
        return True

    def order(self, client_order_id: str) -> BrokerOrder | None:
        """Return Alpaca's view of one order, or None where it never heard of it."""
        return self._find("/orders:by_client_order_id", {"client_order_id": client_order_id})

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return all orders still working, however many pages they fill."""
        found: dict[str, BrokerOrder] = {}
        asked: dict[str, Any] = {"status": "open", "limit": ORDERS_A_PAGE, "direction": "asc", "nested": False}
        while True:
            page = self._list("/orders", asked)
            known = {order.broker_order_id: order for order in map(self._known, page)}
            is_new = bool(set(known) - set(found))
            found |= known
            if len(page) < ORDERS_A_PAGE or not is_new:
                return list(found.values())
            # Orders of the same moment may stand on both sides of the page's end.
            asked["after"] = _written(_readable(moment_of, page[-1], "submitted_at") - PAGE_OVERLAP)

    def fills_since(self, cursor: str) -> Sequence[FillReport | DoubtfulReport]:
        """Return fills from a little before `cursor` on, oldest first; some come again.

        `cursor` is the time of the newest fill read so far. Empty, it begins when the account was opened here.
        """
        since = dt.datetime.fromisoformat(cursor) if cursor else self.account.created_at
        activities = list(self._activities(since - OVERLAP, "/account/activities/FILL"))
        names = self._client_order_ids({text for one in activities if (text := _text_in(one, "order_id")) is not None})
        reports: list[FillReport | DoubtfulReport] = []
        newest = since
        for activity in activities:
            try:
                newest = max(newest, moment_of(activity, "transaction_time"))
                name = names.get(text_of(activity, "order_id"), "")
                reports.append(fill_read(activity, client_order_id=name, cursor=_written(newest)))
            except PayloadError as fault:
                reports.append(DoubtfulReport(activity, str(fault), read_from=cursor))
        return reports

    def cash_since(self, moment: dt.datetime) -> Sequence[CashReport | DoubtfulReport]:
        """Return the activities other than fills that moved cash, from a week before `moment` on; some come again.

        Alpaca dates a fee on the day it is about and makes it after that day's end: whichever of the two it looks at,
        a week holds both. What it only announces is told once it is done.
        """
        reports: list[CashReport | DoubtfulReport] = []
        asked = {"category": "non_trade_activity"}
        for activity in self._activities(moment - CASH_OVERLAP, "/account/activities", asked):
            try:
                report = cash_movement_read(activity)
            except PayloadError as fault:
                reports.append(DoubtfulReport(activity, str(fault)))
                continue
            if report is not None and report.as_of >= self.account.created_at:
                reports.append(report)
        return reports

    def holdings(self) -> Holdings:
        """Return the shares and the cash that Alpaca holds."""
        positions = [_readable(position_read, one) for one in self._list("/positions")]
        return Holdings(shares=dict(positions), cash=_readable(cash_read, self.client.get("/account")))

    def stream(self) -> Iterator[BrokerUpdate]:
        """Connect, then yield what Alpaca's stream tells, and empty updates while it is quiet."""
        place = urlsplit(self.client.base_url)
        usual = place._replace(scheme="wss" if place.scheme == "https" else "ws", path="/stream").geturl()
        address = self.client.settings.stream_url or usual
        began = _written(clock.now())
        return TradeUpdates(address, credentials_of(self.account), self.account.name, lambda: self.fills_since(began))

    def _find(self, path: str, params: Mapping[str, Any] | None = None, *, urgent: bool = False) -> BrokerOrder | None:
        try:
            return self._known(self.client.get(path, params, urgent=urgent))
        except BrokerRejectedError as refused:
            if refused.code == "not_found":
                return None
            raise BrokerUnreachableError(f"Alpaca refused to say: {refused}") from None

    def _list(self, path: str, params: Mapping[str, Any] | None = None) -> list[Any]:
        try:
            answer = self.client.get(path, params)
        except BrokerRejectedError as refused:
            raise BrokerUnreachableError(f"Alpaca refused to say: {refused}") from None
        if not isinstance(answer, list):
            raise BrokerUnreachableError(f"Alpaca answered {path} with no list")
        return answer

    def _known(self, payload: Any) -> BrokerOrder:
        """Read an order and keep which ids belong together: fills and cancellations name only Alpaca's."""
        order = _readable(order_read, payload)
        ours, theirs = order.client_order_id, order.broker_order_id
        names = {self._name_key(theirs): ours, self._number_key(ours): theirs}
        cache.set_many(names, timeout=NAMES_KEPT_SECONDS)
        return order

    def _broker_order_id(self, client_order_id: str) -> str | None:
        known: str | None = cache.get(self._number_key(client_order_id))
        if known is not None:
            return known
        order = self._find("/orders:by_client_order_id", {"client_order_id": client_order_id}, urgent=True)
        return None if order is None else order.broker_order_id

    def _activities(self, after: dt.datetime, path: str, chosen: Mapping[str, Any] | None = None) -> Iterator[Any]:
        asked: dict[str, Any] = {"after": _written(after), "direction": "asc", "page_size": ACTIVITIES_A_PAGE}
        asked |= chosen or {}
        while True:
            page = self._list(path, asked)
            yield from page
            if len(page) < ACTIVITIES_A_PAGE:
                return
            ids = [known for one in page if (known := _text_in(one, "id")) is not None]
            if not ids:
                raise BrokerUnreachableError("Alpaca's answer cannot be read: a page of activities without an id")
            # One that cannot be read at the page's end is told again on the next.
            asked["page_token"] = ids[-1]

    def _client_order_ids(self, numbers: Iterable[str]) -> dict[str, str]:
        """Return our ids of Alpaca's orders, asking it for those that are not at hand."""
        keys = {self._name_key(number): number for number in numbers}
        names = {keys[key]: str(name) for key, name in cache.get_many(keys).items()}
        for number in sorted(set(keys.values()) - set(names)):
            order = self._find(f"/orders/{number}")
            names[number] = "" if order is None else order.client_order_id
        return names

    def _name_key(self, broker_order_id: str) -> str:
        return f"alpaca:{self.account.pk}:order:{broker_order_id}"

    def _number_key(self, client_order_id: str) -> str:
        return f"alpaca:{self.account.pk}:number:{client_order_id}"


def _text_in(activity: Any, name: str) -> str | None:
    try:
        return text_of(activity, name)
    except PayloadError:
        return None


def _readable(read: Callable[..., Read], payload: Any, *arguments: Any) -> Read:
    """Read a payload. Raises BrokerUnreachableError where it is not Alpaca's: no answer is better than a wrong one."""
    try:
        return read(payload, *arguments)
    except PayloadError as fault:
        raise BrokerUnreachableError(f"Alpaca's answer cannot be read: {fault}") from None


def _written(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
