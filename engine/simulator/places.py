"""Where the simulated operation lives and what its things are called: tables, nothing else.

Places are real cities with their IANA zones; everybody and everything in them is invented.
"""

from __future__ import annotations

from typing import NamedTuple


class City(NamedTuple):
    """`region` is what one network provider and one weather front have in common."""

    name: str
    country: str
    region: str
    zone: str
    lat: float
    lon: float


CITIES = (
    City("Berlin", "DE", "central", "Europe/Berlin", 52.520, 13.405),
    City("Hamburg", "DE", "central", "Europe/Berlin", 53.551, 9.994),
    City("Munich", "DE", "alpine", "Europe/Berlin", 48.137, 11.575),
    City("Vienna", "AT", "alpine", "Europe/Vienna", 48.208, 16.373),
    City("Zurich", "CH", "alpine", "Europe/Zurich", 47.377, 8.541),
    City("London", "GB", "isles", "Europe/London", 51.507, -0.128),
    City("Manchester", "GB", "isles", "Europe/London", 53.483, -2.244),
    City("Madrid", "ES", "iberia", "Europe/Madrid", 40.417, -3.704),
    City("Lisbon", "PT", "iberia", "Europe/Lisbon", 38.722, -9.139),
    City("New York", "US", "atlantic", "America/New_York", 40.713, -74.006),
    City("Boston", "US", "atlantic", "America/New_York", 42.360, -71.058),
    City("Dubai", "AE", "gulf", "Asia/Dubai", 25.205, 55.271),
    City("Mumbai", "IN", "south", "Asia/Kolkata", 19.076, 72.878),
    City("Singapore", "SG", "south", "Asia/Singapore", 1.352, 103.820),
)

#: (month, day) of holidays with a fixed date.
HOLIDAYS: dict[str, frozenset[tuple[int, int]]] = {
    "DE": frozenset({(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}),
    "AT": frozenset({(1, 1), (1, 6), (5, 1), (10, 26), (12, 8), (12, 25), (12, 26)}),
    "CH": frozenset({(1, 1), (8, 1), (12, 25), (12, 26)}),
    "GB": frozenset({(1, 1), (12, 25), (12, 26)}),
    "ES": frozenset({(1, 1), (1, 6), (5, 1), (10, 12), (12, 6), (12, 25)}),
    "PT": frozenset({(1, 1), (4, 25), (5, 1), (6, 10), (12, 1), (12, 25)}),
    "US": frozenset({(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)}),
    "AE": frozenset({(1, 1), (12, 2), (12, 3)}),
    "IN": frozenset({(1, 26), (8, 15), (10, 2)}),
    "SG": frozenset({(1, 1), (5, 1), (8, 9), (12, 25)}),
}

CLIENTS = (
    "Northgate Logistics", "Helio Energy", "Civic Museums", "Orchard Retail", "Meridian Bank", "Aster Hospitals",
    "Quayside Ports", "Lumen Data Centres", "Kestrel Airways", "Granite Mining", "Willow Schools", "Fjord Foods",
)  # fmt: skip

SITE_WORDS = (
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett", "Kilo", "Lima",
    "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo", "Sierra", "Tango", "Uniform", "Victor", "Whiskey",
    "Xray", "Yankee", "Zulu",
)  # fmt: skip
SITE_KINDS = ("Tower", "Depot", "Campus", "Terminal", "Plaza")

FIRST_NAMES = (
    "Ada", "Amir", "Ana", "Ben", "Carla", "Chen", "Dana", "David", "Elif", "Emma", "Farid", "Greta", "Hana", "Ivan",
    "Jonas", "Kaya", "Lena", "Luis", "Maya", "Nadia", "Noah", "Omar", "Paula", "Ravi", "Rosa", "Sami", "Tara", "Uma",
    "Viktor", "Yara",
)  # fmt: skip
LAST_NAMES = (
    "Abel", "Baker", "Costa", "Duarte", "Ebert", "Fischer", "Grant", "Haddad", "Ibrahim", "Jansen", "Khan", "Lopez",
    "Mehta", "Novak", "Okoye", "Patel", "Quinn", "Reyes", "Silva", "Tanaka", "Ueda", "Vogel", "Weber", "Xu", "Young",
    "Zeller",
)  # fmt: skip

#: Device type → how many a site has, in the order of the topology.
PARK = {
    "ups": 1, "switch": 1, "gateway": 2, "server": 1, "panel": 4, "camera": 8, "reader": 5, "phone": 8,
}  # fmt: skip
INFRASTRUCTURE = frozenset({"ups", "switch", "gateway", "server"})
WITH_BATTERY = frozenset({"ups", "panel", "reader", "phone"})
FIRMWARE = {
    "ups": "3.1.4", "switch": "12.2.8", "gateway": "5.6.0", "server": "22.4.1", "panel": "2.9.3", "camera": "7.1.2",
    "reader": "4.4.0", "phone": "14.2.0",
}  # fmt: skip

#: Service → the services it needs. A failure travels against the arrows.
SERVICES: dict[str, tuple[str, ...]] = {
    "storage": (),
    "dns": (),
    "database": ("storage",),
    "cache": ("dns",),
    "queue": ("storage",),
    "auth": ("database", "cache"),
    "device-hub": ("queue", "database"),
    "video-store": ("storage", "queue"),
    "attendance-api": ("auth", "database"),
    "tour-api": ("auth", "database", "queue"),
    "ticket-api": ("auth", "database"),
    "access-control": ("auth", "device-hub"),
    "video-wall": ("video-store", "auth"),
    "mobile-gateway": ("attendance-api", "tour-api"),
    "client-portal": ("ticket-api", "attendance-api", "video-wall"),
    "reporting": ("database", "ticket-api"),
}
