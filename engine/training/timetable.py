"""The timetable: when a model is trained next. Pure; never asks the time."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.training.settings import TrainingSettings

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def next_after(before: datetime, settings: TrainingSettings, zone: str) -> datetime:
    """The first moment of the timetable after `before`, in UTC; `zone` is that of the tenant, where the settings name
    none. A time of day that a change of clocks leaves out is taken at the moment that it would have been, one that
    comes twice the first time.

    >>> next_after(datetime(2026, 3, 28, tzinfo=UTC), TrainingSettings(at="02:30"), "Europe/Berlin").isoformat()
    '2026-03-29T01:30:00+00:00'
    """
    hour, minute = settings.at.split(":")
    local = ZoneInfo(settings.time_zone or zone)
    day = before.astimezone(local).date()
    day += timedelta(days=(_DAYS.index(settings.day) - day.weekday()) % 7)
    found = datetime.combine(day, time(int(hour), int(minute)), local).astimezone(UTC)
    if found <= before:
        found = datetime.combine(day + timedelta(days=7), time(int(hour), int(minute)), local).astimezone(UTC)
    return found
