"""Labels: what operators handled first and what incidents came to, as examples to learn from.

Owns when an example is made. The first act on an incident says that it mattered more than those that waited then and
ranked above it; the end says whether its time was kept and whether anybody had to do anything. Rows are of the
moment at which the choice was made, and of the opening for what came of it. Never trains.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from heapq import nlargest
from math import isnan
from struct import pack, unpack
from typing import Any
from zlib import crc32

from data.nouns.priority import PastIncident, PriorityExample
from data.records import ENDED, Incident, IncidentId
from engine.book import Draft
from engine.priority import features, memory

OPENED, UNTOUCHED, TOLD = "priority.opened", "priority.untouched", "priority.told"
#: Of those that waited when one was chosen, so many become examples, out of so many that came last.
PASSED_OVER, LOOKED_AT = 5, 60
#: Of incidents that ended by themselves, which are most, one of so many is kept.
ONE_OF = 8
_LIMIT = 20_000
_TITLE_CHARS, _NAMES_MOST = 200, 5
_HALF_MAX = 65_504.0
#: Names the order of the columns: rows of another order are not learned from.
COLUMNS_ID = f"{crc32(','.join(features.COLUMNS).encode()):08x}"


def packed(row: Sequence[float]) -> bytes:
    return pack(f"<{len(row)}e", *map(_half, row))


def _half(value: float) -> float:
    return value if isnan(value) else max(-_HALF_MAX, min(_HALF_MAX, value))


def unpacked(raw: bytes) -> tuple[float, ...]:
    """Raises struct.error when it is no row."""
    return unpack(f"<{len(raw) // 2}e", raw)


def observe(draft: Draft, incident: Incident) -> None:
    """Look at an incident that this draft changed."""
    opened: dict[Any, Any] = draft.derived(OPENED)
    if incident.state in ENDED:
        if incident.id in opened:
            _ended(draft, incident)
        return
    if incident.id not in opened:
        if len(opened) >= _LIMIT:
            draft.discard(opened, next(iter(opened)))
        row = array("f", features.row(draft, incident)).tobytes()
        draft.set(opened, incident.id, (row, tuple(memory.begin(draft, incident))))
    untouched = draft.derived(UNTOUCHED)
    if not _touched(incident):
        if incident.id not in untouched and incident.firing:
            draft.set(untouched, incident.id, None)
    elif incident.id in untouched:
        draft.discard(untouched, incident.id)
        if incident.acked_at == draft.now or draft.audits:
            _chosen(draft, incident)


def tell(draft: Draft, incident: IncidentId, mattered: bool) -> None:
    """Say what an incident that is about to end came to, where that is known better than by its clock."""
    draft.set(draft.derived(TOLD), incident, float(mattered))


def _touched(incident: Incident) -> bool:
    return incident.acked_at is not None or bool(incident.owner) or incident.shelved_until is not None


def _chosen(draft: Draft, incident: Incident) -> None:
    if incident.shelved_until is not None and incident.acked_at is None:
        return  # put aside, not chosen
    _put(draft, incident, features.row(draft, incident), 1.0, "chosen")
    for other in _passed_over(draft, incident):
        _put(draft, other, features.row(draft, other), 0.0, "passed_over", by=f"{incident.id}-")


def _passed_over(draft: Draft, incident: Incident) -> list[Incident]:
    """The best ranked of those that came last and still wait, in the same tenant."""
    waiting = []
    for number, _ in zip(reversed(draft.derived(UNTOUCHED)), range(LOOKED_AT), strict=False):
        other = draft.book.incidents.get(number)
        if other is not None and other.tenant == incident.tenant and other.state not in ENDED:
            waiting.append(other)
    return nlargest(PASSED_OVER, waiting, key=lambda other: (other.priority, -other.id))


def _ended(draft: Draft, incident: Incident) -> None:
    row, keys = draft.derived(OPENED)[incident.id]
    draft.discard(draft.derived(OPENED), incident.id)
    draft.discard(draft.derived(UNTOUCHED), incident.id)
    features.forget(draft, incident)
    over = incident.resolved_at or incident.closed_at or draft.now
    seconds = (over - incident.opened_at).total_seconds()
    if incident.merged_into is not None:
        memory.end(draft, list(keys), 0.0, seconds)
        return
    _remember(draft, incident, seconds)
    label, why = verdict(incident)
    told: float | None = draft.derived(TOLD).get(incident.id)
    if told is not None:
        draft.discard(draft.derived(TOLD), incident.id)
        label, why = told, "labelled"
    memory.end(draft, list(keys), label, seconds)
    if why != "by_itself":
        _put(draft, incident, array("f", row), label, why)
    elif incident.id % ONE_OF == 0:
        _put(draft, incident, array("f", row), label, why, weight=float(ONE_OF))


def _remember(draft: Draft, incident: Incident, seconds: float) -> None:
    """For those who look for similar ones later."""
    record = PastIncident(
        tenant=incident.tenant,
        id=str(incident.id),
        at=draft.now,
        incident=incident.id,
        pattern=incident.names[0] if incident.names else "",
        title=incident.title[:_TITLE_CHARS],
        severity=incident.severity,
        site=incident.site,
        seconds=round(seconds, 1),
        resolution=incident.resolution[:_TITLE_CHARS],
        by=incident.owner or (incident.ack.by if incident.ack is not None else ""),
        names=incident.names[:_NAMES_MOST],
    )
    draft.put_noun(record, announce=False)


def verdict(incident: Incident) -> tuple[float, str]:
    """What an incident that is over came to: it mattered when its time was not enough, or when somebody had to act
    and it was not for nothing."""
    over = incident.resolved_at or incident.closed_at
    if over is not None and incident.due_at is not None and over > incident.due_at and _touched(incident):
        return 1.0, "overdue"
    return (0.0, "in_time") if _touched(incident) else (0.0, "by_itself")


def _put(
    draft: Draft,
    incident: Incident,
    row: Sequence[float],
    label: float,
    why: str,
    *,
    by: str = "",
    weight: float = 1.0,
) -> None:
    draft.put_noun(
        PriorityExample(
            tenant=incident.tenant,
            id=f"{by}{incident.id}-{why}",
            at=draft.now,
            incident=incident.id,
            columns=COLUMNS_ID,
            row=packed(row),
            label=label,
            why=why,
            weight=weight,
        ),
        announce=False,
    )
