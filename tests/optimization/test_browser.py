"""Backtests in a real browser: the finished one draws, a new one runs and shows itself."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.live import Installation

pytestmark = pytest.mark.browser
TRADER = "trader@demo.example"
SOON_MS = 60_000


@pytest.fixture
def signed_in(page: Page, installation: Installation) -> Page:
    page.goto("/")
    page.get_by_label(re.compile("e-?mail", re.IGNORECASE)).fill(TRADER)
    page.get_by_label("Password").fill(installation.password(TRADER))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Backtests", exact=True).click()
    return page


def test_the_demonstrations_backtest_draws_and_explains_itself(signed_in: Page) -> None:
    signed_in.get_by_role("link", name="IBM 2000 to 2013").click()
    expect(signed_in.locator("[data-chart] canvas").first).to_be_visible()
    assert signed_in.locator("[data-chart]:has(canvas)").count() == 3
    measure = signed_in.locator(".measures dt", has_text="Calmar ratio")
    expect(measure).to_have_attribute("title", "Annual return over the size of the maximum drawdown.")
    signed_in.get_by_role("link", name="Later").click()
    expect(signed_in.get_by_text("51 to 100 of 467")).to_be_visible()
    assert "from=50" in signed_in.url


def test_the_data_of_a_chart_is_a_table_too(signed_in: Page) -> None:
    signed_in.get_by_role("link", name="IBM 2000 to 2013").click()
    signed_in.get_by_role("link", name="Table").first.click()
    expect(signed_in.locator("dialog[open]").get_by_role("cell", name="2013-03-01")).to_be_visible()


def test_a_new_backtest_runs_and_shows_its_result_by_itself(signed_in: Page) -> None:
    signed_in.get_by_role("link", name="New backtest").click()
    series = signed_in.get_by_label("Bars")
    series.select_option(index=1)
    signed_in.get_by_label("Name").fill("Wider triggers")
    signed_in.get_by_label(re.compile("Sell trigger")).fill("6")
    signed_in.get_by_role("button", name="Run the backtest").click()
    expect(signed_in.get_by_role("heading", name="Measures", exact=True)).to_be_visible(timeout=SOON_MS)
    expect(signed_in.get_by_role("heading", name="Wider triggers")).to_be_visible()
    signed_in.get_by_role("link", name="Backtests", exact=True).first.click()
    for name in ("Wider triggers", "IBM 2000 to 2013, as the replay trades it"):
        signed_in.get_by_role("checkbox", name=f"Compare {name}").first.check()
    signed_in.get_by_role("button", name="Compare").click()
    expect(signed_in.get_by_role("row", name=re.compile("^Trigger up"))).to_contain_text("6 %")
    expect(signed_in.locator("[data-chart] canvas").first).to_be_visible()


def test_nothing_is_cut_off_on_a_phone(signed_in: Page) -> None:
    signed_in.set_viewport_size({"width": 360, "height": 740})
    for link in ("IBM 2000 to 2013", "Backtests", "New backtest"):
        signed_in.get_by_role("link", name=link).first.click()
        assert signed_in.evaluate("document.documentElement.scrollWidth") == 360
