"""Records to rows, without any database library.

Owns the order of columns of every table (the same as in `data.tables`, held by a test), the conversion of times and
the JSON bodies. The way back is `data.decode`. Never opens a database and never decides what is written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from data.nouns import NOUN_OF_RECORD
from data.ports import ClusterTouch, Commit, IncidentTouch, Touch
from data.records import (
    ENDED,
    RANK,
    Alert,
    AlertNotes,
    AlertState,
    Audit,
    Cluster,
    Effect,
    Incident,
    IncidentState,
    Pattern,
    Reject,
    Silence,
    TimelineEntry,
    Token,
    Undo,
)

Row = tuple[Any, ...]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_encoder = msgspec.json.Encoder()
_encode, _encode_into = _encoder.encode, _encoder.encode_into

# sqlite3 binds exact str and int several times faster than their subclasses: enums and bools are taken apart first.
_RANK = dict(RANK)
_ALERT_STATE: dict[AlertState, str] = {state: state.value for state in AlertState}
_INCIDENT_STATE: dict[IncidentState, str] = {state: state.value for state in IncidentState}


class Form(Struct, frozen=True, kw_only=True):
    """How one table is written: its columns in order, the first `key` of which are the primary key."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC; the stored form of a time. Exact for every datetime."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


#: For times that thousands of new alerts share as one object, whose hash is known.
_shared_micros = lru_cache(maxsize=256)(micros)


def moment(number: int) -> datetime:
    """The aware UTC time of `micros`."""
    return EPOCH + timedelta(microseconds=number)


def _micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _blob(record: Any) -> bytearray:
    """The record as JSON. Not bytes: those sqlite3 asks how to adapt, and binds a bytearray at once."""
    body = bytearray()
    _encode_into(record, body)
    return body


def _json_text(value: Any) -> str:
    return _encode(value).decode()


ALERTS = Form(
    table="alerts",
    key=("id",),
    columns=(
        "id", "tenant", "cluster", "incident", "severity", "state", "count", "last_at", "ends_at", "starts_at",
        "received_at", "ended_at", "silenced_until", "shelved_until", "ack_until", "silenced", "inhibited",
        "suppressed", "flapping", "source", "name", "site", "entity", "service", "client", "key",
    ),
)  # fmt: skip


def alert_row(alert: Alert) -> Row:
    ack, ended = alert.ack, alert.ended_at
    received_at = _shared_micros(alert.received_at)
    return (
        alert.id,
        alert.tenant,
        alert.cluster,
        alert.incident,
        _RANK[alert.severity],
        _ALERT_STATE[alert.state],
        alert.count,
        # A new alert has been heard of once.
        received_at if alert.last_at is alert.received_at else micros(alert.last_at),
        _shared_micros(alert.ends_at),
        micros(alert.starts_at),
        received_at,
        _micros_or_none(ended),
        _micros_or_none(alert.silenced_until) if alert.silenced_until else None,
        _micros_or_none(alert.shelved_until) if alert.shelved_until else None,
        None if ack is None else _micros_or_none(ack.expires_at),
        1 if alert.silenced_by else 0,
        1 if alert.inhibited_by else 0,
        1 if alert.suppressed else 0,
        1 if alert.flapping else 0,
        alert.source,
        alert.name,
        alert.site,
        alert.entity,
        alert.service,
        alert.client,
        alert.key,
    )


#: What a new alert that nobody has touched does not have yet: these columns stay out of its row, as sqlite3 asks for
#: every None how to adapt it, which is as dear as five numbers.
_NOT_YET = slice(ALERTS.columns.index("ended_at"), ALERTS.columns.index("ack_until") + 1)
_NOTHING_YET = (None,) * (_NOT_YET.stop - _NOT_YET.start)
NEW_ALERTS = Form(
    table="alerts", key=("id",), columns=ALERTS.columns[: _NOT_YET.start] + ALERTS.columns[_NOT_YET.stop :]
)


def is_untouched(row: Row) -> bool:
    """Whether this row of ALERTS can go in as one of NEW_ALERTS."""
    return row[_NOT_YET] == _NOTHING_YET


def new_alert_row(row: Row) -> Row:
    """A row of ALERTS as one of NEW_ALERTS."""
    return row[: _NOT_YET.start] + row[_NOT_YET.stop :]


ALERT_BODIES = Form(table="alert_bodies", key=("id",), columns=("id", "body"))


def alert_body_row(alert: Alert, body: bytes | None = None) -> Row:
    """`body`: the alert as JSON, where it is known."""
    return alert.id, _blob(alert) if body is None else bytearray(body)


TOUCHES = "UPDATE alerts SET count = ?, last_at = ?, ends_at = ? WHERE id = ?"


def touch_row(touch: Touch) -> Row:
    return touch.count, micros(touch.last_at), micros(touch.ends_at), touch.id


