"""Pages of research: what they show, who may ask, and what belongs to whom."""

import csv
import io

import pytest
from django.urls import reverse

from optimization.models import Backtest
from optimization.services.backtests import backtest_create, backtest_run
from portfolios.services import Origin
from tests.portfolios.builders import make_firm, make_member
from volbal.common.tenancy import tenant_scope

FORM = {
    "start": "2005-06-01", "end": "", "cash": "50000", "stock_percent": "40", "fill": "close", "slippage_bps": "2",
    "rebalance_ratio": "1.5", "commission_percent": "0.01", "trigger_up": "4", "trigger_down": "3", "min_stock": "25",
    "max_stock": "75", "max_trade_fraction": "25", "withholding_rate": "25", "name": "", "execution": "watch",
    "path": "ohlc", "stop_loss_percent": "", "slice_notional": "", "slice_interval_seconds": "60",
}  # fmt: skip


@pytest.fixture
def finished(firm, series):
    with tenant_scope(firm.tenant.pk):
        row = backtest_create(
            tenant=firm.tenant,
            series=series,
            origin=Origin(actor_id=firm.owner.pk),
            parameters={"trigger_up": 0.01, "trigger_down": 0.01},
        )
        return backtest_run(backtest_id=row.pk)


@pytest.fixture
def waiting(firm, series):
    with tenant_scope(firm.tenant.pk):
        return backtest_create(tenant=firm.tenant, series=series, origin=Origin(task="test"))


@pytest.fixture
def browse(client, firm):
    client.force_login(firm.owner)
    return client


def sign_in(client, firm, role):
    with tenant_scope(firm.tenant.pk):
        client.force_login(make_member(firm, role))
    return client


def of_firm(firm, pk):
    with tenant_scope(firm.tenant.pk):
        return Backtest.objects.get(pk=pk)


def test_the_list_shows_results_states_and_errors(browse, finished, waiting, firm):
    with tenant_scope(firm.tenant.pk):
        Backtest.objects.filter(pk=waiting.pk).update(state="failed", error="The file is gone.")
    page = browse.get(reverse("backtest-list")).content.decode()
    assert reverse("backtest", args=[finished.pk]) in page
    assert "The file is gone." in page
    assert "2005-01-03 to 2006-12-29" in page


def test_an_empty_list_says_how_to_fill_it(browse):
    assert "Ask for the first one" in browse.get(reverse("backtest-list")).content.decode()


def test_the_page_shows_every_measure_with_its_definition(browse, finished):
    page = browse.get(reverse("backtest", args=[finished.pk])).content.decode()
    for text in (
        "Maximum drawdown",
        "Deepest fall of the value from its highest before, over every bar.",
        "Return over the mix",
        "WIKI, public domain",
        finished.manifest["code"],
        "HISTORY",
        f"1 to 50 of {finished.measures['trades']}",
    ):
        assert text in page
    for what in ("equity", "drawdown", "price"):
        assert reverse("backtest-chart", args=[finished.pk, what]) in page


def test_the_quality_of_its_bars_travels_with_it(browse, finished, series):
    assert finished.manifest["quality"]["sentence"] == "clean: nothing odd in 503 bars"
    assert finished.manifest["series"]["version"] == series.version
    series.quality = {}
    series.save()
    page = browse.get(reverse("backtest", args=[finished.pk])).content.decode()
    assert '<span class="badge badge-quality-clean">Clean</span>' in page
    assert reverse("series", args=[series.pk]) in page


def test_synthetic_prices_are_labelled(browse, finished, series):
    type(series).objects.update(is_synthetic=True)
    assert "SYNTHETIC" in browse.get(reverse("backtest", args=[finished.pk])).content.decode()
    assert "SYNTHETIC" in browse.get(reverse("backtest-list")).content.decode()


@pytest.mark.parametrize("what, lines", [("equity", 3), ("drawdown", 1), ("price", 2)])
def test_a_chart_has_a_point_a_day_and_no_undefined_number(browse, finished, what, lines):
    chart = browse.get(reverse("backtest-chart", args=[finished.pk, what])).json()
    assert len(chart["lines"]) == lines
    assert len(chart["time"]) == finished.bars
    assert all(len(line["values"]) == finished.bars for line in chart["lines"])
    assert all(None not in line["values"] for line in chart["lines"])


def test_the_price_chart_marks_every_fill_on_its_day(browse, finished):
    chart = browse.get(reverse("backtest-chart", args=[finished.pk, "price"])).json()
    assert len(chart["marks"]) == finished.measures["trades"]
    assert {mark["side"] for mark in chart["marks"]} == {"BUY", "SELL"}
    assert {mark["time"] for mark in chart["marks"]} <= set(chart["time"])


@pytest.mark.parametrize("what, count", [("days", "bars"), ("trades", "trades")])
def test_exports_hold_everything(browse, finished, what, count):
    response = browse.get(reverse("backtest-export", args=[finished.pk, what]))
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert len(rows) == (finished.bars if count == "bars" else finished.measures["trades"])
    assert "attachment" in response["Content-Disposition"]


