"""Recorded lines → posts to the engine's intake. Pure but for reading the lines.

Owns what a line may be: an Alertmanager alert, an array of them, a CloudEvent, a generic alert, or a recorded
request `{"at": …, "path": …, "body": …}`. Never judges a row: a line that is not understood is sent as it is and
becomes a dead letter with its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

INTAKE = ("/api/v2/alerts", "/ingest/", "/v2/enqueue", "/v2/change/enqueue")
EVENTS = "/ingest/events"
NDJSON = "application/x-ndjson"
ROWS_MAX = 500
BYTES_MAX = 2 * 1024 * 1024
#: Seconds of real time that one post may hold when a recording runs at its own pace.
SPAN_SECONDS = 0.25

_TIMES = ("at", "startsAt", "time", "timestamp", "starts_at")


class Row(NamedTuple):
    """One line's worth: `path` is set for a recorded request, `at` when the line says when it was."""

    body: bytes
    at: datetime | None = None
    path: str = ""


class Post(NamedTuple):
    """One request. `key` is the same whenever the same recording is replayed, so that a repeat doubles nothing."""

    path: str
    media: str
    body: bytes
    rows: int
    key: str
    at: datetime | None


class BadRecording(ValueError):
    """A line that must not be sent; the text names it."""


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Raises BadRecording for a recorded request to anywhere but intake."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield from _rows(line.strip(), number)


def posts(found: Iterable[Row], speed: float = math.inf) -> Iterator[Post]:
    """Rows gathered into requests: as large as they may be, but at a pace no more than is due at once."""
    batch: list[Row] = []
    size = ordinal = 0
    for row in found:
        full = len(batch) >= ROWS_MAX or size + len(row.body) > BYTES_MAX
        if batch and (row.path or full or _later(batch, row, speed)):
            yield _post(batch, ordinal)
            batch, size, ordinal = [], 0, ordinal + 1
        batch.append(row)
        size += len(row.body)
        if row.path:
            yield _post(batch, ordinal)
            batch, size, ordinal = [], 0, ordinal + 1
    if batch:
        yield _post(batch, ordinal)


def time_of(value: Any) -> datetime | None:
    """A record's own time: RFC 3339, or seconds or milliseconds since 1970; None when it has none."""
    for name in _TIMES:
        found = value.get(name)
        try:
            if isinstance(found, str) and found:
                moment = datetime.fromisoformat(found)
                return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            if isinstance(found, (int, float)) and not isinstance(found, bool):
                return datetime.fromtimestamp(found / 1000 if found > 1e11 else found, UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _rows(line: bytes, number: int) -> Iterator[Row]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        yield Row(line)
        return
    if isinstance(value, dict) and "path" in value and "body" in value:
        yield _request(value, number)
    elif isinstance(value, list):
        yield from (Row(_encode(item), time_of(item) if isinstance(item, dict) else None) for item in value)
    else:
        yield Row(line, time_of(value) if isinstance(value, dict) else None)


def _request(value: dict[str, Any], number: int) -> Row:
    path, body = value["path"], value["body"]
    if not isinstance(path, str) or not path.startswith(INTAKE) or not path.isprintable() or " " in path:
        raise BadRecording(f"line {number}: path {path!r} is not intake; there are {', '.join(INTAKE)}")
    return Row(body.encode() if isinstance(body, str) else _encode(body), time_of(value), path)


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _later(batch: list[Row], row: Row, speed: float) -> bool:
    first = batch[0].at
    return bool(first and row.at and abs((row.at - first).total_seconds()) > SPAN_SECONDS * speed)


def _post(batch: list[Row], ordinal: int) -> Post:
    path = batch[0].path or EVENTS
    body = b"\n".join(row.body for row in batch)
    media = "application/json" if batch[0].path else NDJSON
    if batch[0].path == EVENTS and b'"specversion"' in body:
        media = "application/cloudevents-batch+json" if body[:1] == b"[" else "application/cloudevents+json"
    key = blake2b(b"%d %s\n%s" % (ordinal, path.encode(), body), digest_size=16).hexdigest()
    return Post(path, media, body, len(batch), f"replay-{key}", batch[0].at)
