"""Room: how many records of a kind a tenant may have in memory, and the refusal of events that would add to a full one.

Owns the limit. What is known goes on being updated, and a call for help is always heard; what is refused becomes a dead
letter that names the remedy and can be replayed. Never forgets a record to make room for another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from data.records import Reject
from engine.book import Draft
from engine.domain import known
from engine.domain.events import DomainEvent
from engine.domain.settings import rules_of

#: `Reject.field` of what was refused for want of room.
FIELD = "records"
#: Event type → the kind of record that it makes, named by `data.id`; signs of life make windows of their own.
CREATES: Mapping[str, str] = {
    "noc.client": "clients",
    "noc.site": "sites",
    "noc.person": "people",
    "noc.device": "devices",
    "noc.shift": "shifts",
    "noc.tour": "tours",
    "noc.ticket": "tickets",
    "noc.workorder": "workorders",
    "noc.task": "tasks",
    "noc.asset": "assets",
    "noc.activity": "signals",
}
KINDS = frozenset(CREATES.values())
#: Fields that name what a stub is made for when it is not known.
_NAMES = (("site", "sites"), ("person", "people"), ("device", "devices"), ("parent", "devices"))
#: A tenant's share of a table that is large is counted anew after so long; in between it is kept up.
_COUNTED_FOR = timedelta(seconds=5)
_TABLE = "domain.room"


class Counted(NamedTuple):
    at: datetime
    records: int


def refused(draft: Draft, event: DomainEvent) -> bool:
    """Whether there is no room for what this event would add; then it is among the draft's dead letters."""
    full = _full(draft, event)
    if not full:
        return False
    draft.rejects.append(_letter(draft, event, full))
    return True


def _full(draft: Draft, event: DomainEvent) -> str:
    """The kind that has no room for the event, "" = there is room."""
    if event.type == "noc.activity" and getattr(event.data, "kind", "") == "sos":
        return ""
    for kind, id in _wanted(event):
        held = draft.book.nouns[kind]
        # Most often the whole table is smaller than what one tenant may have.
        if len(held) < min(_limit(draft, kind), known.STUBS) or (id and (draft.tenant, id) in held):
            continue
        if _held(draft, kind) >= _limit(draft, kind) or (
            kind != CREATES.get(event.type) and known.is_full(draft, kind)
        ):
            return kind
    return ""


def _wanted(event: DomainEvent) -> Iterator[tuple[str, str]]:
    """(kind, id) of what it makes, then of what it names."""
    data: Any = event.data
    kind = CREATES.get(event.type)
    if kind is not None:
        yield kind, getattr(data, "id", "")
    for field, of in _NAMES:
        name = getattr(data, field, "")
        if name:
            yield of, name


def _limit(draft: Draft, kind: str) -> int:
    rules = rules_of(draft)
    return rules.records_max_of.get(kind, rules.records_max)


def _held(draft: Draft, kind: str) -> int:
    """Records of the kind that the draft's tenant has, with this one event's if it is let in."""
    counts, place = draft.derived(_TABLE), (draft.tenant, kind)
    found: Counted | None = counts.get(place)
    if found is None or not timedelta(0) <= draft.now - found.at < _COUNTED_FOR:
        mine = sum(tenant == draft.tenant for tenant, _ in draft.book.nouns[kind])
        found = Counted(draft.now, mine)
    if found.records < _limit(draft, kind):
        draft.set(counts, place, Counted(found.at, found.records + 1))
    else:
        draft.set(counts, place, found)
    return found.records


def _letter(draft: Draft, event: DomainEvent, kind: str) -> Reject:
    data = msgspec.to_builtins(event.data)
    body = {
        "specversion": "1.0",
        "type": event.type,
        "source": event.source,
        "id": event.id,
        "time": event.at,
        "data": {name: value for name, value in data.items() if value is not None},
    }
    return Reject(
        tenant=draft.tenant,
        source=event.source,
        format="cloudevents",
        at=draft.now,
        field=FIELD,
        reason=f"no room for more {kind}: {_limit(draft, kind):,} are held",
        remedy=f"end what is over, or raise limits.records_max_of.{kind}, then replay it",
        body=msgspec.json.encode(body).decode(),
    )
