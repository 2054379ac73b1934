"""What the name of a source says: replays and pushed quotes have one each, feeds share theirs."""

from __future__ import annotations

from django.db.models import Q

from portfolios.models import Portfolio

PUSHED = "pushed"
_REPLAY, _PUSHED = "replay:", "pushed:"


def pushed_source(tenant_id: int) -> str:
    """Return the source of the quotes that a tenant's brokers push; no other tenant trades on them."""
    return f"{_PUSHED}{tenant_id}"


def source_of(portfolio: Portfolio) -> str:
    """Return the source whose quotes a portfolio trades on: its feed, its tenant's pushed quotes, or its own replay."""
    replay = getattr(portfolio, "replay", None)
    if replay is not None:
        return str(replay.source)
    return pushed_source(portfolio.tenant_id) if portfolio.feed == PUSHED else portfolio.feed


def trading_on(source: str) -> Q:
    """Return the condition on portfolios that take their prices from a source of current prices."""
    tenant_id = tenant_of_source(source)
    return Q(feed=source) if tenant_id is None else Q(feed=PUSHED, tenant_id=tenant_id)


def tenant_of_source(source: str) -> int | None:
    """Return the tenant whose alone a source of current prices is; None where the installation shares it."""
    return int(source.removeprefix(_PUSHED)) if source.startswith(_PUSHED) else None


def confirms(other: str, source: str) -> bool:
    """Return whether one source may confirm another's price: not itself, history, or what some tenant pushes."""
    return other != source and not other.startswith((_REPLAY, _PUSHED))
