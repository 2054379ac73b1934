"""When the exchange trades: checked against days everyone knows, and against the reference calendar where it is."""

import csv
import datetime as dt
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import SHARED
from trading.marketdata.calendars import CalendarError, exchange_calendar, is_open

NEW_YORK = exchange_calendar("XNYS")


def utc(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "day",
    [
        "2001-09-11",  # closed for four days
        "2004-06-11",  # mourning for a president
        "2012-10-29",  # a storm
        "2008-07-04",
        "2008-11-27",
        "2021-12-24",  # Christmas on a Saturday
        "2022-06-20",  # Juneteenth observed
        "2024-03-29",  # Good Friday
        "2008-09-13",  # a Saturday
    ],
)
def test_holidays_have_no_session(day):
    assert NEW_YORK.session(dt.date.fromisoformat(day)) is None


@pytest.mark.parametrize("day", ["2008-11-28", "2008-12-24", "2013-07-03", "2023-07-03"])
def test_half_days_close_at_one_in_new_york(day):
    session = NEW_YORK.session(dt.date.fromisoformat(day))
    assert session.is_early_close
    assert session.close.astimezone(NEW_YORK.zone).time() == dt.time(13)


def test_a_session_follows_new_york_through_the_change_of_clocks():
    winter, summer = NEW_YORK.session(dt.date(2008, 3, 7)), NEW_YORK.session(dt.date(2008, 3, 10))
    assert (winter.open, winter.close) == (utc("2008-03-07 14:30"), utc("2008-03-07 21:00"))
    assert (summer.open, summer.close) == (utc("2008-03-10 13:30"), utc("2008-03-10 20:00"))


@pytest.mark.parametrize(
    "moment, regular, extended",
    [
        ("2008-09-15 07:59:59", False, False),
        ("2008-09-15 08:00:00", False, True),
        ("2008-09-15 13:29:59", False, True),
        ("2008-09-15 13:30:00", True, True),
        ("2008-09-15 19:59:59", True, True),
        ("2008-09-15 20:00:00", False, True),
        ("2008-09-15 23:59:59", False, True),
        ("2008-09-16 00:00:00", False, False),
        ("2008-09-13 15:00:00", False, False),
        ("2008-11-28 18:00:00", False, True),  # a half day is over
        ("2008-11-27 15:00:00", False, False),  # a holiday has no extended hours
    ],
)
def test_opening_hours_include_the_open_and_exclude_the_close(moment, regular, extended):
    assert is_open("XNYS", utc(moment)) is regular
    assert is_open("XNYS", utc(moment), after_hours=True) is extended


def test_a_day_is_the_exchanges_own():
    assert NEW_YORK.day_of(utc("2008-09-16 03:00")) == dt.date(2008, 9, 15)


def test_a_naive_moment_is_refused():
    with pytest.raises(CalendarError, match="2008-09-15T15:00:00 has no time zone"):
        NEW_YORK.is_open(dt.datetime(2008, 9, 15, 15))  # noqa: DTZ001  # the mistake under test


def test_a_daily_close_is_stamped_inside_its_session():
    stamp = NEW_YORK.session_stamp(dt.date(2008, 11, 28))
    assert stamp == utc("2008-11-28 17:59:59")
    assert NEW_YORK.is_open(stamp)


def test_a_day_without_session_has_no_stamp():
    with pytest.raises(CalendarError, match="XNYS has no session on 2008-11-27"):
        NEW_YORK.session_stamp(dt.date(2008, 11, 27))


def test_neighbours_skip_weekends_and_holidays():
    assert NEW_YORK.previous_session(dt.date(2008, 11, 28)).day == dt.date(2008, 11, 26)
    assert NEW_YORK.next_session(dt.date(2008, 11, 28)).day == dt.date(2008, 12, 1)
    assert NEW_YORK.previous_session(dt.date(2008, 11, 30)).day == dt.date(2008, 11, 28)


def test_ranges_include_both_ends():
    days = [session.day.day for session in NEW_YORK.sessions_between(dt.date(2008, 11, 26), dt.date(2008, 12, 1))]
    assert days == [26, 28, 1]
    early = NEW_YORK.early_closes(dt.date(2008, 1, 1), dt.date(2008, 12, 31))
    assert [session.day for session in early] == [dt.date(2008, 7, 3), dt.date(2008, 11, 28), dt.date(2008, 12, 24)]


@pytest.mark.parametrize("day", [dt.date(1990, 1, 2), dt.date(2100, 1, 4)])
def test_days_beyond_the_calendar_are_refused_not_guessed(day):
    with pytest.raises(CalendarError, match=f"does not cover {day}"):
        NEW_YORK.session(day)
    with pytest.raises(CalendarError, match="no session beside"):
        NEW_YORK.previous_session(NEW_YORK.first_day)


def test_an_unknown_exchange_is_refused():
    with pytest.raises(CalendarError, match="NYSE! is no exchange"):
        exchange_calendar("NYSE!")


def test_a_calendar_that_begins_late_begins_late():
    assert exchange_calendar("XSAU").first_day >= dt.date(2021, 1, 1)


def test_a_calendar_is_made_once():
    assert exchange_calendar("XNYS") is exchange_calendar("XNYS")


def test_a_calendar_is_made_anew_before_its_years_run_out(time_machine):
    time_machine.move_to("2040-01-02")
    later = exchange_calendar("XNYS")
    assert later.last_day > dt.date(2041, 1, 1)


def test_stamps_know_their_day_and_session():
    moments = ["2014-06-06 08:15", "2014-06-06 13:30", "2014-06-06 19:59", "2014-06-06 20:00", "2014-06-07 01:00"]
    stamps = np.array([int(utc(moment).timestamp()) * 10**9 for moment in moments])
    days, in_session = NEW_YORK.days_and_sessions(stamps)
    assert in_session.tolist() == [False, True, True, False, False]
    assert {np.datetime64(int(day), "D").item() for day in days} == {dt.date(2014, 6, 6)}


def test_importing_costs_nothing():
    code = "import sys, trading.marketdata.calendars; print({'pandas', 'exchange_calendars'} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


@pytest.mark.shared
def test_every_session_of_the_reference_calendar():
    with (SHARED / "data" / "xnys_calendar.csv").open() as file:
        expected = [
            (row["session"], row["open_utc"], row["close_utc"], row["early_close"]) for row in csv.DictReader(file)
        ]
    last = dt.date.fromisoformat(expected[-1][0])
    found = [
        (
            session.day.isoformat(),
            session.open.strftime("%Y-%m-%dT%H:%M:%SZ"),
            session.close.strftime("%Y-%m-%dT%H:%M:%SZ"),
            str(session.is_early_close),
        )
        for session in NEW_YORK.sessions_between(NEW_YORK.first_day, last)
    ]
    assert found == expected