def test_the_table_stands_beside_the_charts(browse, finished):
    page = browse.get(reverse("backtest-days", args=[finished.pk])).content.decode()
    assert "2006-12-29" in page
    assert reverse("backtest-export", args=[finished.pk, "days"]) in page


def test_trades_come_a_page_at_a_time(browse, finished):
    address = reverse("backtest", args=[finished.pk])
    part = browse.get(f"{address}?from=50", headers={"HX-Request": "true", "HX-Target": "trades"}).content.decode()
    assert "<html" not in part
    assert "51 to " in part
    beyond = browse.get(f"{address}?from=99999999", headers={"HX-Request": "true", "HX-Target": "trades"})
    assert f"of {finished.measures['trades']}" in beyond.content.decode()


def test_a_backtest_without_trades_says_so(browse, firm, series):
    with tenant_scope(firm.tenant.pk):
        row = backtest_create(
            tenant=firm.tenant,
            series=series,
            origin=Origin(task="test"),
            parameters={"trigger_up": 0.9, "trigger_down": 0.9},
        )
        backtest_run(backtest_id=row.pk)
    assert "No trade" in browse.get(reverse("backtest", args=[row.pk])).content.decode()


def test_a_waiting_backtest_asks_again_until_it_has_ended(browse, waiting, firm):
    address = reverse("backtest", args=[waiting.pk])
    headers = {"HX-Request": "true", "HX-Target": "state"}
    assert 'hx-trigger="every 1s"' in browse.get(address).content.decode()
    assert "Waiting for a worker" in browse.get(address, headers=headers).content.decode()
    with tenant_scope(firm.tenant.pk):
        backtest_run(backtest_id=waiting.pk)
    ended = browse.get(address, headers=headers)
    assert (ended.status_code, ended["HX-Refresh"]) == (204, "true")


def test_what_has_no_result_has_no_charts(browse, waiting):
    assert browse.get(reverse("backtest-chart", args=[waiting.pk, "equity"])).status_code == 404
    assert browse.get(reverse("backtest-export", args=[waiting.pk, "days"])).status_code == 404


@pytest.mark.parametrize("name, what", [("backtest-chart", "volume"), ("backtest-export", "secrets")])
def test_what_is_not_there_is_not_found(browse, finished, name, what):
    assert browse.get(reverse(name, args=[finished.pk, what])).status_code == 404


def test_asking_runs_it_with_what_was_typed(browse, firm, series):
    response = browse.post(reverse("backtest-new"), FORM | {"series": series.pk, "name": "Wider"})
    row = of_firm(firm, int(response["Location"].strip("/").split("/")[-1]))
    assert (row.state, row.name, row.created_by) == ("completed", "Wider", firm.owner)
    assert (row.parameters["trigger_up"], row.parameters["trigger_down"]) == (0.04, 0.03)
    assert row.parameters["commission_rate"] == 0.0001
    assert row.options["stock_fraction"] == 0.4
    assert row.options["start"] == "2005-06-01"


@pytest.mark.parametrize(
    "typed, told",
    [
        ({"trigger_up": "300"}, "trigger_up is 3.0; expected a number above 0 and below 1."),
        ({"start": "2020-01-02"}, "a range that holds at least one bar"),
        ({"cash": "much"}, "Enter a number."),
        ({"series": "999"}, "Select a valid choice."),
    ],
)
def test_what_cannot_run_is_told_and_the_typing_kept(browse, firm, series, typed, told):
    response = browse.post(reverse("backtest-new"), FORM | {"series": series.pk, "rebalance_ratio": "1.2345"} | typed)
    page = response.content.decode()
    assert response.status_code == 422
    assert told in page
    assert 'value="1.2345"' in page
    with tenant_scope(firm.tenant.pk):
        assert not Backtest.objects.exists()


def test_the_form_offers_the_bars_there_are(browse, series):
    page = browse.get(reverse("backtest-new")).content.decode()
    assert "IBM · daily · 2005-01-03 to 2006-12-29 · version 1" in page


def test_cancelling_what_waits(browse, waiting, firm):
    browse.post(reverse("backtest-cancel", args=[waiting.pk]))
    assert of_firm(firm, waiting.pk).state == "cancelled"
    assert "Cancelled" in browse.get(reverse("backtest", args=[waiting.pk])).content.decode()


def test_cancelling_what_has_ended_is_told(browse, finished):
    page = browse.post(reverse("backtest-cancel", args=[finished.pk]), follow=True).content.decode()
    assert "is completed already" in page


@pytest.mark.parametrize("role", ["auditor", "broker"])
def test_readers_see_and_cannot_ask(client, firm, finished, waiting, role):
    sign_in(client, firm, role)
    page = client.get(reverse("backtest-list"))
    assert page.status_code == 200
    assert reverse("backtest-new") not in page.content.decode()
    assert client.get(reverse("backtest", args=[finished.pk])).status_code == 200
    assert client.get(reverse("backtest-new")).status_code == 403
    assert client.post(reverse("backtest-new"), FORM).status_code == 403
    assert client.post(reverse("backtest-cancel", args=[waiting.pk])).status_code == 403


