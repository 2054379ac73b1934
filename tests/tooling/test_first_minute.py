"""What someone new sees within a minute of the server's start, in a real browser, without a reload."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.live import Installation

pytestmark = pytest.mark.browser
MINUTE_MS = 60_000
TRADER = "trader@demo.example"


def _sign_in(page: Page, installation: Installation) -> None:
    page.goto("/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(TRADER)
    page.get_by_label("Password").fill(installation.password(TRADER))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Cells")).to_be_visible()


def test_a_price_crosses_a_trigger_and_order_fill_and_anchor_appear_by_themselves(
    page: Page, installation: Installation
) -> None:
    _sign_in(page, installation)
    expect(page.locator("[data-connection]")).to_have_text("connected")
    # The first of the list is the nearest to acting.
    page.locator("#cells a[href^='/cells/']").first.click()
    page.get_by_role("link", name="Orders", exact=True).click()
    anchor = page.locator("[data-live$='.anchor']").first
    newest_order = page.locator("#tab-panel tbody tr").first
    expect(anchor).to_be_visible()
    expect(newest_order).to_be_visible()
    anchor_before, order_before = anchor.inner_text(), newest_order.inner_text()
    # A mark that a reload would wipe away.
    page.evaluate("window.stillTheSamePage = true")

    started = time.monotonic()
    expect(anchor).not_to_have_text(anchor_before, timeout=MINUTE_MS)
    expect(newest_order).not_to_have_text(order_before, timeout=MINUTE_MS)
    expect(newest_order).to_contain_text(re.compile("filled", re.IGNORECASE), timeout=MINUTE_MS)
    assert time.monotonic() - started < MINUTE_MS / 1000
    assert page.evaluate("window.stillTheSamePage") is True


def test_the_page_says_that_it_is_a_replay_and_how_far_it_is(page: Page, installation: Installation) -> None:
    _sign_in(page, installation)
    page.locator("a[href^='/portfolios/']").first.click()
    expect(page.get_by_text("REPLAY").first).to_be_visible()
    position = page.locator("[data-live$='.replay.position'][data-format='count']")
    before = position.inner_text()
    expect(position).not_to_have_text(before, timeout=MINUTE_MS)


def test_a_wrong_password_is_refused_and_what_was_typed_is_kept(page: Page, installation: Installation) -> None:
    page.goto("/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(TRADER)
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label(re.compile("e-?mail", re.IGNORECASE))).to_have_value(TRADER)
