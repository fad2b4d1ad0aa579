"""What the store promises: one commit door, one load, one claim, one reader. Implemented in `store.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from data.query import Node
from data.records import (
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
    Partition,
    Pattern,
    Reject,
    Silence,
    TimelineEntry,
    Token,
    Undo,
)
from data.rollups import Recent, Rolling, Sampled, Series, Stored
from data.scope import Scope


class StoreError(Exception):
    """The store could not do it. `retryable` says whether the same call may succeed later."""

    retryable = True


class Fenced(StoreError):
    """The lease was lost: another engine owns this partition now. Nothing was written."""

    retryable = False


class StoreFull(StoreError):
    """No disk space. Nothing was written; reads and operator commands still work."""


class StoreReadOnly(StoreError):
    """File or directory is read-only. Nothing was written."""

    retryable = False


class StoreCorrupt(StoreError):
    """Integrity check failed. Writes are refused; restore a backup."""

    retryable = False


class Touch(Struct, frozen=True, gc=False):
    """A plain repeat: only these columns of the alert move."""

    id: AlertId
    count: int
    last_at: datetime
    ends_at: datetime


class IncidentTouch(Struct, frozen=True, gc=False):
    """Alerts joined or left and nothing else changed: only these columns of the incident move."""

    id: IncidentId
    alerts: int
    firing: int
    muted: int
    suppressed: int
    events: int
    last_at: datetime
    version: int


class ClusterTouch(Struct, frozen=True, gc=False):
    """An alert joined a settled cluster: only these columns move."""

    id: ClusterId
    alerts: int
    suppressed: int
    entities: int
    opened_at: datetime
    last_at: datetime


class Seen(Struct, frozen=True, gc=False):
    """An idempotency key that was taken: (tenant, source, id)."""

    tenant: str
    source: str
    id: str
    at: datetime


class Commit(Struct, kw_only=True):
    """Everything of one batch, written in one transaction or not at all.

    `changes` carry consecutive seqs, the first being the partition's last seq + 1.
    `bodies` are the alerts of `alerts`, in the same order, already encoded as JSON; `slim` are the changes as they
    are kept in the log: JSON, in order, where the record of a change that only announces a new alert or moved
    counts is null (readers fill in the record as it is when they read).
    `urgent` marks batches of operator commands and resolves: they may use the reserve when the disk is full.
    """

    partition: Partition
    epoch: int
    at: datetime
    alerts: Sequence[Alert] = ()
    touches: Sequence[Touch] = ()
    clusters: Sequence[Cluster] = ()
    cluster_touches: Sequence[ClusterTouch] = ()
    incidents: Sequence[Incident] = ()
    incident_touches: Sequence[IncidentTouch] = ()
    silences: Sequence[Silence] = ()
    timeline: Sequence[TimelineEntry] = ()
    rejects: Sequence[Reject] = ()
    effects: Sequence[Effect] = ()
    audits: Sequence[Audit] = ()
    undos: Sequence[Undo] = ()
    notes: Sequence[AlertNotes] = ()
    patterns: Sequence[Pattern] = ()
    seen: Sequence[Seen] = ()
    nouns: Sequence[Any] = ()
    samples: Sequence[Sampled] = ()
    rollings: Sequence[Rolling] = ()
    changes: Sequence[Change] = ()
    bodies: Sequence[bytes] = ()
    slim: Sequence[bytes] = ()
    urgent: bool = False


class Snapshot(Struct, kw_only=True):
    """What the engine needs in memory to go on: written in the same transactions as everything else.

    Alerts: those not ended, those of incidents that are open, acknowledged or returned, and those of any incident
    that ended since `recent` ago; incidents: those not CLOSED (resolved ones too) and not merged away; clusters:
    those of these incidents, also the `closed` ones, which can still be split off. A closed incident and
    what belongs to it too, while an undo of `undos` can bring it back.
    """

    alerts: list[Alert]
    clusters: list[Cluster]
    incidents: list[Incident]
    silences: list[Silence]
    undos: list[Undo]
    notes: list[AlertNotes]
    seen: list[Seen]
    seq: int
    next_alert: int
    next_cluster: int
    next_incident: int
    patterns: list[Pattern] = []
    #: Records of the kinds of `data.nouns` that are held in memory and not over.
    nouns: list[Any] = []


class Select(Struct, frozen=True, kw_only=True):
    """One read: `kind` of rows, the filter as a parsed query, order and a keyset page.

    kind: alerts, incidents, clusters, silences, timeline, rejects, events, audits, effects, or one of `data.nouns`.
    `sort` is a column of the kind, "-" in front for descending; None = the kind's own order.
    `after` is the opaque cursor of the previous page. `ids` restricts to these ids; `incident`, `cluster`
    to rows of one of these. `active` = rows that are not ended, None = all. `total` also counts all pages.
    """

    kind: str
    where: Node | None = None
    sort: str | None = None
    after: str | None = None
    limit: int = 200
    ids: tuple[str, ...] | None = None
    incident: int | None = None
    cluster: int | None = None
    active: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    total: bool = False


class Rows(Struct, frozen=True, kw_only=True):
    """A page of records, the cursor of the next one (None = last), and the feed position it was read at."""

    items: list[Any]
    next: str | None
    seq: int
    total: int | None = None


class Store(Protocol):
    """One writer. All methods may raise StoreError; `commit` returns only after fsync."""

    async def open(self) -> None: ...
    async def acquire(self, partition: Partition, owner: str, now: datetime, ttl: float) -> int | None:
        """Take the lease of the partition → its epoch, or None while another owner's lease is alive."""
        ...
    async def renew(self, partition: Partition, epoch: int, now: datetime) -> None:
        """Extend the lease when there is nothing to commit (each commit extends it too). Raises Fenced."""
        ...
    async def release(self, partition: Partition, epoch: int) -> None: ...
    async def load(self, partition: Partition, now: datetime, recent_seconds: float) -> Snapshot: ...
    async def commit(self, commit: Commit) -> None: ...
    async def claim(
        self,
        partition: Partition,
        now: datetime,
        limit: int,
        lease_seconds: float,
        *,
        held: Sequence[str] = (),
        repeatable: Sequence[str] = (),
    ) -> Sequence[Effect]:
        """Lease due effects, oldest first: one per lane, none of the lanes `held`. A lane is the key up to its second
        "/" (the whole key without one); within it the effects of one incident go out in order.

        Effects whose lease lapsed become unknown; those of the actions `repeatable` are due again instead."""
        ...
    async def disown(self, partition: Partition, repeatable: Sequence[str] = ()) -> int:
        """Take back every claim, also of leases that live → how many. Only for whoever knows that nobody else works
        on this store: the one process of a data directory, before it begins its first effect."""
        ...
    async def settle(self, effect: Effect) -> None: ...
    async def prune(self, now: datetime, keep_days: Mapping[str, float]) -> int: ...
    async def save_token(self, token: Token) -> None: ...
    async def close(self) -> None: ...


