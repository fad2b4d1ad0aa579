"""Maintenance windows over days on which the clocks change, and their hits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data.matchers import parse_matchers
from engine.rules import Rules, Window
from engine.stages.maintenance import occurrences
from tests.fakes.line import Line

EVERY_DAY = frozenset(range(7))


def window(start: int, end: int, zone: str = "Europe/Berlin", days: frozenset[int] = EVERY_DAY) -> Window:
    return Window(
        name="night",
        matchers=parse_matchers('site="Depot"'),
        days=days,
        start_minute=start,
        end_minute=end,
        time_zone=zone,
    )


def lasting(found: Window, day: datetime) -> list[tuple[datetime, datetime]]:
    """The distinct occurrences that hold at some minute of two days from `day`."""
    held: dict[tuple[datetime, datetime], None] = {}
    for minute in range(0, 48 * 60, 5):
        held.update(dict.fromkeys(occurrences(found, day + timedelta(minutes=minute))))
    return list(held)


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-28T12:00", 7.0), ("2026-10-24T12:00", 9.0), ("2026-06-01T12:00", 8.0)],
)
def test_a_night_keeps_its_wall_times_when_the_clocks_change(day: str, hours: float) -> None:
    """22:00 to 06:00 in Berlin is an hour shorter in the spring night and longer in the autumn night."""
    first = lasting(window(22 * 60, 6 * 60), datetime.fromisoformat(day).replace(tzinfo=UTC))[0]
    assert (first[1] - first[0]).total_seconds() / 3600 == hours


def test_a_start_that_the_clocks_skip_is_moved_and_happens_once() -> None:
    found = lasting(window(2 * 60 + 15, 2 * 60 + 45), datetime(2026, 3, 29, tzinfo=UTC))
    assert found[0] == (datetime(2026, 3, 29, 1, 15, tzinfo=UTC), datetime(2026, 3, 29, 1, 45, tzinfo=UTC))
    assert len([one for one in found if one[0].day == 29]) == 1


def test_a_time_that_comes_twice_is_the_first_of_the_two() -> None:
    found = lasting(window(2 * 60 + 15, 2 * 60 + 45), datetime(2026, 10, 25, tzinfo=UTC))
    assert found[0] == (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), datetime(2026, 10, 25, 0, 45, tzinfo=UTC))


def test_days_are_those_of_the_window_s_zone() -> None:
    """Monday 00:30 in Auckland is Sunday in UTC."""
    found = window(30, 90, "Pacific/Auckland", frozenset({0}))
    assert list(occurrences(found, datetime(2026, 5, 3, 12, 45, tzinfo=UTC)))
    assert not list(occurrences(found, datetime(2026, 5, 4, 12, 45, tzinfo=UTC)))


def test_it_mutes_again_on_the_next_day_and_is_counted_by_its_own_name() -> None:
    line = Line(Rules(maintenance=(window(12 * 60, 13 * 60, "UTC"),)))
    line.tick(60)
    assert line.fire("a").silenced_by
    line.tick(3600)
    assert not line.fire("b").silenced_by
    line.tick(23 * 3600)
    assert line.fire("c", title="third").silenced_by
    line.tick(60)
    found = {id: record for (kind, _, id), record in line.store.nouns.items() if kind == "rules"}
    assert found["maintenance/night"].hits == 2
