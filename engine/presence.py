"""Presence: one engine per data directory, and how another process finds it.

A lock on `engine.lock` says that an engine lives; it goes with the process, also when that is killed.
`engine.json` says where it answers. Both are readable by their owner only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from msgspec import DecodeError, Struct, json

LOCK = "engine.lock"
CARD = "engine.json"


class Card(Struct, frozen=True, kw_only=True):
    """Where the running engine of a data directory answers."""

    url: str
    pid: int
    version: str


class AlreadyRunning(Exception):
    """Another engine holds the directory; `card` says where it answers, if it has said so."""

    def __init__(self, directory: Path, card: Card | None) -> None:
        where = f" at {card.url} (process {card.pid})" if card is not None else ""
        super().__init__(f"an engine already runs on {directory}{where}")
        self.card = card
        self.remedy = (
            f"`noc-console attach {card.url}` opens a console on it"
            if card is not None
            else "it is starting or ending: try again in a moment, or give --data-dir another folder"
        )


class Presence:
    """Hold it while the engine runs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = -1

    def take(self) -> None:
        """Raises AlreadyRunning, or OSError when the directory cannot be written."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self._directory / LOCK, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise AlreadyRunning(self._directory, read_card(self._directory)) from error
        self._lock = lock

    def show(self, card: Card) -> None:
        """Tell other processes where this engine answers."""
        fresh = self._directory / f"{CARD}.new"
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(json.encode(card))
        fresh.replace(self._directory / CARD)

    def leave(self) -> None:
        if self._lock < 0:
            return
        with contextlib.suppress(OSError):
            (self._directory / CARD).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


def running_card(directory: Path) -> Card | None:
    """The card of a directory whose engine lives: its process does, and it holds the lock.

    The number of a process that was killed may be another's by now, so the lock has the last word.
    """
    card = read_card(directory)
    if card is None or not _lives(card.pid) or not _is_locked(directory):
        return None
    return card


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_locked(directory: Path) -> bool:
    try:
        lock = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_card(directory: Path) -> Card | None:
    """The card of the engine that runs on `directory`, or None."""
    try:
        return json.decode((directory / CARD).read_bytes(), type=Card)
    except (OSError, DecodeError):
        return None
