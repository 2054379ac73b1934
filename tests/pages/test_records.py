"""The cockpit's tabs: filters kept in the address, pages that do not shift, exports that say the same."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from tests.pages.worlds import TRADED, World, make_world
from trading.models import DailyMark, Evaluation
from trading.selectors import charts, records
from volbal.common.templatetags.figures import signed_percent, unbroken

TARGET = {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "tabs"}


def page(client: Client, world: World, query: str = "", **headers: str) -> str:
    return client.get(f"/cells/{world.cell.pk}/{query}", **headers).content.decode()


def test_the_cockpit_says_next_orders_anchor_and_why(world: World, signed_in: Client) -> None:
    shown = page(signed_in, world)
    newest = Evaluation.objects.filter(cell=world.cell).order_by("-id")[0]
    for text in ("Next buy", "Next sell", unbroken(newest.sentence), "104.00", "SYNTHETIC", "PAPER"):
        assert text in shown, text


def test_the_timeline_filters_by_action_and_keeps_it_in_its_links(world: World, signed_in: Client) -> None:
    both, sells = page(signed_in, world), page(signed_in, world, "?tab=timeline&action=SELL")
    assert "Held:" in both
    assert "Held:" not in sells.partition('id="tab-panel"')[2]
    assert "timeline.csv?action=SELL" in sells


def test_a_tab_is_answered_alone_where_it_alone_is_asked_for(world: World, signed_in: Client) -> None:
    part = page(signed_in, world, "?tab=orders", **TARGET)
    assert "<html" not in part
    assert "Trigger up" in part


def test_pages_of_records_do_not_shift_when_new_ones_arrive(world: World) -> None:
    for minute in range(2, 32):
        world.tick(TRADED + dt.timedelta(minutes=minute), "104")
    first = records.timeline_page(world.cell, (), None)
    assert len(first.rows) == records.PAGE_SIZE
    world.tick(TRADED + dt.timedelta(minutes=40), "104")
    second = records.timeline_page(world.cell, (), first.older)
    assert first.rows[-1].pk > second.rows[0].pk
    assert len(first.rows) + len(second.rows) == 32
    assert second.older is None


@pytest.mark.parametrize("before", ["", "abc", "-1", "9" * 30, "²"])
def test_a_page_that_is_no_page_shows_the_newest(world: World, signed_in: Client, before: str) -> None:
    assert "Not asked yet" not in page(signed_in, world, f"?tab=timeline&before={before}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "tab,said",
    [
        ("timeline", "Not asked yet"),
        ("orders", "No order yet"),
        ("dividends", "No dividend or split yet"),
        ("performance", "No finished look yet"),
    ],
)
def test_an_empty_tab_says_how_it_fills(tab: str, said: str) -> None:
    fresh = make_world("fresh")
    client = Client()
    client.force_login(fresh.firm.owner)
    assert said in page(client, fresh, f"?tab={tab}")


def test_the_chart_describes_prices_anchor_band_guardrails_and_fills(world: World, signed_in: Client) -> None:
    chart = json.loads(page(signed_in, world, "chart/"))
    lines = {line["name"]: line["values"] for line in chart["lines"]}
    assert lines == {"price": [101.0, 104.0], "anchor": [100.0, 100.0]}
    assert chart["bands"][0]["upper"] == pytest.approx([103.0, 103.0])
    assert [mark["side"] for mark in chart["marks"]] == ["SELL"]
    assert [level["label"] for level in chart["levels"]] == ["25\u00a0% stock", "75\u00a0% stock"]
    assert chart["zone"] == "America/New_York"


def test_the_chart_goes_on_from_where_it_is(world: World, signed_in: Client) -> None:
    after = json.loads(page(signed_in, world, "chart/"))["time"][-1]
    world.tick(TRADED + dt.timedelta(minutes=2), "105")
    more = json.loads(page(signed_in, world, f"chart/?after={after}"))
    assert more["lines"][-1]["values"] == [104.0, 105.0]


def test_an_export_has_every_row_in_plain_numbers(world: World, signed_in: Client) -> None:
    rows = list(csv.DictReader(io.StringIO(page(signed_in, world, "timeline.csv"))))
    assert [row["action"] for row in rows] == ["SELL", "HOLD"]
    assert float(rows[0]["price"]) == 104.0


def test_the_prices_export_goes_beyond_what_the_chart_holds(
    world: World, signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "MOST_POINTS", 1)
    rows = list(csv.DictReader(io.StringIO(page(signed_in, world, "prices.csv"))))
    assert [float(row["Price"]) for row in rows] == [101.0, 104.0]
    assert len(json.loads(page(signed_in, world, "chart/"))["time"]) == 1


def test_growth_stands_at_its_days_in_the_zone_it_names(world: World, signed_in: Client) -> None:
    chart = json.loads(page(signed_in, world, "growth/"))
    days = [dt.datetime.fromtimestamp(second, ZoneInfo(chart["zone"])).date() for second in chart["time"]]
    assert days == list(DailyMark.objects.filter(cell=world.cell).order_by("day").values_list("day", flat=True))


def test_an_unknown_export_is_not_found(world: World, signed_in: Client) -> None:
    assert signed_in.get(f"/cells/{world.cell.pk}/secrets.csv").status_code == 404


def test_the_live_message_says_what_the_page_says(world: World, signed_in: Client) -> None:
    message = json.loads(signed_in.get(f"/portfolios/{world.portfolio.pk}/live/").content)
    shown = page(signed_in, world)
    cell = message["cells"][0]
    assert message["kind"] == "tick"
    assert unbroken(cell["sentence"]) in shown
    assert f"({signed_percent(cell['buy_distance'])})" in re.sub("<[^>]*>", "", shown)
    assert cell["nearness"] == pytest.approx(min(abs(cell["buy_distance"]), abs(cell["sell_distance"])))
    assert f"{float(cell['value']):,.2f}" in shown
    assert f'aria-valuenow="{cell["stock_share"] * 100:.2f}"' in shown
