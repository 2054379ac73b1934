"""The paper broker under the suite: its market is a quote, its accidents are its settings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import ExitStack
from decimal import Decimal
from functools import cache
from types import TracebackType
from typing import Any, Self

from portfolios.models import BrokerAccount
from portfolios.services import account_create, tenant_create, user_create
from tests.conformance.harness import SYMBOL, TELLS_NO_CASH, NotSupportedError
from tests.portfolios.builders import BY_TEST, make_instrument
from tests.trading.builders import quote
from trading.brokers.base import Broker, BrokerOrderStatus
from trading.brokers.paper import PaperBroker
from trading.brokers.paper.book import Book
from trading.brokers.paper.dice import Dice
from trading.brokers.paper.settings import PaperSettings
from trading.models import PaperBook, PaperOrder
from trading.services.pricing import prices_judge
from volbal.common import clock
from volbal.common.tenancy import tenant_scope

RARELY = 0.05
ITS_OWN_ROWS = "its reports are rows of its own book, which keeps nothing that cannot be read"


@cache
def seed_of_one_lost_answer() -> int:
    """Return a seed whose first call loses its answer and whose next twenty lose nothing."""

    def fits(dice: Dice) -> bool:
        first = dice.happens(RARELY, "lost", 1) and dice.draw("lost where", 1) >= 0.5
        return first and not any(dice.happens(RARELY, "lost", call) for call in range(2, 22))

    return next(seed for seed in itertools.count() if fits(Dice(seed)))


class PaperHarness:
    """An account at the paper broker; each question makes the adapter anew, as another process would."""

    name = "paper"
    quote_source = "synthetic"
    lacks: Mapping[str, str] = {
        "stream": "is asked, and streams nothing",
        "unreadable_report": ITS_OWN_ROWS,
        "cash_movement": TELLS_NO_CASH,
    }

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        owner = user_create(email="owner@conformance.example", password="long enough 1", origin=BY_TEST)
        tenant = tenant_create(name="Conformance", slug="conformance", owner=owner, origin=BY_TEST)
        self._open.enter_context(tenant_scope(tenant.pk))
        self.account = account_create(tenant=tenant, name="Main", broker="paper", origin=BY_TEST)
        self.instrument = make_instrument(SYMBOL)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def broker(self) -> Broker:
        return PaperBroker(BrokerAccount.objects.get(pk=self.account.pk))

    def price(self, last: Decimal) -> None:
        prices_judge(quotes=[quote(self.instrument, last, clock.now())], as_of=clock.now())

    def fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        Book(self.account, PaperSettings()).fill(client_order_id, quantity, price)

    def garble_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        raise NotSupportedError(ITS_OWN_ROWS)

    def take_fee(self, amount: Decimal) -> None:
        raise NotSupportedError(TELLS_NO_CASH)

    def end(self, client_order_id: str, status: BrokerOrderStatus) -> None:
        if status == BrokerOrderStatus.EXPIRED:
            PaperOrder.objects.filter(client_order_id=client_order_id).update(expires_at=clock.now())
        else:
            Book(self.account, PaperSettings()).cancel(client_order_id)

    def settle_cancel(self, client_order_id: str) -> None:
        """Do nothing: the paper broker cancels at once."""

    def refuse_next(self) -> None:
        self._set(reject_rate=1.0)

    def lose_next_answer(self) -> None:
        PaperBook.objects.filter(account=self.account).update(calls=0)
        self._set(lost_answer_rate=RARELY, seed=seed_of_one_lost_answer())

    def drop_line(self) -> None:
        self._set(disconnect_rate=1.0)

    def restore_line(self) -> None:
        PaperBook.objects.update(silent_until=None)
        self._set()

    def _set(self, **settings: Any) -> None:
        BrokerAccount.objects.filter(pk=self.account.pk).update(settings={"paper": settings} if settings else {})
