"""How the console is laid out: its tables by the question they answer, not by the application they live in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

GROUPS: dict[str, dict[str, str]] = {
    "Running now": {
        "portfolios.tradingrestriction": "Halts in force, how old, by whom and why: halt at any level, resume",
        "trading.tradinglimit": "How far things may go before they are told, reduced or halted: set, rehearse, switch",
        "portfolios.portfolio": "Which trade and what halts them: halt, resume, tick",
        "portfolios.cell": "What each holds and why one stands still: start, pause, deposit",
        "trading.replayrun": "How far each replay is: start, pause, step",
        "trading.order": "What was asked of brokers, and what became of it: cancel",
        "trading.stuckorder": "Orders that do not go on by themselves or went too far: ask, cancel, trade back",
        "trading.orderplan": "Which orders are worked in slices, and how far: end one",
        "trading.brokerdifference": "Where our books and a broker's differ: accept one, compare again",
        "trading.accountreconciliation": "Which accounts agree with their broker, and since when",
        "trading.brokerconnection": "Which brokers' streams are followed, and what went wrong last",
        "trading.brokercash": "What moved cash at brokers without a fill: book it, or say that it is booked",
        "trading.heldfill": "Fills without an order of ours: adopt, ignore",
        "trading.refusedreport": "What brokers reported that makes no sense: try again, dismiss",
        "trading.brokerline": "Which brokers do not answer, since when and when they are called again: call now",
        "trading.tickstate": "Whose ticks are late, missed or failing, and why",
        "trading.feedstatus": "Which feeds give prices, and which are silent",
        "trading.priceconnection": "Which streams of prices are followed, and what went wrong last",
        "trading.pricequarantine": "Prices that wait for a person: accept, refuse",
        "trading.quote": "How fresh prices are, by source, and why nothing trades on one",
        "trading.tick": "When each portfolio was looked at, and how long it took",
    },
    "What happened": {
        "trading.evaluationarchive": "Which old HOLD evaluations left for files, whole and with their checksum",
        "trading.retentionpolicy": "How many days HOLD evaluations stay: set",
        "trading.evaluation": "Why a cell acted, or did not, with its numbers",
        "trading.fill": "What brokers reported, as booked",
        "trading.ordertransition": "Every move of every order",
        "trading.heldfillresolution": "What people decided about fills without an order",
        "trading.breakertrip": "Each time a limit was broken, and what was done",
        "trading.dayopening": "Where what is limited stood as its day began: value and peak",
        "trading.limitbaseline": "From where a limit counts again after a person resumed",
        "trading.actionapplication": "How each cell took a dividend or a split: book or correct cash in lieu",
        "trading.dailymark": "What each cell was worth at the end of each day",
        "portfolios.parameterversion": "Which parameters were in force, and who set them",
    },
    "Books": {
        "portfolios.ledgerentry": "Every cent and every share with its cause: reverse one",
        "portfolios.brokeraccount": "Cash not given to a cell: deposit, withdraw",
        "portfolios.commissionschedule": "What orders cost, by level: set, withdraw",
        "portfolios.event": "Who changed what, when and why",
        "portfolios.auditlink": "Proof that no record of a change was altered since",
    },
    "People": {
        "portfolios.tenant": "The firms",
        "portfolios.membership": "Who may do what in which firm",
        "portfolios.user": "Who can sign in",
    },
    "Prices": {
        "portfolios.instrument": "What can be held: fetch its history",
        "trading.backfill": "What history was fetched, and what became of each symbol: fetch, stop",
        "trading.barseries": "Which bars there are, from where and how long",
        "trading.quotestatistic": "How wide and how old quotes were, by day",
        "trading.pricetrack": "What is remembered of each source, to judge its next price by",
        "trading.corporateaction": "Dividends and splits as announced",
        "trading.actionrevision": "What was announced before, who corrected it and why",
    },
    "Brokers over our API": {
        "trading.apiorder": "What waits to be fetched, and how far the broker is with it",
        "trading.apifill": "What these brokers reported",
        "trading.apiholdings": "What they say they hold",
    },
    "Paper broker": {
        "trading.paperbook": "How much each paper account was asked and told",
        "trading.paperorder": "What the paper broker was sent",
        "trading.paperfill": "What the paper broker carried out",
        "trading.paperreport": "When it tells each fill, and which twice",
    },
    "Research": {"optimization.backtest": "Backtests with their settings and results"},
}
OTHERS = "Machinery"
# What an empty table means, and how it fills.
EMPTY: dict[str, str] = {
    "portfolios.tradingrestriction": "Nothing is halted. A halt at any level, by a person or a limit, stands here.",
    "trading.tradinglimit": "No limit is set. A new one can rehearse over what happened before it is switched on.",
    "trading.stuckorder": "No order is stuck. One that its broker has not answered for stands here with its age.",
    "trading.orderplan": "No order was worked in slices. Cells do so above their slice notional.",
    "trading.brokerdifference": "Our books and the brokers agree, and always did.",
    "trading.accountreconciliation": "No account was compared with its broker yet. It is before anything trades.",
    "trading.brokerconnection": "No broker's stream was followed yet. Paper accounts have none.",
    "trading.heldfill": "Every fill belongs to an order of ours.",
    "trading.heldfillresolution": "Nobody had to decide about a fill yet.",
    "trading.refusedreport": "Everything that brokers reported made sense.",
    "trading.brokerline": "Every broker has answered so far.",
    "trading.tickstate": "No portfolio of the present has ticked yet. Replays keep their own pace.",
    "trading.feedstatus": "No feed was asked for prices yet.",
    "trading.pricequarantine": "No price had to wait for a person.",
    "trading.quotestatistic": "No quotes were counted yet. They come with portfolios of the present.",
    "trading.breakertrip": "No limit was broken.",
    "trading.limitbaseline": "Nobody has resumed what a limit had stopped.",
    "trading.evaluationarchive": "No HOLD evaluation was old enough yet to leave its table.",
    "trading.backfill": "Nothing was fetched yet. Name symbols, a source and dates to fetch.",
    "trading.apiorder": "No order went to a broker that fetches its orders.",
    "trading.apifill": "No broker that fetches its orders has reported a fill.",
    "trading.apiholdings": "No broker that fetches its orders has said what it holds.",
    "portfolios.commissionschedule": "No schedule is set: orders cost what their account's defaults say.",
    "optimization.backtest": "No backtest was asked for yet. Traders do so under Backtests.",
}
EMPTY_OTHERWISE = "Nothing was recorded yet. It fills by itself as cells trade."


@dataclass(frozen=True, slots=True)
class Table:
    """A table in the console: its name, the question it answers, and where it is."""

    name: str
    answers: str
    url: str
    add_url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Tables that belong together."""

    title: str
    tables: tuple[Table, ...]


