"""How a device wears out: from the first sign to the failure, and the battery that shows it.

Pure: everything is a function of the device and the moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.simulator import truth
from engine.simulator.operation import text_of
from engine.simulator.rhythm import HOUR, local_hour
from engine.simulator.world import Device

ERRORS = {
    "software": ("watchdog reset", "queue overflow", "database locked", "certificate check failed"),
    "hardware": ("temperature high", "storage read error", "link renegotiated", "memory corrected"),
}
#: A UPS on battery lasts so long at full charge and usual load.
UPS_HOURS = 0.75


@dataclass(slots=True, eq=False)
class Decline:
    """`wear` goes from 0 at `begins` to 1 at `ends`; one that `mends` stops at 0.6 of the way. `level` is the battery
    at its beginning."""

    kind: str
    begins: float
    ends: float
    mends: bool
    level: float

    def wear(self, at: float) -> float:
        share = min(1.0, max(0.0, (at - self.begins) / (self.ends - self.begins)))
        return float(share**1.5)

    def ended(self, device: Device, at: float, by: str) -> truth.Decline:
        return truth.Decline(device=device.id, start=text_of(self.begins), end=text_of(at), kind=self.kind, by=by)


def battery_at(device: Device, at: float) -> float:
    """Percent of charge, to a tenth. A phone is charged at night, a UPS drains only while it carries the site."""
    if device.battery is None:
        return 100.0
    level = device.battery - device.drain * (at - device.charged_at) / HOUR
    if device.type == "phone":
        hours = (local_hour(device.site.city, at) - 6.0) % 24.0
        level = 97.0 - 3.2 * device.load * hours if hours < 16.0 else min(97.0, 46.0 + (hours - 16.0) * 8.0)
    if device.decline is not None and device.decline.kind == "battery":
        share = min(1.0, (at - device.decline.begins) / (device.decline.ends - device.decline.begins))
        level = min(level, device.decline.level * (1.0 - share))
    return round(min(100.0, max(0.0, level)), 1)
