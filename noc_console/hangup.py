"""The terminal went away (SIGHUP) or somebody ends the console (SIGTERM): save, leave, and be gone within two seconds.

When a terminal is gone, whoever writes to it may wait for ever, the event loop with it. So the state is saved in the
signal handler itself, and a thread ends the process when the loop does not. Never sends an act.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
import threading
from collections.abc import Callable
from types import FrameType

from engine.client import EngineClient

PATIENCE_SECONDS = 1.5


class HangUp:
    """`save` must be safe at any moment; `leave(code)` runs on the loop. An engine in this process is drained first."""

    def __init__(self, save: Callable[[], None], leave: Callable[[int], None], client: EngineClient) -> None:
        self._save, self._leave, self._client = save, leave, client
        self._loop = asyncio.get_running_loop()
        self._caught = False

    def catch(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Runs on the main thread between two instructions, even while that waits for a write."""
        if self._caught:
            return
        self._caught = True
        code = 128 + number
        last = threading.Timer(PATIENCE_SECONDS, self._end, (code,))
        last.daemon = True
        last.start()
        if _terminal_is_gone():
            _write_to_nobody()
        self._save()
        self._loop.call_soon_threadsafe(self._leave, code)

    def _end(self, code: int) -> None:
        """The loop is stuck: drain what is inside and end without it."""
        stop = getattr(self._client, "stop_engine", None)
        if stop is not None:
            stop()
        os._exit(code)


def _terminal_is_gone() -> bool:
    try:
        termios.tcgetattr(2)
    except termios.error:
        return True
    return False


def _write_to_nobody() -> None:
    """A write to a terminal that is gone fails or waits; the last words of the console are for nobody."""
    nobody = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nobody, standard)
