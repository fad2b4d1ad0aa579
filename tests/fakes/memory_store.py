"""A store in memory with the contract of `data.ports.Store`, and digests of what it and a Book hold.

Records go through JSON on their way out, as they do in a real store, so that what does not survive it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, TypeVar

from msgspec import json, to_builtins
from msgspec.structs import asdict, replace

from data.nouns import NOUN_OF_RECORD, NOUNS
from data.ports import Commit, Fenced, Seen, Snapshot, StoreError
from data.records import (
    ENDED,
    Alert,
    AlertId,
    AlertNotes,
    Audit,
    Change,
    Cluster,
    ClusterId,
    Effect,
    Incident,
    IncidentId,
    IncidentState,
    Partition,
    Pattern,
    Reject,
    Silence,
    TimelineEntry,
    Token,
    Undo,
)
from engine.book import Book

T = TypeVar("T")


#: Kinds of records that learners keep, and fields that they give.
LEARNED = frozenset(
    {"learned", "priority_examples", "past_incidents", "contexts", "rules", "detector_states", "waiting_scores"}
)
JUDGED = frozenset({"unusual", "priority", "contributions", "root"})


class MemoryStore:
    """One writer at a time, by epoch. `write` is `commit` without the wait; `commits` counts them."""

    def __init__(self) -> None:
        self.alerts: dict[AlertId, Alert] = {}
        self.clusters: dict[ClusterId, Cluster] = {}
        self.incidents: dict[IncidentId, Incident] = {}
        self.silences: dict[tuple[str, str], Silence] = {}
        self.undos: dict[str, Undo] = {}
        self.notes: dict[tuple[str, str], AlertNotes] = {}
        self.patterns: dict[tuple[str, str], Pattern] = {}
        self.seen: dict[tuple[str, str, str], Seen] = {}
        self.timeline: list[TimelineEntry] = []
        self.rejects: list[Reject] = []
        self.effects: dict[str, Effect] = {}
        self.audits: list[Audit] = []
        self.changes: list[Change] = []
        self.nouns: dict[tuple[str, str, str], Any] = {}
        self.seq = self.epoch = self.commits = 0

    async def open(self) -> None: ...

    async def acquire(self, partition: Partition, owner: str, now: datetime, ttl: float) -> int | None:
        self.epoch += 1
        return self.epoch

    async def renew(self, partition: Partition, epoch: int, now: datetime) -> None: ...

    async def release(self, partition: Partition, epoch: int) -> None: ...

    async def load(self, partition: Partition, now: datetime, recent_seconds: float) -> Snapshot:
        return self.snapshot(now, recent_seconds)

    async def commit(self, commit: Commit) -> None:
        self.write(commit)

    async def claim(self, *_: Any, **__: Any) -> Sequence[Effect]:
        return ()

    async def disown(self, *_: Any) -> int:
        return 0

    async def settle(self, effect: Effect) -> None:
        self.effects[effect.key] = effect

    async def prune(self, now: datetime, keep_days: Mapping[str, float]) -> int:
        return 0

    async def save_token(self, token: Token) -> None: ...

    async def close(self) -> None: ...

    def write(self, commit: Commit) -> None:
        if commit.epoch != self.epoch:
            raise Fenced(f"epoch {commit.epoch} is over")
        first = commit.changes[0].seq if commit.changes else self.seq + 1
        if first != self.seq + 1:
            raise StoreError(f"the first seq is {first} where {self.seq + 1} follows")
        json.encode(commit)  # what cannot be written down is refused before anything is
        self.commits += 1
        self.seq += len(commit.changes)
        self.alerts |= {alert.id: alert for alert in commit.alerts}
        self.clusters |= {cluster.id: cluster for cluster in commit.clusters}
        self.incidents |= {incident.id: incident for incident in commit.incidents}
        for table, touches in (
            (self.alerts, commit.touches),
            (self.clusters, commit.cluster_touches),
            (self.incidents, commit.incident_touches),
        ):
            for touch in touches:
                table[touch.id] = replace(table[touch.id], **asdict(touch))  # type: ignore[index, type-var]
        self._write_rare(commit)

    def _write_rare(self, commit: Commit) -> None:
        self.silences |= {(silence.tenant, silence.id): silence for silence in commit.silences}
        self.undos |= {undo.id: undo for undo in commit.undos}
        self.notes |= {(notes.tenant, notes.key): notes for notes in commit.notes}
        self.patterns |= {(pattern.tenant, pattern.name): pattern for pattern in commit.patterns}
        self.seen |= {(seen.tenant, seen.source, seen.id): seen for seen in commit.seen}
        self.effects |= {effect.key: effect for effect in commit.effects}
        self.nouns |= {(NOUN_OF_RECORD[type(noun)].kind, noun.tenant, noun.id): noun for noun in commit.nouns}
        self.timeline += commit.timeline
        self.rejects += commit.rejects
        self.audits += commit.audits
        self.changes += commit.changes

    def snapshot(self, now: datetime, recent_seconds: float) -> Snapshot:
        recent = now - timedelta(seconds=recent_seconds)
        incidents = {
            number: incident
            for number, incident in self.incidents.items()
            if incident.state is not IncidentState.CLOSED and incident.merged_into is None
        }
        undos = [undo for undo in self.undos.values() if undo.expires_at > now]
        back = {
            incident.id
            for undo in undos
            if not undo.used
            for incident in undo.incidents
            if self.incidents[incident.id].state is IncidentState.CLOSED
        }
        unfinished = back | {number for number, incident in incidents.items() if incident.state not in ENDED}
        alerts = [
            alert
            for alert in self.alerts.values()
            if alert.ended_at is None or alert.incident in unfinished or alert.ended_at >= recent
        ]
        clusters = [found for found in self.clusters.values() if found.incident in {*incidents, *back}]
        return Snapshot(
            alerts=_again(alerts, Alert),
            clusters=_again(clusters, Cluster),
            incidents=_again([*incidents.values(), *(self.incidents[number] for number in back)], Incident),
            silences=_again(list(self.silences.values()), Silence),
            undos=_again(undos, Undo),
            notes=_again(list(self.notes.values()), AlertNotes),
            patterns=_again(list(self.patterns.values()), Pattern),
            seen=list(self.seen.values()),
            nouns=[
                found
                for name, kind in NOUNS.items()
                if kind.held
                for found in _again([self.nouns[key] for key in sorted(self.nouns) if key[0] == name], kind.record)
                if not kind.is_over(found)
            ],
            seq=self.seq,
            next_alert=max(self.alerts, default=0) + 1,
            next_cluster=max(self.clusters, default=0) + 1,
            next_incident=max(self.incidents, default=0) + 1,
        )


def _again(records: list[T], kind: type[T]) -> list[T]:
    found: list[T] = json.decode(json.encode(records), type=list[kind])  # type: ignore[valid-type]
    return found


def picture(of: MemoryStore) -> dict[str, Any]:
    """All that a store holds of the operation as plain data; nothing of the feed's numbers or of audits."""
    return {
        "alerts": _plain(of.alerts.values()),
        "clusters": _plain(of.clusters.values()),
        "incidents": _plain(of.incidents.values()),
        "silences": _plain(of.silences.values()),
        "patterns": _plain(of.patterns.values()),
        "notes": _plain(of.notes.values()),
        "nouns": [[*key, to_builtins(of.nouns[key])] for key in sorted(of.nouns) if key[0] not in LEARNED],
        "undos": _plain(of.undos.values()),
        "timeline": sorted(json.encode(entry) for entry in of.timeline),
        "effects": _plain(of.effects.values()),
        "rejects": sorted(json.encode(reject) for reject in of.rejects),
    }


