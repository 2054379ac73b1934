"""Small worlds to test in, made by the services themselves."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from portfolios import services
from portfolios.models import BrokerAccount, Cell, Instrument, Membership, Portfolio, Tenant, User
from portfolios.services import Origin
from volbal.common.tenancy import tenant_scope

AS_OF = dt.datetime(2024, 3, 1, 20, 59, 59, tzinfo=dt.UTC)
BY_TEST = Origin(task="test", reason="because the test says so")


@dataclass(frozen=True, slots=True)
class Firm:
    """A tenant with an owner, an account with 10,000.00 and a paper portfolio."""

    tenant: Tenant
    owner: User
    account: BrokerAccount
    portfolio: Portfolio

    @property
    def origin(self) -> Origin:
        return Origin(actor_id=self.owner.pk, reason="as asked")


def make_firm(slug: str = "north", mode: str = "paper") -> Firm:
    owner = services.user_create(email=f"owner@{slug}.example", password="long enough 1", origin=BY_TEST, name="Olive")
    tenant = services.tenant_create(name=slug.title(), slug=slug, owner=owner, origin=BY_TEST)
    with tenant_scope(tenant.pk):
        account = services.account_create(tenant=tenant, name="Main", broker="paper", origin=BY_TEST)
        services.account_deposit(account=account, amount=Decimal(10_000), as_of=AS_OF, origin=BY_TEST)
        portfolio = services.portfolio_create(account=account, name="Core", mode=mode, origin=BY_TEST)
    return Firm(tenant, owner, account, portfolio)


def make_instrument(symbol: str = "IBM") -> Instrument:
    found = Instrument.objects.filter(symbol=symbol).first()
    return found or services.instrument_create(symbol=symbol, name=f"{symbol} Inc.", origin=BY_TEST)


def make_cell(firm: Firm, symbol: str = "IBM", **changes: Any) -> Cell:
    """Open a cell with 5,000.00 and 50 shares at 100, anchored at 100."""
    options: dict[str, Any] = {
        "price": Decimal(100),
        "cash": Decimal(5_000),
        "shares": Decimal(50),
        "anchor": Decimal(100),
        "as_of": AS_OF,
        "origin": BY_TEST,
    }
    return services.cell_open(portfolio=firm.portfolio, instrument=make_instrument(symbol), **(options | changes))


def make_member(firm: Firm, role: str, email: str | None = None) -> User:
    user = services.user_create(
        email=email or f"{role}@{firm.tenant.slug}.example", password="long enough 1", origin=BY_TEST
    )
    services.member_add(tenant=firm.tenant, user=user, role=role, origin=BY_TEST)
    return user


def membership(user: User, firm: Firm) -> Membership:
    return Membership.objects.get(user=user, tenant=firm.tenant)
