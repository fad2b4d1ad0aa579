"""The watchdog: cuts an envelope that holds the line for too long.

A thread of its own looks twice a second whether the line has worked on one envelope for more than its limit, and
then raises `Hung` in the line's thread. Only Python code can be cut this way; that is all the line runs.
"""

from __future__ import annotations

import ctypes
import threading

from engine.ports import Clock

LIMIT_SECONDS = 2.0


class Hung(BaseException):
    """The envelope took too long. Not an Exception, so that no handler inside the line swallows it."""


class Watchdog:
    """Use as `with watchdog: …` around the work on one envelope, always from the same thread."""

    def __init__(self, clock: Clock, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._clock = clock
        self._limit = limit_seconds
        self._deadline = 0.0
        self._thread_id = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the calling thread."""
        self._thread_id = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def __enter__(self) -> None:
        self._deadline = self._clock.monotonic() + self._limit

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._deadline = 0.0

    def _watch(self) -> None:
        while not self._stop.wait(self._limit / 4):
            with self._lock:
                if self._deadline and self._clock.monotonic() > self._deadline:
                    self._deadline = 0.0
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread_id), ctypes.py_object(Hung))
