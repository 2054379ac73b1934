"""Two firms and their people, for tests of the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.urls import reverse

from portfolios import services
from portfolios.commission import CommissionTerms
from portfolios.models import (
    AuditLink,
    BrokerAccount,
    Cell,
    CommissionSchedule,
    Event,
    EventCursor,
    Instrument,
    LedgerEntry,
    Membership,
    ParameterVersion,
    Portfolio,
    Tenant,
    TradingRestriction,
    User,
)
from portfolios.standings import place_of
from reporting.services.audit import audit_sequence
from tests.portfolios.builders import BY_TEST, Firm, make_cell, make_firm, make_member
from volbal.common.tenancy import every_tenant

ROLES = ("platform", "owner", "operator", "auditor", "trader", "broker", "nobody")
TABLES = (
    AuditLink, BrokerAccount, Cell, CommissionSchedule, Event, EventCursor, Instrument, LedgerEntry, Membership,
    ParameterVersion, Portfolio, Tenant, TradingRestriction, User,
)  # fmt: skip
PLATFORM_ONLY = {EventCursor}
ADDED_BY_MEMBERS = {BrokerAccount, CommissionSchedule, Portfolio, Cell, Membership, TradingRestriction}
ADDED_BY_PLATFORM = {Tenant, User, Instrument}


@dataclass(frozen=True, slots=True)
class World:
    """Two firms, and a person for each role in the first."""

    north: Firm
    south: Firm
    people: dict[str, User]
    cell: Cell
    theirs: Cell

    def client(self, role: str) -> Client:
        client = Client(raise_request_exception=True)
        client.force_login(self.people[role])
        return client


def make_world() -> World:
    """Make two firms, a cell in each, and a person for each role in the first."""
    with every_tenant():
        north, south = make_firm("north"), make_firm("south")
        cell, theirs = make_cell(north), make_cell(south)
        people = {"owner": north.owner}
        people |= {role: make_member(north, role) for role in ("operator", "auditor", "trader", "broker")}
        people["nobody"] = services.user_create(email="nobody@example.com", origin=BY_TEST)
        people["platform"] = User.objects.create_superuser("platform@example.com")
        for firm in (north, south):
            services.commission_set(terms=CommissionTerms(), account=firm.account, origin=BY_TEST)
            services.restriction_place(on=place_of(firm.portfolio), state="halted", origin=BY_TEST)
            services.place_resume(on=place_of(firm.portfolio), origin=firm.origin)
        audit_sequence()
    return World(north, south, people, cell, theirs)


def address_of(model: Any, view: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{view}", args=arguments)


def operation_of(model: Any, name: str, *rows: Any) -> str:
    return f"{address_of(model, f'operation_{name}')}?ids={','.join(str(row.pk) for row in rows)}"


SIGN_IN = 302  # the console sends away whom it does not know
