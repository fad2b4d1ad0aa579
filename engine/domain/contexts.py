"""Contexts that were gathered beside the line come back on it, so that the one writer keeps them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from data.nouns.priority import Context
from data.records import IncidentId
from engine.book import Draft
from engine.domain.events import DomainEvent
from engine.domain.registry import on

#: No sender can bring an event of this type: it is not among those of the wire.
GATHERED = "engine.context"


class ContextData(Struct, frozen=True, kw_only=True):
    incident: IncidentId
    site: str
    items: dict[str, list[dict[str, Any]]]


def context_event(data: ContextData, at: datetime) -> DomainEvent:
    return DomainEvent(type=GATHERED, source="context", id="", at=at, data=data)


@on(GATHERED)
def keep_context(draft: Draft, event: DomainEvent) -> None:
    data = event.data
    assert isinstance(data, ContextData)
    draft.put_noun(
        Context(
            tenant=draft.tenant,
            id=str(data.incident),
            at=draft.now,
            incident=data.incident,
            site=data.site,
            items=data.items,
        ),
        announce=False,
    )
