"""Made-up recordings with known incidents: outages of sites among the chatter of an ordinary day.

Owns a seeded generator, for training beside real recordings: it stands for operations whose alerts name a site, an
entity and a service. An outage hits several kinds of equipment at one site within minutes; chatter of common types
goes on at all sites, also at the one that is hit; two outages may overlap at different sites.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from engine.similarity.recording import Line

_CAUSES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "power": (
        ("PowerLost", "panel", "mains power lost on panel"),
        ("UpsOnBattery", "ups", "running on battery"),
        ("CameraOffline", "camera", "camera is offline"),
        ("GatewayUnreachable", "gateway", "gateway does not answer"),
        ("BadgeReaderDown", "reader", "badge reader is down"),
    ),
    "uplink": (
        ("LinkDown", "switch", "link to the provider is down"),
        ("BgpSessionDown", "router", "routing session with neighbour lost"),
        ("GatewayUnreachable", "gateway", "gateway does not answer"),
        ("PhoneUnregistered", "phone", "phone lost its registration"),
        ("HeartbeatMissing", "recorder", "no heartbeat from recorder"),
    ),
    "storage": (
        ("DiskFull", "server", "volume is full"),
        ("NvrStorageStale", "recorder", "recorder writes nothing"),
        ("BackupFailed", "server", "backup did not finish"),
        ("DatabaseSlow", "database", "queries take too long"),
    ),
    "cooling": (
        ("TemperatureHigh", "sensor", "temperature above limit"),
        ("FanFailed", "rack", "fan stands still"),
        ("ServerThrottled", "server", "processor slowed down by heat"),
        ("HostDown", "server", "host does not answer"),
    ),
}
_CHATTER = (
    ("LoginFailed", "server", "login failed for user"),
    ("CertificateExpires", "server", "certificate ends soon"),
    ("DoorHeldOpen", "door", "door is held open"),
    ("TourLate", "tour", "tour began late"),
    ("BatteryLow", "phone", "battery is low"),
    ("CpuHigh", "server", "processor busy for minutes"),
    ("PingLoss", "switch", "packets are lost"),
)
_SEVERITIES = ("critical", "high", "medium", "low")


def recording(seed: int, days: float = 2.0, sites: int = 12, outages: int = 30, chatter: int = 3000) -> list[Line]:
    """Lines in the order of time; the same for the same seed.

    >>> [line.truth for line in recording(1, outages=1, chatter=0)][:2]
    ['outage 0', 'outage 0']
    """
    dice = Random(seed)
    began = datetime(2026, 3, 2, tzinfo=UTC)
    found: list[tuple[datetime, Line]] = []
    for number in range(outages):
        at = began + timedelta(seconds=dice.uniform(3600, days * 86_400))
        found += _outage(dice, f"outage {number}", at, f"site {dice.randrange(sites)}")
    for number in range(chatter):
        at = began + timedelta(seconds=dice.uniform(0, days * 86_400))
        name, kind, title = dice.choice(_CHATTER)
        site = f"site {dice.randrange(sites)}"
        row = _row(dice, at, (name, kind, title), site, f"{kind}-{dice.randrange(9)}")
        found.append((at, Line({**row, "dedup_key": f"chatter {number}"}, "")))
    found.sort(key=lambda timed: timed[0])
    return [line for _, line in found]


def _outage(dice: Random, truth: str, at: datetime, site: str) -> list[tuple[datetime, Line]]:
    kinds = _CAUSES[dice.choice(sorted(_CAUSES))]
    correlation = f"trace-{dice.randrange(10**6)}" if dice.random() < 0.2 else ""
    length = dice.choice((120.0, 600.0, 1500.0))
    found = []
    for number in range(dice.randrange(4, 40)):
        moment = at + timedelta(seconds=length * dice.random() ** 2)
        kind = dice.choice(kinds)
        row = _row(dice, moment, kind, site, f"{kind[1]}-{dice.randrange(20)}")
        if correlation and dice.random() < 0.7:
            row["correlation_id"] = correlation
        found.append((moment, Line({**row, "dedup_key": f"{truth} {number}"}, truth)))
    return found


def _row(dice: Random, at: datetime, kind: tuple[str, str, str], site: str, entity: str) -> dict[str, Any]:
    name, entity_type, title = kind
    return {
        "name": name,
        "title": f"{title} {dice.randrange(100)}",
        "severity": dice.choice(_SEVERITIES),
        "site": site,
        "host": f"{site} {entity}",
        "labels": {"entity_type": entity_type},
        "startsAt": at.isoformat(),
    }
