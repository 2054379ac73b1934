"""Backtests beside each other."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from optimization.models import Backtest
from optimization.services.backtests import backtest_create, backtest_run
from portfolios.services import Origin
from tests.portfolios.builders import Firm, make_firm
from trading.models import BarSeries
from volbal.common.tenancy import tenant_scope

COMPARE, GROWTH = reverse("backtest-compare"), reverse("backtest-compare-growth")


def run_backtest(firm: Firm, series: BarSeries, **asked: Any) -> Backtest:
    with tenant_scope(firm.tenant.pk):
        row = backtest_create(tenant=firm.tenant, series=series, origin=Origin(actor_id=firm.owner.pk), **asked)
        return backtest_run(backtest_id=row.pk)


@pytest.fixture
def browse(client: Client, firm: Firm) -> Client:
    client.force_login(firm.owner)
    return client


@pytest.fixture
def watched(firm: Firm, series: BarSeries) -> Backtest:
    return run_backtest(firm, series, name="Watched", parameters={"trigger_up": 0.04, "trigger_down": 0.04})


@pytest.fixture
def resting(firm: Firm, series: BarSeries) -> Backtest:
    return run_backtest(
        firm, series, name="Resting", options={"execution": "resting", "start": "2006-01-03", "cash": 5_000.0}
    )


def test_the_list_offers_those_that_have_a_result(browse: Client, watched: Backtest, series: BarSeries) -> None:
    with tenant_scope(watched.tenant_id):
        waiting = backtest_create(tenant=watched.tenant, series=series, origin=Origin(task="test"))
    page = browse.get(reverse("backtest-list")).content.decode()
    assert f'name="run" value="{watched.pk}"' in page
    assert f'name="run" value="{waiting.pk}"' not in page


def test_measures_stand_beside_each_other_and_resting_ones_as_a_pair(
    browse: Client, watched: Backtest, resting: Backtest
) -> None:
    page = browse.get(COMPARE, {"run": [resting.pk, watched.pk]}).content.decode()
    assert page.index(">Watched</a>") < page.index(">Resting</a>")
    assert "the intrabar band" in page
    for value in (watched.measures, resting.band["ohlc"], resting.band["olhc"]):
        assert f"{value['final_value']:,.2f}" in page


def test_only_what_was_asked_differently_is_named(browse: Client, watched: Backtest, resting: Backtest) -> None:
    page = browse.get(COMPARE, {"run": [watched.pk, resting.pk]}).content.decode()
    asked = page[page.index("What was asked differently") :]
    for words in ("Trigger up", "Execution", "Cash", "Start"):
        assert f">{words}</th>" in asked
    assert ">Max stock</th>" not in asked


def test_growth_begins_at_nothing_and_ends_at_the_return(browse: Client, watched: Backtest, resting: Backtest) -> None:
    chart = browse.get(GROWTH, {"run": [watched.pk, resting.pk]}).json()
    first, second = (line["values"] for line in chart["lines"])
    assert [line["name"] for line in chart["lines"]] == ["A", "B"]
    assert len(chart["time"]) == len(first) == len(second) == watched.bars
    assert second[0] is None
    assert first[-1] == pytest.approx(watched.measures["total_return"])
    assert second[-1] == pytest.approx(resting.measures["total_return"])


@pytest.mark.parametrize("asked", [[], ["x", "-1", "9" * 30], ["0"]])
def test_fewer_than_two_are_no_comparison(browse: Client, watched: Backtest, asked: list[str]) -> None:
    response = browse.get(COMPARE, {"run": [*asked, watched.pk]})
    assert response.status_code == 200
    assert "Nothing to compare yet" in response.content.decode()


def test_another_firms_runs_are_not_compared(client: Client, watched: Backtest, resting: Backtest) -> None:
    client.force_login(make_firm("south").owner)
    asked = {"run": [watched.pk, resting.pk]}
    assert "Nothing to compare yet" in client.get(COMPARE, asked).content.decode()
    assert client.get(GROWTH, asked).json()["lines"] == []


def test_five_runs_take_as_many_queries_as_two(
    browse: Client, firm: Firm, series: BarSeries, watched: Backtest, resting: Backtest, django_assert_num_queries: Any
) -> None:
    ids = [watched.pk, resting.pk]
    more = [run_backtest(firm, series, parameters={"trigger_up": 0.05 + 0.01 * one}).pk for one in range(4)]
    browse.get(COMPARE, {"run": ids})
    with django_assert_num_queries(5):
        browse.get(COMPARE, {"run": ids})
    with django_assert_num_queries(5):
        page = browse.get(COMPARE, {"run": ids + more}).content.decode()
    assert page.count('<th scope="col" class="n"><span class="key-') == 5