def memory(of: Book) -> dict[str, Any]:
    """What the line looks at in a Book, of what is not closed; heaps are only hints and stay out."""
    open_ones = {number for number, incident in of.incidents.items() if incident.state not in ENDED}
    alerts = {number: alert for number, alert in of.alerts.items() if alert.incident in open_ones}
    clusters = {number: found for number, found in of.clusters.items() if found.incident in open_ones}
    return {
        "alerts": _plain(alerts.values()),
        "clusters": _plain(clusters.values()),
        "incidents": _plain(of.incidents[number] for number in open_ones),
        "members": {number: sorted(of.members.get(number, ())) for number in open_ones},
        "tallies": {number: of.tallies[number] for number in open_ones},
        "repeats": {number: of.repeats.get(number, 0) for number in open_ones},
        "candidates": dict(of.candidates),
        "seen_clusters": {number: of.cluster_seen[number] for number in clusters if not of.clusters[number].closed},
        "current": {
            tenant: {key: number for key, number in mine.items() if number in alerts}
            for tenant, mine in of.current.items()
            if any(number in alerts for number in mine.values())
        },
        "workload": {place: number for place, number in of.workload.items() if number},
        "inhibitors": {place: sorted(found) for place, found in of.inhibitors.items() if found},
        "inhibited": {place: sorted(found) for place, found in of.inhibited.items() if found},
        "notes": dict(of.notes),
        "nouns": {kind: dict(held) for kind, held in of.nouns.items() if kind not in LEARNED},
        "patterns": dict(of.patterns),
        "counters": dict(of.counters),
    }


def _plain(records: Any) -> list[Any]:
    return sorted((_told(to_builtins(record)) for record in records), key=json.encode)


def _told(record: Any) -> Any:
    """Without what learners made of it: what was learned in the last minutes may be lost in a crash."""
    if isinstance(record, dict):
        return {name: _told(value) for name, value in record.items() if name not in JUDGED}
    return [_told(value) for value in record] if isinstance(record, list | tuple) else record


def digest(of: MemoryStore) -> str:
    """One hash of `picture`."""
    return blake2b(json.encode(picture(of), order="sorted"), digest_size=16).hexdigest()
