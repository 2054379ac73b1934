"""Many rows in one statement: what is written is what was given, whatever is in it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from portfolios.models import BrokerAccount, Instrument, LedgerEntry
from tests.portfolios.builders import make_firm, make_instrument
from trading.models import Quote, QuoteStatistic
from volbal.common.bulk import rows_write
from volbal.common.tenancy import tenant_scope

pytestmark = pytest.mark.django_db

MOMENT = dt.datetime(2024, 3, 7, 15, 30, 0, 123456, tzinfo=dt.UTC)
ODD_TEXTS = ("plain", 'with "quotes"', "back\\slash", "{curly, comma}", "NULL", "", "Ünïcödé €", "line\nbreak", "100%s")


def quotes(**changes: Any) -> dict[str, list[Any]]:
    count = len(ODD_TEXTS)
    instrument = make_instrument()
    columns: dict[str, list[Any]] = {
        "source": list(ODD_TEXTS),
        "instrument_id": [instrument.pk] * count,
        "last": [Decimal(number) / 1_000_000 for number in range(1, count + 1)],
        "bid": [None, *[Decimal("123456789.123456")] * (count - 1)],
        "refusal": [""] * count,
        "refusal_text": [""] * count,
        "is_synthetic": [number % 2 == 0 for number in range(count)],
        "as_of": [MOMENT + dt.timedelta(seconds=number) for number in range(count)],
        "received_at": [MOMENT] * count,
    }
    return columns | changes


def test_every_value_is_read_back_as_it_was_given() -> None:
    columns = quotes()
    rows_write(Quote, columns)
    stored = Quote.objects.order_by("as_of").values_list(*columns)
    assert list(stored) == list(zip(*columns.values(), strict=True))


def test_a_row_that_is_there_gets_the_new_values_of_the_named_columns_alone() -> None:
    rows_write(Quote, quotes())
    later = [MOMENT + dt.timedelta(hours=1)] * len(ODD_TEXTS)
    changed = quotes(last=[Decimal(7)] * len(ODD_TEXTS), received_at=later)
    rows_write(Quote, changed, unique=["source", "instrument"], update=["last"])
    assert Quote.objects.count() == len(ODD_TEXTS)
    assert set(Quote.objects.values_list("last", "received_at")) == {(Decimal(7), MOMENT)}


def test_a_row_that_is_there_is_an_error_where_nothing_is_to_be_updated() -> None:
    rows_write(Quote, quotes())
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_write(Quote, quotes())


def test_no_rows_are_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        rows_write(Quote, {"source": []})


def test_columns_of_different_lengths_are_refused_or_break_a_constraint() -> None:
    with pytest.raises((ValueError, IntegrityError)), transaction.atomic():
        rows_write(Quote, quotes(source=["short"]))


def test_days_and_nothing_are_kept_too() -> None:
    firm = make_firm()
    with tenant_scope(firm.tenant.pk):
        account = BrokerAccount.objects.get()
        entry = LedgerEntry.objects.first()
        assert entry is not None
        fields = [field.attname for field in LedgerEntry._meta.concrete_fields if field.attname != "id"]
        columns = {name: [getattr(entry, name)] for name in fields}
        columns["key"] = ["another"]
        rows_write(LedgerEntry, columns)
        written = LedgerEntry.objects.get(key="another")
        assert (written.account_id, written.cash, written.cell_id) == (account.pk, entry.cash, None)


def test_sums_and_largest_are_kept_by_the_database() -> None:
    instrument = make_instrument()
    for age, spread in ((1.5, 30.0), (0.5, 50.0)):
        columns = {
            "source": ["one"],
            "instrument_id": [instrument.pk],
            "day": [MOMENT.date()],
            "count": [1],
            "spread_count": [1],
            "spread_bps_sum": [spread],
            "spread_bps_max": [spread],
            "age_seconds_sum": [age],
            "age_seconds_max": [age],
        }
        rows_write(
            QuoteStatistic,
            columns,
            unique=["source", "instrument", "day"],
            add=["count", "spread_count", "spread_bps_sum", "age_seconds_sum"],
            largest=["spread_bps_max", "age_seconds_max"],
        )
    found = QuoteStatistic.objects.values_list(
        "count", "spread_bps_sum", "spread_bps_max", "age_seconds_sum", "age_seconds_max"
    )
    assert list(found) == [(2, 80.0, 50.0, 2.0, 1.5)]


def test_among_finds_what_in_finds() -> None:
    made = [make_instrument(f"S{number}") for number in range(5)]
    chosen = [one.pk for one in made[:3]]
    for condition in ({"pk__among": chosen}, {"pk__among": set(chosen)}):
        assert set(Instrument.objects.filter(**condition)) == set(made[:3])
    assert not Instrument.objects.filter(pk__among=[]).exists()
    rows_write(Quote, quotes(instrument_id=[made[0].pk] * len(ODD_TEXTS)))
    assert Quote.objects.filter(instrument__among=chosen).count() == len(ODD_TEXTS)
    assert Quote.objects.filter(instrument_id__among=[made[4].pk]).count() == 0
    with pytest.raises(ValueError, match="invalid literal"):
        Quote.objects.filter(instrument__among=["1); DROP TABLE"])
