"""What monitoring says all day without a cause: thresholds crossed for a moment, disks that fill, devices that flap.

Owns the background that a good correlation must not make incidents of.
"""

from __future__ import annotations

from engine.simulator.causes import Models
from engine.simulator.draws import around, between
from engine.simulator.places import SERVICES
from engine.simulator.rhythm import DAY
from engine.simulator.world import Device

#: Tool, alert, words, severity, weight, whether it is about a service (else a device), minutes until it resolves.
_ALERTS = (
    ("metrics-monitor", "HighCpu", "CPU of {name} above 90 %", "warning", 26, False, 12),
    ("metrics-monitor", "DiskSpaceLow", "Disk of {name} is filling up", "warning", 10, False, 180),
    ("metrics-monitor", "SlowQueries", "{name}: slow queries", "low", 12, True, 20),
    ("metrics-monitor", "CertificateExpires", "Certificate of {name} expires in 20 days", "info", 4, True, 600),
    ("network-monitor", "PacketLoss", "Packet loss on the way to {name}", "warning", 18, False, 9),
    ("video-monitor", "MotionAtNight", "Motion seen by {name}", "low", 20, False, 4),
    ("access-control", "DoorHeldOpen", "Door held open at {name}", "low", 24, False, 5),
    ("alarm-panels", "SensorTest", "Sensor test of {name}", "info", 6, False, 10),
)  # fmt: skip
#: The names of these alerts: they come of no cause.
NAMES = frozenset(row[1] for row in _ALERTS)
_HOSTS = {
    "metrics-monitor": ("server",),
    "network-monitor": ("gateway", "switch"),
    "video-monitor": ("camera",),
    "access-control": ("reader",),
    "alarm-panels": ("panel",),
}


class Nuisance:
    """`alerts` and `flaps` per day over the world; single hiccups of devices come with them."""

    def __init__(self, models: Models, alerts: float, flaps: float) -> None:
        self._models, self._operation = models, models.operation
        self._alerts, self._flaps = alerts, flaps
        self._random = models.operation.draws.of("nuisance")

    def open(self, start: float) -> None:
        for per_day, step in (
            (self._alerts, self._alert),
            (self._flaps, self._flap),
            (self._alerts / 3, self._hiccup),
            (0.15, self._sos),
        ):
            if per_day > 0:
                self._operation.at(start + self._random.expovariate(per_day / DAY), step, per_day)

    def _next(self, step: object, per_day: float) -> None:
        if callable(step):
            self._operation.after(self._random.expovariate(per_day / DAY), step, per_day)

    def _alert(self, per_day: float) -> None:
        self._next(self._alert, per_day)
        random, monitoring = self._random, self._models.monitoring
        weights = [row[4] for row in _ALERTS]
        tool, name, words, severity, _, of_service, minutes = random.choices(_ALERTS, weights)[0]
        if of_service:
            service = random.choice(list(SERVICES))
            key = monitoring.fire(tool, name, words.format(name=service), severity, service=service)
        else:
            device = self._device(*_HOSTS[tool])
            title = words.format(name=device.name)
            key = monitoring.fire(tool, name, title, severity, host=device.id, site=device.site.id)
        self._operation.after(around(random, 60.0 * minutes, 0.6), monitoring.resolve, key)

    def _device(self, *types: str) -> Device:
        site = self._random.choice(self._operation.world.sites)
        return self._random.choice(site.of_type(*types))

    def _hiccup(self, per_day: float) -> None:
        self._next(self._hiccup, per_day)
        device = self._device("camera", "reader", "panel", "phone")
        if not device.down:
            failed = self._random.random() < 0.6
            self._models.devices.report(device, "sync_failed" if failed else "error", "" if failed else "timeout")

    def _flap(self, per_day: float) -> None:
        """Offline and online a dozen times within the hour."""
        self._next(self._flap, per_day)
        device = self._device("camera", "reader", "panel", "phone")
        if not device.down:
            self._bounce(device, self._random.randrange(8, 20))

    def _bounce(self, device: Device, left: int) -> None:
        if left and not device.down:
            self._models.devices.bounce(device, between(self._random, 20.0, 150.0))
            self._operation.after(between(self._random, 180.0, 420.0), self._bounce, device, left - 1)

    def _sos(self, per_day: float) -> None:
        """A guard's emergency button; nine of ten times by mistake."""
        self._next(self._sos, per_day)
        there = [shift for shift in self._models.staffing.shifts.values() if shift.present]
        if not there:
            return
        shift = self._random.choice(there)
        data = {"person": shift.person.id, "kind": "sos", "site": shift.site.id, "point": shift.site.point()}
        self._operation.emit("noc.activity", data)
        if self._random.random() < 0.1:
            words = f"Emergency call of {shift.person.name}"
            self._models.helpdesk.open("safety", words, "P1", shift.site, entity=shift.person.id, notice=30.0)
