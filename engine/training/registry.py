"""The table of trainers. A file of `jobs/` enters a function with `@trainer`; timetable, act, report and command follow
from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

from msgspec import Struct

from data.records import TenantId
from engine.training.outcome import Outcome, Tell


class Task(NamedTuple):
    """What a trainer is given: the data directory (its store to read, its registry to offer to), whose records it may
    learn from, and whom to tell how far it is."""

    folder: Path
    tenant: TenantId
    tell: Tell


Learn = Callable[[Task], Outcome]


class Trainer(Struct, frozen=True, kw_only=True):
    """`name` is the model's name in the registry of models, `words` says what it learns, and from what. `baseline` is
    what works where no model serves. `capability` is what its figures take beside noc:view, "" = nothing."""

    name: str
    words: str
    baseline: str
    learn: Learn
    capability: str = ""


_TRAINERS: dict[str, Trainer] = {}


def trainer(name: str, *, words: str, baseline: str, capability: str = "") -> Callable[[Learn], Learn]:
    """Enter a function `(task) -> Outcome` as the trainer of a model. It runs in a child process with
    limits; its file is imported by the engine too, so heavy imports belong inside the function. It raises
    `outcome.TooFew` where there is not enough to learn from."""

    def enter(learn: Learn) -> Learn:
        if name in _TRAINERS:
            raise ValueError(f"two trainers learn {name!r}")
        _TRAINERS[name] = Trainer(name=name, words=words, baseline=baseline, learn=learn, capability=capability)
        return learn

    return enter


@cache
def trainers() -> dict[str, Trainer]:
    """All of them by name, in the order of the alphabet."""
    from engine.training import jobs

    for module in sorted(iter_modules(jobs.__path__), key=lambda found: found.name):
        import_module(f"engine.training.jobs.{module.name}")
    return dict(sorted(_TRAINERS.items()))
