"""Times as senders write them, made aware UTC datetimes by one rule.

Owns the rule and the clamp for clocks that run ahead. Never asks the machine what time it is.

The rule, for every format:

- RFC 3339 / ISO 8601 text with an offset is converted to UTC; without one it is UTC. A leap second is the next second.
- A number, or text that is only digits with at most one point, counts since 1970: in seconds below 1e11,
  milliseconds below 1e14, microseconds below 1e17, else nanoseconds.
- Absent, null, empty text, 0 and the year 1 (Go's zero time) all mean "not given".
- Anything else, a time before 1970 as a number, or one outside the years 1 to 9999 is refused with the field's name.
- A start more than five minutes after receipt is set to the time of receipt and marked as skewed.

What counts as the beginning of an alert, and with it of its incident (age, SLA, MTTA, MTTR, alarms in ten minutes), is
the start that its source named: never later than its arrival, and its arrival where that start is more than thirty days
before it, which is a clock that was never set and not a condition that old.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from data.records import Alert
from engine.ports import FormatError

#: A start further ahead of receipt than this is a wrong clock, not news.
SKEW = timedelta(minutes=5)
#: A start further before receipt than this is not believed.
OLDEST = timedelta(days=30)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEDY = "send RFC 3339 such as 2024-05-01T12:00:00Z, or a Unix time"
#: Upper bound of the magnitude and the number of such units in a second.
_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (math.inf, 1_000_000_000))


def parse_time(value: object, field: str) -> datetime | None:
    """Any time a sender may write → aware UTC, or None for "not given". Raises FormatError naming `field`."""
    try:
        if value is None or value == "":
            return None
        if isinstance(value, str):
            return _from_text(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _from_number(value)
    except (ValueError, OverflowError) as error:
        raise FormatError(field, f"not a time: {value!r:.60}", _REMEDY) from error
    raise FormatError(field, f"not a time: {type(value).__name__}", _REMEDY)


def as_utc(value: datetime | None, field: str) -> datetime | None:
    """A decoded datetime of any offset → aware UTC; None and the year 1 → None. Raises FormatError naming `field`."""
    if value is None or value.year == 1:
        return None
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise FormatError(field, "time outside the years 1 to 9999", _REMEDY) from error


def began_at(alert: Alert) -> datetime:
    """When the alert began, as all clocks count: see the rule above."""
    start, arrived = alert.starts_at, alert.received_at
    return start if arrived - OLDEST <= start <= arrived else arrived


def _from_text(text: str) -> datetime | None:
    if text.replace(".", "", 1).isdecimal() and text.isascii():
        return _from_number(float(text) if "." in text else int(text))
    if text.startswith("0001-"):
        return None
    leap = text[16:19] == ":60"
    moment = datetime.fromisoformat((text[:16] + ":59" + text[19:] if leap else text).upper())
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment + timedelta(seconds=1) if leap else moment


def _from_number(value: int | float) -> datetime | None:
    if value == 0:
        return None
    if value < 0 or not math.isfinite(value):
        raise ValueError(value)
    per_second = next(per for below, per in _UNITS if value < below)
    if isinstance(value, int):
        seconds, rest = divmod(value, per_second)
        return _EPOCH + timedelta(seconds=seconds, microseconds=rest * 1_000_000 // per_second)
    return _EPOCH + timedelta(seconds=value / per_second)
