"""Predictions on the line: what tickets and devices say is remembered, and on each tick some of them are scored.

Owns when that happens; everything else is in `engine.predictors`.
"""

from __future__ import annotations

from engine.book import Draft
from engine.domain.events import DeviceData, DomainEvent, TicketData
from engine.domain.registry import every, on
from engine.predictors import device_memory, keeping, rounds, ticket_memory


@on("noc.ticket", order=60)
def remember_ticket(draft: Draft, event: DomainEvent) -> None:
    assert isinstance(event.data, TicketData)
    found = draft.noun("tickets", event.data.id)
    if found is not None:
        keeping.ensure(draft)
        ticket_memory.observe(draft, found)


@on("noc.device", order=60)
def remember_device(draft: Draft, event: DomainEvent) -> None:
    assert isinstance(event.data, DeviceData)
    found = draft.noun("devices", event.data.id)
    if found is not None:
        keeping.ensure(draft)
        device_memory.note(draft, found, event.data, event.at)


@every(1.0)
def look_ahead(draft: Draft) -> None:
    keeping.ensure(draft)
    rounds.step(draft)


@every(keeping.EVERY_SECONDS)
def keep_remembered(draft: Draft) -> None:
    keeping.ensure(draft)
    keeping.keep(draft)
