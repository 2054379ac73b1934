"""What people do under chaos: halt and resume, deposit, cancel by hand. A change that fails is made again."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from decimal import Decimal

from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, InterfaceError, close_old_connections, connections
from kombu.exceptions import OperationalError as BrokerGone
from redis.exceptions import RedisError

from portfolios.models import Cell, LedgerEntry, Membership, Portfolio, Tenant, TradingRestriction
from portfolios.services import Origin, cell_deposit, cell_resume
from portfolios.services.restrictions import place_resume
from portfolios.standings import place_of
from trading.models import Order
from trading.services.halts import place_restrict
from trading.services.manual_orders import order_cancel_by_hand
from trading.services.order_states import ForbiddenMoveError
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import tenant_scope

PAUSE_SECONDS = 1.0
DEPOSIT = Decimal("12.34")
# Nothing of ours is reachable at the moment: a person reads that and tries again.
GONE = (DatabaseError, InterfaceError, BrokerGone, RedisError, OSError)
REFUSED = (Refused, Conflict, ForbiddenMoveError, ObjectDoesNotExist)


def _in_force(level: str) -> list[int]:
    """Return the ids of the portfolios or cells that are halted themselves."""
    rows = TradingRestriction.objects.filter(level=level, lifted_at__isnull=True)
    return [owner for owner in rows.values_list(f"{level}_id", flat=True) if owner is not None]


class People:
    """An operator and a trader at work, from a seed, until the run's `ending` is set."""

    def __init__(self, tenant: Tenant, seed: int, ending: threading.Event) -> None:
        self.tenant, self.random, self.ending = tenant, random.Random(seed), ending
        self.actor_id = Membership.objects.get(tenant=tenant, role=Membership.Role.OWNER).user_id
        self.deposits: list[str] = []
        self.done: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        """Let them begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let them finish what they are at, and lift every halt that they placed."""
        self.ending.set()
        self._thread.join(timeout=60)
        connections.close_all()
        with tenant_scope(self.tenant.pk):
            for portfolio in Portfolio.objects.filter(pk__in=_in_force(TradingRestriction.Level.PORTFOLIO)):
                self._lift(portfolio)

    def _work(self) -> None:
        acts = [self._halt, self._deposit, self._cancel, self._resume, self._resume]
        while not self.ending.wait(self.random.uniform(0.2, 2 * PAUSE_SECONDS)):
            act = self.random.choice(acts)
            name = act.__name__.removeprefix("_")
            with tenant_scope(self.tenant.pk):
                done = self._until_done(act)
            self.done[name] = self.done.get(name, 0) + done
        connections.close_all()

    def _until_done(self, act: Callable[[], bool]) -> bool:
        while not self.ending.is_set():
            close_old_connections()
            try:
                return act()
            except REFUSED:
                return False
            except GONE:
                self.ending.wait(0.5)
        return False

    def _halt(self) -> bool:
        portfolio = self.random.choice(list(Portfolio.objects.order_by("id")))
        origin = self._origin("an operator looks")
        place_restrict(on=place_of(portfolio), state=TradingRestriction.State.HALTED, origin=origin)
        self.ending.wait(self.random.uniform(0.5, 3))
        return self._lift(portfolio)

    def _origin(self, reason: str) -> Origin:
        return Origin(actor_id=self.actor_id, reason=reason)

    def _lift(self, portfolio: Portfolio) -> bool:
        place_resume(on=place_of(portfolio), origin=self._origin("all is well"))
        return True

    def _deposit(self) -> bool:
        """Deposit under one key until it is in the books: repeated or not, it is booked once."""
        key = f"chaos-deposit-{len(self.deposits)}"
        cell = self.random.choice(list(Cell.objects.order_by("id")))
        while not self.ending.is_set():
            close_old_connections()
            try:
                for _ in range(self.random.randint(1, 2)):
                    origin = self._origin("savings")
                    cell_deposit(cell=cell, as_of=clock.now(), origin=origin, cash=DEPOSIT, key=key)
                self.deposits.append(key)
                return True
            except (*GONE, Conflict):
                self.ending.wait(0.3)
        if LedgerEntry.objects.filter(key=key).exists():
            self.deposits.append(key)
        return False

    def _cancel(self) -> bool:
        at_work = list(Order.objects.filter(status__in=Order.CANCELLABLE).select_related("account").order_by("id"))
        if not at_work:
            return False
        order_cancel_by_hand(order=self.random.choice(at_work), origin=self._origin("no longer wanted"))
        return True

    def _resume(self) -> bool:
        """Resume the cells that their protective stop halted."""
        cells = list(Cell.objects.filter(pk__in=_in_force(TradingRestriction.Level.CELL)).order_by("id"))
        for cell in cells:
            cell_resume(cell=cell, origin=self._origin("bought back by rule"))
        return bool(cells)
