"""Who has duty: turns, clock changes, holidays, overrides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.nouns.oncall import Override
from data.records import DEFAULT_TENANT
from engine.oncall.rotas import Rota, holidays, on_call, quiet_until, turns


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def rota(people: str = "ana bob eve", starts: datetime | None = None, **fields: Any) -> Rota:
    day = (starts or utc(2026, 1, 5)).toordinal()
    return Rota(name="r", people=tuple(people.split()), starts=day, **fields)


def override(person: str, start: datetime, end: datetime, made: int = 0, **fields: Any) -> Override:
    at = utc(2026, 1, 1) + timedelta(seconds=made)
    given = {"tenant": DEFAULT_TENANT, "id": f"o{made}", "rota": "r", "by": "zoe", **fields}
    return Override(at=at, person=person, starts_at=start, ends_at=end, **given)


def test_turns_follow_each_other_and_come_round() -> None:
    found = turns(rota(), (), utc(2026, 1, 5, 9), utc(2026, 2, 9, 9))
    assert [turn.person for turn in found] == ["ana", "bob", "eve", "ana", "bob"]
    assert [turn.start for turn in found][:2] == [utc(2026, 1, 5, 9), utc(2026, 1, 12, 9)]


def test_the_plan_goes_on_before_its_first_day() -> None:
    assert on_call(rota(), (), utc(2026, 1, 5, 8, 59)).person == "eve"
    assert on_call(rota(), (), utc(2025, 12, 24)).person == "bob"


def test_the_handover_is_the_first_moment_of_the_next_turn() -> None:
    assert on_call(rota(), (), utc(2026, 1, 12, 8, 59)).person == "ana"
    assert on_call(rota(), (), utc(2026, 1, 12, 9)).person == "bob"


@pytest.mark.parametrize(
    ("day", "hours"),
    [(utc(2026, 3, 28), 23), (utc(2026, 10, 24), 25), (utc(2026, 6, 1), 24)],
)
def test_a_turn_over_a_clock_change_is_an_hour_shorter_or_longer(day: datetime, hours: int) -> None:
    berlin = rota(starts=day, days=1, minute=9 * 60, time_zone="Europe/Berlin")
    turn = on_call(berlin, (), day + timedelta(hours=12))
    assert turn.end - turn.start == timedelta(hours=hours)


def test_a_handover_that_is_skipped_is_later_and_one_that_comes_twice_is_the_first() -> None:
    spring = rota(starts=utc(2026, 3, 29), days=1, minute=150, time_zone="Europe/Berlin")
    assert on_call(spring, (), utc(2026, 3, 29, 6)).start == utc(2026, 3, 29, 1, 30)  # 03:30 by the new time
    autumn = rota(starts=utc(2026, 10, 25), days=1, minute=150, time_zone="Europe/Berlin")
    assert on_call(autumn, (), utc(2026, 10, 25, 6)).start == utc(2026, 10, 25, 0, 30)


def test_a_holiday_goes_from_its_handover_to_the_next() -> None:
    festive = rota(minute=540, holidays=holidays([("2026-01-07", "zed")], 540, "UTC"))
    found = turns(festive, (), utc(2026, 1, 5, 9), utc(2026, 1, 12, 9))
    assert [(turn.person, turn.start) for turn in found] == [
        ("ana", utc(2026, 1, 5, 9)),
        ("zed", utc(2026, 1, 7, 9)),
        ("ana", utc(2026, 1, 8, 9)),
    ]
    assert "holiday of 2026-01-07" in found[1].why


def test_an_override_holds_while_it_lasts_and_the_later_made_wins() -> None:
    start, end = utc(2026, 1, 6), utc(2026, 1, 8)
    first = override("bob", start, end, 1)
    second = override("eve", utc(2026, 1, 7), utc(2026, 1, 7, 12), 2, reason="ill")
    found = turns(rota(), (first, second), utc(2026, 1, 5, 9), utc(2026, 1, 12, 9))
    assert [turn.person for turn in found] == ["ana", "bob", "eve", "bob", "ana"]
    assert "ill" in found[2].why and "instead of ana" in found[2].why


def test_an_override_of_another_rota_or_that_was_taken_back_does_not_count() -> None:
    start, end = utc(2026, 1, 6), utc(2026, 1, 8)
    other = override("bob", start, end, rota="other")
    gone = override("bob", start, end, 1, state="cancelled")
    assert on_call(rota(), (other, gone), utc(2026, 1, 7)).person == "ana"


def test_quiet_hours_over_midnight_end_by_the_clocks_of_their_zone() -> None:
    quiet = (22 * 60, 7 * 60, "Europe/Berlin")
    assert quiet_until(*quiet, utc(2026, 3, 28, 23)) == utc(2026, 3, 29, 5)  # summer time came meanwhile
    assert quiet_until(*quiet, utc(2026, 3, 29, 5)) is None
    assert quiet_until(*quiet, utc(2026, 3, 28, 20, 59)) is None


MOMENTS = st.integers(0, 1095 * 1440).map(lambda minutes: utc(2025, 1, 1) + timedelta(minutes=minutes))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])


@settings(max_examples=60, deadline=None)
@given(MOMENTS, ZONES, st.integers(0, 1439), st.integers(1, 28), st.lists(st.tuples(MOMENTS, st.integers(1, 90_000))))
def test_turns_leave_no_gap_and_say_what_is_true_at_each_moment(
    since: datetime, zone: str, minute: int, days: int, given: list[tuple[datetime, int]]
) -> None:
    """Whatever the zone, the handover and the overrides: one person at every moment, the same in list and answer."""
    plan = rota(minute=minute, days=days, time_zone=zone)
    made = [override("zed", start, start + timedelta(seconds=long), at) for at, (start, long) in enumerate(given)]
    found = turns(plan, made, since, since + timedelta(days=40))
    assert found[0].start <= since and found[-1].end >= since + timedelta(days=40)
    for one, following in pairwise(found):
        assert one.start < one.end == following.start
    for turn in found:
        for at in (max(turn.start, since), turn.end - timedelta(microseconds=1)):
            assert on_call(plan, made, at).person == turn.person
