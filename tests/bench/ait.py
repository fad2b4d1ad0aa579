"""The AIT alert data set as a recording: rows of a scenario's CSV → JSONL of Alertmanager alerts.

Owns the conversion. An alert of the set is a moment; here it becomes a statement about a series (same name and host,
no gap over a minute), which begins at the series' first moment. After the last one comes the statement that it is over.
"""

from __future__ import annotations

import csv
import json
import lzma
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

#: Seconds without news after which a series is over; as in the data set's own protocol.
GAP_SECONDS = 60.0


class Moment(NamedTuple):
    """One alert of the set; `step` is the attack step of this very event, "-" for none."""

    at: float
    name: str
    ip: str
    host: str
    phase: str
    step: str


class Series(NamedTuple):
    moment: Moment
    first: float
    last: float


def moments(path: Path) -> Iterator[Moment]:
    """The alerts of `<scenario>_alerts.csv.xz`, in its order."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Moment(float(row["time"]), row["name"], row["ip"], row["host"], row["time_label"], row["event_label"])


def statements(found: Iterable[Moment]) -> Iterator[dict[str, Any]]:
    """Alertmanager alerts in the order in which a sender would have sent them."""
    open_: dict[tuple[str, str], Series] = {}
    for moment in sorted(found, key=lambda moment: moment.at):
        yield from _over(open_, moment.at)
        key = (moment.name, moment.host)
        known = open_.pop(key, None)
        series = Series(moment, moment.at if known is None else known.first, moment.at)
        open_[key] = series
        yield _statement(series)
    yield from _over(open_, float("inf"))


def _over(open_: dict[tuple[str, str], Series], now: float) -> Iterator[dict[str, Any]]:
    """Series without news for a minute; the one that has waited longest stands first."""
    while open_:
        key, series = next(iter(open_.items()))
        if now - series.last <= GAP_SECONDS:
            return
        del open_[key]
        yield {**_statement(series), "endsAt": _text(series.last + GAP_SECONDS)}


def _statement(series: Series) -> dict[str, Any]:
    """Without an end: it fires."""
    sensor, _, words = series.moment.name.partition(": ")
    return {
        "labels": {
            "alertname": series.moment.name,
            "host": series.moment.host,
            "ip": series.moment.ip,
            "sensor": sensor,
        },
        "annotations": {"summary": words or series.moment.name},
        "startsAt": _text(series.first),
    }


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def write(found: Iterable[Moment], path: Path) -> int:
    """The recording as JSONL → its lines."""
    lines = 0
    with path.open("w", encoding="utf-8") as file:
        for statement in statements(found):
            file.write(json.dumps(statement, separators=(",", ":")) + "\n")
            lines += 1
    return lines
