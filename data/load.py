"""What the engine needs in memory to go on, read in one transaction.

Owns the reads of `Store.load`. Runs on the writer's thread, at start and after a failed commit.
"""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec import json

from data.codec import Row, micros, moment
from data.decode import columns_of, records_of
from data.nouns import NOUNS
from data.ports import Seen, Snapshot
from data.records import Alert, AlertNotes, Cluster, Incident, Partition, Pattern, Silence, Undo

T = TypeVar("T")

#: How long an idempotency key is remembered.
SEEN_SECONDS = 24 * 3600.0


def _whole(record: type, name: str, bodies: str, source: str) -> str:
    """The columns of `columns_of` from the rows that `source` calls `name`, each with its body.

    LEFT: a row whose body is gone must show as damage, not as one row less.
    """
    columns = ", ".join(f"{name}.{column}" for column in columns_of(record)[1:])
    return f"SELECT b.body, {columns} FROM {source} LEFT JOIN {bodies} AS b ON b.id = {name}.id"


_IN_MEMORY = "i.state != 'closed' AND i.merged_into IS NULL"
_UNFINISHED = f"{_IN_MEMORY} AND i.state != 'resolved'"
_ALERT = _whole(Alert, "a", "alert_bodies", "alerts AS a")
_OPEN_ALERTS = f"{_ALERT} WHERE a.ended_at IS NULL ORDER BY a.id"
#: Of the alerts that ended: those of incidents that are not over, and the recent ones of any incident.
_ENDED_ALERTS = (
    f"{_ALERT} WHERE a.id IN ("
    "SELECT e.id FROM incidents AS i CROSS JOIN alerts AS e ON e.incident = i.id"
    f" WHERE {_UNFINISHED} AND e.ended_at IS NOT NULL"
    " UNION SELECT id FROM alerts WHERE ended_at >= ?) ORDER BY a.id"
)
_INCIDENTS = f"{_whole(Incident, 'i', 'incident_bodies', 'incidents AS i')} WHERE {_IN_MEMORY} ORDER BY i.id"
_OF_INCIDENTS = "incidents AS i CROSS JOIN clusters AS c ON c.incident = i.id"
_CLUSTERS = f"{_whole(Cluster, 'c', 'cluster_bodies', _OF_INCIDENTS)} WHERE {_IN_MEMORY} ORDER BY c.id"

#: Of incidents that are closed, but that an undo can still bring back.
_BACK = "IN (SELECT value FROM json_each(?))"
_INCIDENTS_BACK = f"{_whole(Incident, 'i', 'incident_bodies', 'incidents AS i')} WHERE i.id {_BACK} ORDER BY i.id"
_ALERTS_BACK = f"{_ALERT} WHERE a.incident {_BACK} AND a.ended_at < ? ORDER BY a.id"
_CLUSTERS_BACK = f"{_whole(Cluster, 'c', 'cluster_bodies', 'clusters AS c')} WHERE c.incident {_BACK} ORDER BY c.id"

#: Records decoded in one call: enough to be fast, little enough to keep the joined text small.
_BLOCK = 500


def load(connection: sqlite3.Connection, partition: Partition, now: datetime, recent_seconds: float) -> Snapshot:
    """What `Snapshot` promises; `recent_seconds`: how long ago an alert of an incident that is over may have ended."""
    clock = micros(now)
    recent = micros(now - timedelta(seconds=recent_seconds))
    with _reading(connection), _no_collection():
        undos = _records(connection, Undo, "SELECT body FROM undos WHERE expires_at > ? ORDER BY id", (clock,))
        back = _closed_of(connection, undos)
        return Snapshot(
            alerts=_records(connection, Alert, _OPEN_ALERTS)
            + _records(connection, Alert, _ENDED_ALERTS, (recent,))
            + _records(connection, Alert, _ALERTS_BACK, (back, recent)),
            clusters=_records(connection, Cluster, _CLUSTERS) + _records(connection, Cluster, _CLUSTERS_BACK, (back,)),
            incidents=_records(connection, Incident, _INCIDENTS)
            + _records(connection, Incident, _INCIDENTS_BACK, (back,)),
            silences=_records(connection, Silence, "SELECT body FROM silences ORDER BY tenant, id"),
            undos=undos,
            notes=_records(connection, AlertNotes, "SELECT body FROM alert_notes ORDER BY tenant, key"),
            patterns=_records(connection, Pattern, "SELECT body FROM patterns ORDER BY tenant, name"),
            nouns=_nouns(connection),
            seen=_seen(connection, micros(now - timedelta(seconds=SEEN_SECONDS))),
            seq=last_seq(connection, partition),
            next_alert=highest(connection, "alerts") + 1,
            next_cluster=highest(connection, "clusters") + 1,
            next_incident=highest(connection, "incidents") + 1,
        )


def _closed_of(connection: sqlite3.Connection, undos: list[Undo]) -> str:
    """The closed incidents that these undos can bring back, as a JSON list."""
    named = json.encode(sorted({incident.id for undo in undos if not undo.used for incident in undo.incidents}))
    sql = f"SELECT id FROM incidents WHERE id {_BACK} AND state = 'closed'"
    return json.encode([number for (number,) in connection.execute(sql, (named.decode(),))]).decode()


def last_seq(connection: sqlite3.Connection, partition: Partition) -> int:
    row = connection.execute("SELECT seq FROM leases WHERE partition = ?", (partition,)).fetchone()
    return 0 if row is None else int(row[0])


def highest(connection: sqlite3.Connection, table: str) -> int:
    """The greatest id of a table, 0 when it is empty. Pruning never deletes it, so no id is given out twice."""
    row = connection.execute(f"SELECT max(id) FROM {table}").fetchone()
    return int(row[0] or 0)


def _records(connection: sqlite3.Connection, record: type[T], sql: str, values: Row = ()) -> list[T]:
    found: list[T] = []
    cursor = connection.execute(sql, values)
    while rows := cursor.fetchmany(_BLOCK):
        found += records_of(record, rows)
    return found


def _nouns(connection: sqlite3.Connection) -> list[Any]:
    """What is held in memory of the kinds of `data.nouns`, in the order of their ids."""
    sql = "SELECT body FROM nouns WHERE live = 1 AND kind = ? ORDER BY tenant, id"
    found: list[Any] = []
    for noun in NOUNS.values():
        if noun.held:
            found += _records(connection, noun.record, sql, (noun.kind,))
    return found


def _seen(connection: sqlite3.Connection, since: int) -> list[Seen]:
    rows = connection.execute("SELECT tenant, source, id, at FROM seen WHERE at >= ? ORDER BY at", (since,))
    return [Seen(tenant=tenant, source=source, id=number, at=moment(at)) for tenant, source, number, at in rows]


@contextmanager
def _reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction, so that all tables are of the same moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection while 100,000 records are made that all stay: it would walk them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
