"""The engine's memory of one partition, and the draft through which it changes.

The Book holds committed and about-to-be-committed records with the indexes that the line needs, all in plain
dicts. A Draft writes into them at once and keeps how to take each write back: dropping a draft leaves the Book
exactly as it was, keeping it hands the names of what changed to the Batch. Never does I/O, never asks the time.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from data.nouns import NOUN_OF_RECORD, NOUNS
from data.ports import Seen
from data.records import (
    ENDED,
    RANK,
    Alert,
    AlertId,
    AlertNotes,
    Audit,
    Cluster,
    ClusterId,
    Effect,
    Incident,
    IncidentId,
    Partition,
    Pattern,
    Reject,
    Severity,
    Signal,
    Silence,
    TenantId,
    TimelineEntry,
    Undo,
)
from data.rollups import Rolling, Sampled
from engine.reasons import ReasonCode
from engine.rules import Rules

#: In a draft's journal: there was nothing under this key.
ABSENT: Any = object()
#: Worst first, with the position of each severity's count in a Tally.
_BY_RANK = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)


class Tally(Struct, frozen=True, gc=False):
    """Counts over the alerts of an incident; `firing` by severity, worst first.

    Alerts that join in a draft are counted once, when the draft is triaged; until then counts may be below zero.
    """

    alerts: int = 0
    suppressed: int = 0
    muted: int = 0
    firing: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)

    def plus(self, alert: Alert, sign: int) -> Tally:
        firing = self.firing
        if is_firing(alert):
            at = 5 - RANK[alert.severity]
            firing = (*firing[:at], firing[at] + sign, *firing[at + 1 :])  # type: ignore[assignment]
        return Tally(
            self.alerts + sign,
            self.suppressed + sign * alert.suppressed,
            self.muted + sign * is_muted(alert),
            firing,
        )

    def plus_all(self, alerts: Iterable[Alert]) -> Tally:
        firing = list(self.firing)
        total, suppressed, muted = self.alerts, self.suppressed, self.muted
        for alert in alerts:
            total += 1
            suppressed += alert.suppressed
            if alert.ended_at is None:
                firing[5 - RANK[alert.severity]] += 1
                if alert.silenced_by or alert.inhibited_by or alert.shelved_until is not None:
                    muted += 1
        return Tally(total, suppressed, muted, tuple(firing))  # type: ignore[arg-type]

    def worst(self) -> Severity | None:
        """The highest severity that still fires."""
        for position, count in enumerate(self.firing):
            if count:
                return _BY_RANK[position]
        return None


def is_firing(alert: Alert) -> bool:
    return alert.ended_at is None


def is_muted(alert: Alert) -> bool:
    """Fires, but someone or something asked not to be told. Expiry by time is settled by the tick."""
    return alert.ended_at is None and bool(alert.silenced_by or alert.inhibited_by or alert.shelved_until is not None)


class Event(Struct, frozen=True, gc=False):
    """A change to announce: at most one per subject and commit; the record is looked up when it is sealed."""

    kind: str
    reason: str
    tenant: TenantId
    site: str
    #: The record itself, where it is not looked up in the Book.
    record: Any = None


class Book:
    """All state of one partition. Tables are dicts, written only through a Draft."""

    def __init__(self) -> None:
        self.alerts: dict[AlertId, Alert] = {}
        self.current: dict[TenantId, dict[str, AlertId]] = {}
        self.members: dict[IncidentId, dict[AlertId, None]] = {}
        self.tallies: dict[IncidentId, Tally] = {}
        self.clusters: dict[ClusterId, Cluster] = {}
        self.candidates: dict[tuple[TenantId, str], tuple[ClusterId, ...]] = {}
        self.cluster_seen: dict[ClusterId, datetime] = {}
        self.incidents: dict[IncidentId, Incident] = {}
        self.workload: dict[tuple[TenantId, str], int] = {}
        self.silences: dict[TenantId, dict[str, Silence]] = {}
        self.inhibitors: dict[tuple[Any, ...], dict[AlertId, None]] = {}
        self.inhibited: dict[tuple[Any, ...], dict[AlertId, None]] = {}
        self.notes: dict[tuple[TenantId, str], AlertNotes] = {}
        self.patterns: dict[tuple[TenantId, str], Pattern] = {}
        self.undos: dict[str, Undo] = {}
        #: Ordered, because keys leave at the front: there a plain dict searches past all that left before.
        self.seen: OrderedDict[tuple[str, str, str], datetime] = OrderedDict()
        self.repeats: dict[IncidentId, int] = {}
        #: Kind of `data.nouns` → (tenant, id) → record, of those that are held and not over.
        self.nouns: dict[str, dict[tuple[TenantId, str], Any]] = {kind: {} for kind in NOUNS}
        #: What a stage derives from what it saw and could learn again: one dict per name, written through `Draft.set`.
        self.derived: dict[str, dict[Any, Any]] = {}
        self.counters: dict[str, int] = {"alert": 1, "cluster": 1, "incident": 1}
        self.ending: list[tuple[float, AlertId]] = []
        self.timers: list[tuple[float, str, int | str]] = []
        self.partition = Partition(0)
        self.seq = 0

    def at(self, moment: datetime, kind: str, subject: int | str) -> None:
        """Have the tick look at `subject` at `moment`. It checks then whether there still is something to do."""
        heapq.heappush(self.timers, (moment.timestamp(), kind, subject))

    def active(self) -> Iterator[Alert]:
        return (alert for alert in self.alerts.values() if alert.ended_at is None)


class Draft:
    """One envelope's changes to the Book: kept whole or dropped whole.

    `now` is the time that the inbox stamped. Reads go to the Book, which already has this draft's writes.
    """

    __slots__ = (
        "_counters", "_end", "_undo", "alerts", "audits", "book", "cluster_counts", "clusters", "dirty", "effects",
        "events", "gone", "incident_counts", "incidents", "joined", "journal", "lessons", "notes", "nouns", "now",
        "patterns", "raised", "rejects", "result", "rollings", "rules", "samples", "seen", "silences", "tenant",
        "timeline", "touched", "undos", "unsettled",
    )  # fmt: skip

    def __init__(self, book: Book, rules: Rules, tenant: TenantId, now: datetime) -> None:
        self.book = book
        self.rules = rules
        self.tenant = tenant
        self.now = now
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []
        #: `exchange` for whoever writes several tables for every alert: takes (table, key, what is there or ABSENT)
        #: right before the write.
        self.journal = self._undo.append
        self._counters = dict(book.counters)
        #: The last end that was watched, with its time stamp: alerts of one delivery share theirs.
        self._end: tuple[datetime | None, float] = (None, 0.0)
        self.alerts: dict[AlertId, None] = {}
        self.touched: dict[AlertId, None] = {}
        self.clusters: dict[ClusterId, None] = {}
        self.cluster_counts: dict[ClusterId, None] = {}
        self.incidents: dict[IncidentId, None] = {}
        self.incident_counts: dict[IncidentId, None] = {}
        self.dirty: dict[IncidentId, ReasonCode] = {}
        self.joined: dict[IncidentId, list[Alert]] = {}
        self.gone: dict[tuple[str, int], Any] = {}
        #: (kind, id), of records of `data.nouns` with their tenant: two tenants may use the same id.
        self.events: dict[tuple[Any, ...], Event] = {}
        self.silences: list[Silence] = []
        self.timeline: list[TimelineEntry] = []
        self.rejects: list[Reject] = []
        self.effects: list[Effect] = []
        self.audits: list[Audit] = []
        self.undos: list[Undo] = []
        self.notes: list[AlertNotes] = []
        self.patterns: list[Pattern] = []
        self.seen: list[Seen] = []
        self.nouns: dict[tuple[str, TenantId, str], Any] = {}
        self.samples: list[Sampled] = []
        self.rollings: list[Rolling] = []
        #: Signals that a handler of domain events raised: they go on from dedup.
        self.raised: list[Signal] = []
        #: What learners do once the draft is kept.
        self.lessons: list[Callable[[], None]] = []
        self.result: Any = None
        #: An alert's part in its incident has changed since the last triage, not only alerts been added.
        self.unsettled = False

    # -- the two ends of a draft

    def drop(self) -> None:
        """Take every write back, newest first."""
        for table, key, old in reversed(self._undo):
            if old is ABSENT:
                table.pop(key, None)
            else:
                table[key] = old
        self._undo.clear()
        self.book.counters.update(self._counters)

    def set(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, ABSENT)))
        table[key] = value

    def exchange(self, table: dict[Any, Any], key: Any, value: Any, old: Any) -> None:
        """`set` for whoever has just looked up what is there; `old` None = nothing."""
        self._undo.append((table, key, ABSENT if old is None else old))
        table[key] = value

    def discard(self, table: dict[Any, Any], key: Any) -> None:
        if key in table:
            self._undo.append((table, key, table[key]))
            del table[key]

    # -- ids and indexes

    def next_id(self, kind: str) -> int:
        number = self.book.counters[kind]
        self.book.counters[kind] = number + 1
        return number

    def current(self, key: str) -> Alert | None:
        """The latest episode of this dedup key."""
        number = self.book.current.get(self.tenant, {}).get(key)
        return None if number is None else self.book.alerts.get(number)

    def members(self, incident: IncidentId) -> Iterator[Alert]:
        alerts = self.book.alerts
        # By id: the order in which they were moved here by hand is not stored.
        return (alerts[number] for number in sorted(self.book.members.get(incident, ())) if number in alerts)

    # -- records

    def add_alert(self, alert: Alert) -> None:
        """A new episode."""
        book = self.book
        # A completed stub has the id of the stub: it may be there already.
        number, key, alerts = alert.id, alert.key, book.alerts
        mine = book.current.get(self.tenant)
        if mine is None:
            mine = {}
            self.set(book.current, self.tenant, mine)
        journal = self.journal
        journal((alerts, number, alerts.get(number, ABSENT)))
        alerts[number] = alert
        journal((mine, key, mine.get(key, ABSENT)))
        mine[key] = number
        self.alerts[number] = None
        self.watch_end(alert)
        if alert.incident:
            self._enroll(alert)

    def put_alert(self, alert: Alert) -> None:
        """A changed alert: its row is written again, its incident is looked at again."""
        old = self.book.alerts[alert.id]
        self.set(self.book.alerts, alert.id, alert)
        self.alerts[alert.id] = None
        if alert.incident != old.incident or alert.incident == 0:
            self._move(old, alert)
        elif _counts_differ(old, alert):
            tally = self.book.tallies.get(alert.incident, Tally()).plus(old, -1).plus(alert, 1)
            self.set(self.book.tallies, alert.incident, tally)
            self.dirty.setdefault(alert.incident, ReasonCode.REPEAT)
            self.unsettled = True
        if alert.ends_at < old.ends_at or (old.ended_at is not None and alert.ended_at is None):
            self.watch_end(alert)

    def touch_alert(self, alert: Alert) -> None:
        """A plain repeat: only count, last_at and ends_at moved."""
        self.set(self.book.alerts, alert.id, alert)
        self.touched[alert.id] = None

    def forget_alert(self, alert: Alert) -> None:
        """Drop an ended alert from memory; its row stays."""
        book = self.book
        self.forget("alert", book.alerts, alert.id)
        mine = book.current.get(alert.tenant, {})
        if mine.get(alert.key) == alert.id:
            self.discard(mine, alert.key)

    def forget(self, kind: str, table: dict[Any, Any], number: int) -> None:
        """Drop a record from memory. What this batch changed of it before is still to be written."""
        if number in table:
            self.gone[kind, number] = table[number]
            self.discard(table, number)

    def watch_end(self, alert: Alert) -> None:
        """Have the tick look at this alert when it is due to end. Entries are checked when they come up,
        so one that a dropped draft leaves behind does no harm."""
        at, stamp = self._end
        if alert.ends_at is not at:
            stamp = alert.ends_at.timestamp()
            self._end = alert.ends_at, stamp
        heapq.heappush(self.book.ending, (stamp, alert.id))

    def put_cluster(self, cluster: Cluster) -> None:
        self.set(self.book.clusters, cluster.id, cluster)
        self.clusters[cluster.id] = None

    def count_cluster(self, cluster: Cluster) -> None:
        """Only the counts and times of the cluster moved."""
        self.set(self.book.clusters, cluster.id, cluster)
        self.cluster_counts[cluster.id] = None

    def count_incident(self, incident: Incident, reason: ReasonCode) -> None:
        """Only the counts and the time of the incident moved."""
        self.set(self.book.incidents, incident.id, incident)
        self.incident_counts[incident.id] = None
        self.announce("incident", incident.id, "incident_updated", reason, incident.site, incident.tenant)

    def put_incident(self, incident: Incident, reason: ReasonCode) -> None:
        old = self.book.incidents.get(incident.id)
        self.set(self.book.incidents, incident.id, incident)
        self.incidents[incident.id] = None
        self._weigh(old, incident)
        kind = "incident_updated" if old is not None else "incident_opened"
        self.announce("incident", incident.id, kind, reason, incident.site, incident.tenant)

    def put_silence(self, silence: Silence, kind: str) -> None:
        mine = self.book.silences.get(silence.tenant)
        if mine is None:
            mine = {}
            self.set(self.book.silences, silence.tenant, mine)
        self.set(mine, silence.id, silence)
        self.silences.append(silence)
        self.announce("silence", silence.id, kind, ReasonCode.BY_OPERATOR, "")

    def put_notes(self, notes: AlertNotes) -> None:
        self.set(self.book.notes, (notes.tenant, notes.key), notes)
        self.notes.append(notes)

    def put_pattern(self, pattern: Pattern) -> None:
        self.set(self.book.patterns, (pattern.tenant, pattern.name), pattern)
        self.patterns.append(pattern)

    def put_undo(self, undo: Undo) -> None:
        self.set(self.book.undos, undo.id, undo)
        self.undos.append(undo)

    def noun(self, kind: str, id: str) -> Any:
        """The record of this kind in memory, or None: not known, over, or of a kind that is not held."""
        return self.book.nouns[kind].get((self.tenant, id))

    def all_nouns(self, kind: str) -> list[Any]:
        """All records of this kind in memory, of all tenants, in the order in which they came."""
        return list(self.book.nouns[kind].values())

    def put_noun(self, record: Any, reason: ReasonCode = ReasonCode.NEW, *, announce: bool = True) -> None:
        """Write a record of `data.nouns`: new, or in the place of the one with its id. It is announced on the feed as
        its kind says, unless told not to."""
        noun = NOUN_OF_RECORD[type(record)]
        key = (record.tenant, record.id)
        self.nouns[noun.kind, *key] = record
        held = self.book.nouns[noun.kind]
        if noun.held and not noun.is_over(record):
            self.set(held, key, record)
        else:
            self.discard(held, key)
        subject = (noun.subject, record.id, record.tenant)
        first = self.events.get(subject)
        if noun.event and (announce or first):
            event = first.kind if first else noun.event
            self.events[subject] = Event(event, reason, record.tenant, noun.site_of(record), record)

    def announce_noun(self, record: Any, change: str, reason: ReasonCode) -> None:
        """Say on the feed what happened to a record that was put, in the place of what its kind would say."""
        noun = NOUN_OF_RECORD[type(record)]
        subject = (noun.subject, record.id, record.tenant)
        first = self.events.get(subject)
        kind = first.kind if first is not None else change
        self.events[subject] = Event(kind, reason, record.tenant, noun.site_of(record), record)

    def derived(self, name: str) -> dict[Any, Any]:
        """The Book's dict of this name, for what can be learned again; write it through `set` and `discard`."""
        found = self.book.derived.get(name)
        if found is None:
            found = {}
            self.set(self.book.derived, name, found)
        return found

    def learn(self, lesson: Callable[[], None]) -> None:
        """Have `lesson` run when the draft is kept: learners see only what is kept. It must not fail nor write."""
        self.lessons.append(lesson)

    def announce(  # noqa: PLR0917 - the change in parts, on the hot path
        self, kind: str, number: int | str, change: str, reason: ReasonCode, site: str, tenant: TenantId | None = None
    ) -> None:
        """Say it on the feed, to the draft's tenant unless it is of another. The first kind of a subject stays
        (created, then updated = created)."""
        key = (kind, number)
        first = self.events.get(key)
        if first is not None:
            change = first.kind
            if first.reason is reason and first.site == site:
                return
        self.events[key] = Event(change, reason, tenant or self.tenant, site)

    def record(self, incident: IncidentId, kind: str, actor: str = "", text: str = "", reason: Any = None) -> None:
        """An entry in the timeline of the incident."""
        known = self.book.incidents.get(incident)
        tenant = known.tenant if known is not None else self.tenant
        entry = TimelineEntry(
            tenant=tenant, incident=incident, at=self.now, kind=kind, actor=actor, text=text, reason=reason
        )
        self.timeline.append(entry)

    # -- inside

    def _enroll(self, alert: Alert) -> None:
        book = self.book
        members = book.members.get(alert.incident)
        if members is None:
            members = {}
            self.set(book.members, alert.incident, members)
        if alert.id not in members:
            self._undo.append((members, alert.id, ABSENT))
            members[alert.id] = None
        joined = self.joined.get(alert.incident)
        if joined is None:
            self.joined[alert.incident] = [alert]
            self.dirty.setdefault(alert.incident, ReasonCode.NEW)
        else:
            joined.append(alert)

    def _move(self, old: Alert, alert: Alert) -> None:
        if old.incident:
            self.discard(self.book.members[old.incident], old.id)
            self.set(self.book.tallies, old.incident, self.book.tallies[old.incident].plus(old, -1))
            # Its events leave with it, at the next flush.
            self.set(self.book.repeats, old.incident, self.book.repeats.get(old.incident, 0) - old.count)
            self.dirty.setdefault(old.incident, ReasonCode.SPLIT)
        if alert.incident:
            self._enroll(alert)

    def _weigh(self, old: Incident | None, new: Incident) -> None:
        """Keep the number of open incidents per site."""
        before = old.sites if old is not None and old.state not in ENDED else ()
        after = new.sites if new.state not in ENDED else ()
        if before == after:
            return
        for sites, sign in ((before, -1), (after, 1)):
            for site in sites:
                place = (new.tenant, site)
                self.set(self.book.workload, place, self.book.workload.get(place, 0) + sign)


