"""Handlers of domain events and audits by the clock: the table that the line walks.

A handler is a function in a file of this folder, entered by `@on` or `@every`. Owns the order in which they run.
Handlers are pure: a draft and an event in, records (`draft.put_noun`) and signals (`raise_signal`) out; time is
`draft.now`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pkgutil import iter_modules

from msgspec import Struct, structs

import engine.domain
from data.records import Signal, TenantId
from engine.book import Draft
from engine.domain.events import DomainEvent
from engine.domain.room import refused

Handler = Callable[[Draft, DomainEvent], None]
Audit = Callable[[Draft], None]
Conclusion = Callable[[Draft, Sequence[DomainEvent]], None]


class Entry(Struct, frozen=True):
    order: int
    name: str
    run: Handler


class Round(Struct, frozen=True):
    """An audit that runs every `seconds`, on the first tick of each such slot of the clock."""

    seconds: float
    name: str
    run: Audit


_CONCLUSIONS: dict[str, list[Conclusion]] = {}
_HANDLERS: dict[str, list[Entry]] = {}
_ROUNDS: dict[str, Round] = {}


def on(*types: str, order: int = 100) -> Callable[[Handler], Handler]:
    """Enter a handler for these event types. Lower orders run first: 10 keeps the records of the world, 50 observes,
    100 judges."""

    def enter(run: Handler) -> Handler:
        for type in types:
            entries = _HANDLERS.setdefault(type, [])
            entries.append(Entry(order, f"{run.__module__}.{run.__name__}", run))
            entries.sort(key=lambda entry: (entry.order, entry.name))
        return run

    return enter


def after(*types: str) -> Callable[[Conclusion], Conclusion]:
    """Enter a function that gets all events of one of these types of a delivery at once, after their handlers."""

    def enter(run: Conclusion) -> Conclusion:
        for type in types:
            _CONCLUSIONS.setdefault(type, []).append(run)
        return run

    return enter


def every(seconds: float) -> Callable[[Audit], Audit]:
    """Enter an audit. It looks at all tenants: set `draft.tenant` before writing for one. Of those that are due at once
    the more frequent run first."""

    def enter(run: Audit) -> Audit:
        name = f"{run.__module__}.{run.__name__}"
        _ROUNDS[name] = Round(seconds, name, run)
        for found in sorted(_ROUNDS.values(), key=lambda entry: (entry.seconds, entry.name)):
            _ROUNDS[found.name] = _ROUNDS.pop(found.name)
        return run

    return enter


def load() -> None:
    """Import every file of this folder, so that what is there is entered."""
    for module in sorted(iter_modules(engine.domain.__path__), key=lambda found: found.name):
        import_module(f"engine.domain.{module.name}")


def handle(draft: Draft, event: DomainEvent) -> None:
    """Put one event through its handlers, if there is room for what it would add."""
    if not refused(draft, event):
        for entry in _HANDLERS.get(event.type, ()):
            entry.run(draft, event)


def conclude(draft: Draft, events: Sequence[DomainEvent]) -> None:
    """What is done once per delivery, with all its events of a type."""
    for type, entries in _CONCLUSIONS.items():
        chosen = [event for event in events if event.type == type]
        if chosen:
            for run in entries:
                run(draft, chosen)


def audit(draft: Draft) -> None:
    """Run what is due at the draft's time: once per slot, also when a tick came late."""
    slots = draft.derived("domain.rounds")
    now = draft.now.timestamp()
    for name, due in _ROUNDS.items():
        slot = int(now // due.seconds)
        if slots.get(name) != slot:
            draft.set(slots, name, slot)
            tenant = draft.tenant
            due.run(draft)
            draft.tenant = tenant


class Raised(Signal, frozen=True, kw_only=True, gc=False):
    """A signal of the engine's own, of this tenant: one audit may raise for several."""

    tenant: TenantId


def raise_signal(draft: Draft, signal: Signal) -> None:
    """Have the line take this signal, for the draft's tenant, right after the event or audit that raised it."""
    draft.raised.append(Raised(tenant=draft.tenant, **structs.asdict(signal)))
