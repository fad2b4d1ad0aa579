"""Disk space set aside so that an operator can still acknowledge and resolve when the disk is full.

Owns one file beside the database. It is released for urgent commits and made again when there is space; while it is
released nothing but urgent commits may be written.
"""

from __future__ import annotations

import os
from pathlib import Path

NAME = "noc.reserve"

#: The reserve is made again only when this many times its size is free: it must not be what fills the disk.
_ROOM = 2


class Reserve:
    """`size` bytes in `directory`; 0 switches it off. All methods are cheap when there is nothing to do."""

    def __init__(self, directory: Path, size: int) -> None:
        self._path = directory / NAME
        self._directory = directory
        self._size = size
        self._held = False

    @property
    def held(self) -> bool:
        """Whether ordinary commits may be written: the space for urgent ones is set aside."""
        return self._held or self._size == 0

    def open(self) -> None:
        """Take over the file of the last run, or make it."""
        try:
            self._held = self._path.stat().st_size >= self._size > 0
        except FileNotFoundError:
            self._held = False
        self.fill()

    def fill(self) -> bool:
        """Make the file if it is missing and there is room. Returns whether ordinary commits may be written."""
        if self.held:
            return True
        if self.free() < self._size * _ROOM:
            return False
        self._held = self._allocate()
        return self._held

    def release(self) -> bool:
        """Give the space to the database. Returns False when there was none to give."""
        if not self._path.exists():
            return False
        self._path.unlink()
        self._held = False
        return True

    def free(self) -> int:
        """Bytes that this user may still write to the file system."""
        figures = os.statvfs(self._directory)
        return figures.f_bavail * figures.f_frsize

    def _allocate(self) -> bool:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _set_aside(file, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(file)
        return True


def _set_aside(file: int, size: int) -> None:
    """Really take the blocks: a sparse file would reserve nothing (macOS has no fallocate)."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    block = b"\0" * (1 << 20)
    for start in range(0, size, len(block)):
        os.write(file, block[: size - start])
