"""A terminal behind a link: as fast as it goes, or at so many bytes per second with the 2 MB buffer that ssh has.

Counts what came and how many live frames it held. Answers the program's questions when they arrive, not before.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fakes.terminal import Terminal

BUFFER_BYTES = 2 << 20
SLICE_SECONDS = 0.05
#: What the console asks after each live frame.
ASKED = b"\x1b[6n"
#: Keyboard protocols that pyte takes for text.
_PRIVATE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]")


class Link:
    """`take` hands on what the program wrote, at `rate` bytes per second; a thread fills the buffer behind it."""

    def __init__(self, fd: int, rate: float) -> None:
        self._fd, self._rate = fd, rate
        self._chunks: deque[bytes] = deque()
        self._held, self._credit, self._at = 0, 0.0, time.monotonic()
        threading.Thread(target=self._fill, daemon=True).start()

    def _fill(self) -> None:
        while True:
            while self._held > BUFFER_BYTES:
                time.sleep(0.01)
            try:
                data = os.read(self._fd, 1 << 14)
            except OSError:
                return
            if not data:
                return
            self._held += len(data)
            self._chunks.append(data)

    def take(self, seconds: float) -> bytes:
        """What has arrived within `seconds`; b"" for nothing."""
        end = time.monotonic() + seconds
        while True:
            data = self._due()
            if data or time.monotonic() >= end:
                return data
            time.sleep(0.002)

    def _due(self) -> bytes:
        now = time.monotonic()
        self._credit = min(self._rate * SLICE_SECONDS, self._credit + (now - self._at) * self._rate)
        self._at = now
        if not self._chunks or self._credit < 1:
            return b""
        data, room = self._chunks.popleft(), int(self._credit)
        if len(data) > room:
            self._chunks.appendleft(data[room:])
            data = data[:room]
        self._credit -= len(data)
        self._held -= len(data)
        return data


class LinkedTerminal(Terminal):
    """`rate` bytes per second; None as fast as it is read."""

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], *, columns: int, lines: int, rate: float | None = None
    ) -> None:
        super().__init__(words, env, columns=columns, lines=lines)
        self.received = 0
        self.live_frames = 0
        self._tail = b""
        self._link = Link(self._fd, rate) if rate else None

    def pump(self, seconds: float = 0.0) -> bool:
        if self._link is None:
            before = len(self.raw)
            came = super().pump(seconds)
            self._count(bytes(self.raw[before:]))
            self.raw.clear()
            return came
        data = self._link.take(seconds)
        self._count(data)
        if data:
            self._stream.feed(_PRIVATE.sub(b"", data))
        return bool(data)

    def watch(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pump(min(left, 0.05))
        assert self.ended(0.0) is None, f"the program ended with {self.status}:\n{self.text}"

    def _count(self, data: bytes) -> None:
        self.received += len(data)
        joined = self._tail + data
        self.live_frames += joined.count(ASKED)
        self._tail = joined[1 - len(ASKED) :] if not joined.endswith(ASKED) else b""


def cpu_seconds(pid: int) -> float:
    """CPU that a process and the threads that it has now took."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text().split()[0])
        except OSError:  # the thread ended
            continue
    return spent / 1e9
