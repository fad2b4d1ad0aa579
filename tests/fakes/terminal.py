"""A real pseudo-terminal with a program in it, and what a person in front of it would see.

The master side is read by whoever waits: a program whose terminal nobody reads is stalled, as in life. `raw` keeps
every byte that came. Questions of the program (where is the cursor) are answered as xterm answers them.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

import pyte

from tests.fakes.waiting import PATIENCE

Opener = Callable[..., "Terminal"]


class _Screen(pyte.Screen):
    """pyte's screen; it cannot answer a question with a private mark, and has no names of colours to lose."""

    def __init__(self, columns: int, lines: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, lines)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)

    def report_device_status(self, mode: int, **settings: object) -> None:
        if not settings.get("private"):
            super().report_device_status(mode)

    def report_device_attributes(self, mode: int = 0, **settings: object) -> None:
        if not settings.get("private"):
            super().report_device_attributes(mode)

    def set_margins(self, *values: int, **_: object) -> None:
        super().set_margins(*values[:2])


class Terminal:
    """`words` runs in it from the start. `ignore_hangup` starts it as under nohup."""

    def __init__(
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        *,
        columns: int = 120,
        lines: int = 36,
        ignore_hangup: bool = False,
        cwd: str | None = None,
    ) -> None:
        self.raw = bytearray()
        self.screen = _Screen(columns, lines, self._answer)
        self._stream = pyte.ByteStream(self.screen)
        self.status: int | None = None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the program's side
            try:
                signal.signal(signal.SIGHUP, signal.SIG_IGN if ignore_hangup else signal.SIG_DFL)
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
                if cwd:
                    os.chdir(cwd)
                os.execve(words[0], list(words), {"TERM": "xterm-256color", "COLORTERM": "truecolor", **env})
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    # what is seen

    @property
    def text(self) -> str:
        """The screen now, trailing blanks cut off."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def line(self, text: str) -> str:
        """The first line of the screen that holds `text`, "" when none does."""
        return next((line for line in self.text.splitlines() if text in line), "")

    def pump(self, seconds: float = 0.0) -> bool:
        """Read what comes within `seconds`; true when something came, false too when the program is gone."""
        if self._fd < 0 or not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # the other side is closed
            return False
        self.raw += data
        self._stream.feed(data)
        return bool(data)

    def until(self, found: str | Callable[[], object], seconds: float = PATIENCE) -> float:
        """Wait for a text on the screen, or for `found()` to be true → time.monotonic() of that moment."""
        end = time.monotonic() + seconds
        while not (found in self.text if isinstance(found, str) else found()):
            assert time.monotonic() < end, f"not within {seconds:g} s: {found!r} on\n{self.text}"
            self.pump(0.01)
        return time.monotonic()

    def settle(self, quiet: float = 0.3, seconds: float = 5.0) -> None:
        """Read until nothing came for `quiet` seconds, at most `seconds`."""
        end = time.monotonic() + seconds
        while self.pump(quiet) and time.monotonic() < end:
            pass

    # what is typed

    def send(self, keys: str | bytes) -> None:
        os.write(self._fd, keys.encode() if isinstance(keys, str) else keys)

    def _answer(self, text: str) -> None:
        if self._fd >= 0:
            os.write(self._fd, text.encode())

    # the end

    def hang_up(self) -> None:
        """The line drops: the terminal is gone."""
        os.close(self._fd)
        self._fd = -1

    def ended(self, seconds: float) -> int | None:
        """The exit code (negative: the signal), or None when it still runs after `seconds`."""
        end = time.monotonic() + seconds
        while self.status is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= end:
                return None
            elif not self.pump(0.02):
                select.select([], [], [], 0.01)
        return self.status

    def finish(self) -> None:
        """Kill what still runs and close the terminal."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.ended(5.0)
        if self._fd >= 0:
            self.hang_up()
