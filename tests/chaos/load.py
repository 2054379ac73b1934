"""The work that goes on under chaos: many cells that trade often, at a paper broker that misbehaves from a seed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from portfolios.models import BrokerAccount, Cell, Instrument, Portfolio, Tenant
from portfolios.services import (
    Origin,
    account_create,
    cell_open,
    cell_pause,
    cell_set_execution,
    cell_start,
    instrument_create,
    opening_preview,
    portfolio_create,
    tenant_create,
    user_create,
)
from trading.feeds.registry import feed_of
from trading.models import Order
from trading.services.manual_orders import order_cancel_by_hand
from trading.services.order_cancels import CANCELLABLE
from trading.services.order_states import ForbiddenMoveError
from volbal.common import clock
from volbal.common.errors import Conflict, Refused
from volbal.common.tenancy import every_tenant, tenant_scope

ORIGIN = Origin(task="chaos", reason="a rehearsal")
EMAIL, PASSWORD = "owner@chaos.example", "only for this run 1"
ACCOUNTS, CELLS_EACH = 5, 8
# Everything that a broker can do to us, each account with a seed of its own.
FAULTS: dict[str, Any] = {
    "delay_seconds": 0.3,
    "partial_fill_rate": 0.5,
    "partial_fill_parts": 3,
    "slippage_bps": 2,
    "reject_rate": 0.05,
    "lost_answer_rate": 0.15,
    "duplicate_rate": 0.3,
    "shuffle": True,
    "disconnect_rate": 0.02,
    "disconnect_seconds": 1,
}
# The prices swing a percent within a minute: triggers this close make every cell trade every few seconds.
PARAMETERS = {
    "trigger_up": 0.001,
    "trigger_down": 0.001,
    "rebalance_ratio": 20.0,
    "min_notional": 1.0,
    "max_orders_per_day": 1_000_000,
}
# Some cells of each portfolio rest their orders at the triggers.
RESTING = (3, 4)
# The last cells of each portfolio work their orders in slices, have a protective stop that strikes often, or both.
OF_CELL: dict[int, dict[str, Any]] = {
    5: {"slice_notional": 2_000.0, "slice_interval_seconds": 1},
    6: {"stop_loss": 0.004},
    7: {"slice_notional": 2_000.0, "slice_interval_seconds": 1, "stop_loss": 0.004},
}


def load_create(seed: int) -> Tenant:
    """Make a firm whose cells trade every few seconds at accounts that misbehave, each from its own seed."""
    with every_tenant():
        owner = user_create(email=EMAIL, password=PASSWORD, origin=ORIGIN)
        tenant = tenant_create(name="Chaos", slug="chaos", owner=owner, origin=ORIGIN)
        instruments = [_instrument(number) for number in range(CELLS_EACH)]
    with tenant_scope(tenant.pk):
        for number in range(ACCOUNTS):
            account = account_create(
                tenant=tenant,
                name=f"Account {number}",
                broker="paper",
                settings={"paper": {**FAULTS, "seed": seed * 1000 + number}},
                origin=ORIGIN,
            )
            _portfolio(account, instruments)
    return tenant


def load_calm(tenant: Tenant) -> None:
    """Pause every cell and let the brokers behave, so that what is under way can end."""
    with tenant_scope(tenant.pk):
        for cell in Cell.objects.filter(status=Cell.Status.ACTIVE):
            cell_pause(cell=cell, origin=ORIGIN)
        for account in BrokerAccount.objects.all():
            account.settings = {"paper": {"seed": account.settings["paper"]["seed"]}}
            account.save(update_fields=["settings"])


def load_cancelled() -> bool:
    """Cancel by hand, as a person would, what is still at work; return whether every order has ended."""
    with every_tenant():
        left = list(Order.objects.exclude(status__in=Order.ENDED).select_related("account"))
        for order in left:
            if order.status in CANCELLABLE:
                try:
                    order_cancel_by_hand(order=order, origin=ORIGIN)
                except (Conflict, ForbiddenMoveError, Refused):
                    continue  # somebody was first: it is looked at again
    return not left


def _instrument(number: int) -> Instrument:
    return instrument_create(symbol=f"CHA{number}", name=f"Chaos {number}", exchange="24/7", origin=ORIGIN)


def _portfolio(account: BrokerAccount, instruments: list[Instrument]) -> Portfolio:
    portfolio = portfolio_create(
        account=account,
        name=f"Portfolio of {account.name}",
        mode=Portfolio.Mode.PAPER,
        feed="synthetic",
        tick_interval_seconds=1,
        origin=ORIGIN,
    )
    moment = clock.now()
    for quote in feed_of(portfolio).quotes(instruments, moment):
        number, instrument = next((at, one) for at, one in enumerate(instruments) if one.pk == quote.instrument_id)
        opening = opening_preview(price=quote.last, amount=Decimal(50_000))
        cell = cell_open(
            portfolio=portfolio,
            instrument=instrument,
            price=quote.last,
            as_of=moment,
            cash=opening.cash,
            shares=opening.shares,
            anchor=quote.last,
            parameters=PARAMETERS | OF_CELL.get(number, {}),
            origin=ORIGIN,
        )
        if number in RESTING:
            cell_set_execution(cell=cell, execution=Cell.Execution.RESTING, origin=ORIGIN)
        cell_start(cell=cell, origin=ORIGIN)
    return portfolio
