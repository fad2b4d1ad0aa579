"""The words of the product as frozen records.

Owns the shape of everything that is stored, sent over the wire or shown. Never holds logic beyond
order and naming. Times are aware UTC datetimes; durations are seconds with the unit in the name.
Text is stored exactly as it came: it is made safe where it is drawn.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from msgspec import Raw, Struct

TenantId = NewType("TenantId", str)
AlertId = NewType("AlertId", int)
ClusterId = NewType("ClusterId", int)
IncidentId = NewType("IncidentId", int)
Partition = NewType("Partition", int)

DEFAULT_TENANT = TenantId("default")


class Word(StrEnum):
    """A StrEnum whose hash is the text's: enum's own is a Python call, and these are keys on the hot path."""

    __hash__ = str.__hash__


class Severity(Word):
    """Five levels, worst first. `RANK` gives the number that sorts and is stored."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


#: critical 5 … info 1; the stored form of a severity.
RANK: dict[Severity, int] = {
    Severity.CRITICAL: 5,
    Severity.HIGH: 4,
    Severity.MEDIUM: 3,
    Severity.LOW: 2,
    Severity.INFO: 1,
}


class AlertState(Word):
    """Life of one alert episode. Muting (silence, inhibition, shelf) is beside it, not in it."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class IncidentState(Word):
    """Life of an incident; RETURNED is ISA-18.2's "returned to normal, not acknowledged"."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"
    RESOLVED = "resolved"
    CLOSED = "closed"


#: States in which an incident is over: it takes no new alert.
ENDED = frozenset({IncidentState.RESOLVED, IncidentState.CLOSED})


class SignalStatus(Word):
    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"


class Signal(Struct, frozen=True, gc=False):
    """One normalised statement of a source about one condition.

    Not `kw_only`, as are `Alert` and `Change`: made for every alert, and naming thirty fields takes ten times as long
    as giving them in order, which only the line's own places do.
    `key` is the dedup key (see `engine.stages.normalise`). `ends_at` in the past means resolved;
    `timeout` says that it was assumed from the resolve timeout, not sent. `skewed` says that the
    sender's clock was more than five minutes off and `starts_at` was clamped to receive time.
    `undated` says that `starts_at` is only the time of receipt, so it tells nothing of order.
    """

    source: str
    key: str
    name: str
    severity: Severity
    status: SignalStatus
    title: str
    site: str
    entity: str
    entity_type: str
    service: str
    client: str
    correlation: str
    starts_at: datetime
    ends_at: datetime
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str = ""
    timeout: bool = False
    skewed: bool = False
    undated: bool = False
    by: str = ""


class Ack(Struct, frozen=True, kw_only=True, gc=False):
    """An acknowledgement. Lapses when `expires_at` has passed (computed on read) and breaks when the
    severity rises above `severity` or a kind of alert joins that was not there and is as severe, unless `sticky`."""

    by: str
    at: datetime
    severity: Severity
    expires_at: datetime | None = None
    sticky: bool = False
    note: str = ""


class Note(Struct, frozen=True, kw_only=True, gc=False):
    by: str
    at: datetime
    text: str


class Reason(Struct, frozen=True, kw_only=True, gc=False):
    """Why something was decided, as data: an enum value and its numbers.

    `code` is one of `engine.reasons.ReasonCode`; `facts` are the numbers and names that decided.
    """

    code: str
    facts: dict[str, str | int | float | bool | None] = {}
    at: datetime | None = None


class Alert(Struct, frozen=True, gc=False, omit_defaults=True):
    """One deduplicated condition from its first firing to its end; repeats raise `count`.

    `transitions` holds the counts at which it last went on or off (at most 20): flapping is their share
    of the last 20 observations. The three fields `count`, `last_at`, `ends_at` are the volatile ones: a plain
    repeat changes nothing else, and the store keeps them in columns of their own.
    `restarted_at` is the latest beginning that its source named, where that is later than `starts_at`: an end from
    before it is of an earlier stretch.
    """

    id: AlertId
    tenant: TenantId
    key: str
    source: str
    name: str
    severity: Severity
    state: AlertState
    title: str
    site: str
    entity: str
    entity_type: str
    service: str
    client: str
    correlation: str
    labels: dict[str, str]
    annotations: dict[str, str]
    url: str
    starts_at: datetime
    received_at: datetime
    last_at: datetime
    ends_at: datetime
    timeout: bool
    count: int
    cluster: ClusterId
    incident: IncidentId
    ended_at: datetime | None = None
    suppressed: bool = False
    silenced_by: tuple[str, ...] = ()
    silenced_until: datetime | None = None
    inhibited_by: tuple[AlertId, ...] = ()
    shelved_until: datetime | None = None
    ack: Ack | None = None
    transitions: tuple[int, ...] = ()
    flapping: bool = False
    skewed: bool = False
    restarted_at: datetime | None = None
    notes: tuple[Note, ...] = ()
    previous: AlertId | None = None
    why: tuple[Reason, ...] = ()
    unusual: float = 0.0


