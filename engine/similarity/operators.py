"""What operators taught: incidents that they merged or split, as a labelled recording.

Owns the labels. An incident says something of its alerts when somebody moved alerts into it or out of it: what is in it
now was judged by a person. All others stay unlabelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from data.learned_from import Stored, alerts
from data.records import DEFAULT_TENANT, TenantId
from engine.reasons import ReasonCode
from engine.similarity.recording import Line

_MOVED = frozenset({ReasonCode.MERGED.value, ReasonCode.SPLIT.value})


#: The newest alerts that are looked at: what people judged is among them, and memory is bounded.
ALERTS_MOST = 100_000


def recording(folder: Path, tenant: TenantId = DEFAULT_TENANT, most: int = ALERTS_MOST) -> list[Line]:
    """The newest alerts of a tenant in the order in which they began. Raises StoreError, FileNotFoundError."""
    stored = alerts(folder, tenant, most)
    judged = set(_judged(stored))
    return [Line(_row(one), str(one.incident) if one.incident in judged else "") for one in stored]


def _judged(stored: list[Stored]) -> Iterator[int]:
    for one in stored:
        for reason in one.body.get("why", ()):
            if reason.get("code") in _MOVED:
                yield one.incident
                left = reason.get("facts", {}).get("from")
                if isinstance(left, int):
                    yield left


def _row(one: Stored) -> dict[str, Any]:
    body = one.body
    return {
        "name": body.get("name", ""),
        "title": body.get("title", ""),
        "severity": body.get("severity", ""),
        "site": body.get("site", ""),
        "host": body.get("entity", ""),
        "service": body.get("service", ""),
        "correlation_id": body.get("correlation", ""),
        "labels": {"entity_type": body.get("entity_type", "")},
        "startsAt": body.get("starts_at"),
        "dedup_key": f"alert {one.id}",
    }


def write(lines: list[Line], path: Path) -> int:
    """As JSONL with the label `truth` → how many are labelled."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        for line in lines:
            file.write(encode({**line.row, "labels": {**line.row["labels"], "truth": line.truth}}) + b"\n")
    return sum(bool(line.truth) for line in lines)
