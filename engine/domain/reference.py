"""Master data: clients, sites, people, assets and changes, as their systems tell of them.

Owns the upserts. A record is replaced as a whole by newer master data; what events found out (who is where) stays.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from data.nouns.world import Asset, Client, GeoPoint, Person, Site, WorldChange
from engine.book import Draft
from engine.domain import known
from engine.domain.events import AssetData, ChangeData, ClientData, DomainEvent, PersonData, SiteData
from engine.domain.merging import patched, replaces
from engine.domain.registry import on


@on("noc.client", order=10)
def client(draft: Draft, event: DomainEvent) -> None:
    data: ClientData = event.data  # type: ignore[assignment]
    found = Client(tenant=draft.tenant, at=event.at, **asdict(data))
    if replaces(draft.noun("clients", data.id), found):
        draft.put_noun(found)


@on("noc.site", order=10)
def site(draft: Draft, event: DomainEvent) -> None:
    data: SiteData = event.data  # type: ignore[assignment]
    fields = asdict(data)
    fields["point"] = GeoPoint(data.point.lat, data.point.lon) if data.point is not None else None
    _put(draft, "sites", draft.noun("sites", data.id), Site(tenant=draft.tenant, at=event.at, **fields))


@on("noc.person", order=10)
def person(draft: Draft, event: DomainEvent) -> None:
    data: PersonData = event.data  # type: ignore[assignment]
    old: Person | None = draft.noun("people", data.id)
    found = Person(tenant=draft.tenant, at=event.at, **asdict(data))
    if old is not None:
        seen = {"on_site": old.on_site, "on_site_since": old.on_site_since, "last_seen": old.last_seen}
        found = replace(found, checks=old.checks, **seen)
    _put(draft, "people", old, found)
    for name in data.sites:
        known.site(draft, name, event.at)


def _put(draft: Draft, kind: str, old: Any, new: Any) -> None:
    if replaces(old, new):
        if old is not None and not old.verified:
            known.completed(draft, kind)
        draft.put_noun(new)


@on("noc.asset", order=10)
def asset(draft: Draft, event: DomainEvent) -> None:
    data: AssetData = event.data  # type: ignore[assignment]
    known.site(draft, data.site, event.at)
    old: Asset | None = draft.noun("assets", data.id)
    values = {name: value for name, value in asdict(data).items() if name != "id" and value}
    start = old or Asset(tenant=draft.tenant, id=data.id, at=event.at)
    found = patched(start, event.at, values, at=min(start.at, event.at))
    if found is not old:
        draft.put_noun(found)


@on("noc.change", order=10)
def change(draft: Draft, event: DomainEvent) -> None:
    """Named by its content: the same change told twice is one."""
    data: ChangeData = event.data  # type: ignore[assignment]
    known.site(draft, data.site, event.at)
    draft.put_noun(
        WorldChange(tenant=draft.tenant, id=named(event.source, event.at, data), at=event.at, **asdict(data))
    )


def named(source: str, at: datetime, data: msgspec.Struct) -> str:
    """An id made of what was said, by whom and of when."""
    return blake2b(msgspec.json.encode([source, at, data]), digest_size=10).hexdigest()