class Reader(Protocol):
    """Reads on connections of their own; never blocks the writer."""

    async def select(self, scope: Scope, select: Select, now: datetime) -> Rows: ...
    async def changes(self, scope: Scope, partition: Partition, after: int, limit: int) -> Sequence[Change] | None:
        """Changes with seq > after, oldest first; None when `after` is older than retention (resync)."""
        ...
    async def tokens(self) -> Sequence[Token]: ...
    async def totals(self, scope: Scope, selects: Sequence[Select], now: datetime) -> Sequence[int]:
        """How many rows each of these lists has, all at once."""
        ...
    async def series(
        self, scope: Scope, *, id: str = "", name: str = "", text: str = "", after: str = "", limit: int = 200
    ) -> Sequence[Series]:
        """Series of metrics in the order of their ids: all after `after`, the one of that id, those of that name, those
        with every word of `text` in name or labels."""
        ...
    async def buckets(
        self, scope: Scope, id: str, wanted: Mapping[int, Sequence[int]]
    ) -> Mapping[int, Mapping[int, Stored]]:
        """The buckets of a series that begin at these times of each resolution, as far as there are any."""
        ...
    async def latest(self, scope: Scope, ids: Sequence[str], starts: Sequence[int]) -> Mapping[str, Recent]:
        """Newest values of these series, and averages of the five-minute slots that begin at these times."""
        ...
