"""A simulated operation put through the product's line in memory, and what a measurement needs of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from msgspec import json
from msgspec.structs import replace

from data.records import DEFAULT_TENANT
from engine import pipeline
from engine.book import Batch, Book, Draft
from engine.formats.cloudevents import parse_event
from engine.ports import Envelope, EnvelopeKind, Received
from engine.rules import Rules
from engine.simulator import SCENARIOS
from engine.simulator.scenarios import NORMAL

NAME = "measured"


@contextmanager
def scenario(**changes: Any) -> Iterator[str]:
    """The name of a scenario that is the normal day but for these changes, while it lasts."""
    SCENARIOS[NAME] = replace(NORMAL, planned=(), **changes)
    try:
        yield NAME
    finally:
        del SCENARIOS[NAME]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Played:
    """A Book that events and ticks are put into, each kept. `put` → what was written."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.book, self.rules = Book(), rules or Rules()
        self._ticked: datetime | None = None

    def draft(self, at: datetime) -> Draft:
        return Draft(self.book, self.rules, DEFAULT_TENANT, at)

    def keep(self, draft: Draft) -> Batch:
        batch = Batch(self.book)
        batch.absorb(draft)
        return batch

    def put(self, kind: EnvelopeKind, payload: Any, at: datetime) -> Batch:
        draft = self.draft(at)
        pipeline.run(
            draft, Envelope(kind=kind, tenant=DEFAULT_TENANT, source="simulator", payload=payload, at=at)
        )
        return self.keep(draft)

    def tick(self, at: datetime) -> Batch:
        before, self._ticked = self._ticked, at
        return self.put(EnvelopeKind.TICK, before, at)

    def take(self, event: dict[str, Any]) -> Iterator[Batch]:
        """One CloudEvent, by the door of those that are posted."""
        at = moment(event["time"])
        body = json.encode(event)
        received = Received(body=body, headers={}, source="simulator", tenant=DEFAULT_TENANT, now=at)
        parsed = parse_event(json.decode(body), received)
        for part in (parsed, *parsed.parts):
            for kind, payload in ((EnvelopeKind.EVENTS, part.events), (EnvelopeKind.SIGNALS, part.signals)):
                if payload:
                    yield self.put(kind, payload, at)
