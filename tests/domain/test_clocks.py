"""Clocks that are set forward and back: SLA clocks in business hours, days of rounds, shifts over the change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.slots import zone_of
from engine.domain.calendar import ends_at, hour_of_week, local_day, moment
from tests.domain.timeline import World, event
from tests.fakes.line import T0

DAYTIME = {str(day): ("08:00", "18:00") for day in range(7)}
NIGHT = {str(day): ("22:00", "06:00") for day in range(7)}
ALWAYS = {str(day): ("00:00", "24:00") for day in range(7)}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "hours", "start", "minutes", "end"),
    [
        # An ordinary day and a night between: two hours are left of the first day.
        ("Europe/Berlin", DAYTIME, "2026-06-01T16:00+02:00", 180, "2026-06-02T09:00+02:00"),
        # Berlin, 29 March 2026: 02:00 becomes 03:00. The night is 7 hours long.
        ("Europe/Berlin", NIGHT, "2026-03-28T22:00+01:00", 420, "2026-03-29T06:00+02:00"),
        ("Europe/Berlin", NIGHT, "2026-03-28T22:00+01:00", 421, "2026-03-29T22:01+02:00"),
        # Berlin, 25 October 2026: 03:00 becomes 02:00. The night is 9 hours long.
        ("Europe/Berlin", NIGHT, "2026-10-24T22:00+02:00", 540, "2026-10-25T06:00+01:00"),
        # New York, 8 March and 1 November 2026: a day of 23 hours, and one of 25.
        ("America/New_York", ALWAYS, "2026-03-08T00:00-05:00", 23 * 60, "2026-03-09T00:00-04:00"),
        ("America/New_York", ALWAYS, "2026-11-01T00:00-04:00", 25 * 60, "2026-11-02T00:00-05:00"),
        # Lord Howe changes by half an hour: 4 October and 5 April 2026.
        ("Australia/Lord_Howe", ALWAYS, "2026-10-04T00:00+10:30", 23 * 60 + 30, "2026-10-05T00:00+11:00"),
        ("Australia/Lord_Howe", ALWAYS, "2026-04-05T00:00+11:00", 24 * 60 + 30, "2026-04-06T00:00+10:30"),
        # 29 February, and the end of a year.
        ("UTC", DAYTIME, "2028-02-28T17:00+00:00", 120, "2028-02-29T09:00+00:00"),
        ("UTC", {"4": ("08:00", "18:00")}, "2026-12-25T17:00+00:00", 120, "2027-01-01T09:00+00:00"),
        # Without hours it is always open.
        ("Europe/Berlin", {}, "2026-03-29T00:00+01:00", 24 * 60, "2026-03-30T01:00+02:00"),
    ],
)
def test_an_sla_clock_runs_in_open_hours(
    zone: str, hours: dict[str, tuple[str, str]], start: str, minutes: float, end: str
) -> None:
    assert ends_at(utc(start), minutes, hours, zone) == utc(end)


@pytest.mark.parametrize(
    ("zone", "day", "clock", "fold", "expected"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "02:30", 0, "2026-03-29T01:00+00:00"),  # skipped: the moment of the change
        ("Europe/Berlin", date(2026, 10, 25), "02:30", 0, "2026-10-25T00:30+00:00"),  # twice: an opening is the first
        ("Europe/Berlin", date(2026, 10, 25), "02:30", 1, "2026-10-25T01:30+00:00"),  # and a closing the second
        ("America/New_York", date(2026, 3, 8), "02:30", 0, "2026-03-08T07:00+00:00"),
        ("America/New_York", date(2026, 11, 1), "01:30", 0, "2026-11-01T05:30+00:00"),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15", 0, "2026-10-03T15:30+00:00"),
        ("Australia/Lord_Howe", date(2026, 4, 5), "01:45", 1, "2026-04-04T15:15+00:00"),
    ],
)
def test_times_that_do_not_exist_or_come_twice(zone: str, day: date, clock: str, fold: int, expected: str) -> None:
    assert moment(day, clock, zone_of(zone), fold=fold) == utc(expected)


@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(0, 2 * 365 * 24 * 60),
    st.integers(0, 6000),
    st.integers(1, 6000),
    st.sampled_from([DAYTIME, NIGHT, ALWAYS, {"6": ("01:00", "03:30")}]),
)
@settings(deadline=None, max_examples=300)
def test_the_clock_never_runs_backwards_and_adds_up(
    zone: str, start: int, first: int, more: int, hours: dict[str, tuple[str, str]]
) -> None:
    begin = utc("2026-01-01T00:00+00:00") + timedelta(minutes=start)
    one = ends_at(begin, first, hours, zone)
    other = ends_at(begin, first + more, hours, zone)
    assert one is not None and other is not None
    assert begin <= one < other
    assert ends_at(one, more, hours, zone) == other


def test_time_on_hold_is_left_out() -> None:
    begin = utc("2026-06-01T08:00+00:00")
    hold = (begin + timedelta(minutes=30), begin + timedelta(minutes=90))
    assert ends_at(begin, 60, {}, "UTC", [hold]) == begin + timedelta(minutes=120)


def test_the_ends_of_the_calendar_and_names_that_are_no_zone() -> None:
    assert ends_at(utc("9999-12-30T08:00+00:00"), 60 * 24 * 30, DAYTIME, "UTC") is None
    assert ends_at(utc("2026-06-01T08:00+00:00"), 60, {"0": ("00:00", "00:00")}, "UTC") is not None
    for name in ("", "../../etc/passwd", "Mars/Olympus", "\x00", "x" * 5000):
        assert zone_of(name).key == "UTC"


def test_days_and_hours_of_the_place() -> None:
    late = utc("2026-03-29T23:30+00:00")
    assert local_day(late, "Europe/Berlin") == date(2026, 3, 30)
    assert local_day(late, "America/New_York") == date(2026, 3, 29)
    assert hour_of_week(late, "Europe/Berlin") == 1


@pytest.mark.parametrize(("zone", "night"), [("Europe/Berlin", "2026-03-29"), ("Europe/Berlin", "2026-10-25")])
def test_a_shift_over_the_change_is_as_long_as_it_is(zone: str, night: str) -> None:
    """Shifts come as moments: one of 7 or 9 hours is missed half an hour after its start."""
    day = date.fromisoformat(night)
    starts = moment(day - timedelta(days=1), "22:00", zone_of(zone), fold=0)
    ends = moment(day, "06:00", zone_of(zone), fold=0)
    assert (ends - starts) in (timedelta(hours=7), timedelta(hours=9))
    world = World()
    world.now = starts - timedelta(hours=1)
    plan = {"site": "Depot", "person": "ann", "starts_at": starts, "ends_at": ends}
    world.take_events(event("shift", (world.now - T0).total_seconds(), id="s", **plan))
    world.now = starts + timedelta(minutes=29)
    world.tick(0)
    assert world.names() == []
    world.tick(90)
    assert world.names() == ["attendance_missed"]
