"""The data directory and the errors of what is in it.

Owns where the database is, who may read it, and the translation of SQLite's and the system's errors into ours.
Never opens the database.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from pathlib import Path

from data.ports import StoreCorrupt, StoreError, StoreFull, StoreReadOnly

DATABASE = "noc.db"

#: SQLite reports these instead of "full" where a call other than a plain write found no space.
_SQLITE_IOERR_FULL = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC})


def database_path(directory: Path) -> Path:
    return directory / DATABASE


def permanent(error: StoreError) -> StoreError:
    """The error, marked as one that trying again does not help."""
    error.retryable = False
    return error


def translate(error: sqlite3.Error, path: Path) -> StoreError:
    """SQLite's error as one of ours, in words that name the file and the remedy."""
    extended: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = extended & 0xFF
    if code == sqlite3.SQLITE_FULL or (extended in _SQLITE_IOERR_FULL and _no_space(path)):
        return StoreFull(f"no space left for {path}: free some space on its disk")
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
        return StoreReadOnly(f"{path} cannot be written: check its permissions and those of its directory")
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return corrupt(path, str(error))
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(f"{path} is locked by another process: it is tried again")
    if code == sqlite3.SQLITE_INTERRUPT:
        return StoreError(f"reading {path} took too long and was stopped")
    if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR}:
        return StoreError(f"{path} cannot be read or written: {error}")
    if "Could not decode to UTF-8" in str(error):
        return corrupt(path, str(error))
    return permanent(StoreError(f"{path}: {error}"))


def corrupt(path: Path, finding: str) -> StoreCorrupt:
    return StoreCorrupt(f"{path} is damaged ({finding}): restore a backup with `noc-console db restore FILE --force`")


def _no_space(path: Path) -> bool:
    figures = os.statvfs(path.parent)
    return figures.f_bavail * figures.f_frsize < (1 << 20)


def prepare_directory(directory: Path) -> None:
    """Make the data directory for this user alone; a directory that was there is tightened if it holds our file."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.stat()
        if found.st_uid not in {os.geteuid(), 0} or (found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX):
            others = f"{directory} belongs to or can be written by other users"
            raise permanent(StoreError(f"{others}: give it to this user, and chmod 700 it"))
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077 and (database_path(directory).exists() or not any(directory.iterdir())):
            directory.chmod(0o700)
    except FileExistsError:
        raise permanent(StoreError(f"{directory} is not a directory")) from None
    except PermissionError as error:
        raise StoreReadOnly(f"{directory} cannot be used: {error.strerror}") from error
    except OSError as error:
        raise of_system(error, directory) from error


def of_system(error: OSError, path: Path) -> StoreError:
    if error.errno == errno.EROFS:
        return StoreReadOnly(f"{path} is on a read-only file system")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFull(f"no space left for {path}")
    return permanent(StoreError(f"{path}: {error.strerror}"))


def check_file(path: Path) -> bool:
    """Whether the database exists. Refuses what is no plain file, and an empty one, which SQLite would take for new."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    if stat.S_ISLNK(found.st_mode):
        raise permanent(StoreError(f"{path} is a symbolic link: name the directory that holds the real file"))
    if not stat.S_ISREG(found.st_mode):
        raise permanent(StoreError(f"{path} is not a plain file"))
    if found.st_size == 0:
        raise corrupt(path, "the file is empty")
    return True
