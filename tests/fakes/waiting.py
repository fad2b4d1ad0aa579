"""Waiting for real processes: by looking again until a deadline, never for a fixed time.

The deadline says when a test gives up. It is no promise of the product: what the product promises in seconds is proved
on a clock of the test's own, or measured in `tests/bench/`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Seconds after which a test gives up: more than a machine takes that is busy with everything else at once.
PATIENCE = 60.0


def until(look: Callable[[], T], seconds: float = PATIENCE, what: str = "", every: float = 0.02) -> T:
    """The first true answer of `look`. Raises AssertionError with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:g} s: {what or look}; last answer {answer!r}"
        time.sleep(every)


def free_port() -> int:
    """A port of loopback that was free a moment ago, for programs that cannot choose one by themselves."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
