"""What happened: prices, ticks, decisions, orders, fills."""

from trading.models.actions import ActionApplication, ActionRevision, CorporateAction
from trading.models.api_broker import ApiFill, ApiHoldings, ApiOrder
from trading.models.archive import EvaluationArchive, RetentionPolicy
from trading.models.backfill import Backfill
from trading.models.broker_cash import BrokerCash
from trading.models.connection import BrokerConnection, Connection, PriceConnection
from trading.models.limits import BreakerTrip, DayOpening, LimitBaseline, TradingLimit
from trading.models.mark import DailyMark
from trading.models.market import BarSeries, Quote
from trading.models.order import Fill, FillCursor, Order, OrderTransition, StuckOrder
from trading.models.paper import PaperBook, PaperFill, PaperOrder, PaperReport
from trading.models.plan import OrderPlan
from trading.models.prices import FeedStatus, PriceQuarantine, PriceTrack, QuoteStatistic
from trading.models.reconciliation import AccountReconciliation, BrokerDifference
from trading.models.replay import ReplayRun
from trading.models.report import HeldFill, HeldFillResolution, RefusedReport
from trading.models.states import BrokerLine, TickState
from trading.models.tick import Evaluation, Tick

__all__ = [
    "AccountReconciliation",
    "ActionApplication",
    "ActionRevision",
    "ApiFill",
    "ApiHoldings",
    "ApiOrder",
    "Backfill",
    "BarSeries",
    "BreakerTrip",
    "BrokerCash",
    "BrokerConnection",
    "BrokerDifference",
    "BrokerLine",
    "Connection",
    "CorporateAction",
    "DailyMark",
    "DayOpening",
    "Evaluation",
    "EvaluationArchive",
    "FeedStatus",
    "Fill",
    "FillCursor",
    "HeldFill",
    "HeldFillResolution",
    "LimitBaseline",
    "Order",
    "OrderPlan",
    "OrderTransition",
    "PaperBook",
    "PaperFill",
    "PaperOrder",
    "PaperReport",
    "PriceConnection",
    "PriceQuarantine",
    "PriceTrack",
    "Quote",
    "QuoteStatistic",
    "RefusedReport",
    "ReplayRun",
    "RetentionPolicy",
    "StuckOrder",
    "Tick",
    "TickState",
    "TradingLimit",
]
