"""The console's read model: active incidents and clusters, counts and health, as the feed last said.

Bounded: at most `INCIDENT_CAP` incidents (the worst ones as the engine ranks them), the `CLUSTER_CAP` latest clusters,
the last `ENDED_CAP` incidents that ended and `LOG_CAP` feed messages. Alerts are not held here; screens ask for those
of one incident. Never draws and never waits.
`push` takes what the feed brings, `drain` folds it in and tells what changed, twice a second.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

from data.records import RANK, Change, Cluster, Incident, Severity
from engine.client import Health
from noc_console.directory import Directory
from noc_console.lapses import is_acked, is_over, is_shelved, is_unacked
from noc_console.record_lists import RecordLists, Watch
from noc_console.safe_text import Safe
from noc_console.totals import Totals

__all__ = ["Dirty", "Link", "Mirror", "is_acked", "is_shelved", "is_unacked"]

INCIDENT_CAP = 20_000
CLUSTER_CAP = 200
ENDED_CAP = 500
LOG_CAP = 5_000
INBOX_CAP = 50_000
#: How far back the arrival rate is compared, and by how much it must differ to be a trend.
TREND_SECONDS = 180.0
TREND_SHARE = 0.2
TREND_LEAST = 0.1


class Link(StrEnum):
    """Whether there is an engine at the other end."""

    STARTING = "starting"
    UP = "up"
    DOWN = "down"


class Dirty(Struct, kw_only=True):
    """What changed since the last drain. `reset` = everything; `logged` = how many feed messages came."""

    incidents: set[int] = field(default_factory=set)
    appeared: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    clusters: set[int] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    #: kind → ids of the records that changed in a list that a page watches.
    records: dict[str, set[str]] = field(default_factory=dict)
    logged: int = 0
    reset: bool = False
    health: bool = False

    def __bool__(self) -> bool:
        found = (self.subjects, self.logged, self.reset, self.health, self.incidents, self.clusters, self.records)
        return any(found)

    def merge(self, later: Dirty) -> Dirty:
        return Dirty(
            incidents=self.incidents | later.incidents,
            appeared=self.appeared | later.appeared,
            ended=self.ended | later.ended,
            clusters=self.clusters | later.clusters,
            subjects=self.subjects | later.subjects,
            records={
                kind: self.records.get(kind, set()) | later.records.get(kind, set())
                for kind in self.records.keys() | later.records.keys()
            },
            logged=self.logged + later.logged,
            reset=self.reset or later.reset,
            health=self.health or later.health,
        )


_incident = msgspec.json.Decoder(Incident)
#: The record of a message whose thing is gone or not to be seen.
_NOTHING = b"null"


class Mirror:
    """Incidents and clusters by number. Read it freely; only the feed writes it."""

    def __init__(self) -> None:
        self.incidents: dict[int, Incident] = {}
        self.ended: OrderedDict[int, Incident] = OrderedDict()
        self.clusters: dict[int, Cluster] = {}
        self.log: deque[Change] = deque(maxlen=LOG_CAP)
        self.health: Health | None = None
        self.link = Link.STARTING
        self.why_down = ""
        self.loaded = False
        self.truncated = False
        self.seq = 0
        self.contact: float | None = None
        self.down_since: float | None = None
        self.total_logged = 0
        #: Incidents changed since the clusters were read: clusters have no messages of their own.
        self.clusters_old = False
        self.totals = Totals(self.incidents)
        #: What the open pages watch beside incidents.
        self.lists = RecordLists()
        self.names = Directory()
        self._rates: deque[tuple[float, float]] = deque()
        self._inbox: deque[Change] = deque()
        self._dirty = Dirty()
        self.overrun = False

    # what the feed writes

    def load(
        self, incidents: Iterable[Incident], clusters: Iterable[Cluster], seq: int, *, truncated: bool = False
    ) -> None:
        """Start over from pages read at `seq`; what the feed said after that is folded in again on top."""
        late = {change.subject: change for change in (*self.log, *self._inbox) if change.seq > seq}
        self.incidents = {i.id: i for i in incidents if not is_over(i)}
        self.totals.start_over(self.incidents)
        self.clusters = {c.id: c for c in clusters}
        self.seq, self.truncated, self.loaded, self.overrun = max(self.seq, seq), truncated, True, False
        self.clusters_old = False
        self._dirty.reset = True
        for subject, change in late.items():
            self._fold(subject, change, self._dirty)

    def load_clusters(self, clusters: Iterable[Cluster]) -> None:
        """The latest clusters, read again."""
        fresh: dict[int, Cluster] = {c.id: c for c in clusters}
        self._dirty.clusters |= {n for n in fresh.keys() | self.clusters.keys() if fresh.get(n) != self.clusters.get(n)}
        self.clusters, self.clusters_old = fresh, False

    def load_list(self, watch: Watch, records: Iterable[Any], seq: int, *, truncated: bool = False) -> None:
        """One watched list, read at `seq`; what was drained after that is folded in again on top."""
        self.lists.of(watch).load(records, truncated=truncated)
        for change in {change.subject: change for change in self.log if change.seq > seq}.values():
            self.lists.fold(change)
        self._dirty.records.setdefault(watch.kind, set()).update(self.lists.of(watch).records)

    def list_failed(self, watch: Watch, problem: Safe, *, unknown: bool) -> None:
        """A watched list could not be read; what it held stays."""
        self.lists.of(watch).fail(problem, unknown=unknown)
        self._dirty.records.setdefault(watch.kind, set())

    def load_names(self, sites: Sequence[Any], people: Sequence[Any], clients: Sequence[Any]) -> None:
        """What they are called, read again; everything is drawn anew when a name changed."""
        if self.names.take(sites, people, clients):
            self._dirty.reset = True

    def push(self, changes: Sequence[Change]) -> None:
        """Take a batch of the feed. When nobody drained for too long it is dropped and `overrun` asks to read again."""
        if len(self._inbox) + len(changes) > INBOX_CAP:
            self._inbox.clear()
            self.overrun = True
            return
        self._inbox.extend(changes)
        if changes:
            self.seq = max(self.seq, changes[-1].seq)

    def heard(self, health: Health | None, now: float) -> None:
        """The engine answered at monotonic time `now`."""
        self.contact, self.down_since = now, None
        if self.link is not Link.UP:
            self.link = Link.UP
            self._dirty.reset = True
        if health is not None:
            self.health = health
            self._dirty.health = True
            self._rates.append((now, health.rate))
            while now - self._rates[0][0] > TREND_SECONDS:
                self._rates.popleft()

    def lost(self, reason: str, now: float) -> None:
        """The engine does not answer. Everything is kept and shown as old."""
        self.why_down = reason
        if self.link is not Link.DOWN:
            self.link, self.down_since = Link.DOWN, now
        self._dirty.reset = True

    # what the screens read

    def drain(self) -> Dirty:
        """Fold in what came; of several messages on one thing only the last is decoded."""
        dirty, self._dirty = self._dirty, Dirty()
        if not self._inbox:
            return dirty
        batch = list(self._inbox)
        self._inbox.clear()
        self.log.extend(batch)
        dirty.logged += len(batch)
        self.total_logged += len(batch)
        for subject, change in {change.subject: change for change in batch}.items():
            dirty.subjects.add(subject)
            self._fold(subject, change, dirty)
        return dirty

    def contact_seconds(self, now: float) -> float | None:
        """Since the engine was last heard, at monotonic time `now`; None before that."""
        return None if self.contact is None else now - self.contact

    def incident(self, number: int) -> Incident | None:
        return self.incidents.get(number) or self.ended.get(number)

    def counts(self, now: datetime) -> Mapping[Severity, int]:
        """Incidents that are open or acknowledged and not shelved, by severity.

        The engine's own counts where not all are held here.
        """
        if self.truncated and self.health is not None:
            return self.health.active
        return self.totals.at(now).counts

    def active(self) -> int:
        """All active incidents, also those beyond what is held here."""
        if self.truncated and self.health is not None:
            return max(len(self.incidents), sum(self.health.active.values()))
        return len(self.incidents)

    def trend(self) -> int:
        """Whether alerts come faster (1) or slower (-1) than over the last minutes; 0 for neither."""
        if len(self._rates) < 2:
            return 0
        usual = sum(rate for _, rate in self._rates) / len(self._rates)
        change = self._rates[-1][1] - usual
        if abs(change) < max(TREND_LEAST, TREND_SHARE * usual):
            return 0
        return 1 if change > 0 else -1

    def unacked(self, now: datetime) -> list[Incident]:
        """Active incidents that nobody has acknowledged or shelved, worst first."""
        waiting = [i for i in self.incidents.values() if is_unacked(i, now)]
        return sorted(waiting, key=lambda i: (-round(i.priority), -RANK[i.severity], i.id))

    def _fold(self, subject: str, change: Change, dirty: Dirty) -> None:
        kind, _, _ = subject.partition(":")
        if kind == "incident" and bytes(change.record) != _NOTHING:
            self._fold_incident(_incident.decode(change.record), dirty)
            self.clusters_old = True
        for kind_of_list, numbers in self.lists.fold(change).items():
            dirty.records.setdefault(kind_of_list, set()).update(numbers)

    def _fold_incident(self, incident: Incident, dirty: Dirty) -> None:
        dirty.incidents.add(incident.id)
        self.totals.touch(incident.id)
        if is_over(incident):
            if self.incidents.pop(incident.id, None) is not None:
                dirty.ended.add(incident.id)
            self.ended[incident.id] = incident
            while len(self.ended) > ENDED_CAP:
                self.ended.popitem(last=False)
            return
        self.ended.pop(incident.id, None)
        if incident.id not in self.incidents:
            if len(self.incidents) >= INCIDENT_CAP:
                self._give_way(incident)
            dirty.appeared.add(incident.id)
        self.incidents[incident.id] = incident

    def _give_way(self, incident: Incident) -> None:
        self.truncated = True
        least = min(self.incidents.values(), key=lambda i: i.priority)
        del self.incidents[least.id]
        self.totals.touch(least.id)
