"""Backup while the engine runs, restore, and the complete check.

Owns whole-file copies of the database: each is verified before it takes its place, and nothing is replaced without
being asked. Never runs inside the engine's loop: these are calls of the command line.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import Struct

from data import migrate
from data.audit import first_bad
from data.codec import FORMS
from data.connect import check_sound, connect
from data.decode import Damaged, chunk_changes
from data.files import check_file, corrupt, database_path, permanent, prepare_directory, translate
from data.ports import StoreCorrupt, StoreError

#: Called with the pages that are left and all pages.
Progress = Callable[[int, int], None]

_PAGES = 4096


class Copy(Struct, frozen=True, kw_only=True):
    """A verified copy: where it is, how big, how many rows of each table, and the feed position it was taken at."""

    file: Path
    bytes: int
    rows: dict[str, int]
    seq: int


class Check(Struct, frozen=True, kw_only=True):
    """What a complete check found; `findings` is empty when all is well."""

    version: str | None
    rows: dict[str, int]
    findings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings


def backup(directory: Path, file: Path, progress: Progress | None = None) -> Copy:
    """Copy the database of a data directory to `file` while it may be written, and verify the copy.

    A file that is there is replaced only when the new copy is whole. Raises StoreError.
    """
    path = database_path(directory)
    _must_exist(path)
    if file.resolve() == path.resolve():
        raise permanent(StoreError(f"{file} is the database itself: name another file"))
    draft = file.with_name(file.name + ".part")
    with _errors_of(path), closing(connect(path, "ro")) as source:
        # One read transaction: the rows are counted in the very state that is copied.
        source.execute("BEGIN")
        rows = _rows(source)
        _copy(source, draft, progress)
    seq = _verified(draft, rows)
    draft.replace(file)
    return Copy(file=file, bytes=file.stat().st_size, rows=rows, seq=seq)


def restore(file: Path, directory: Path, force: bool = False, progress: Progress | None = None) -> Copy:
    """Make `file` the database of a data directory. The one that was there stays beside it as `…before-restore`.

    Raises StoreError: there is a database and not `force`, an engine is running on it, or the file is not whole.
    """
    _must_exist(file)
    prepare_directory(directory)
    path = database_path(directory)
    if path.exists() and not force:
        raise permanent(StoreError(f"{path} exists: --force replaces it and keeps it as {_former(path).name}"))
    draft = path.with_name(path.name + ".new")
    with _errors_of(file), closing(connect(file, "ro")) as source:
        migrate.pending(source, file)
        rows = _rows(source)
        _copy(source, draft, progress)
    seq = _verified(draft, rows)
    _enliven(draft)
    if path.exists():
        _set_aside(path)
    draft.replace(path)
    return Copy(file=path, bytes=path.stat().st_size, rows=rows, seq=seq)


def check(directory: Path) -> Check:
    """Everything that can be checked: the structure, the change log's checksums, the audit's chain."""
    path = database_path(directory)
    _must_exist(path)
    with _errors_of(path), closing(connect(path, "ro")) as connection:
        try:
            check_sound(connection, path, complete=True)
            return Check(
                version=migrate.version_of(connection), rows=_rows(connection), findings=tuple(_findings(connection))
            )
        except StoreCorrupt as error:
            return Check(version=None, rows={}, findings=(str(error),))


def _findings(connection: sqlite3.Connection) -> list[str]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)") if row[0] != "ok"]
    bad = first_bad(connection)
    if bad is not None:
        found.append(f"the audit was changed at {bad}")
    for seq, crc, body in connection.execute("SELECT first_seq, crc, body FROM changes"):
        try:
            chunk_changes(body, crc)
        except Damaged as error:
            found.append(f"change {seq}: {error}")
    return found


def _must_exist(path: Path) -> None:
    if not check_file(path):
        raise permanent(StoreError(f"there is no database at {path}"))


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    return {
        table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
        for table in sorted(FORMS)
    }


def _copy(source: sqlite3.Connection, draft: Path, progress: Progress | None) -> None:
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    with closing(connect(draft, "rw")) as target:

        def report(_status: int, left: int, whole: int) -> None:
            if progress is not None:
                progress(left, whole)

        source.backup(target, pages=_PAGES, progress=report)
        # One file, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")


def _verified(draft: Path, rows: dict[str, int]) -> int:
    """Check the copy's structure and rows, put it on the disk → its feed position."""
    try:
        with _errors_of(draft), closing(connect(draft, "rw")) as copy:
            check_sound(copy, draft, complete=True)
            finding = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if finding != "ok":
                raise corrupt(draft, str(finding))
            if _rows(copy) != rows:
                raise permanent(StoreError(f"{draft} does not hold the rows of its source"))
            seq = copy.execute("SELECT coalesce(max(seq), 0) FROM leases").fetchone()[0]
    except StoreError:
        draft.unlink(missing_ok=True)
        raise
    _sync(draft)
    return int(seq)


def _enliven(draft: Path) -> None:
    """Turn the copy into a database to work on: no lease is alive in it."""
    with _errors_of(draft), closing(connect(draft, "rw")) as connection:
        connection.execute("UPDATE leases SET expires_at = 0")
        connection.execute("PRAGMA journal_mode = WAL")
    _sync(draft)


def _set_aside(path: Path) -> None:
    """Keep the replaced database. Leaving WAL mode needs the file for oneself: that finds a running engine."""
    try:
        with closing(connect(path, "rw", 1.0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise permanent(StoreError(f"an engine is running on {path}: stop it first")) from error
    except (sqlite3.DatabaseError, StoreError):
        # What is damaged cannot be asked; no engine runs on it, for it would refuse to.
        pass
    for ending in ("", "-wal", "-shm"):
        former = Path(f"{path}{ending}")
        if former.exists():
            former.replace(Path(f"{_former(path)}{ending}"))


def _former(path: Path) -> Path:
    return path.with_name(path.name + ".before-restore")


def _sync(file: Path) -> None:
    for name in (file, file.parent):
        number = os.open(name, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, path) from error
