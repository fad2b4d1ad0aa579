"""Sources, rejects and KPIs as rows. Pure but for the clock they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from data.records import Reject
from noc_console import words
from noc_console.desk import Desk
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

#: A source is called silent when nothing came for this long and for this many times its usual gap.
SILENT_SECONDS = 300.0
SILENT_GAPS = 5.0

SOURCE_COLUMNS = (
    Column(key="state", title=Safe("STATE"), width=10, keep=95),
    Column(key="name", title=Safe("SOURCE"), width=16, flex=10, most=40, keep=100),
    Column(key="last", title=Safe("LAST"), width=6, right=True, keep=98),
    Column(key="rate", title=Safe("ROWS/MIN"), width=9, right=True, descending=True, keep=90),
    Column(key="rows", title=Safe("ROWS"), width=10, right=True, descending=True, keep=80),
    Column(key="envelopes", title=Safe("MESSAGES"), width=9, right=True, descending=True, keep=40),
    Column(key="first", title=Safe("SINCE"), width=6, right=True, keep=30),
)


class SourceRows:
    """Cells of a source by its name."""

    def __init__(self, desk: Desk, sources: Mapping[str, Mapping[str, Any]]) -> None:
        self._desk, self._sources = desk, sources

    def cells(self, key: str) -> Sequence[Piece]:
        source = self._sources.get(key)
        if source is None:
            return [Piece(Safe(""))] * len(SOURCE_COLUMNS)
        now = self._desk.clock.now()
        silent = silent_seconds(source, now)
        first, last = _moment(source, "first_at"), _moment(source, "last_at")
        return (
            Piece(Safe("! silent"), "warn") if silent else Piece(Safe("sending"), "ok"),
            Piece(safe_text(key), "strong" if silent else "text"),
            Piece(words.age(last, now) if last else Safe("-"), "warn" if silent else "text"),
            Piece(Safe(f"{rows_per_minute(source, now):,.1f}")),
            Piece(Safe(f"{source.get('rows', 0):,}")),
            Piece(Safe(f"{source.get('envelopes', 0):,}"), "dim"),
            Piece(words.age(first, now) if first else Safe("-"), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        source, now = self._sources.get(key, {}), self._desk.clock.now()
        last, first = _moment(source, "last_at"), _moment(source, "first_at")
        value = {
            "state": 0 if silent_seconds(source, now) else 1,
            "name": 0,
            "last": -last.timestamp() if last else 0,
            "rate": rows_per_minute(source, now),
            "rows": source.get("rows", 0),
            "envelopes": source.get("envelopes", 0),
            "first": -first.timestamp() if first else 0,
        }[column]
        return (value, key)


def silent_seconds(source: Mapping[str, Any], now: datetime) -> float:
    """For how long it has been silent against its habit; 0 while it is as usual."""
    first, last = _moment(source, "first_at"), _moment(source, "last_at")
    if first is None or last is None:
        return 0.0
    gap = (last - first).total_seconds() / max(1, source.get("envelopes", 1) - 1)
    since = (now - last).total_seconds()
    return since if since > max(SILENT_SECONDS, SILENT_GAPS * gap) else 0.0


def rows_per_minute(source: Mapping[str, Any], now: datetime) -> float:
    """Mean since the source was first heard."""
    first = _moment(source, "first_at")
    minutes = max(1.0, (now - first).total_seconds() / 60) if first else 1.0
    return float(source.get("rows", 0)) / minutes


def _moment(source: Mapping[str, Any], field: str) -> datetime | None:
    """Aware datetime; a line carries it as text."""
    found = source.get(field)
    return msgspec.convert(found, datetime) if found is not None else None


REJECT_COLUMNS = (
    Column(key="id", title=Safe("ID"), width=7, descending=True, keep=80),
    Column(key="age", title=Safe("AGE"), width=5, right=True, keep=90),
    Column(key="source", title=Safe("SOURCE"), width=12, flex=3, most=24, keep=95),
    Column(key="format", title=Safe("FORMAT"), width=12, flex=1, most=16, keep=40),
    Column(key="field", title=Safe("FIELD"), width=12, flex=3, most=24, keep=60),
    Column(key="reason", title=Safe("REASON"), width=24, flex=10, keep=100),
    Column(key="bytes", title=Safe("BYTES"), width=8, right=True, descending=True, keep=30),
)


class RejectRows:
    """Cells of a dead letter by its number."""

    def __init__(self, desk: Desk, rejects: Mapping[int, Reject]) -> None:
        self._desk, self._rejects = desk, rejects

    def cells(self, key: int) -> Sequence[Piece]:
        reject = self._rejects.get(key)
        if reject is None:
            return [Piece(Safe(""))] * len(REJECT_COLUMNS)
        return (
            Piece(Safe(f"R-{reject.id}"), "strong"),
            Piece(words.age(reject.at, self._desk.clock.now())),
            Piece(safe_text(reject.source)),
            Piece(safe_text(reject.format), "dim"),
            Piece(safe_text(reject.field or "-")),
            Piece(safe_text(reject.reason)),
            Piece(Safe(f"{len(reject.body):,}"), "dim"),
        )

    def rank(self, key: int, column: str) -> Any:
        reject = self._rejects.get(key)
        if reject is None:
            return (0, 0)
        return (_REJECT_RANKS[column](reject), reject.id)


_REJECT_RANKS: dict[str, Any] = {
    "id": lambda r: r.id,
    "age": lambda r: -r.at.timestamp(),
    "source": lambda r: r.source.casefold(),
    "format": lambda r: r.format,
    "field": lambda r: r.field,
    "reason": lambda r: r.reason.casefold(),
    "bytes": lambda r: len(r.body),
}