@pytest.mark.parametrize("role", ["operator", "trader"])
def test_writers_may_ask(client, firm, role):
    assert sign_in(client, firm, role).get(reverse("backtest-new")).status_code == 200


def test_another_firms_backtests_do_not_exist(client, finished, waiting):
    client.force_login(make_firm("south").owner)
    addresses = [
        reverse("backtest", args=[finished.pk]),
        reverse("backtest-days", args=[finished.pk]),
        reverse("backtest-chart", args=[finished.pk, "equity"]),
        reverse("backtest-export", args=[finished.pk, "trades"]),
    ]
    assert {client.get(address).status_code for address in addresses} == {404}
    assert client.post(reverse("backtest-cancel", args=[waiting.pk])).status_code == 404
    assert finished.name not in client.get(reverse("backtest-list")).content.decode()


def test_nobody_sees_anything_unsigned(client, finished):
    for name, arguments in (("backtest-list", []), ("backtest", [finished.pk]), ("backtest-new", [])):
        assert client.get(reverse(name, args=arguments)).status_code == 302


def test_the_number_of_queries_does_not_grow_with_the_list(browse, firm, series, django_assert_num_queries):
    def queries():
        with tenant_scope(firm.tenant.pk):
            row = backtest_create(tenant=firm.tenant, series=series, origin=Origin(actor_id=firm.owner.pk))
            backtest_run(backtest_id=row.pk)

    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    queries()
    with CaptureQueriesContext(connection) as one:
        browse.get(reverse("backtest-list"))
    for _ in range(4):
        queries()
    with django_assert_num_queries(len(one)):
        browse.get(reverse("backtest-list"))


def test_the_console_shows_it_and_offers_to_cancel(client, firm, waiting):
    client.force_login(firm.owner)
    page = client.get(reverse("admin:optimization_backtest_changelist")).content.decode()
    assert "IBM daily" in page
    assert client.get(reverse("admin:optimization_backtest_add")).status_code == 403
    assert client.get(reverse("admin:optimization_backtest_change", args=[waiting.pk])).status_code == 200


@pytest.mark.parametrize(
    "kind,threshold,told",
    [
        ("drawdown", "5", "it would have tripped"),
        ("drawdown", "90", "it would never have tripped"),
        ("daily_loss", "1.5", "it would have tripped"),
        ("daily_notional", "1", "it would have tripped"),
        ("orders_in_window", "1", "it would have tripped"),
        ("exposure", "1", "it would have tripped"),
        ("concentration", "99.9", "it would never have tripped"),
    ],
)
def test_a_limit_is_rehearsed_over_a_finished_backtest(browse, finished, kind, threshold, told):
    asked = {"kind": kind, "threshold": threshold, "action": "halted", "resume_after_days": "10"}
    page = browse.get(f"/backtests/{finished.pk}/rehearsal/", asked).content.decode()
    assert told in page
    assert f'value="{threshold}"' in page


def test_a_backtest_knows_no_broker_and_without_results_nothing(browse, finished, waiting):
    page = browse.get(f"/backtests/{finished.pk}/rehearsal/").content.decode()
    assert "consecutive_rejects" not in page
    assert "nothing is set by this" in page
    assert browse.get(f"/backtests/{waiting.pk}/rehearsal/").status_code == 404


def test_a_backtest_of_resting_orders_shows_its_band(browse, firm, series):
    with tenant_scope(firm.tenant.pk):
        row = backtest_create(
            tenant=firm.tenant, series=series, origin=Origin(task="test"), options={"execution": "resting"}
        )
        row = backtest_run(backtest_id=row.pk)
    assert set(row.band) == {"ohlc", "olhc"}
    assert row.band["ohlc"] == row.measures
    assert row.band["olhc"]["final_value"] != row.band["ohlc"]["final_value"]
    page = browse.get(reverse("backtest", args=[row.pk])).content.decode()
    assert "Intrabar band" in page
    for path in ("ohlc", "olhc"):
        assert f"{row.band[path]['final_value']:,.2f}" in page
    assert "its low first" in browse.get(reverse("backtest-list")).content.decode()


def test_stops_slices_and_resting_orders_can_be_asked_for(browse, firm, series):
    asked = {"stop_loss_percent": "12", "slice_notional": "5000", "slice_interval_seconds": "30", "path": "olhc"}
    response = browse.post(reverse("backtest-new"), FORM | asked | {"series": series.pk})
    row = of_firm(firm, int(response["Location"].strip("/").split("/")[-1]))
    assert (row.parameters["stop_loss"], row.parameters["slice_notional"]) == (0.12, 5000.0)
    assert (row.parameters["slice_interval_seconds"], row.options["path"]) == (30, "olhc")
    refused = browse.post(reverse("backtest-new"), FORM | asked | {"execution": "resting", "series": series.pk})
    assert refused.status_code == 422
    assert "none with execution resting" in refused.content.decode()
