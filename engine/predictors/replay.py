"""Replay: recorded domain events → the examples that an engine would have kept, had it run then.

Owns the clock of the replay. The events go through the handlers of the line into a Book of their own; at steps of time
everything is looked at by the same code as on the tick. Nothing is raised and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.predictions import PredictionExample
from data.records import DEFAULT_TENANT
from engine.book import Batch, Book, Draft
from engine.domain import devices, registry, tickets
from engine.domain.events import DomainEvent
from engine.formats.cloudevents import FORMAT
from engine.ports import Received
from engine.predictors import tracking, waiting
from engine.predictors.catalogue import PREDICTORS
from engine.predictors.predictor import Predictor
from engine.rules import Rules

#: Everything is looked at this often.
EVERY = timedelta(minutes=10)
_HEADERS = {"content-type": "application/cloudevents-batch+json"}
_LINES = 200


class Replay:
    """A world that events are played into. `draft(now)` is one on its Book, at that time; `keep` what it wrote."""

    def __init__(self, rules: Rules | None = None) -> None:
        registry.load()
        self.rules = replace(rules or Rules(), predict_at=dict.fromkeys(PREDICTORS, 2.0))
        self.book = Book()

    def draft(self, now: datetime) -> Draft:
        return Draft(self.book, self.rules, DEFAULT_TENANT, now)

    def keep(self, draft: Draft) -> None:
        Batch(self.book).absorb(draft)

    def take(self, event: DomainEvent) -> Draft:
        """Put one event through its handlers → the draft, still open, at the event's time."""
        draft = self.draft(event.at)
        heard = draft.derived("domain.listening")
        if DEFAULT_TENANT not in heard:
            draft.set(heard, DEFAULT_TENANT, event.at)
        registry.handle(draft, event)
        return draft

    def look(self, of: Predictor, now: datetime) -> list[PredictionExample]:
        """Settle what time has brought about, then score everything → the examples whose outcome is now known."""
        draft = self.draft(now)
        tickets.look_at_tickets(draft)
        devices.look_at_devices(draft)
        for id in of.things(draft):
            tracking.visit(draft, of, id)
        for key in tracking.ended(draft):
            if key[1] == of.name:
                tracking.settle(draft, of, key)
        waiting.keep_nothing(draft)
        self.keep(draft)
        return [record for record in draft.nouns.values() if isinstance(record, PredictionExample)]


def examples_of(
    of: Predictor, lines: Sequence[bytes], tell: Callable[[str, int, int], Any] = lambda what, done, total: None
) -> list[PredictionExample]:
    """The examples of recorded CloudEvents, one per line, in the order of time. Raises ValueError when a line is not
    one."""
    world, found = Replay(), []
    events = sorted(_events(lines), key=lambda event: event.at)
    next_look = events[0].at + EVERY if events else None
    for number, event in enumerate(events):
        while next_look is not None and event.at >= next_look:
            found += world.look(of, next_look)
            next_look += EVERY
        world.keep(world.take(event))
        if number % 1000 == 0:
            tell("replaying", number, len(events))
    return found


def _events(lines: Iterable[bytes]) -> Iterator[DomainEvent]:
    part: list[bytes] = []
    for line in lines:
        part.append(line.strip())
        if len(part) == _LINES:
            yield from _parsed(part)
            part = []
    if part:
        yield from _parsed(part)


def _parsed(lines: Sequence[bytes]) -> Iterator[DomainEvent]:
    from engine.clock import SystemClock

    body = b"[" + b",".join(lines) + b"]"
    now = SystemClock().now()
    received = Received(body=body, headers=_HEADERS, source="replay", tenant=DEFAULT_TENANT, now=now)
    for parsed in FORMAT.parse(received).parts:
        if parsed.rejects:
            raise ValueError(f"not a domain event: {parsed.rejects[0].field} {parsed.rejects[0].reason}")
        yield from parsed.events
