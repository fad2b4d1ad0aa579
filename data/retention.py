"""What is forgotten, and when.

Owns the statements that delete. Each call deletes at most one slice, so that commits get in between; the audit is
kept for ever, and so is the greatest id of a table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from data import rollups
from data.codec import micros
from data.load import SEEN_SECONDS
from data.nouns import NOUNS
from data.restricted import ALERTS
from data.slots import DAY, FIVE_MINUTES, HOUR
from data.slots import KEEP_DAYS as KEEP_DAYS_OF

#: Rows deleted in one transaction.
SLICE = 5000

#: Days that each kind is kept when the settings do not say. An incident takes its clusters and timeline with it.
KEEP_DAYS: dict[str, float] = {
    "alerts": 90.0,
    "incidents": 365.0,
    "events": 30.0,
    "rejects": 30.0,
    "effects": 30.0,
    "silences": 5.0,
    "rollups_5m": float(KEEP_DAYS_OF[FIVE_MINUTES]),
    "rollups_1h": float(KEEP_DAYS_OF[HOUR]),
    "rollups_1d": float(KEEP_DAYS_OF[DAY]),
    "metric_series": float(KEEP_DAYS_OF[DAY]),
}

Forget = Callable[[sqlite3.Connection, int], int]


def cutoffs(now: datetime, keep_days: Mapping[str, float]) -> dict[str, int]:
    """The oldest moment kept of each kind, in microseconds."""
    kept = {**KEEP_DAYS, **keep_days}
    moments = {kind: micros(now - timedelta(days=kept[kind])) for kind in KEEP_DAYS}
    for noun in NOUNS.values():
        days = keep_days.get(noun.kind, noun.keep_days)
        if days is not None:
            moments[noun.kind] = micros(now - timedelta(days=days))
    return {**moments, "seen": micros(now - timedelta(seconds=SEEN_SECONDS)), "undos": micros(now)}


def _alerts(connection: sqlite3.Connection, cutoff: int) -> int:
    # Restricted alerts go after their incident: they are what tells that it is restricted too.
    held = " AND ".join(f"NOT (name = '{name}' AND incident IN (SELECT id FROM incidents))" for name in ALERTS)
    sql = f"SELECT id FROM alerts WHERE ended_at < ? AND id < (SELECT max(id) FROM alerts) AND {held}"
    ids = _ids(connection, sql, cutoff)
    connection.executemany("DELETE FROM alert_bodies WHERE id = ?", ids)
    connection.executemany("DELETE FROM alerts WHERE id = ?", ids)
    return len(ids)


def _incidents(connection: sqlite3.Connection, cutoff: int) -> int:
    sql = "SELECT id FROM incidents WHERE ended_at < ? AND id < (SELECT max(id) FROM incidents)"
    ids = _ids(connection, sql, cutoff, 500)
    connection.executemany("DELETE FROM timeline WHERE incident = ? AND id < (SELECT max(id) FROM timeline)", ids)
    clusters = "clusters WHERE incident = ? AND id < (SELECT max(id) FROM clusters)"
    # The rows of the clusters name the bodies: bodies go first.
    connection.executemany(f"DELETE FROM cluster_bodies WHERE id IN (SELECT id FROM {clusters})", ids)
    connection.executemany(f"DELETE FROM {clusters}", ids)
    connection.executemany("DELETE FROM incident_bodies WHERE id = ?", ids)
    connection.executemany("DELETE FROM incidents WHERE id = ?", ids)
    return len(ids)


def _events(connection: sqlite3.Connection, cutoff: int) -> int:
    # The newest row stays: it says where a cursor that is too old begins.
    oldest = "SELECT rowid AS row, at FROM changes ORDER BY rowid LIMIT ?"
    newest = "(SELECT max(rowid) FROM changes)"
    sql = f"DELETE FROM changes WHERE rowid IN (SELECT row FROM ({oldest}) WHERE at < ? AND row < {newest})"
    return connection.execute(sql, (SLICE // 5, cutoff)).rowcount


def _rejects(connection: sqlite3.Connection, cutoff: int) -> int:
    sql = "SELECT id FROM rejects WHERE at < ? AND id < (SELECT max(id) FROM rejects)"
    ids = _ids(connection, sql, cutoff)
    connection.executemany("DELETE FROM rejects WHERE id = ?", ids)
    return len(ids)


def _plain(table: str, where: str, key: str) -> Forget:
    """Delete a slice of the rows of `table` that are older than the cutoff by `where`."""
    sql = f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {where} LIMIT {SLICE})"

    def forget(connection: sqlite3.Connection, cutoff: int) -> int:
        return connection.execute(sql, (cutoff,)).rowcount

    return forget


def _ids(connection: sqlite3.Connection, sql: str, cutoff: int, limit: int = SLICE) -> list[tuple[int]]:
    return connection.execute(f"{sql} LIMIT ?", (cutoff, limit)).fetchall()


def _noun(kind: str) -> Forget:
    """Records that are over, or of a kind that is never held: by their time."""
    held = NOUNS[kind].held
    over = "live = 0" if held else "1"
    found = f"SELECT tenant, kind, id FROM nouns WHERE kind = '{kind}' AND at < ? AND {over} LIMIT {SLICE}"
    sql = f"DELETE FROM nouns WHERE (tenant, kind, id) IN ({found})"

    def forget(connection: sqlite3.Connection, cutoff: int) -> int:
        return connection.execute(sql, (cutoff,)).rowcount

    return forget


def _rollups(resolution: int) -> Forget:
    return lambda connection, cutoff: rollups.forget(connection, resolution, cutoff / 1e6, SLICE)


#: What forgets each kind, in the order in which it is run.
FORGETS: dict[str, Forget] = {
    "alerts": _alerts,
    "incidents": _incidents,
    "events": _events,
    "rejects": _rejects,
    "effects": _plain("effects", "created_at < ? AND state IN ('done', 'failed')", "tenant, key"),
    "silences": _plain("silences", "ends_at < ?", "tenant, id"),
    "undos": _plain("undos", "expires_at < ?", "tenant, id"),
    "rollups_5m": _rollups(FIVE_MINUTES),
    "rollups_1h": _rollups(HOUR),
    "rollups_1d": _rollups(DAY),
    "metric_series": lambda connection, cutoff: rollups.forget_series(connection, cutoff / 1e6, SLICE),
    "seen": _plain("seen", "at < ?", "tenant, source, id"),
    **{kind: _noun(kind) for kind in NOUNS},
}