CLUSTERS = Form(
    table="clusters",
    key=("id",),
    columns=(
        "id", "tenant", "incident", "title", "severity", "site", "sites", "entities", "alerts", "suppressed",
        "opened_at", "last_at", "closed",
    ),
)  # fmt: skip


def cluster_row(cluster: Cluster) -> Row:
    return (
        cluster.id,
        cluster.tenant,
        cluster.incident,
        cluster.title,
        _RANK[cluster.severity],
        cluster.site,
        _json_text(cluster.sites),
        cluster.entities,
        cluster.alerts,
        cluster.suppressed,
        micros(cluster.opened_at),
        micros(cluster.last_at),
        1 if cluster.closed else 0,
    )


CLUSTER_BODIES = Form(table="cluster_bodies", key=("id",), columns=("id", "body"))


def cluster_body_row(cluster: Cluster) -> Row:
    return cluster.id, _blob(cluster)


CLUSTER_TOUCHES = (
    "UPDATE clusters SET alerts = ?, suppressed = ?, entities = ?, opened_at = ?, last_at = ? WHERE id = ?"
)


def cluster_touch_row(touch: ClusterTouch) -> Row:
    return (
        touch.alerts,
        touch.suppressed,
        touch.entities,
        micros(touch.opened_at),
        micros(touch.last_at),
        touch.id,
    )


INCIDENTS = Form(
    table="incidents",
    key=("id",),
    columns=(
        "id", "tenant", "title", "severity", "state", "priority", "site", "sites", "client", "owner", "alerts",
        "firing", "muted", "suppressed", "events", "opened_at", "last_at", "ended_at", "due_at", "ack_until",
        "shelved_until", "merged_into", "version",
    ),
)  # fmt: skip


def incident_row(incident: Incident) -> Row:
    ack = incident.ack
    return (
        incident.id,
        incident.tenant,
        incident.title,
        _RANK[incident.severity],
        _INCIDENT_STATE[incident.state],
        incident.priority,
        incident.site,
        _json_text(incident.sites),
        incident.client,
        incident.owner,
        incident.alerts,
        incident.firing,
        incident.muted,
        incident.suppressed,
        incident.events,
        micros(incident.opened_at),
        micros(incident.last_at),
        _ended_micros(incident),
        _micros_or_none(incident.due_at),
        None if ack is None else _micros_or_none(ack.expires_at),
        _micros_or_none(incident.shelved_until),
        incident.merged_into,
        incident.version,
    )


INCIDENT_BODIES = Form(table="incident_bodies", key=("id",), columns=("id", "body"))


def incident_body_row(incident: Incident) -> Row:
    return incident.id, _blob(incident)


INCIDENT_TOUCHES = (
    "UPDATE incidents SET alerts = ?, firing = ?, muted = ?, suppressed = ?, events = ?, last_at = ?, version = ?"
    " WHERE id = ?"
)


def incident_touch_row(touch: IncidentTouch) -> Row:
    return (
        touch.alerts,
        touch.firing,
        touch.muted,
        touch.suppressed,
        touch.events,
        micros(touch.last_at),
        touch.version,
        touch.id,
    )


def _ended_micros(incident: Incident) -> int | None:
    """When an incident that is over ended; the last sign of life stands in for a time that was not given."""
    if incident.state not in ENDED:
        return None
    return micros(incident.closed_at or incident.resolved_at or incident.last_at)


SILENCES = Form(
    table="silences",
    key=("tenant", "id"),
    columns=("tenant", "id", "starts_at", "ends_at", "updated_at", "created_by", "comment", "body"),
)


def silence_row(silence: Silence) -> Row:
    return (
        silence.tenant,
        silence.id,
        micros(silence.starts_at),
        micros(silence.ends_at),
        micros(silence.updated_at),
        silence.created_by,
        silence.comment,
        _encode(silence),
    )


TIMELINE = Form(table="timeline", key=("id",), columns=("id", "tenant", "incident", "at", "kind", "actor", "body"))


def timeline_row(number: int, entry: TimelineEntry) -> Row:
    return (
        number,
        entry.tenant,
        entry.incident,
        micros(entry.at),
        entry.kind,
        entry.actor,
        _blob(entry),
    )


REJECTS = Form(table="rejects", key=("id",), columns=("id", "tenant", "source", "format", "at", "state", "body"))


def reject_row(reject: Reject) -> Row:
    return (
        reject.id,
        reject.tenant,
        reject.source,
        reject.format,
        micros(reject.at),
        reject.state,
        _encode(reject),
    )


EFFECTS = Form(
    table="effects",
    key=("tenant", "key"),
    columns=(
        "tenant", "key", "action", "incident", "state", "attempt", "created_at", "due_at", "leased_until", "body",
    ),
)  # fmt: skip


