"""The operation at rest: clients, sites, people, devices and how they hang together, drawn from the seed.

Owns the nouns with the little state that the models keep on them. Never lets time pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import cos, radians
from random import Random
from typing import Any

from engine.simulator import places
from engine.simulator.draws import Draws, between
from engine.simulator.places import City

METRES_PER_DEGREE = 111_320.0
SLA_MINUTES = {"P1": 60, "P2": 240, "P3": 480, "P4": 1440}
#: The contract's share of the standard times.
TIERS = {"vip": 0.5, "gold": 0.75, "standard": 1.0}


@dataclass(slots=True)
class Client:
    id: str
    name: str
    tier: str
    zone: str
    manager: str = ""

    @property
    def sla_minutes(self) -> dict[str, int]:
        return {priority: int(minutes * TIERS[self.tier]) for priority, minutes in SLA_MINUTES.items()}


@dataclass(slots=True, eq=False)
class Device:
    """`down` maps each reason for being offline to the cause behind it ("" = none)."""

    id: str
    name: str
    type: str
    site: Site
    firmware: str
    parent: Device | None
    labels: dict[str, str]
    load: float
    children: list[Device] = field(default_factory=list)
    down: dict[str, str] = field(default_factory=dict)
    #: Percent at `charged_at`, and percent lost per hour; None = on mains only.
    battery: float | None = None
    charged_at: float = 0.0
    drain: float = 0.0
    decline: Any = None
    distortions: dict[str, Any] = field(default_factory=dict)
    #: Seconds that its data are older than they should be, by a cause.
    sync_delay: float = 0.0
    noise: float = 0.0
    visit_planned: bool = False

    def above(self) -> list[Device]:
        """What it hangs on, nearest first."""
        found, device = [], self.parent
        while device is not None:
            found.append(device)
            device = device.parent
        return found


@dataclass(slots=True, eq=False)
class Person:
    """`lateness`: usual minutes after the shift's start (negative: early). `strain` 0..1 makes lateness and absence
    more likely. `prone`: the fraud pattern this person falls back on, "" for almost everybody."""

    id: str
    name: str
    role: str
    site: Site
    phone: Device | None = None
    lateness: float = -4.0
    spread: float = 4.0
    absence: float = 0.01
    prone: str = ""
    strain: float = 0.0
    straining: bool = False
    rota: int = 0
    face: float = 0.93


@dataclass(slots=True, eq=False)
class Site:
    """`weather` and `illness` 0..1 are what causes make of it."""

    id: str
    name: str
    client: Client
    city: City
    lat: float
    lon: float
    radius_m: float
    criticality: int
    posts: dict[str, int]
    size: float
    supervisor: str = ""
    people: list[Person] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    checkpoints: list[tuple[str, float, float]] = field(default_factory=list)
    distortions: dict[str, Any] = field(default_factory=dict)
    weather: float = 0.0
    illness: float = 0.0

    def point(self, east_m: float = 0.0, north_m: float = 0.0) -> dict[str, float]:
        """A place so many metres from the middle, WGS 84."""
        lat = self.lat + north_m / METRES_PER_DEGREE
        lon = self.lon + east_m / (METRES_PER_DEGREE * cos(radians(self.lat)))
        return {"lat": round(lat, 6), "lon": round(lon, 6)}

    def of_type(self, *types: str) -> list[Device]:
        return [device for device in self.devices if device.type in types]


@dataclass(slots=True)
class World:
    clients: list[Client]
    sites: list[Site]
    people: list[Person]
    devices: list[Device]
    device: dict[str, Device]

    def sites_of(self, region: str) -> list[Site]:
        return [site for site in self.sites if site.city.region == region]


def sites_at(scale: float) -> list[str]:
    """The ids of the sites of a world of this scale."""
    return [f"site-{n + 1:03d}" for n in range(max(2, round(50 * scale)))]


def build(draws: Draws, scale: float = 1.0) -> World:
    """50 sites, 400 people and 1,500 devices at scale 1; everything grows with it."""
    clients = _clients(max(2, round(12 * scale)))
    sites = [_site(draws.of("site", str(n)), n, clients) for n in range(len(sites_at(scale)))]
    for number, site in enumerate(sites):
        random = draws.of("park", site.id)
        _install(site, random)
        _staff(site, number, random)
    people = [person for site in sites for person in site.people]
    devices = [device for site in sites for device in site.devices]
    for client in clients:
        client.manager = next(
            (site.supervisor for site in sites if site.client is client), people[0].id if people else ""
        )
    return World(clients, sites, people, devices, {device.id: device for device in devices})


def _clients(number: int) -> list[Client]:
    tiers = ("vip", "gold", "standard", "standard", "gold", "standard")
    names = places.CLIENTS
    return [
        Client(
            id=f"client-{n + 1:02d}",
            name=names[n % len(names)] + (f" {n // len(names) + 1}" if n >= len(names) else ""),
            tier=tiers[n % len(tiers)],
            zone=places.CITIES[n % len(places.CITIES)].zone,
        )
        for n in range(number)
    ]


def _site(random: Random, n: int, clients: list[Client]) -> Site:
    city = places.CITIES[n % len(places.CITIES)]
    words, kinds = places.SITE_WORDS, places.SITE_KINDS
    serial = n // len(words)
    criticality = random.choices((1, 2, 3, 4, 5), (1, 3, 5, 3, 2))[0]
    name = f"{words[n % len(words)]} {kinds[(n + serial) % len(kinds)]}"
    site = Site(
        id=f"site-{n + 1:03d}",
        name=name if serial < len(kinds) else f"{name} {serial + 1}",
        client=clients[n % len(clients)],
        city=city,
        lat=round(city.lat + between(random, -0.08, 0.08), 6),
        lon=round(city.lon + between(random, -0.08, 0.08), 6),
        radius_m=float(random.choice((80, 120, 150, 200, 300))),
        criticality=criticality,
        posts={"day": 2, "evening": 1, "night": 2} if criticality >= 3 else {"day": 2, "evening": 1, "night": 1},
        size=between(random, 0.5, 2.0),
    )
    for number in range(random.randrange(5, 10)):
        east, north = (between(random, -0.6, 0.6) * site.radius_m for _ in "en")
        site.checkpoints.append((f"{site.id}-cp{number + 1}", east, north))
    return site


def _install(site: Site, random: Random) -> None:
    """Power → switch → gateways → what hangs on them, half on each gateway."""
    parents: dict[str, list[Device]] = {}
    for kind, number in places.PARK.items():
        above = {"ups": (), "switch": ("ups",), "gateway": ("switch",), "server": ("switch",)}.get(kind, ("gateway",))
        candidates = [device for name in above for device in parents[name]]
        for n in range(number):
            parent = candidates[n % len(candidates)] if candidates else None
            device = _device(site, kind, n + 1, parent, random)
            parents.setdefault(kind, []).append(device)
            site.devices.append(device)


def _device(site: Site, kind: str, number: int, parent: Device | None, random: Random) -> Device:
    id = f"{site.id}-{kind}-{number}"
    device = Device(
        id=id,
        name=f"{site.name} {kind} {number}",
        type=kind,
        site=site,
        firmware=places.FIRMWARE[kind],
        parent=parent,
        labels={"site": site.id, "device": id, "device_type": kind},
        load=between(random, 0.6, 1.4),
    )
    if parent is not None:
        parent.children.append(device)
    if kind in places.WITH_BATTERY:
        device.battery = 100.0 if kind == "ups" else between(random, 35.0, 100.0)
        device.drain = 0.0 if kind in ("ups", "phone") else between(random, 0.01, 0.05)
    return device


def _staff(site: Site, number: int, random: Random) -> None:
    """Seven guards and a supervisor; every sixth supervisor is a manager or an operator of the control room."""
    phones = site.of_type("phone")
    for n, phone in enumerate(phones):
        role = "guard" if n else ("manager", "operator", *["supervisor"] * 10)[number % 12]
        serial = number * len(phones) + n
        person = Person(
            id=f"person-{serial + 1:04d}",
            name=f"{random.choice(places.FIRST_NAMES)} {random.choice(places.LAST_NAMES)}",
            role=role,
            site=site,
            phone=phone,
            lateness=random.gauss(-5.0, 2.5),
            spread=between(random, 2.0, 6.0),
            absence=0.008 + 0.06 * random.random() ** 2,
            rota=n,
            face=between(random, 0.88, 0.97),
        )
        site.people.append(person)
    site.supervisor = site.people[0].id
