"""Places: which entities the alerts of an incident are about. What several enrichers ask; gathers nothing itself."""

from __future__ import annotations

from typing import Any, NamedTuple

from data.query_ast import And, Compare, Node, Op
from engine.enrichers import Asking

#: Sites that are looked at closely.
SITES_MOST = 5
_ALERTS_MOST = 100
_DEVICES_MOST = 500
_ENTITIES_MOST = 30


class Places(NamedTuple):
    """`first` is the entity of the first alert; types by entity where a sender named one."""

    entities: frozenset[str]
    types: dict[str, str]


async def places_of(asking: Asking) -> Places:
    alerts = await asking.rows("alerts", incident=asking.incident.id, limit=_ALERTS_MOST, sort="id")
    types: dict[str, str] = {}
    for alert in alerts:
        if alert.entity and len(types) < _ENTITIES_MOST:
            types.setdefault(alert.entity, alert.entity_type)
        if alert.service and len(types) < _ENTITIES_MOST:
            types.setdefault(alert.service, "service")
    return Places(frozenset(types), types)


async def devices_at(asking: Asking, site: str) -> list[Any]:
    return await asking.rows("devices", where=of_site(site), limit=_DEVICES_MOST)


def of_site(site: str) -> Node:
    """Of a kind of record that has one site: said not to be empty too, so that the index by site is used."""
    return And(parts=(Compare(field="site", op=Op.EQ, value=site), Compare(field="site", op=Op.NE, value="")))
