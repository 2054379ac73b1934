"""The demonstration: a tenant whose cells trade now, on historic prices that ship with the project."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from portfolios.models import BrokerAccount, Instrument, Portfolio, Tenant
from portfolios.services.accounts import account_deposit
from portfolios.services.cells import cell_open, cell_start
from portfolios.services.instruments import instrument_create
from portfolios.services.opening import opening_preview
from portfolios.services.origin import Origin
from portfolios.services.tenants import member_add, tenant_create, user_create
from trading.feeds.registry import feed_of
from trading.marketdata.catalogue import actions_import, series_import
from trading.models import BarSeries, ReplayRun
from trading.services.accounts import account_open, portfolio_open
from trading.services.replays import CellPlan, replay_create, replay_start
from volbal.common import clock
from volbal.common.errors import Refused
from volbal.common.tenancy import every_tenant, tenant_scope

ORIGIN = Origin(task="demonstration")
DATA = Path(__file__).resolve().parent.parent / "demo_data"
SOURCE = "WIKI prices, public domain"
SLUG = "demonstration"
ENVIRONMENTS = ("development", "test")
PASSWORD = "watch-it-trade"  # noqa: S105  # printed for everyone; refused outside development
NAMES = {"AAPL": "Apple", "GOOG": "Google", "IBM": "International Business Machines", "MSFT": "Microsoft"}
ROLES = ("owner", "operator", "trader", "auditor", "broker")


@dataclass(frozen=True, slots=True)
class SignIn:
    """A name and password to look around with."""

    role: str
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A portfolio of the demonstration."""

    name: str
    account: str
    start_day: dt.date
    cells: tuple[CellPlan, ...]


def _plan(symbol: str, amount: int, **parameters: Any) -> CellPlan:
    return CellPlan(symbol, Decimal(amount), 0.5, parameters)


REPLAYS = (
    ReplayPlan("Blue chips", "Paper account A", dt.date(2000, 3, 1), (_plan("IBM", 100_000), _plan("AAPL", 100_000))),
    ReplayPlan(
        "Technology",
        "Paper account B",
        dt.date(2004, 8, 19),
        (_plan("GOOG", 80_000), _plan("MSFT", 60_000, trigger_up=0.02, trigger_down=0.02)),
    ),
)


def sign_ins() -> list[SignIn]:
    """Return who can sign in to the demonstration."""
    people = [SignIn(role, f"{role}@demo.example", PASSWORD) for role in ROLES]
    return [*people, SignIn("platform operator", "platform@demo.example", PASSWORD)]


def is_loaded() -> bool:
    """Return whether this installation has the demonstration."""
    return Tenant.objects.filter(slug=SLUG).exists()


def demonstration_load() -> list[ReplayRun]:
    """Create the demonstration's tenant, people, prices and replays, and start them. Do nothing where it is loaded.

    Raises Refused outside development: its passwords are known to everyone.
    """
    if settings.ENVIRONMENT not in ENVIRONMENTS:
        raise Refused(
            f"The demonstration's passwords are public; it is not loaded in {settings.ENVIRONMENT}.",
            code="demonstration_refused",
        )
    if is_loaded():
        return []
    with transaction.atomic(), every_tenant():
        series = {symbol: _import_prices(symbol) for symbol in NAMES}
        tenant = _create_tenant()
        with tenant_scope(tenant.pk):
            return [_create_replay(tenant, plan, series) for plan in REPLAYS]


def _import_prices(symbol: str) -> BarSeries:
    instrument = instrument_create(symbol=symbol, name=NAMES[symbol], origin=ORIGIN)
    actions_import(instrument=instrument, dividends=DATA / "dividends.csv", splits=DATA / "splits.csv", source=SOURCE)
    return series_import(instrument=instrument, path=DATA / f"{symbol}.csv", source=SOURCE)


def _create_tenant() -> Tenant:
    people = {
        one.role: user_create(email=one.email, password=one.password, name=f"Demo {one.role}", origin=ORIGIN)
        for one in sign_ins()
    }
    people["platform operator"].is_superuser = True
    people["platform operator"].save(update_fields=["is_superuser"])
    tenant = tenant_create(name="Demonstration", slug=SLUG, owner=people["owner"], origin=ORIGIN)
    with tenant_scope(tenant.pk):
        for role in ROLES[1:]:
            member_add(tenant=tenant, user=people[role], role=role, origin=ORIGIN)
    return tenant


def _create_account(tenant: Tenant, name: str) -> BrokerAccount:
    account = account_open(tenant=tenant, name=name, broker="paper", origin=ORIGIN)
    account_deposit(account=account, amount=Decimal(10_000), as_of=clock.now(), origin=ORIGIN)
    return account


def _create_replay(tenant: Tenant, plan: ReplayPlan, series: dict[str, BarSeries]) -> ReplayRun:
    run = replay_create(
        account=_create_account(tenant, plan.account),
        name=plan.name,
        series=[series[one.symbol] for one in plan.cells],
        cells=list(plan.cells),
        start_day=plan.start_day,
        origin=ORIGIN,
    )
    replay_start(run=run, origin=ORIGIN)
    return run


def synthetic_load(*, tenant: Tenant) -> Portfolio:
    """Add a paper portfolio on invented prices beside the replays, for development at any hour."""
    with transaction.atomic(), tenant_scope(tenant.pk):
        portfolio = portfolio_open(
            account=_create_account(tenant, "Paper account S"),
            name="Synthetic",
            mode=Portfolio.Mode.PAPER,
            feed="synthetic",
            tick_interval_seconds=1,
            origin=ORIGIN,
        )
        for symbol in ("SYNA", "SYNB"):
            # The round-the-clock calendar: invented prices are made at any hour.
            instrument = instrument_create(
                symbol=symbol, name=f"Synthetic {symbol[-1]}", exchange="24/7", origin=ORIGIN
            )
            _open_synthetic(portfolio, instrument)
    return portfolio


def _open_synthetic(portfolio: Portfolio, instrument: Instrument) -> None:
    moment = clock.now()
    price = feed_of(portfolio).quotes([instrument], moment)[0].last
    if price is None:
        raise LookupError(f"{portfolio.feed} gives no price of {instrument}")
    opening = opening_preview(price=price, amount=Decimal(50_000))
    cell = cell_open(
        portfolio=portfolio,
        instrument=instrument,
        price=price,
        as_of=moment,
        cash=opening.cash,
        shares=opening.shares,
        anchor=price,
        parameters={"trigger_up": 0.01, "trigger_down": 0.01, "max_orders_per_day": 500},
        origin=ORIGIN,
    )
    cell_start(cell=cell, origin=ORIGIN)
