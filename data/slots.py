"""Slots of time: in which bucket of five minutes, hour or day a moment lies, in a time zone.

Owns the arithmetic alone. A slot is named by the UTC second in which it begins. Hours and days are those of the wall
clock: a day on which clocks change has 23 or 25 hours, an hour that comes twice is two slots, and in zones that are
half an hour off hours begin with their wall clock's. Zones whose offset is no multiple of five minutes have none today.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

FIVE_MINUTES, HOUR, DAY = 300, 3600, 86_400
#: Fine to coarse: each is made of the one before it.
RESOLUTIONS = (FIVE_MINUTES, HOUR, DAY)
#: Days that each is kept.
KEEP_DAYS = {FIVE_MINUTES: 7, HOUR: 90, DAY: 730}


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone of that name; UTC for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # LookupError: also zoneinfo's own for unknown names
        return ZoneInfo("UTC")


def start_of(at: float, resolution: int, zone: str) -> int:
    """The beginning of the slot that the moment `at` (seconds since 1970 UTC) lies in."""
    second = int(at // 1)
    if resolution == FIVE_MINUTES:
        return second - second % FIVE_MINUTES
    return _hour(second - second % FIVE_MINUTES, zone) if resolution == HOUR else _day(second, zone)


@lru_cache(maxsize=8192)
def next_start(start: int, resolution: int, zone: str) -> int:
    """The beginning of the slot after the one that begins at `start`."""
    if resolution == FIVE_MINUTES:
        return start + FIVE_MINUTES
    if resolution == HOUR:
        # Half an hour where clocks change by half an hour.
        return min(found for step in (1800, HOUR) if (found := start_of(start + step, HOUR, zone)) > start)
    local = datetime.fromtimestamp(start + DAY // 2, UTC).astimezone(zone_of(zone)).date()
    return _midnight(local + timedelta(days=1), zone)


def starts(since: float, until: float, resolution: int, zone: str) -> list[int]:
    """Where the slots begin that have a part in [since, until)."""
    found, start = [], start_of(since, resolution, zone)
    while start < until:
        found.append(start)
        start = next_start(start, resolution, zone)
    return found


@lru_cache(maxsize=4096)
def _hour(second: int, zone: str) -> int:
    local = datetime.fromtimestamp(second, UTC).astimezone(zone_of(zone))
    start = second - local.minute * 60 - local.second
    if start == second:
        return second
    # A clock that was put back by half an hour: the slot begins with the change.
    back = datetime.fromtimestamp(start, UTC).astimezone(zone_of(zone))
    if back.utcoffset() == local.utcoffset():
        return start
    return _change(start, second, zone)


def _change(low: int, high: int, zone: str) -> int:
    """The first multiple of five minutes in (low, high] with the offset of `high`."""
    offset = datetime.fromtimestamp(high, UTC).astimezone(zone_of(zone)).utcoffset()
    second = high - high % FIVE_MINUTES
    while second - FIVE_MINUTES > low:
        before = datetime.fromtimestamp(second - FIVE_MINUTES, UTC).astimezone(zone_of(zone)).utcoffset()
        if before != offset:
            break
        second -= FIVE_MINUTES
    return second


@lru_cache(maxsize=4096)
def _day_of(hour: int, zone: str) -> int:
    return _midnight(datetime.fromtimestamp(hour, UTC).astimezone(zone_of(zone)).date(), zone)


def _day(second: int, zone: str) -> int:
    return _day_of(second - second % 900, zone)


def _midnight(day: date, zone: str) -> int:
    """The first second of a local date. A midnight that clocks skip is read with the offset before the change, which
    makes it the moment of the change."""
    return int(datetime.combine(day, time(), tzinfo=zone_of(zone)).timestamp())
