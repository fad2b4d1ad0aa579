"""Reference data as events: what every system of the operation knows before anything happens."""

from __future__ import annotations

from typing import Any

from engine.simulator.operation import Operation
from engine.simulator.world import Client, Device, Person, Site

#: Rows of one event.
CHUNK = 100


def announce(operation: Operation) -> None:
    """Clients, sites, people and devices, parents before children."""
    world = operation.world
    _emit(operation, "noc.client", [_client(client) for client in world.clients])
    _emit(operation, "noc.site", [_site(site) for site in world.sites])
    _emit(operation, "noc.person", [_person(person) for person in world.people])
    _emit(operation, "noc.device", [_device(device) for device in world.devices])


def _emit(operation: Operation, kind: str, rows: list[dict[str, Any]]) -> None:
    for n in range(0, len(rows), CHUNK):
        operation.emit(kind, rows[n : n + CHUNK])


def _client(client: Client) -> dict[str, Any]:
    return {
        "id": client.id,
        "name": client.name,
        "tier": client.tier,
        "sla_minutes": client.sla_minutes,
        "hours": {str(day): ["08:00", "18:00"] for day in range(5)},
        "zone": client.zone,
        "manager": client.manager,
    }


def _site(site: Site) -> dict[str, Any]:
    return {
        "id": site.id,
        "name": site.name,
        "client": site.client.id,
        "point": site.point(),
        "radius_m": site.radius_m,
        "criticality": site.criticality,
        "supervisor": site.supervisor,
        "posts": site.posts,
        "zone": site.city.zone,
    }


def _person(person: Person) -> dict[str, Any]:
    phone = person.phone.id if person.phone is not None else ""
    return {
        "id": person.id,
        "name": person.name,
        "role": person.role,
        "sites": [person.site.id],
        "device": phone,
    }


def _device(device: Device) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": device.id,
        "status": "seen",
        "name": device.name,
        "type": device.type,
        "site": device.site.id,
        "firmware": device.firmware,
    }
    if device.battery is not None:
        row["battery"] = round(device.battery, 1)
    if device.parent is not None:
        row["parent"] = device.parent.id
    return row