def _counts_differ(old: Alert, new: Alert) -> bool:
    return (
        (old.ended_at is None) is not (new.ended_at is None)
        or old.severity is not new.severity
        or old.suppressed is not new.suppressed
        or is_muted(old) is not is_muted(new)
    )


_ROWS = tuple(
    (name, attrgetter(name))
    for name in (
        "silences", "timeline", "rejects", "effects", "audits", "undos", "notes", "patterns", "seen", "samples",
        "rollings",
    )
)  # fmt: skip


class Batch:
    """What several kept drafts changed, to be written in one transaction."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.alerts: dict[AlertId, None] = {}
        self.touched: dict[AlertId, None] = {}
        self.clusters: dict[ClusterId, None] = {}
        self.cluster_counts: dict[ClusterId, None] = {}
        self.incidents: dict[IncidentId, None] = {}
        self.incident_counts: dict[IncidentId, None] = {}
        #: (kind, id), of records of `data.nouns` with their tenant: two tenants may use the same id.
        self.events: dict[tuple[Any, ...], Event] = {}
        self.gone: dict[tuple[str, int], Any] = {}
        self.rows: dict[str, list[Any]] = {}
        self.nouns: dict[tuple[str, TenantId, str], Any] = {}

    def absorb(self, draft: Draft) -> None:
        """Keep the draft. After this it cannot be dropped."""
        for mine, written in (
            (self.alerts, draft.alerts),
            (self.touched, draft.touched),
            (self.clusters, draft.clusters),
            (self.cluster_counts, draft.cluster_counts),
            (self.incidents, draft.incidents),
            (self.incident_counts, draft.incident_counts),
            (self.gone, draft.gone),
            (self.nouns, draft.nouns),
        ):
            if written:
                mine.update(written)  # type: ignore[arg-type]
        events = self.events
        if events.keys().isdisjoint(draft.events):
            events.update(draft.events)
        else:
            for key, event in draft.events.items():
                first = events.get(key)
                changed = first is not None and first.kind != event.kind
                events[key] = replace(event, kind=first.kind) if first is not None and changed else event
        for name, rows_of in _ROWS:
            rows = rows_of(draft)
            if rows:
                self.rows.setdefault(name, []).extend(rows)
        draft._undo.clear()
        for lesson in draft.lessons:
            lesson()

    def empty(self) -> bool:
        return not (
            self.alerts or self.touched or self.clusters or self.cluster_counts
            or self.incidents or self.incident_counts or self.events or self.rows or self.nouns
        )  # fmt: skip


def acked(thing: Alert | Incident, now: datetime) -> bool:
    """Acknowledged at `now`: expiry is computed from the stored time."""
    ack = thing.ack
    return ack is not None and (ack.expires_at is None or ack.expires_at > now)


def unique(old: tuple[str, ...], more: Iterable[str], limit: int) -> tuple[str, ...]:
    """`old` with what is new of `more`, in order of arrival, at most `limit`."""
    added = dict.fromkeys(item for item in more if item and item not in old)
    return (*old, *added)[:limit] if added else old
