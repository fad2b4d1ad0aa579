"""A firmware that should not have been rolled out: a change, and hours later the devices that took it fail."""

from __future__ import annotations

from engine.simulator import truth
from engine.simulator.causes.cause import Cause
from engine.simulator.draws import between
from engine.simulator.operation import text_of
from engine.simulator.rhythm import HOUR
from engine.simulator.truth import Effect
from engine.simulator.world import Device

WAVES = 6


class BadFirmware(Cause):
    """One type of device at a third of the sites, in waves. A roll-back ends it, a vendor's fix comes after half a day.

    Errors and failed syncs grow from each device's own update on; one in eight stops altogether.
    """

    kind = "firmware"

    def begin(self) -> bool:
        random, world = self.random, self.operation.world
        self.type = random.choice(("camera", "reader", "panel"))
        self.sites = random.sample(world.sites, max(1, len(world.sites) // 3))
        devices = [device for site in self.sites for device in site.of_type(self.type)]
        self.before = {device.id: device.firmware for device in devices}
        if len(set(self.before.values())) > 1:
            return False
        old = devices[0].firmware
        major, minor, patch = old.split(".")
        self.version = f"{major}.{int(minor) + 1}.{patch}"
        self.entities = [device.id for device in devices]
        what = f"{self.type} firmware {old} to {self.version}"
        self.name = f"{self.type}-{self.version}"
        change = self._change("deployment", what)
        self.remedy, self.targets = "rollback", (change, self.name, what)
        self.updated: list[Device] = []
        size = -(-len(devices) // WAVES)
        for wave in range(WAVES):
            group = devices[wave * size : (wave + 1) * size]
            self.operation.after(300.0 + wave * between(random, 600.0, 1500.0), self._update, group)
        self.due_in(between(random, 8.0, 18.0) * HOUR)
        return True

    def _change(self, kind: str, what: str) -> str:
        data = {"kind": kind, "what": what, "who": "platform-team", "target": self.name}
        return self.operation.emit("noc.change", data, self.id)

    def _update(self, group: list[Device]) -> None:
        if self.over:
            return
        reachable = [device for device in group if not device.down]
        self.models.devices.upgrade(reachable, self.version, self.id)
        for device in reachable:
            self.updated.append(device)
            self.operation.after(between(self.random, 600.0, 5400.0), self._sicken, device, 1)

    def _sicken(self, device: Device, times: int) -> None:
        """Again and again, a little more often and with older data each time."""
        if self.over:
            return
        device.sync_delay = min(14_400.0, device.sync_delay + between(self.random, 120.0, 900.0))
        if not device.down:
            if self.random.random() < 0.55:
                self.models.devices.report(device, "sync_failed", "", self.id)
            else:
                self.models.devices.report(device, "error", f"assertion failed in {self.name}", self.id)
        if times > 3 and self.random.random() < 0.03:
            self.models.devices.fail(device, self.id, self.id)
            words = f"{device.name} is offline after the update"
            notice = between(self.random, 300.0, 2400.0)
            self.models.helpdesk.open(
                "device_fault", words, "P3", device.site, entity=device.id, cause=self.id, notice=notice
            )
            return
        self.operation.after(between(self.random, 1200.0, 4800.0) / min(3, times), self._sicken, device, times + 1)

    def acted(self, act: str, target: str) -> Effect | None:
        if act == "restart_service" and target in self.entities:
            device = self.operation.world.device[target]
            if device in self.updated and not device.down:
                # It comes back with the same fault.
                self.models.devices.bounce(device, 90.0, self.id)
                return "nothing"
        return super().acted(act, target)

    def finish(self) -> None:
        rolled_back = self.ended_by == "rollback"
        words = f"{self.name} rolled back" if rolled_back else f"vendor's fix for {self.name}"
        self._change("rollback" if rolled_back else "deployment", words)
        now = self.operation.now
        for device in self.updated:
            if device.sync_delay > 0:
                self.operation.truth.add(
                    truth.Anomaly(
                        series="sync_age_s",
                        labels=device.labels,
                        start=text_of(self.start),
                        end=text_of(now),
                        kind="drift",
                        cause=self.id,
                    )
                )
            device.sync_delay = 0.0
            self.models.devices.restore(device, self.id)
        for device in self.updated:
            device.firmware = self.before[device.id]
        self.models.devices.upgrade(self.updated, self.before[self.updated[0].id] if self.updated else "", self.id)
