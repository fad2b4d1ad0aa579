"""A line on stderr that says how far long work is: count, rate, time left. Silent where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from engine.clock import SystemClock

_EVERY_SECONDS = 0.2


class Progress:
    """`step(n)` counts; `total` gives the time left. Nothing is written unless stderr is a terminal."""

    def __init__(self, what: str, total: int = 0) -> None:
        self._what, self._total, self._done = what, total, 0
        self._shown = sys.stderr.isatty()
        self._now = SystemClock().monotonic
        self._began = self._last = self._now()

    def step(self, count: int = 1, reached: int | None = None) -> None:
        """`count` more are done; `reached` is how much of `total` that makes, where it counts something else."""
        self._done += count
        now = self._now()
        if self._shown and now - self._last >= _EVERY_SECONDS:
            self._last = now
            self._write(now, self._done if reached is None else reached)

    def _write(self, now: float, reached: int) -> None:
        seconds = max(now - self._began, 1e-6)
        words = f"{self._done:,} {self._what}  {self._done / seconds:,.0f}/s"
        if self._total and reached:
            left = seconds * (self._total - reached) / reached
            words += f"  {100 * reached / self._total:.0f} %  {left // 60:.0f}:{left % 60:02.0f} left"
        sys.stderr.write(f"\r{words}\x1b[K")
        sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
