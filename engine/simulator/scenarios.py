"""Which day it is going to be: rates of everything, and what is planned for a certain minute.

Rates are per day for the default world and grow with its scale. What is planned begins so many minutes after the
scenario's own beginning and comes on top of the rates; what would begin before the start of the world is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace


class Scenario(Struct, frozen=True, kw_only=True):
    """`words` describe it. `causes`: kind → per day. `planned`: (minute, kind). `faults`: per device and day.
    `alerts`: nuisance alerts a day; `flaps`: flapping devices a day; `distortions`: anomalies of single series a day.
    `frauds` and `absences` multiply the usual rates; `tickets`: everyday tickets of a site and day."""

    words: str
    causes: Mapping[str, float] = {}
    planned: tuple[tuple[float, str], ...] = ()
    faults: float = 0.012
    alerts: float = 700.0
    flaps: float = 6.0
    distortions: float = 20.0
    frauds: float = 1.0
    absences: float = 1.0
    tickets: float = 2.6


_USUAL = {
    "power": 0.8, "switch": 0.8, "region": 0.25, "weather": 0.2, "illness": 0.2, "firmware": 0.15, "intrusion": 0.7,
    "service": 1.2,
}  # fmt: skip

NORMAL = Scenario(
    words="An ordinary day: a handful of causes, single faults, nuisance alarms, one per cent fraud.",
    causes=_USUAL,
    planned=((-70.0, "power"), (-25.0, "service"), (-9.0, "switch")),
)

SCENARIOS: dict[str, Scenario] = {
    "quiet": Scenario(
        words="Nothing but the routine: no cause, few faults, few nuisance alarms.",
        faults=0.002, alerts=60.0, flaps=0.5, distortions=3.0, frauds=0.3,
    ),
    "normal": NORMAL,
    "storm": replace(
        NORMAL,
        words="A weather front over two regions, with the outages that come with it.",
        planned=((0.5, "weather"), (3, "weather"), (6, "power"), (9, "power"), (14, "region"), (20, "power"),
                 (26, "switch"), (35, "power"), (45, "power")),
        alerts=1500.0, tickets=4.0,
    ),
    "power": replace(
        NORMAL,
        words="Power outages at one site after the other; batteries drain, then the sites go dark from the top down.",
        planned=((0.3, "power"), (5, "power"), (15, "power"), (40, "power"), (60, "power")),
        causes=_USUAL | {"power": 6.0},
    ),
    "network": replace(
        NORMAL,
        words="A switch hangs, a region's provider is away, more switches follow.",
        planned=((0.3, "switch"), (4, "region"), (20, "switch"), (45, "switch")),
        causes=_USUAL | {"switch": 5.0, "region": 1.0},
    ),
    "firmware": replace(
        NORMAL,
        words="A firmware is rolled out that should not have been; hours of errors and failed syncs follow the change.",
        planned=((0.3, "firmware"),),
    ),
    "illness": replace(
        NORMAL,
        words="The teams of several sites fall ill: absences, open posts, missed rounds.",
        planned=tuple((0.3 + n, "illness") for n in range(6)),
        absences=2.0,
    ),
    "fraud": replace(NORMAL, words="Check-ins that lie, eight times as many as usual.", frauds=8.0),
    "intrusion": replace(
        NORMAL,
        words="Somebody tries the doors of several sites: bursts of denied badges, then alarms.",
        planned=((0.2, "intrusion"), (3, "intrusion"), (8, "intrusion"), (25, "intrusion")),
    ),
}  # fmt: skip
