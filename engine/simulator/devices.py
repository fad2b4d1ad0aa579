"""Devices: heartbeats, outages that travel down the topology, and how they wear out before they fail.

A device is online while nothing holds it down. What hangs on a device that is offline goes offline after it, level by
level; it comes back in the same order. Never opens a ticket for what a cause did: causes do that themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.simulator import declines
from engine.simulator.declines import Decline
from engine.simulator.draws import around, between
from engine.simulator.monitoring import Monitoring
from engine.simulator.operation import Operation, text_of
from engine.simulator.places import INFRASTRUCTURE
from engine.simulator.rhythm import DAY, HOUR
from engine.simulator.tickets import Helpdesk
from engine.simulator.truth import Effect, Failure
from engine.simulator.world import Device, Site

HEARTBEAT_SECONDS = 300.0
#: A reader or panel whose battery is below gets a new one, within a day or two.
LOW_BATTERY = 20.0


class Devices:
    """`rate`: faults per device and day, of which a quarter come without warning and a quarter mend themselves."""

    def __init__(self, operation: Operation, helpdesk: Helpdesk, monitoring: Monitoring, rate: float) -> None:
        self._operation, self._helpdesk, self._monitoring, self._rate = operation, helpdesk, monitoring, rate
        self._random = operation.draws.of("devices")
        self._beats = {site.id: operation.draws.of("heartbeats", site.id) for site in operation.world.sites}
        self._recoveries = operation.draws.of("recoveries")
        self._treatments = operation.draws.of("treatments")
        #: Device → the reason for its being offline and the kind of fault, while one of its own holds it down.
        self._broken: dict[str, tuple[str, str]] = {}
        #: Devices whose last synchronisation failed.
        self.unsynced: set[str] = set()
        self._faults = 0

    def open(self, start: float, *, heartbeats: bool) -> None:
        operation = self._operation
        for site in operation.world.sites:
            for device in site.devices:
                device.charged_at = start
            for gateway in site.of_type("gateway", "switch", "ups") if heartbeats else ():
                first = between(self._beats[site.id], 0, HEARTBEAT_SECONDS)
                operation.at(start + first, self._beat, site, gateway)
        operation.at(start, self._next_fault)

    # -- heartbeats

    def _beat(self, site: Site, collector: Device) -> None:
        """One delivery of everything that the collector hears of; silent while it is offline itself."""
        self._operation.after(HEARTBEAT_SECONDS, self._beat, site, collector)
        random = self._beats[site.id]
        if collector.down or random.random() < 0.004:
            return
        heard = [collector] if collector.type != "gateway" else [collector, *collector.children]
        if collector.type == "switch":
            heard += [device for device in collector.children if device.type == "server"]
        rows = [self._seen(device) for device in heard if not device.down]
        if len(rows) > 1 and random.random() < 0.05:
            del rows[random.randrange(1, len(rows))]
        self._operation.emit("noc.device", rows)

    def _seen(self, device: Device) -> dict[str, Any]:
        if device.battery is None:
            return {"id": device.id, "status": "seen"}
        level = declines.battery_at(device, self._operation.now)
        if level < LOW_BATTERY and device.type in ("reader", "panel") and not device.visit_planned:
            self._change_battery(device)
        return {"id": device.id, "status": "seen", "battery": level}

    def _change_battery(self, device: Device) -> None:
        """Planned in time, unless the battery is dying faster than anybody plans for."""
        if device.decline is None:
            device.visit_planned = True
            wait = between(self._beats[device.site.id], 4 * HOUR, 40 * HOUR)
            self._operation.after(wait, self.maintain, device)

    def maintain(self, device: Device, cause: str = "") -> None:
        """A technician's visit: battery charged, faults wiped."""
        device.visit_planned = False
        device.charged_at = self._operation.now
        if device.battery is not None:
            device.battery = 100.0
        self._operation.emit("noc.device", self._status(device, "maintained"), cause)

    # -- outages

    def fail(self, device: Device, reason: str, cause: str = "") -> None:
        """Take it down; what hangs on it follows within half a minute, level by level."""
        was_up = not device.down
        device.down[reason] = cause
        if not was_up:
            return
        self._operation.emit("noc.device", {"id": device.id, "status": "offline", "site": device.site.id}, cause)
        if device.type in INFRASTRUCTURE:
            self._monitoring.unreachable(device, cause)
        for child in device.children:
            self._operation.after(between(self._random, 2.0, 30.0), self._follow, child, device)

    def restore(self, device: Device, reason: str) -> None:
        """One reason is gone; the device is back when it was the last."""
        cause = device.down.pop(reason, None)
        if cause is None or device.down:
            return
        self._operation.emit("noc.device", self._status(device, "online"), cause)
        if device.type in INFRASTRUCTURE:
            self._monitoring.reachable(device, cause)
        for child in device.children:
            self._operation.after(between(self._random, 5.0, 60.0), self._follow, child, device)

    def _follow(self, child: Device, parent: Device) -> None:
        """Take over the parent's state as it is by now."""
        reason = f"above:{parent.id}"
        if parent.down:
            self.fail(child, reason, next(iter(parent.down.values())))
        else:
            self.restore(child, reason)

    def bounce(self, device: Device, seconds: float, cause: str = "") -> None:
        """Offline and back: a restart."""
        self._faults += 1
        reason = f"restart:{self._faults}"
        self.fail(device, reason, cause)
        self._operation.after(seconds, self.restore, device, reason)

    def report(self, device: Device, status: str, error: str = "", cause: str = "") -> str:
        """A state that is neither online nor offline: error, sync_failed, tampered. A failed sync is made up for within
        the half hour."""
        data: dict[str, Any] = {"id": device.id, "status": status}
        if error:
            data["error"] = error
        if status == "sync_failed":
            self.unsynced.add(device.id)
            self._operation.after(between(self._recoveries, 180.0, 1800.0), self.recover, device, cause)
        return self._operation.emit("noc.device", data, cause)

    def recover(self, device: Device, cause: str = "") -> None:
        """In order again, unless it is offline by now."""
        self.unsynced.discard(device.id)
        if not device.down:
            self._operation.emit("noc.device", self._status(device, "online"), cause)

    def upgrade(self, devices: Iterable[Device], firmware: str, cause: str = "") -> None:
        rows = []
        for device in devices:
            device.firmware = firmware
            rows.append({"id": device.id, "status": "maintained", "firmware": firmware})
        if rows:
            self._operation.emit("noc.device", rows, cause)

    def _status(self, device: Device, status: str) -> dict[str, Any]:
        data: dict[str, Any] = {"id": device.id, "status": status}
        if device.battery is not None:
            data["battery"] = declines.battery_at(device, self._operation.now)
        return data

    # -- faults of their own

    def _next_fault(self) -> None:
        random, devices = self._random, self._operation.world.devices
        if self._rate > 0:
            self._operation.after(random.expovariate(self._rate * len(devices) / DAY), self._next_fault)
        device = devices[random.randrange(len(devices))]
        kind = random.choices(("sudden", "battery", "software", "hardware"), (25, 25, 30, 20))[0]
        if kind == "battery" and device.type not in ("reader", "panel", "phone"):
            kind = "software"
        mends = random.random() < 0.25
        length = min(96 * HOUR, max(3 * HOUR, around(random, 16 * HOUR, 0.8)))
        if device.down or device.decline is not None or self._rate <= 0:
            return
        if kind == "sudden":
            self._break(device, kind, None)
            return
        now = self._operation.now
        level = declines.battery_at(device, now) if device.battery is not None else 0.0
        device.decline = Decline(kind=kind, begins=now, ends=now + length, mends=mends, level=level)
        self._operation.at(now + length * (0.6 if mends else 1.0), self._come_to_an_end, device, device.decline)
        self._symptom(device, device.decline)

    def _symptom(self, device: Device, decline: Decline) -> None:
        """Errors and failed syncs, the more the further it has gone."""
        if device.decline is not decline:
            return
        wear, random = decline.wear(self._operation.now), self._random
        if wear > 0 and not device.down and decline.kind != "battery":
            failed_sync = decline.kind == "software" and random.random() < 0.6
            error = "" if failed_sync else random.choice(declines.ERRORS[decline.kind])
            self.report(device, "sync_failed" if failed_sync else "error", error)
        self._operation.after(random.expovariate(0.05 + 2.5 * wear) * HOUR + 60.0, self._symptom, device, decline)

    def _come_to_an_end(self, device: Device, decline: Decline) -> None:
        if device.decline is not decline:
            return
        if decline.mends:
            self.heal(device, "itself")
        else:
            self._break(device, decline.kind, decline.begins)

    def heal(self, device: Device, by: str) -> None:
        """The decline ends before the failure it was leading to."""
        decline: Decline = device.decline
        device.decline = None
        if decline.kind == "battery":
            self.maintain(device)
        now = self._operation.now
        self._operation.truth.add(decline.ended(device, now, by))

    def _break(self, device: Device, kind: str, since: float | None) -> None:
        now = self._operation.now
        self._faults += 1
        reason = f"fault:{self._faults}"
        self._broken[device.id] = reason, kind
        began = None if since is None else text_of(since)
        self._operation.truth.add(Failure(device=device.id, at=text_of(now), kind=kind, since=began))
        self.fail(device, reason)
        priority = "P2" if device.type in INFRASTRUCTURE else "P3"
        words = f"{device.name} is offline"
        self._helpdesk.open(
            "device_fault",
            words,
            priority,
            device.site,
            entity=device.id,
            notice=between(self._random, 120.0, 1200.0),
            resolved=lambda: self._repaired(device, reason),
        )

    def _repaired(self, device: Device, reason: str) -> None:
        if reason not in device.down:
            return  # somebody was faster
        self._broken.pop(device.id, None)
        device.decline = None
        self.maintain(device)
        self.restore(device, reason)

    # -- what somebody does about it

    def revive(self, device: Device, act: str) -> Effect:
        """A device that is offline by a fault of its own: a restart mends what hangs, a technician anything."""
        reason, kind = self._broken.get(device.id, ("", ""))
        if not reason:
            return "nothing"
        if act == "maintain":
            self._operation.after(between(self._treatments, 1200.0, 3600.0), self._repaired, device, reason)
            return "shortened"
        if kind != "software":
            return "nothing"
        self._broken.pop(device.id)
        device.decline = None
        self._operation.after(between(self._treatments, 45.0, 120.0), self.restore, device, reason)
        return "ended"

    def synchronise(self, device: Device) -> Effect:
        """Once more, which works unless a cause or a worn out software keeps it from working."""
        held = device.sync_delay > 0 or (device.decline is not None and device.decline.kind == "software")
        if device.down or device.id not in self.unsynced:
            return "nothing"
        if held:
            self._operation.after(20.0, self.report, device, "sync_failed")
            return "nothing"
        self._operation.after(between(self._treatments, 5.0, 30.0), self.recover, device)
        return "ended"

    def visit(self, device: Device) -> Effect:
        """A technician charges or changes a battery that is low."""
        if device.battery is None or declines.battery_at(device, self._operation.now) > 1.5 * LOW_BATTERY:
            return "nothing"
        device.visit_planned = True
        self._operation.after(between(self._treatments, 1800.0, 7200.0), self.maintain, device)
        return "ended"

    def is_well(self, device: Device) -> bool:
        low = device.battery is not None and declines.battery_at(device, self._operation.now) <= 1.5 * LOW_BATTERY
        ill = device.down or device.decline is not None or device.sync_delay > 0 or device.noise > 0
        return not (ill or low or device.id in self.unsynced)
