"""Pages in a real browser, on the demonstration that trades."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.live import Installation
from tests.pages.test_figures import CASES

pytestmark = pytest.mark.browser
PAGES = ("/", "/portfolios/1/", "/cells/1/", "/cells/1/?tab=orders", "/cells/1/?tab=parameters", "/styleguide/")


def sign_in(page: Page, installation: Installation, role: str = "trader") -> None:
    email = f"{role}@demo.example"
    page.goto("/sign-in/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(installation.password(email))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Cells")).to_be_visible()


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def test_the_cockpit_moves_without_a_reload(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    page.goto("/cells/1/")
    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    expect(page.locator("[data-connection]")).to_have_text("connected")
    step = page.locator("#replay [data-format=count]")
    first, newest = step.inner_text(), page.locator("#tab-panel tbody tr").first.inner_text()
    expect(page.locator("#tab-panel tbody tr").first).not_to_have_text(newest, timeout=20_000)
    expect(step).not_to_have_text(first, timeout=20_000)  # the table may have followed a step that was told before
    assert number(step.inner_text()) > number(first)
    assert page.locator("[data-chart] canvas").count() > 0
    assert not loads


@pytest.mark.parametrize("path", ["/portfolios/1/", "/cells/1/"])
def test_a_halt_and_its_end_show_on_an_open_page_without_a_reload(
    page: Page, installation: Installation, path: str
) -> None:
    sign_in(page, installation)
    page.goto(path)
    expect(page.locator("[data-connection]")).to_have_text("connected")
    page.evaluate("window.isSamePage = true")
    banner = page.locator("#banners .banner-halted")
    expect(banner).to_have_count(0)
    other = page.context.new_page()
    other.goto("/portfolios/1/halt/")
    other.get_by_label("Reason").fill("A drill.")
    other.get_by_role("button", name="Halt").last.click()
    expect(banner).to_contain_text("A drill.", timeout=15_000)
    other.goto("/portfolios/1/resume/")
    other.get_by_label("Reason").fill("The drill is over.")
    other.get_by_role("button", name="Resume").last.click()
    expect(banner).to_have_count(0, timeout=15_000)
    assert page.evaluate("window.isSamePage")


def test_figures_in_the_browser_are_written_as_on_the_server(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    cases = [(form, None if value is None else str(value), text) for form, value, text in CASES]
    written = page.evaluate(
        """async (cases) => {
            const { format } = await import("/static/js/format.js");
            return cases.map(([form, value]) => format(value, form));
        }""",
        cases,
    )
    assert written == [text for _, _, text in cases]


def test_a_lost_socket_is_told_and_polling_keeps_figures_moving(page: Page, installation: Installation) -> None:
    sign_in(page, installation)

    def close(socket: WebSocketRoute) -> None:
        socket.close()

    page.route_web_socket(re.compile("/ws/"), close)
    page.goto("/portfolios/1/")
    expect(page.locator("[data-connection]")).to_have_text("reconnecting, polling every 5 s")
    step = page.locator("#replay [data-format=count]")
    before = step.inner_text()
    expect(step).not_to_have_text(before, timeout=15_000)


def test_the_theme_is_kept_by_the_browser(page: Page, installation: Installation) -> None:
    page.emulate_media(color_scheme="light")
    sign_in(page, installation)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_label("Your menu").click()
    page.get_by_role("button", name="Dark").click()
    assert page.evaluate(colour) == "rgb(15, 18, 20)" != light
    page.reload()
    assert page.evaluate(colour) == "rgb(15, 18, 20)"


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_needs_no_sideways_scrolling(page: Page, installation: Installation, path: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, installation)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_phone_shows_every_place_of_the_bar_and_the_tab_one_is_on(page: Page, installation: Installation) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    sign_in(page, installation)
    bar = page.get_by_role("navigation", name="Main")
    assert bar.evaluate("(row) => row.scrollWidth - row.clientWidth") <= 0
    expect(page.get_by_role("link", name="Find")).to_be_visible()
    page.goto("/cells/1/?tab=parameters")
    page.locator(".tabs").scroll_into_view_if_needed()  # far down the page; its tab lies far to the right
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.95)


@pytest.mark.parametrize("tab", ["timeline", "orders", "ledger", "dividends", "performance", "parameters"])
def test_a_whole_cockpit_is_on_one_screen(page: Page, installation: Installation, tab: str) -> None:
    sign_in(page, installation)
    page.goto(f"/cells/1/?tab={tab}")
    assert page.evaluate("document.documentElement.scrollHeight") <= 800
    box = page.locator("#tab-panel").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 800


def test_a_filter_is_kept_in_the_address(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    page.goto("/cells/1/")
    page.get_by_label("SELL").check()
    page.wait_for_url(re.compile("action=SELL"))
    expect(page.locator("#tab-panel .badge-hold")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("SELL")).to_be_checked()
    expect(page.locator("#tab-panel .badge-hold")).to_have_count(0)
    page.get_by_role("link", name="Ledger", exact=True).click()
    page.wait_for_url(re.compile("tab=ledger"))
    page.go_back()
    page.wait_for_url(re.compile("action=SELL"))


def test_a_dialog_shows_the_effect_and_gives_the_focus_back(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    page.goto("/cells/1/")
    page.get_by_label("More actions").click()
    page.get_by_role("link", name="Deposit…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Amount in USD").fill("5000")
    expect(dialog.locator(".effect")).to_contain_text("Next buy")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.tagName") in ("A", "SUMMARY", "BODY")


def test_a_click_beside_a_dialog_closes_it_only_where_nothing_was_typed(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    page.goto("/cells/1/")
    dialog = page.get_by_role("dialog")
    for typed in (False, True):
        page.get_by_label("More actions").click()
        page.get_by_role("link", name="Deposit…").click()
        amount = dialog.get_by_label("Amount in USD")
        expect(amount).to_be_visible()
        if typed:
            amount.fill("5000")
        page.mouse.click(5, 400)
        expect(dialog).to_be_visible(visible=typed)
    expect(dialog.get_by_label("Amount in USD")).to_have_value("5000")


def test_pages_tell_their_story_without_script(page: Page, installation: Installation, tmp_path: Path) -> None:
    sign_in(page, installation)
    browser = page.context.browser
    assert browser is not None
    state = page.context.storage_state(path=tmp_path / "state.json")
    plain = browser.new_context(base_url=installation.url, java_script_enabled=False, storage_state=state)
    other = plain.new_page()
    other.goto("/cells/1/?tab=timeline")
    expect(other.locator("#tab-panel tbody tr").first).to_be_visible()
    other.get_by_role("link", name="Orders", exact=True).click()
    expect(other).to_have_url(re.compile("tab=orders"))
    other.goto("/cells/1/deposit/")
    expect(other.get_by_role("heading", name="Deposit into IBM")).to_be_visible()
    plain.close()


def test_ctrl_k_finds_a_cell_by_typing(page: Page, installation: Installation) -> None:
    sign_in(page, installation)
    expect(page.locator("[data-connection]")).to_have_text("connected")  # the page's scripts listen from here on
    page.keyboard.press("Control+k")
    page.get_by_label("Find a page or action").fill("msft")
    expect(page.get_by_role("dialog").get_by_role("link").first).to_contain_text("MSFT")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("MSFT")
