"""What a learner reads of a data directory: alerts with the incident that it ended up in.

Owns these queries, read-only, beside a running engine. Never judges and never writes.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from data.files import database_path, translate
from data.records import TenantId

_ALERTS = (
    "SELECT alerts.starts_at, alerts.id, alerts.incident, alert_bodies.body FROM alerts "
    "JOIN alert_bodies ON alert_bodies.id = alerts.id WHERE alerts.tenant = ? AND alerts.incident > 0 "
    "ORDER BY alerts.id DESC LIMIT ?"
)


class Stored(NamedTuple):
    id: int
    incident: int
    body: dict[str, Any]


_PARENTS = (
    "SELECT id, json_extract(CAST(body AS TEXT), '$.parent') FROM nouns WHERE tenant = ? AND kind = 'devices' "
    "AND json_extract(CAST(body AS TEXT), '$.parent') <> ''"
)


def parents(folder: Path, tenant: TenantId) -> dict[str, str]:
    """Device → what it hangs on, of those devices that name it. Raises StoreError, FileNotFoundError."""
    return dict(_read(folder, _PARENTS, (tenant,)))


def alerts(folder: Path, tenant: TenantId, most: int) -> list[Stored]:
    """The newest `most` of a tenant, in the order in which they began. Raises StoreError, FileNotFoundError."""
    found = sorted(_read(folder, _ALERTS, (tenant, most)), key=lambda row: row[:2])
    return [Stored(id_, incident, msgspec.json.decode(body)) for _, id_, incident, body in found]


def _read(folder: Path, query: str, values: tuple[object, ...]) -> list[Any]:
    path = database_path(folder)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there")
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise translate(error, path) from error
