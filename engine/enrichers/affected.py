"""Affected resources: sites, devices, people and assets that the incident is about, and what hangs on its devices."""

from __future__ import annotations

from typing import Any

from engine.enrichers import Asking, Enricher, Items
from engine.enrichers.places import SITES_MOST, devices_at, places_of

MOST = 40
_KINDS = ("devices", "people", "assets")
_SITES_MOST, _EACH_MOST = 10, 10


async def gather(asking: Asking) -> Items:
    incident = asking.incident
    places = await places_of(asking)
    items: Items = []
    sites = incident.sites[:_SITES_MOST]
    known = {site.id: site for site in await _named(asking, "sites", sites)}
    for name in sites:
        items.append(_site(name, known.get(name)))
    names = tuple(sorted(places.entities))
    found = {
        kind: {one.id: one for one in await _named(asking, kind, names)} for kind in ("devices", "people", "assets")
    }
    for name in names:
        items.append(_entity(name, places.types[name], found))
    for site in sites[:SITES_MOST]:
        below = (device for device in await devices_at(asking, site) if device.parent in places.entities)
        hanging = [device for device in below if device.id not in places.entities]
        items += [_item("device", device.id, f"hangs on {device.parent}", site=site) for device in hanging[:_EACH_MOST]]
    return items[:MOST]


async def _named(asking: Asking, kind: str, names: tuple[str, ...]) -> list[Any]:
    return await asking.rows(kind, ids=names, limit=len(names), sort="id") if names else []


def _site(name: str, known: Any) -> dict[str, Any]:
    facts = f", criticality {known.criticality}" if known is not None else ""
    client = known.client if known is not None else ""
    return _item("site", name, f"alerts of the incident are there{facts}", site=name, client=client)


def _entity(name: str, type: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    for kind, word in (("devices", "device"), ("people", "person"), ("assets", "asset")):
        record = found[kind].get(name)
        if record is not None:
            site = getattr(record, "site", "") or (record.sites[0] if getattr(record, "sites", ()) else "")
            return _item(word, name, "an alert of the incident is about it", site=site, name=record.name)
    return _item(type or "entity", name, "an alert of the incident is about it")


def _item(kind: str, id: str, reason: str, **facts: str) -> dict[str, Any]:
    shown = facts.pop("name", "") or id
    return {"what": shown, "reason": reason, "kind": kind, "id": id, **{k: v for k, v in facts.items() if v}}


ENRICHER = Enricher(
    category="affected_resources", order=40, most=MOST, words="Sites, devices, people and assets.", gather=gather
)
