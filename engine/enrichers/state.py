"""Current state: who is on site, which tickets are open there, how the devices are, and where their figures go."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from data.query_ast import Compare, Node, Op
from data.records import Incident
from engine.enrichers import Asking, Enricher, Items
from engine.enrichers.places import SITES_MOST, devices_at, of_site

MOST = 20
_LOOKED_AT = 500


async def gather(asking: Asking) -> Items:
    incident = asking.incident
    items: Items = []
    for site in incident.sites[:SITES_MOST]:
        at = Compare(field="site", op=Op.EQ, value=site)
        items.append(await _people(asking, site, at))
        items.append(await _tickets(asking, site))
        items.append(await _devices(asking, site))
        items.append(await _alerts(asking, incident, site, at))
    return [item for item in items if item]


async def _people(asking: Asking, site: str, at: Node) -> dict[str, Any]:
    people = await asking.rows("people", where=at, limit=_LOOKED_AT)
    here = [person for person in people if person.on_site == site]
    if not people:
        return {}
    names = ", ".join(person.name or person.id for person in here[:5])
    return _item(site, f"{len(here)} of {len(people)} people are on site", names or "nobody has checked in", "people")


async def _tickets(asking: Asking, site: str) -> dict[str, Any]:
    tickets = await asking.rows("tickets", where=of_site(site), active=True, limit=_LOOKED_AT)
    if not tickets:
        return {}
    late = sum(ticket.breached for ticket in tickets)
    return _item(site, f"{len(tickets)} tickets are open", f"{late} of them are past their SLA", "tickets")


async def _devices(asking: Asking, site: str) -> dict[str, Any]:
    devices = await devices_at(asking, site)
    if not devices:
        return {}
    states = Counter(device.state for device in devices)
    bad = [device.name or device.id for device in devices if device.state not in ("online", "unknown")]
    low = sum(device.battery is not None and device.battery < 20.0 for device in devices)
    words = ", ".join(f"{count} {state}" for state, count in states.most_common())
    reason = f"not well: {', '.join(bad[:5])}" if bad else "all that is known is well"
    return _item(site, f"devices: {words}", f"{reason}; {low} with a low battery" if low else reason, "devices")


async def _alerts(asking: Asking, incident: Incident, site: str, at: Node) -> dict[str, Any]:
    """The trend of what is counted there: alerts of the last hour against the hour before."""
    hour, until = timedelta(hours=1), asking.now
    found = await asking.rows("alerts", where=at, since=until - 2 * hour, until=until, limit=_LOOKED_AT)
    late = sum(alert.starts_at >= until - hour for alert in found)
    before = len(found) - late
    word = "rising" if late > before else "falling" if late < before else "steady"
    return _item(site, f"alerts are {word}: {late} in the last hour", f"{before} in the hour before", "trend")


def _item(site: str, what: str, reason: str, kind: str) -> dict[str, Any]:
    return {"what": what, "reason": reason, "kind": kind, "site": site}


ENRICHER = Enricher(
    category="current_state", order=50, most=MOST, words="People, tickets, devices and trend now.", gather=gather
)
