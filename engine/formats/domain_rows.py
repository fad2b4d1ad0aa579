"""The data of a `noc.*` CloudEvent as rows of the line: checked against `engine.domain.events`, field by field.

Owns the reading of rows and times. Never looks at what is known of the world.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from engine.domain.events import DATA, DomainEvent
from engine.ports import FormatError, Received

#: Rows that one event may carry, and how far ahead of ours a sender's clock may be.
ROWS = 10_000
SKEW = timedelta(minutes=5)
#: Characters of a text (of a note, which is cut where it is kept), parts of a list, keys of a map and its characters:
#: what is kept in memory is counted, so it must not be large either.
TEXT_CHARS, NOTE_CHARS, PARTS, KEYS, MAP_CHARS = 4096, 65_536, 1000, 64, 8192

#: The field that the event's `subject` stands in for, the first of these that the row has.
_NAMED_BY_SUBJECT = ("id", "person", "name")


def events_of(event: dict[str, Any], data: Any, received: Received) -> list[DomainEvent]:
    """One domain event per row of `data`, which is an object or an array of them. Raises FormatError."""
    kind, at = event["type"], _time_of(event, received)
    rows = data if isinstance(data, list) else [data]
    if not 1 <= len(rows) <= ROWS:
        raise FormatError("data", f"{len(rows)} rows in one event", f"send 1 to {ROWS}")
    found = []
    for number, row in enumerate(rows):
        place = "data" if row is data else f"data[{number}]"
        record = _row_of(kind, row, event.get("subject"), place)
        found.append(
            DomainEvent(type=kind, source=event["source"], id=event["id"], at=at, data=record, row=number)
        )
    return found


def _row_of(kind: str, row: Any, subject: Any, place: str) -> Struct:
    shape = DATA[kind]
    name = next((name for name in _NAMED_BY_SUBJECT if name in shape.__struct_fields__), "")
    if isinstance(row, dict) and name and name not in row and subject:
        row = {name: subject, **row}
    try:
        found = msgspec.convert(row, shape)
    except msgspec.ValidationError as error:
        reason, _, inside = str(error).partition(" - at `$")
        raise FormatError(place + inside.rstrip("`"), reason, f"send the fields of {kind}") from error
    _check(found, place)
    return found


def _check(row: Struct, place: str) -> None:
    """Raises FormatError for a time without a zone, or what is too large, anywhere in the row."""
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise FormatError(f"{place}.{name}", "a time without a zone", "end the time in Z or an offset")
        if isinstance(value, str | tuple | dict) and _is_large(name, value):
            raise FormatError(f"{place}.{name}", "too long", f"send at most {TEXT_CHARS} characters or {PARTS} parts")
        if isinstance(value, tuple):
            for number, part in enumerate(value):
                if isinstance(part, Struct):
                    _check(part, f"{place}.{name}[{number}]")


def _is_large(name: str, value: str | tuple[Any, ...] | dict[str, Any]) -> bool:
    if isinstance(value, str):
        return len(value) > (NOTE_CHARS if name == "note" else TEXT_CHARS)
    if isinstance(value, tuple):
        return len(value) > PARTS or any(isinstance(part, str) and len(part) > TEXT_CHARS for part in value)
    return len(value) > KEYS or sum(len(key) + len(str(part)) for key, part in value.items()) > MAP_CHARS


def _time_of(event: dict[str, Any], received: Received) -> datetime:
    """The event's own time; one from the future is cut to now plus the allowed skew."""
    text = event.get("time")
    if text is None:
        return received.now
    try:
        at = msgspec.convert(text, datetime)
    except msgspec.ValidationError as error:
        raise FormatError("time", "not an RFC 3339 time", "send 2026-01-31T12:00:00Z") from error
    if at.tzinfo is None:
        raise FormatError("time", "no zone", "end the time in Z or an offset")
    try:
        return min(at.astimezone(UTC), received.now + SKEW)
    except OverflowError as error:
        raise FormatError("time", "out of range", "send a time of this century") from error
