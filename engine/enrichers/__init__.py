"""The context of an incident in categories, each gathered by one file of this folder that has an `ENRICHER`.

Owns the table of enrichers and asking all of them at once. An enricher reads by `Asking.rows`, so it keeps to what the
scope may see, and gives items that are plain dicts with at least "what" and "reason". One that fails costs only its
category.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from data.records import Incident
from data.scope import Scope
from engine.client import Refused

if TYPE_CHECKING:
    from engine.desk import Desk

Items = list[dict[str, Any]]
Gather = Callable[["Asking"], Awaitable[Items]]


class Enricher(Struct, frozen=True, kw_only=True):
    """`category` is its key in the context, `order` its place on the screen, `most` its largest number of items."""

    category: str
    order: int
    most: int
    words: str
    gather: Gather


@cache
def enrichers() -> tuple[Enricher, ...]:
    """All of them, in order. Raises ValueError when two have one category."""
    found: dict[str, Enricher] = {}
    for module in sorted(iter_modules(__path__), key=lambda module: module.name):
        enricher: Enricher | None = getattr(import_module(f"{__name__}.{module.name}"), "ENRICHER", None)
        if enricher is None:
            continue
        if enricher.category in found:
            raise ValueError(f"two enrichers gather {enricher.category!r}")
        found[enricher.category] = enricher
    return tuple(sorted(found.values(), key=lambda enricher: enricher.order))


class Asking:
    """What is asked about one incident: the same rows are read once, however many enrichers want them."""

    def __init__(self, desk: Desk, scope: Scope, incident: Incident) -> None:
        self.incident = incident
        self.now = desk.clock.now()
        self._desk = desk
        self._scope = scope
        self._read: dict[str, list[Any]] = {}
        self._reading: dict[str, asyncio.Lock] = {}

    async def rows(self, kind: str, **select: Any) -> list[Any]:
        """As `Desk.rows`, of the scope of whoever asks."""
        key = repr((kind, sorted(select.items())))
        async with self._reading.setdefault(key, asyncio.Lock()):
            if key not in self._read:
                self._read[key] = await self._desk.rows(self._scope, kind=kind, **select)
            return self._read[key]


async def gather(desk: Desk, scope: Scope, incident: Incident) -> dict[str, Items]:
    """Items by category. A category that cannot be read says so in one item."""
    asking = Asking(desk, scope, incident)
    found = await asyncio.gather(*(_of(enricher, asking) for enricher in enrichers()))
    return {enricher.category: items for enricher, items in zip(enrichers(), found, strict=True)}


async def _of(enricher: Enricher, asking: Asking) -> Items:
    try:
        return (await enricher.gather(asking))[: enricher.most]
    except Refused as refusal:
        return [{"what": "not available", "reason": refusal.reason}]
