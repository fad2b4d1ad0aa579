"""Where the ticks of a time axis stand, in the wall clock of a zone. Pure.

A tick stands in the first cell that begins at or after a round time of the wall clock. On a day on which clocks change
ticks are as far apart as the hours that really passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from noc_console.safe_text import Safe, fit

#: Seconds since 1970 UTC → the wall clock.
WallClock = Callable[[float], datetime]

MINUTE, HOUR, DAY = 60, 3_600, 86_400
#: Cells between the beginnings of two labels at least.
APART = 9
Number = Callable[[datetime], int]


def _minutes(by: int) -> Number:
    return lambda at: (at.toordinal() * 1440 + at.hour * 60 + at.minute) // by


def _days(by: int) -> Number:
    """Weeks begin on Mondays."""
    return lambda at: (at.toordinal() - 1) // by


def _months(by: int) -> Number:
    return lambda at: (at.year * 12 + at.month - 1) // by


#: (nominal seconds, number of the step that a time of the wall clock lies in)
_STEPS: tuple[tuple[int, Number], ...] = (
    *((by * MINUTE, _minutes(by)) for by in (1, 5, 10, 15, 30, 60, 120, 180, 360, 720)),
    *((by * DAY, _days(by)) for by in (1, 7, 14)),
    *((by * 30 * DAY, _months(by)) for by in (1, 3, 6, 12)),
)


def wall_clock(zone: str) -> WallClock:
    """That of an IANA zone; "" is this machine's. A name that is none is UTC."""
    if not zone:
        return lambda at: datetime.fromtimestamp(at, UTC).astimezone()
    try:
        info = ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        info = ZoneInfo("UTC")
    return lambda at: datetime.fromtimestamp(at, info)


def zone_words(clock: WallClock, at: float) -> Safe:
    """How far the wall clock is from UTC at that time: UTC, +01:00, -03:30."""
    offset = clock(at).utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    if not minutes:
        return Safe("UTC")
    hours, rest = divmod(abs(minutes), 60)
    return Safe(f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}")


def ticks(since: float, until: float, cells: int, clock: WallClock) -> list[tuple[int, Safe]]:
    """(cell, label) from left to right over `cells` equal parts of [since, until) in seconds."""
    if cells < 2 or until <= since:
        return []
    step = (until - since) / cells
    seconds, number = next((s for s in _STEPS if s[0] / step >= APART), _STEPS[-1])
    found, before = [], clock(since - step)
    for cell in range(cells):
        now = clock(since + cell * step)
        if number(now) != number(before):
            found.append((cell, _label(before, now, seconds, number(now))))
        before = now
    return found


def _label(before: datetime, now: datetime, seconds: int, number: int) -> Safe:
    """The round time that lies between the two; `number` is that of the step of `seconds` that begins there."""
    if seconds >= 30 * DAY:
        return Safe(f"{now:%Y}" if now.year != before.year else f"{now:%b}")
    if seconds >= DAY:
        return Safe(f"{date.fromordinal(number * (seconds // DAY) + 1):%d %b}")
    if now.date() != before.date():
        return Safe(f"{now:%d %b}")
    minutes = now.hour * 60 + now.minute
    minutes -= minutes % max(1, seconds // MINUTE)
    return Safe(f"{minutes // 60:02d}:{minutes % 60:02d}")


def label_line(marks: Sequence[tuple[int, Safe]], cells: int) -> Safe:
    """The labels on one line of `cells` cells, each from its tick on; what does not fit is left out."""
    line = ""
    for cell, label in _fitting(marks, cells):
        line = line.ljust(cell) + label
    return fit(Safe(line), cells)


def _fitting(marks: Sequence[tuple[int, Safe]], cells: int) -> Iterator[tuple[int, Safe]]:
    end = -1
    for cell, label in marks:
        if cell > end and cell + len(label) <= cells:
            yield cell, label
            end = cell + len(label)
