"""A training as a process of its own: progress as lines of JSON on stderr, the Outcome or {"error": …} on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import msgspec

from data.ports import StoreError
from engine.models.refused import ModelRefused
from engine.training.outcome import Outcome


def run(train: Callable[[], Outcome]) -> int:
    """The exit code."""
    try:
        found: Any = train()
    except (StoreError, ModelRefused, ValueError, OSError) as error:
        found = {"error": str(error)}
    print(msgspec.json.encode(found).decode())
    return int(isinstance(found, dict))


def tell(what: str, done: int, total: int) -> None:
    _line({"what": what, "done": done, "total": total})


def teller(what: str, every: int = 1) -> Callable[[int, str], None]:
    """Tells of these, and in words what is done with them; of each `every`th alone."""

    def told(done: int, words: str) -> None:
        if done % every == 0:
            _line({"what": what, "done": done, "words": words})

    return told


def _line(found: dict[str, Any]) -> None:
    print(msgspec.json.encode(found).decode(), file=sys.stderr, flush=True)
