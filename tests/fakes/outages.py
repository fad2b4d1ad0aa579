"""An outage as its alerts: many types of equipment at one site within two minutes."""

from __future__ import annotations

import random
from typing import Any

from data.records import Severity, Signal
from tests.fakes.line import signal

TYPES = {
    "PowerLost": ("panel", "power lost on panel"),
    "CameraOffline": ("camera", "camera is offline"),
    "GatewayUnreachable": ("gateway", "gateway does not answer"),
    "TourMissed": ("tour", "tour was missed"),
    "BadgeReaderDown": ("reader", "reader is down"),
    "DoorHeldOpen": ("door", "door is held open"),
    "NvrStorageStale": ("server", "recorder writes nothing"),
}


def outage(site: str, count: int, dice: random.Random, **fields: Any) -> list[Signal]:
    """Alerts of every type at one site within two minutes, severities mixed."""
    rows = []
    for number in range(count):
        name = dice.choice(sorted(TYPES))
        kind, title = TYPES[name]
        rows.append(
            signal(
                f"{site}-{number}",
                dice.uniform(0, 120),
                name=name,
                site=site,
                entity=f"{kind}-{number}",
                entity_type=kind,
                title=f"{title} {number}",
                severity=dice.choice(list(Severity)),
                **fields,
            )
        )
    return sorted(rows, key=lambda row: row.starts_at)
