"""What is halted or only reduces: in one firm, by level, with what was lifted before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from portfolios.models import BrokerAccount, Cell, Portfolio, Tenant, TradingRestriction
from portfolios.standings import InForce, Place, Standing, place_of, restrictions_in_force, standing_under
from volbal.common import clock

NEWEST_LIFTED = 20


@dataclass(frozen=True, slots=True)
class RestrictionView:
    """A restriction as a table shows it; ages in seconds."""

    row: TradingRestriction
    age_seconds: float


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A level of the firm with what holds it there and its switches."""

    label: str
    kind: str
    id: int
    held: Standing


@dataclass(frozen=True, slots=True)
class HaltsOverview:
    """All halts that concern a firm."""

    in_force: tuple[RestrictionView, ...]
    lifted: tuple[TradingRestriction, ...]
    firm: PlaceView
    accounts: tuple[PlaceView, ...]
    portfolios: tuple[PlaceView, ...]


def in_force_views() -> list[RestrictionView]:
    """Return all that is in force in the tenants in scope, and everywhere, the strictest and highest first."""
    rows = [row for rows in restrictions_in_force().by_scope.values() for row in rows]
    return _views(standing_under(rows).held_by, clock.now())


def held_at(place: Place) -> list[TradingRestriction]:
    """Return what is in force at one place itself, oldest first."""
    rows = TradingRestriction.objects.filter(scope=place.key, lifted_at__isnull=True).select_related("by")
    return list(rows.order_by("id"))


def held_after(row: Cell | Portfolio | BrokerAccount | Tenant) -> Standing:
    """Return by what something would still be held with its own level resumed."""
    in_force, own = restrictions_in_force(), place_of(row).key
    return standing_under(one for one in _standing(in_force, row).held_by if one.scope != own)


def _standing(in_force: InForce, row: Cell | Portfolio | BrokerAccount | Tenant) -> Standing:
    if isinstance(row, Cell):
        return in_force.of_cell(row)
    if isinstance(row, Portfolio):
        return in_force.of_portfolio(row)
    return in_force.of_account(row) if isinstance(row, BrokerAccount) else in_force.of_tenant(row.pk)


def halts_overview(firm: Tenant) -> HaltsOverview:
    """Return what is in force on a firm and in it, and what was lifted last, in five queries."""
    in_force, moment = restrictions_in_force(), clock.now()
    accounts = list(BrokerAccount.objects.filter(tenant=firm).order_by("name"))
    portfolios = Portfolio.objects.filter(tenant=firm, is_archived=False).select_related("account").order_by("name")
    brokers = {account.broker for account in accounts}
    lifted = TradingRestriction.objects.filter(lifted_at__isnull=False).select_related("by", "lifted_by")
    return HaltsOverview(
        in_force=tuple(_views(_concerning(in_force, brokers), moment)),
        lifted=tuple(one for one in lifted.order_by("-lifted_at")[:NEWEST_LIFTED] if _concerns(one, brokers)),
        firm=PlaceView(firm.name, "firm", firm.pk, in_force.of_tenant(firm.pk)),
        accounts=tuple(PlaceView(one.name, "account", one.pk, in_force.of_account(one)) for one in accounts),
        portfolios=tuple(PlaceView(one.name, "portfolio", one.pk, in_force.of_portfolio(one)) for one in portfolios),
    )


def _concerning(in_force: InForce, brokers: set[str]) -> list[TradingRestriction]:
    rows = [row for rows in in_force.by_scope.values() for row in rows if _concerns(row, brokers)]
    return list(standing_under(rows).held_by)


def _concerns(row: TradingRestriction, brokers: set[str]) -> bool:
    """Whether a restriction touches a firm with accounts at these brokers; one of another broker does not."""
    return row.level != TradingRestriction.Level.BROKER or row.broker in brokers


def _views(rows: Sequence[TradingRestriction], moment: dt.datetime) -> list[RestrictionView]:
    return [RestrictionView(row, max((moment - row.since).total_seconds(), 0.0)) for row in rows]
