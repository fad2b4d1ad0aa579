"""Opening the database: a new one, a sound one, or the reason why not.

Owns SQLite's settings, the creation of a new database and the checks before the first use. Never reads or writes a
record. Imports neither SQLAlchemy nor Alembic, unless an old database must be migrated.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from data import migrate
from data.files import check_file, corrupt, database_path, of_system, permanent, prepare_directory, translate
from data.ports import StoreError, StoreReadOnly

BUSY_SECONDS = 5.0

#: "NOCC": marks a file as ours in SQLite's header.
APPLICATION_ID = 0x4E4F4343

#: Up to this size the whole database is checked at start (0.2 s per 300 MB that the system has cached); of a bigger
#: one the tables that the engine's memory is made from. The rest is found out when it is read.
_CHECK_BYTES = 1 << 30
_MEMORY_TABLES = (
    "leases", "alerts", "alert_bodies", "incidents", "incident_bodies", "clusters", "cluster_bodies", "silences",
    "undos", "alert_notes", "patterns",
)  # fmt: skip


def address(path: Path, mode: str) -> str:
    """SQLite's URI of a file; `mode` is rw or ro. Never creates a file."""
    immutable = "&immutable=1" if mode == "ro" and _untouchable(path) else ""
    return f"file:{quote(str(path.resolve()))}?mode={mode}{immutable}"


def _untouchable(path: Path) -> bool:
    """A read-only directory without a WAL: SQLite can read it only when told that nobody writes."""
    return not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()


def open_writer(directory: Path, busy_seconds: float = BUSY_SECONDS, synchronous: str = "FULL") -> sqlite3.Connection:
    """The connection that writes, on a database of the newest schema; makes or migrates it first where needed.

    Raises StoreError: read-only, full, damaged, locked, of another program or of a newer version.
    """
    prepare_directory(directory)
    path = database_path(directory)
    if not check_file(path):
        create(path)
    if not (os.access(path, os.W_OK) and os.access(directory, os.W_OK)):
        raise StoreReadOnly(f"{path} cannot be written: check its permissions and those of its directory")
    connection = connect(path, "rw", busy_seconds)
    try:
        check_sound(connection, path)
        if migrate.pending(connection, path):
            connection.close()
            migrate.upgrade(directory)
            connection = connect(path, "rw", busy_seconds)
        _settle(connection, synchronous)
    except sqlite3.Error as error:
        connection.close()
        raise translate(error, path) from error
    except StoreError:
        connection.close()
        raise
    path.chmod(0o600)
    return connection


def connect(path: Path, mode: str, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A bare connection in autocommit; transactions are begun by hand."""
    try:
        return sqlite3.connect(
            address(path, mode), uri=True, timeout=busy_seconds, isolation_level=None, cached_statements=512
        )
    except sqlite3.Error as error:
        raise translate(error, path) from error


def _settle(connection: sqlite3.Connection, synchronous: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {'NORMAL' if synchronous.upper() == 'NORMAL' else 'FULL'}")
    connection.execute("PRAGMA cache_size = -16000")
    # 16 MB of log between checkpoints: the more commits one folds, the fewer pages are written twice.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA trusted_schema = OFF")


def create(path: Path) -> None:
    """Make a new database under another name and move it into place: a crash leaves no half of one."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        connection = connect(draft, "rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.executescript(migrate.head_sql())
        finally:
            connection.close()
        draft.rename(path)
    except PermissionError as error:
        raise StoreReadOnly(f"{path.parent} cannot be written: {error.strerror}") from error
    except OSError as error:
        raise of_system(error, path) from error
    except sqlite3.Error as error:
        draft.unlink(missing_ok=True)
        raise translate(error, path) from error


def check_sound(connection: sqlite3.Connection, path: Path, complete: bool = False) -> None:
    """Raise StoreCorrupt when a check of the structure finds damage, StoreError when the file is not ours.

    `complete` checks every table however big the database is.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise permanent(StoreError(f"{path} is a database of another program: name another data directory"))
    whole = complete or path.stat().st_size <= _CHECK_BYTES
    for what in ("1",) if whole else _MEMORY_TABLES:
        finding = connection.execute(f"PRAGMA quick_check({what})").fetchone()[0]
        if finding != "ok":
            raise corrupt(path, str(finding))
