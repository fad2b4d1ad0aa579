"""Who and what is known: stubs for sites, people and devices that an event names before their master data came.

Owns stubs and the indexes over what is held. Never overwrites what is verified.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from data.nouns.world import Device, Person, Site
from engine.book import Draft

#: Stubs of one kind that a tenant may have: a sender of ever new names must not fill the memory.
STUBS = 20_000
_BUILT = ""
_MAKE: dict[str, type] = {"sites": Site, "people": Person, "devices": Device}


def site(draft: Draft, id: str, at: datetime) -> Site | None:
    """The site, a stub of it if it was not known; None for no name."""
    found: Site | None = _known(draft, "sites", id, at)
    return found


def person(draft: Draft, id: str, at: datetime) -> Person | None:
    found: Person | None = _known(draft, "people", id, at)
    return found


def device(draft: Draft, id: str, at: datetime) -> Device | None:
    found: Device | None = _known(draft, "devices", id, at)
    return found


def _known(draft: Draft, kind: str, id: str, at: datetime) -> Any:
    if not id:
        return None
    found = draft.noun(kind, id)
    if found is None:
        return _stub(draft, kind, id, at)
    if not found.verified and at < found.at:
        found = replace(found, at=at)
        draft.put_noun(found, announce=False)
    return found


def is_full(draft: Draft, kind: str) -> bool:
    """Whether the tenant has as many stubs of the kind as are made."""
    counts = index(draft, "domain.stubs", ("sites", "people", "devices"), _count_stub)
    return bool(counts.get((draft.tenant, kind), 0) >= STUBS)


def _stub(draft: Draft, kind: str, id: str, at: datetime) -> Any:
    counts = index(draft, "domain.stubs", ("sites", "people", "devices"), _count_stub)
    place = (draft.tenant, kind)
    number = counts.get(place, 0)
    if number >= STUBS:
        return None
    draft.set(counts, place, number + 1)
    found = _MAKE[kind](tenant=draft.tenant, id=id, at=at, verified=False)
    draft.put_noun(found)
    return found


def _count_stub(table: dict[Any, Any], kind: str, record: Any) -> None:
    if not record.verified:
        place = (record.tenant, kind)
        table[place] = table.get(place, 0) + 1


def completed(draft: Draft, kind: str) -> None:
    """A stub got its master data."""
    counts = index(draft, "domain.stubs", ("sites", "people", "devices"), _count_stub)
    place = (draft.tenant, kind)
    draft.set(counts, place, max(0, counts.get(place, 0) - 1))


def index(
    draft: Draft, name: str, kinds: Iterable[str], enter: Callable[[dict[Any, Any], str, Any], None]
) -> dict[Any, Any]:
    """A derived table over records that are held: built from them the first time it is asked for after a start."""
    table = draft.derived(name)
    if _BUILT not in table:
        for kind in kinds:
            for record in draft.book.nouns[kind].values():
                enter(table, kind, record)
        table[_BUILT] = True
    return table


def entered(draft: Draft, table: dict[Any, Any], place: Any, id: str) -> None:
    """Add an id to the tuple at `place`."""
    known = table.get(place, ())
    if id not in known:
        draft.set(table, place, (*known, id))


def left(draft: Draft, table: dict[Any, Any], place: Any, id: str) -> None:
    """Take an id from the tuple at `place`."""
    known = table.get(place, ())
    if id in known:
        rest = tuple(other for other in known if other != id)
        if rest:
            draft.set(table, place, rest)
        else:
            draft.discard(table, place)
