"""When a model is trained next: the tenant's days and hours, also where clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.training.settings import TrainingSettings
from engine.training.timetable import next_after

SUNDAYS = TrainingSettings(day="sun", at="02:30")


@pytest.mark.parametrize(
    ("before", "zone", "after"),
    [
        ("2026-05-04T12:00", "UTC", "2026-05-10T02:30"),
        ("2026-05-10T02:29", "UTC", "2026-05-10T02:30"),
        ("2026-05-10T02:30", "UTC", "2026-05-17T02:30"),
        # Saturday evening in UTC is Sunday in Auckland.
        ("2026-05-09T13:00", "Pacific/Auckland", "2026-05-09T14:30"),
        # 02:30 does not exist on 29 March and comes twice on 25 October.
        ("2026-03-28T12:00", "Europe/Berlin", "2026-03-29T01:30"),
        ("2026-10-24T12:00", "Europe/Berlin", "2026-10-25T00:30"),
        ("2026-10-25T00:30", "Europe/Berlin", "2026-11-01T01:30"),
    ],
)
def test_the_next_moment(before: str, zone: str, after: str) -> None:
    found = next_after(datetime.fromisoformat(before).replace(tzinfo=UTC), SUNDAYS, zone)
    assert found == datetime.fromisoformat(after).replace(tzinfo=UTC)


def test_its_own_zone_counts_before_the_tenants() -> None:
    settings = TrainingSettings(day="sun", at="02:30", time_zone="Asia/Tokyo")
    found = next_after(datetime(2026, 5, 4, tzinfo=UTC), settings, "Europe/Berlin")
    assert found == datetime(2026, 5, 9, 17, 30, tzinfo=UTC)


def test_it_always_goes_on() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(60):
        following = next_after(at, SUNDAYS, "Europe/Berlin")
        assert timedelta(0) < following - at <= timedelta(days=7, hours=1)
        at = following
