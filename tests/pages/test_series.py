"""The bars there are and what is odd about them, as everyone of a firm sees them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.trading.builders import make_series

QUIET = [100, 101, 100, 101, 100, 101]


@pytest.fixture(autouse=True)
def _files(tmp_path: object, settings: object) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]  # pytest-django's wrapper takes any setting


def test_the_list_has_the_newest_version_with_its_grade(signed_in: Client) -> None:
    make_series([100, 101, 102])
    newest = make_series([*QUIET, 250])
    page = signed_in.get(reverse("series-list")).content.decode()
    assert page.count("badge-quality-") == 1
    assert "badge-quality-doubtful" in page
    assert reverse("series", args=[newest.pk]) in page


def test_without_bars_it_says_where_they_come_from(signed_in: Client) -> None:
    assert "manage.py backfill" in signed_in.get(reverse("series-list")).content.decode()


def test_a_series_shows_every_check_with_its_rule_and_worst_examples(signed_in: Client) -> None:
    series = make_series([*QUIET, 250])
    page = signed_in.get(reverse("series", args=[series.pk])).content.decode()
    assert "2024-03-12: 101 to 250 (+147.5%)" in page
    assert "Bars that the exchange&#x27;s calendar expects" in page
    assert series.sha256[:12] in page


def test_a_series_stored_before_there_were_reports_says_so(signed_in: Client) -> None:
    series = make_series([100, 101])
    series.quality = {}
    series.save()
    assert "Not checked yet" in signed_in.get(reverse("series", args=[series.pk])).content.decode()


def test_queries_do_not_grow_with_the_list(signed_in: Client, django_assert_num_queries: object) -> None:
    make_series([100, 101])
    signed_in.get(reverse("series-list"))
    for symbol in ("MSFT", "AAPL", "GOOG"):
        make_series([100, 101], symbol=symbol)
    with django_assert_num_queries(5):  # type: ignore[operator]  # pytest-django's fixture
        signed_in.get(reverse("series-list"))


def test_nobody_sees_them_unsigned(client: Client, db: None) -> None:
    assert client.get(reverse("series-list")).status_code == 302