def effect_row(effect: Effect) -> Row:
    return (
        effect.tenant,
        effect.key,
        effect.action,
        effect.incident,
        effect.state,
        effect.attempt,
        micros(effect.created_at),
        _micros_or_none(effect.due_at),
        _micros_or_none(effect.leased_until),
        _encode(effect),
    )


CHANGES = Form(
    table="changes",
    key=("partition", "last_seq"),
    columns=("partition", "last_seq", "first_seq", "tenant", "at", "crc", "body"),
)

_encode_lines = msgspec.json.Encoder().encode_lines


def chunk_row(commit: Commit) -> Row:
    """The changes of one commit as one row, one JSON per line; `crc` guards the body."""
    changes = commit.changes
    body = b"\n".join(commit.slim) if commit.slim else _encode_lines(changes)
    tenants = {change.tenant for change in changes}
    tenant = tenants.pop() if len(tenants) == 1 else ""
    return commit.partition, changes[-1].seq, changes[0].seq, tenant, micros(commit.at), crc32(body), body


AUDITS = Form(
    table="audits",
    key=("tenant", "seq"),
    columns=("tenant", "seq", "at", "actor", "verb", "subject", "outcome", "prev", "hash", "body"),
)


def audit_row(audit: Audit) -> Row:
    return (
        audit.tenant,
        audit.seq,
        micros(audit.at),
        audit.actor,
        audit.verb,
        audit.subject,
        audit.outcome,
        audit.prev,
        audit.hash,
        _encode(audit),
    )


def chained(audit: Audit, seq: int, prev: str) -> Audit:
    """The audit as link `seq` after the link with hash `prev`."""
    linked = replace(audit, seq=seq, prev=prev, hash="")
    return replace(linked, hash=audit_hash(linked))


def audit_hash(audit: Audit) -> str:
    """SHA-256 (hex) over the canonical JSON of the record without its hash, which includes the previous hash."""
    unhashed = replace(audit, hash="")
    return sha256(msgspec.json.encode(unhashed, order="deterministic")).hexdigest()


NOUN_ROWS = Form(
    table="nouns",
    key=("tenant", "kind", "id"),
    columns=(
        "tenant", "kind", "id", "at", "site", "entity", "state", "severity", "value", "incident", "live", "body",
    ),
)  # fmt: skip


def noun_row(record: Any) -> Row:
    noun = NOUN_OF_RECORD[type(record)]
    return (
        record.tenant,
        noun.kind,
        record.id,
        micros(noun.time_of(record)),
        noun.site_column(record),
        str(getattr(record, noun.entity)) if noun.entity else "",
        noun.state_of(record),
        noun.rank_of(record),
        noun.value_of(record),
        noun.incident_of(record),
        0 if noun.is_over(record) else 1,
        _encode(record),
    )


UNDOS = Form(table="undos", key=("tenant", "id"), columns=("tenant", "id", "expires_at", "body"))


def undo_row(undo: Undo) -> Row:
    return undo.tenant, undo.id, micros(undo.expires_at), _encode(undo)


NOTES = Form(table="alert_notes", key=("tenant", "key"), columns=("tenant", "key", "body"))


def notes_row(notes: AlertNotes) -> Row:
    return notes.tenant, notes.key, _encode(notes)


PATTERNS = Form(table="patterns", key=("tenant", "name"), columns=("tenant", "name", "last_at", "body"))


def pattern_row(pattern: Pattern) -> Row:
    return pattern.tenant, pattern.name, micros(pattern.last_at), _encode(pattern)


SEEN = Form(table="seen", key=("tenant", "source", "id"), columns=("tenant", "source", "id", "at"))

TOKENS = Form(table="tokens", key=("tenant", "id"), columns=("tenant", "id", "body"))


def token_row(token: Token) -> Row:
    return token.tenant, token.id, _encode(token)


LEASES = Form(table="leases", key=("partition",), columns=("partition", "owner", "epoch", "expires_at", "seq"))

METRIC_SERIES = Form(
    table="metric_series",
    key=("number",),
    columns=("number", "tenant", "id", "name", "site", "labels", "last_at", "last"),
)

METRIC_ROLLUPS = Form(
    table="metric_rollups",
    key=("resolution", "at", "series"),
    columns=("resolution", "at", "series", "count", "sum", "min", "max", "sketch"),
)

METRIC_DUE = Form(table="metric_due", key=("resolution", "at", "series"), columns=("resolution", "at", "series"))

#: Every table that is written, by name.
FORMS: dict[str, Form] = {
    form.table: form
    for form in (
        ALERTS, ALERT_BODIES, CLUSTERS, CLUSTER_BODIES, INCIDENTS, INCIDENT_BODIES, SILENCES, TIMELINE, REJECTS,
        EFFECTS, CHANGES, AUDITS, NOUN_ROWS, UNDOS, NOTES, PATTERNS, SEEN, TOKENS, LEASES,
        METRIC_SERIES, METRIC_ROLLUPS, METRIC_DUE,
    )
}  # fmt: skip
