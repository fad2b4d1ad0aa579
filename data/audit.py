"""Checking the audit's hash chain.

Owns the proof that no act was changed, inserted or removed between two others. It cannot show that the newest acts were
cut off: for that, note the last seq and hash elsewhere.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from data.codec import AUDITS, audit_hash, audit_row
from data.connect import connect
from data.decode import Damaged, record_of
from data.files import check_file, database_path, permanent, translate
from data.ports import StoreError
from data.records import Audit

_ALL = f"SELECT {', '.join(AUDITS.columns)} FROM audits ORDER BY tenant, seq"


def verify_audit(directory: Path) -> int | None:
    """The seq of the first audit row that is not as it was written, by tenant; None when the chain holds."""
    path = database_path(directory)
    if not check_file(path):
        raise permanent(StoreError(f"there is no database at {path}"))
    connection = connect(path, "ro")
    try:
        return first_bad(connection)
    except sqlite3.Error as error:
        raise translate(error, path) from error
    finally:
        connection.close()


def first_bad(connection: sqlite3.Connection) -> int | None:
    """The same on an open connection."""
    tenant, seq, prev = None, 0, ""
    for row in connection.execute(_ALL):
        if row[0] != tenant:
            tenant, seq, prev = row[0], 0, ""
        audit = _intact(row)
        if audit is None or audit.seq != seq + 1 or audit.prev != prev:
            return int(row[1])
        seq, prev = audit.seq, audit.hash
    return None


def _intact(row: tuple[object, ...]) -> Audit | None:
    """The record of a row whose columns, body and hash agree."""
    body = row[-1]
    if not isinstance(body, bytes):
        return None
    try:
        audit = record_of(Audit, body)
    except Damaged:
        return None
    return audit if audit_row(audit) == row and audit_hash(audit) == audit.hash else None
