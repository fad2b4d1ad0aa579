"""The rows of one commit, table by table.

Owns which statement each part of a commit is written with and the numbers that the store gives out (timeline, rejects,
audit chain). Runs inside the transaction that `data.store` opens; the lease is checked there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from data import outbox, rollups
from data.codec import (
    ALERT_BODIES,
    ALERTS,
    AUDITS,
    CHANGES,
    CLUSTER_BODIES,
    CLUSTER_TOUCHES,
    CLUSTERS,
    INCIDENT_BODIES,
    INCIDENT_TOUCHES,
    INCIDENTS,
    NEW_ALERTS,
    NOTES,
    NOUN_ROWS,
    PATTERNS,
    REJECTS,
    SEEN,
    SILENCES,
    TIMELINE,
    TOUCHES,
    UNDOS,
    Row,
    alert_body_row,
    alert_row,
    audit_row,
    chained,
    chunk_row,
    cluster_body_row,
    cluster_row,
    cluster_touch_row,
    incident_body_row,
    incident_row,
    incident_touch_row,
    is_untouched,
    micros,
    new_alert_row,
    notes_row,
    noun_row,
    pattern_row,
    reject_row,
    silence_row,
    timeline_row,
    touch_row,
    undo_row,
)
from data.load import highest
from data.ports import Commit
from data.records import Audit, Reject, TimelineEntry
from data.statements import insert, upsert, write

_LINK = "SELECT seq, hash FROM audits WHERE tenant = ? ORDER BY seq DESC LIMIT 1"


class Tail(Struct, kw_only=True):
    """The greatest numbers given out so far. A failed transaction may leave them too high: numbers are skipped then."""

    alert: int = 0
    timeline: int = 0
    reject: int = 0

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> Tail:
        return cls(
            alert=highest(connection, "alerts"),
            timeline=highest(connection, "timeline"),
            reject=highest(connection, "rejects"),
        )


def write_commit(connection: sqlite3.Connection, commit: Commit, tail: Tail) -> None:
    """Write every part of the commit that is not empty."""
    if commit.alerts:
        _write_alerts(connection, commit, tail)
    if commit.clusters:
        write(connection, upsert, CLUSTERS, list(map(cluster_row, commit.clusters)))
        write(connection, upsert, CLUSTER_BODIES, list(map(cluster_body_row, commit.clusters)))
    if commit.incidents:
        write(connection, upsert, INCIDENTS, list(map(incident_row, commit.incidents)))
        write(connection, upsert, INCIDENT_BODIES, list(map(incident_body_row, commit.incidents)))
    _write_touches(connection, commit)
    if commit.timeline:
        _write_timeline(connection, commit.timeline, tail)
    if commit.patterns:
        write(connection, upsert, PATTERNS, [pattern_row(pattern) for pattern in commit.patterns])
    if commit.seen:
        write(connection, upsert, SEEN, [(key.tenant, key.source, key.id, micros(key.at)) for key in commit.seen])
    if commit.samples:
        rollups.take(connection, commit.samples, commit.at.timestamp())
    for rolling in commit.rollings:
        rollups.roll(connection, rolling)
    if commit.changes:
        write(connection, insert, CHANGES, [chunk_row(commit)])
    _write_rare(connection, commit, tail)


def _write_rare(connection: sqlite3.Connection, commit: Commit, tail: Tail) -> None:
    """The parts that only commits of operators, rejects and playbooks have."""
    if commit.silences:
        write(connection, upsert, SILENCES, [silence_row(silence) for silence in commit.silences])
    if commit.rejects:
        _write_rejects(connection, commit.rejects, tail)
    if commit.effects:
        outbox.add(connection, commit.effects)
    if commit.audits:
        _write_audits(connection, commit.audits)
    if commit.undos:
        write(connection, upsert, UNDOS, [undo_row(undo) for undo in commit.undos])
    if commit.nouns:
        write(connection, upsert, NOUN_ROWS, [noun_row(record) for record in commit.nouns])
    if commit.notes:
        write(connection, upsert, NOTES, [notes_row(notes) for notes in commit.notes])


def _write_touches(connection: sqlite3.Connection, commit: Commit) -> None:
    """The columns of rows of which nothing else moved; the rows themselves are there."""
    if commit.touches:
        connection.executemany(TOUCHES, map(touch_row, commit.touches))
    if commit.cluster_touches:
        connection.executemany(CLUSTER_TOUCHES, map(cluster_touch_row, commit.cluster_touches))
    if commit.incident_touches:
        connection.executemany(INCIDENT_TOUCHES, map(incident_touch_row, commit.incident_touches))


def _write_alerts(connection: sqlite3.Connection, commit: Commit, tail: Tail) -> None:
    """New alerts by plain INSERT, which is the cheapest; their ids are greater than any before."""
    rows = [alert_row(alert) for alert in commit.alerts]
    bodies = _bodies(commit)
    newest = tail.alert
    untouched = [new_alert_row(row) for row in rows if row[0] > newest and is_untouched(row)]
    write(connection, insert, NEW_ALERTS, untouched)
    if len(untouched) < len(rows):
        touched = [row for row in rows if row[0] > newest and not is_untouched(row)]
        write(connection, insert, ALERTS, touched)
        write(connection, upsert, ALERTS, [row for row in rows if row[0] <= newest])
    write(connection, insert, ALERT_BODIES, [body for body in bodies if body[0] > newest])
    write(connection, upsert, ALERT_BODIES, [body for body in bodies if body[0] <= newest])
    tail.alert = max(newest, *(row[0] for row in rows))


def _bodies(commit: Commit) -> list[Row]:
    """The bodies of the commit's alerts, encoded here where they were not before."""
    if not commit.bodies:
        return [alert_body_row(alert) for alert in commit.alerts]
    return [alert_body_row(alert, body) for alert, body in zip(commit.alerts, commit.bodies, strict=True)]


def _write_timeline(connection: sqlite3.Connection, entries: Sequence[TimelineEntry], tail: Tail) -> None:
    rows = [timeline_row(number, entry) for number, entry in enumerate(entries, tail.timeline + 1)]
    write(connection, insert, TIMELINE, rows)
    tail.timeline += len(rows)


def _write_rejects(connection: sqlite3.Connection, rejects: Sequence[Reject], tail: Tail) -> None:
    """A reject without an id is new and gets one; with one it is a change of state."""
    rows = []
    for reject in rejects:
        if reject.id == 0:
            tail.reject += 1
        rows.append(reject_row(replace(reject, id=reject.id or tail.reject)))
    write(connection, upsert, REJECTS, rows)


def _write_audits(connection: sqlite3.Connection, audits: Sequence[Audit]) -> None:
    """Append to the hash chain of each tenant."""
    links: dict[str, tuple[int, str]] = {}
    rows = []
    for audit in audits:
        seq, prev = links.get(audit.tenant) or connection.execute(_LINK, (audit.tenant,)).fetchone() or (0, "")
        linked = chained(audit, seq + 1, prev)
        links[audit.tenant] = (linked.seq, linked.hash)
        rows.append(audit_row(linked))
    write(connection, insert, AUDITS, rows)