class Cluster(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A group of related alerts. `centroid` maps feature tokens to summed weights over the first
    alerts; `closed` clusters take no more alerts (cap, gap, or ended incident)."""

    id: ClusterId
    tenant: TenantId
    incident: IncidentId
    title: str
    severity: Severity
    site: str
    sites: tuple[str, ...]
    names: tuple[str, ...]
    entities: int
    alerts: int
    suppressed: int
    opened_at: datetime
    last_at: datetime
    centroid: dict[str, float]
    closed: bool = False
    method: str = "cosine"
    predecessor: ClusterId | None = None
    successor: ClusterId | None = None


class Contribution(Struct, frozen=True, array_like=True, gc=False):
    """One feature's share of a priority score: name, raw value, points of 100 that it added."""

    feature: str
    value: float
    points: float


class Told(Struct, frozen=True, array_like=True, gc=False):
    """What a receiver of notices knows of an incident: the last event it was told, and the one that waits because
    the incident is muted; "" = none."""

    event: str = ""
    withheld: str = ""


class Incident(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an operator works on. `firing` counts its alerts that still fire; `events` their
    repeats; `acked_at` is the first acknowledgement, also after it lapsed; `notices` what each
    receiver of notices was told, by its name."""

    id: IncidentId
    tenant: TenantId
    title: str
    severity: Severity
    state: IncidentState
    priority: float
    site: str
    sites: tuple[str, ...]
    names: tuple[str, ...]
    clusters: tuple[ClusterId, ...]
    alerts: int
    firing: int
    muted: int
    suppressed: int
    events: int
    opened_at: datetime
    last_at: datetime
    root: AlertId
    client: str = ""
    owner: str = ""
    ack: Ack | None = None
    acked_at: datetime | None = None
    due_at: datetime | None = None
    shelved_until: datetime | None = None
    returned_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    resolution: str = ""
    merged_into: IncidentId | None = None
    predecessor: IncidentId | None = None
    successor: IncidentId | None = None
    contributions: tuple[Contribution, ...] = ()
    notes: int = 0
    why: tuple[Reason, ...] = ()
    version: int = 1
    notices: dict[str, Told] = {}


class Matcher(Struct, frozen=True, kw_only=True, gc=False, rename={"is_regex": "isRegex", "is_equal": "isEqual"}):
    """Alertmanager's matcher; a regex is fully anchored RE2; a missing label reads as the empty string."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class Silence(Struct, frozen=True, kw_only=True, gc=False):
    """Mutes alerts that match all matchers between `starts_at` and `ends_at` (computed on read)."""

    id: str
    tenant: TenantId
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    created_by: str
    comment: str
    updated_at: datetime
    ticket: str = ""
    annotations: dict[str, str] = {}


class TimelineEntry(Struct, frozen=True, kw_only=True, gc=False):
    """One step in the life of an incident; `kind` is past tense (opened, joined, acknowledged, …)."""

    tenant: TenantId
    incident: IncidentId
    at: datetime
    kind: str
    actor: str = ""
    text: str = ""
    reason: Reason | None = None


class Reject(Struct, frozen=True, kw_only=True, gc=False):
    """A dead letter: what could not be taken, why, and the body to fix and replay.

    `id` is 0 until stored. `state` is waiting, replayed or discarded.
    """

    tenant: TenantId
    source: str
    format: str
    at: datetime
    field: str
    reason: str
    remedy: str
    body: str
    id: int = 0
    attempts: int = 1
    state: str = "waiting"


class Effect(Struct, frozen=True, kw_only=True, gc=False):
    """A row of the outbox: something to do outside. `key` is unique and goes out as idempotency key.

    `state`: pending → running (leased) → done | failed | unknown.
    """

    key: str
    tenant: TenantId
    action: str
    params: dict[str, Any]
    created_at: datetime
    incident: IncidentId | None = None
    state: str = "pending"
    attempt: int = 0
    due_at: datetime | None = None
    leased_until: datetime | None = None
    result: str = ""


class Change(Struct, frozen=True, gc=False, omit_defaults=True):
    """One message of the feed. `seq` is gapless per partition and assigned by the single writer.

    `kind` is what happened (alert_created, incident_updated, …); `subject` names the thing
    ("alert:12", "incident:3"); `record` is the thing itself, already encoded as JSON. `needs` is the capability that it
    takes beside noc:view and that of its kind, "" for most: see `data.restricted`.
    """

    kind: str
    tenant: TenantId
    at: datetime
    subject: str
    site: str = ""
    reason: str = ""
    record: Raw = Raw(b"null")
    seq: int = 0
    partition: Partition = Partition(0)
    needs: str = ""


class Audit(Struct, frozen=True, kw_only=True, gc=False):
    """Who did what, from where, why, and what came of it. `seq`, `prev` and `hash` are set by the store."""

    tenant: TenantId
    at: datetime
    actor: str
    origin: str
    verb: str
    subject: str
    outcome: str
    detail: dict[str, Any] = {}
    seq: int = 0
    prev: str = ""
    hash: str = ""


class Undo(Struct, frozen=True, kw_only=True, gc=False):
    """How to take back an act of an operator until `expires_at`.

    The lists hold the records as they were before the act, encoded by their kind.
    """

    id: str
    tenant: TenantId
    actor: str
    verb: str
    subject: str
    at: datetime
    expires_at: datetime
    incidents: tuple[Incident, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    alerts: tuple[tuple[AlertId, ClusterId, IncidentId], ...] = ()
    silence: str = ""
    used: bool = False


class AlertNotes(Struct, frozen=True, kw_only=True, gc=False):
    """Notes of a dedup key; they outlive the alert and come back when it fires again."""

    tenant: TenantId
    key: str
    notes: tuple[Note, ...]


class Pattern(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of past incidents of one name: how many, how large, how long. Feeds the priority formula."""

    tenant: TenantId
    name: str
    incidents: int
    alerts: int
    resolution_seconds: float
    last_at: datetime


class Token(Struct, frozen=True, kw_only=True, gc=False):
    """An API token as stored: the secret only as SHA-256. `owner`: whose it is, "" = whom it is named for.
    `pin_scrypt`: the hash of the PIN that its approvals take, "" = none."""

    id: str
    tenant: TenantId
    name: str
    secret_sha256: str
    capabilities: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    sites: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    owner: str = ""
    pin_scrypt: str = ""
