"""Everything owned, and the record of how it changed."""

from portfolios.models.account import BrokerAccount
from portfolios.models.cell import Cell
from portfolios.models.commission import CommissionSchedule
from portfolios.models.event import AuditLink, Event, EventCursor
from portfolios.models.instrument import Instrument
from portfolios.models.ledger import LedgerEntry
from portfolios.models.parameters import ParameterVersion
from portfolios.models.portfolio import Portfolio
from portfolios.models.restriction import TradingRestriction
from portfolios.models.tenant import Membership, Tenant, TenantOwned
from portfolios.models.user import User

__all__ = [
    "AuditLink",
    "BrokerAccount",
    "Cell",
    "CommissionSchedule",
    "Event",
    "EventCursor",
    "Instrument",
    "LedgerEntry",
    "Membership",
    "ParameterVersion",
    "Portfolio",
    "Tenant",
    "TenantOwned",
    "TradingRestriction",
    "User",
]
