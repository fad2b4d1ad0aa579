"""Business hours: when a clock that runs only while a client is open comes to an end.

Owns the arithmetic of opening hours in a time zone. Opening hours are wall-clock times: on days on which clocks change
a day is shorter or longer, a time that a change skips counts as the moment of the change, and of a time that comes
twice an opening takes the first and a closing the second. Everything that goes in and out is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from data.slots import zone_of

#: Days that are looked at: a client that is never open has no end.
DAYS = 1100
#: The type of day that a holiday is, beside the days of the week.
HOLIDAY = 7
_DAY = timedelta(days=1)


Span = tuple[datetime, datetime]


def ends_at(
    start: datetime,
    minutes: float,
    hours: Mapping[str, tuple[str, str]],
    zone: str,
    holds: Sequence[Span] = (),
) -> datetime | None:
    """When `minutes` of open time have passed since `start`, not counting `holds` (UTC, sorted, not overlapping).

    `hours` by weekday ("0" = Monday) as ("08:00", "18:00"), an end at or before the beginning is of the next day;
    without any it is always open. None when that takes longer than three years."""
    left = timedelta(minutes=min(minutes, DAYS * 1440.0 + 1))
    for begin, end in _open(start, hours, zone):
        for one, other in _without(begin, end, holds):
            if other - one >= left:
                return one + left
            left -= other - one
    return None


def _open(start: datetime, hours: Mapping[str, tuple[str, str]], zone: str) -> Iterator[Span]:
    """The open spans from `start` on, in UTC."""
    if not hours:
        yield start, start + _DAY * DAYS
        return
    found = zone_of(zone)
    try:
        day = start.astimezone(found).date() - _DAY
        for _ in range(DAYS):
            span = _span(day, hours.get(str(day.weekday())), found)
            if span is not None and span[1] > start:
                yield max(span[0], start), span[1]
            day += _DAY
    except OverflowError:  # the end of the calendar
        return


def _span(day: date, given: tuple[str, str] | None, zone: ZoneInfo) -> Span | None:
    if given is None:
        return None
    begin, end = moment(day, given[0], zone, fold=0), moment(day, given[1], zone, fold=1)
    if end <= begin:
        end = moment(day + _DAY, given[1], zone, fold=1)
    return (begin, end) if end > begin else None


def moment(day: date, clock: str, zone: ZoneInfo, *, fold: int) -> datetime:
    """A wall-clock time of a day in UTC; one that does not exist is the moment at which clocks went forward."""
    hour, _, minute = clock.partition(":")
    if hour == "24":
        day, hour = day + _DAY, "00"
    local = datetime.combine(day, time(int(hour), int(minute), fold=fold), zone)
    found = local.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        return _change(local, zone)
    return found


def _change(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment of the change in whose gap this wall-clock time falls."""
    low = local.replace(fold=1).astimezone(UTC) - timedelta(hours=3)
    high = local.replace(fold=0).astimezone(UTC) + timedelta(hours=3)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def _without(begin: datetime, end: datetime, holds: Sequence[Span]) -> Iterator[Span]:
    for one, other in holds:
        if other <= begin or one >= end:
            continue
        if one > begin:
            yield begin, one
        begin = max(begin, other)
    if begin < end:
        yield begin, end


def local_day(at: datetime, zone: str) -> date:
    """The date at a place."""
    return at.astimezone(zone_of(zone)).date()


def day_type(day: date, client: str, holidays: Mapping[str, frozenset[date]]) -> int:
    """0 = Monday … 6 = Sunday, 7 = a holiday of everybody ("") or of this client, whatever the weekday.

    >>> christmas = date(2026, 12, 25)
    >>> day_type(christmas, "acme", {"": frozenset({christmas})}), day_type(christmas, "acme", {})
    (7, 4)
    """
    is_holiday = day in holidays.get("", ()) or bool(client and day in holidays.get(client, ()))
    return HOLIDAY if is_holiday else day.weekday()


def hour_of_week(at: datetime, zone: str) -> int:
    """0 (Monday, first hour) … 167, by the wall clock of the place."""
    local = at.astimezone(zone_of(zone))
    return local.weekday() * 24 + local.hour
