"""Rhythm: how regularly each source is heard, and the alert when one that is regular falls silent.

Owns the learned rhythm. Interval and wander are exponentially weighted means. A source without a rhythm (webhooks that
speak only when something is wrong) is never called silent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.samples import Rhythm
from data.records import TenantId
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.registry import every

#: Deliveries before a source is judged, the weight of a new one, and how many sources are followed.
ENOUGH, WEIGHT, SOURCES = 20, 0.1, 5000
#: Deliveries closer together are one.
TOGETHER_SECONDS = 0.5
#: Silent: so many intervals and wanders late, and at least so many seconds.
INTERVALS, WANDERS, LEAST_SECONDS = 3.0, 6.0, 120.0
#: A source that wanders by more than its interval has no rhythm.
REGULAR = 1.0
FORGET = timedelta(days=7)
_TABLE, _SINCE = "domain.rhythms", "domain.listening"


def rhythms(draft: Draft) -> dict[Any, Any]:
    """(tenant, source) → its rhythm; after a start as it was in the last snapshot."""
    return known.index(draft, _TABLE, ("rhythms",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: Rhythm) -> None:
    table[record.tenant, record.id] = record


def heard(draft: Draft, tenant: TenantId, source: str) -> None:
    """A delivery of a source came now."""
    since = draft.derived(_SINCE)
    if tenant not in since:
        draft.set(since, tenant, draft.now)
    table = rhythms(draft)
    place = (tenant, source)
    of: Rhythm | None = table.get(place)
    if of is None:
        if len(table) <= SOURCES:
            draft.set(table, place, Rhythm(tenant=tenant, id=source, at=draft.now, last_at=draft.now))
        return
    gap = (draft.now - of.last_at).total_seconds()
    if gap < TOGETHER_SECONDS:
        return
    if of.state == "silent":
        _back(draft, table, of)
        return
    weight = max(WEIGHT, 1.0 / of.count) if of.count else 1.0
    interval = of.interval + weight * (gap - of.interval)
    wander = of.wander + weight * (abs(gap - interval) - of.wander)
    draft.set(table, place, replace(of, last_at=draft.now, interval=interval, wander=wander, count=of.count + 1))


def _back(draft: Draft, table: dict[Any, Any], of: Rhythm) -> None:
    """The gap of its silence is nothing to learn from."""
    draft.tenant = of.tenant
    clear(draft, "source_silent", about(of), at=draft.now)
    found = replace(of, last_at=draft.now, state="heard")
    draft.set(table, (of.tenant, of.id), found)
    draft.put_noun(replace(found, at=draft.now))


def listening_since(draft: Draft) -> datetime:
    """When this engine first heard of the draft's tenant since its start: silence before says nothing of anybody."""
    found: datetime | None = draft.derived(_SINCE).get(draft.tenant)
    return found or draft.now


def about(of: Rhythm) -> About:
    return About(entity=of.id, entity_type="source", parts={"source": of.id})


def limit_seconds(of: Rhythm) -> float | None:
    """After how long a silence is an alert; None for a source without a rhythm."""
    if of.count < ENOUGH or of.wander > REGULAR * of.interval:
        return None
    return max(LEAST_SECONDS, INTERVALS * of.interval + WANDERS * of.wander)


@every(15.0)
def listen(draft: Draft) -> None:
    """Who has fallen silent."""
    table = rhythms(draft)
    for place, of in list(table.items()):
        if not place or of.state == "silent":
            continue
        limit = limit_seconds(of)
        silent = (draft.now - of.last_at).total_seconds()
        if limit is None or silent <= limit:
            continue
        draft.tenant = of.tenant
        found = replace(of, state="silent")
        draft.set(table, place, found)
        draft.put_noun(replace(found, at=draft.now))
        title = f"{of.id} is silent: heard every {of.interval:.0f} s until {of.last_at:%H:%M:%S} UTC"
        since = of.last_at + timedelta(seconds=limit)
        fire(draft, "source_silent", about(of), title=title, since=since)


@every(600.0)
def write_down(draft: Draft) -> None:
    """Snapshots, so that a start does not begin to learn anew; what is long gone is forgotten."""
    table = rhythms(draft)
    for place, of in list(table.items()):
        if not place:
            continue
        draft.tenant = of.tenant
        if draft.now - of.last_at > FORGET and of.state == "heard":
            draft.discard(table, place)
        elif of.count >= ENOUGH:
            old = draft.noun("rhythms", of.id)
            if old is None or old.last_at != of.last_at:
                draft.put_noun(replace(of, at=draft.now), announce=False)
