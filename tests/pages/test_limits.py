"""Limits on the trader's pages: rehearsed, set with a reason, switched, and seen from below."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.pages.worlds import World
from trading.models import BreakerTrip, TradingLimit

TYPED = {"kind": "drawdown", "threshold": "7.5", "action": "halted", "window_seconds": ""}


def test_a_rehearsal_sets_nothing_and_keeps_what_was_typed(world: World, signed_in: Client) -> None:
    page = signed_in.get(f"/cells/{world.cell.pk}/limits/", TYPED | {"resume_after_days": "5"}).content.decode()
    assert "it would never have tripped" in page
    assert page.count('value="7.5"') == 2
    assert not TradingLimit.objects.exists()


def test_a_limit_is_set_with_a_reason_and_then_switched(world: World, signed_in: Client) -> None:
    address = f"/portfolios/{world.portfolio.pk}/limits/"
    refused = signed_in.post(f"{address}set/", TYPED | {"mode": "rehearsing", "note": ""})
    assert refused.status_code == 422
    assert 'value="7.5"' in refused.content.decode()
    given = TYPED | {"mode": "rehearsing", "note": "agreed"}
    page = signed_in.post(f"{address}set/", given, follow=True).content.decode()
    assert "is rehearsing at 7.5\u00a0%" in page
    limit = TradingLimit.objects.get()
    assert f"{limit.threshold:f}" == "0.075000"
    assert "it would never have tripped" in signed_in.get(f"/limits/{limit.pk}/mode/").content.decode()
    signed_in.post(f"/limits/{limit.pk}/mode/", {"mode": "on", "note": "it behaved"})
    limit.refresh_from_db()
    assert limit.mode == "on"
    assert "Portfolio Paper" in signed_in.get(f"/cells/{world.cell.pk}/limits/").content.decode()


@pytest.mark.parametrize("threshold", ["0", "100", "abc", ""])
def test_a_limit_that_cannot_be_is_refused_beside_its_field(world: World, signed_in: Client, threshold: str) -> None:
    given = TYPED | {"threshold": threshold, "mode": "on", "note": "x"}
    response = signed_in.post(f"/cells/{world.cell.pk}/limits/set/", given)
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()
    assert not TradingLimit.objects.exists()
    assert not BreakerTrip.objects.exists()