def groups(apps: Iterable[dict[str, Any]]) -> list[Group]:
    """Return the tables a person may open, from the site's list of applications; what is in no group comes last."""
    found = {
        f"{app['app_label']}.{entry['object_name'].lower()}": entry
        for app in apps
        for entry in app["models"]
        if entry["admin_url"]
    }
    known = {label for tables in GROUPS.values() for label in tables}
    layout = GROUPS | {OTHERS: {label: "" for label in found if label not in known}}
    made = [
        Group(title, tuple(_table(found[label], answers) for label, answers in tables.items() if label in found))
        for title, tables in layout.items()
    ]
    return [group for group in made if group.tables]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar as unfold takes it (SIDEBAR.navigation)."""
    return [
        {"title": group.title, "items": [{"title": table.name, "link": table.url} for table in group.tables]}
        for group in groups(admin.site.get_app_list(request))
    ]


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the tables by their questions to the console's first page (unfold's DASHBOARD_CALLBACK)."""
    return {**context, "title": "Console", "groups": groups(context["app_list"])}


def empty_words(model: type[Model]) -> str:
    """Return what it means that a table has no row at all."""
    return EMPTY.get(model._meta.label_lower, EMPTY_OTHERWISE)


def _table(entry: dict[str, Any], answers: str) -> Table:
    return Table(str(entry["name"]), answers, entry["admin_url"], entry["add_url"])
