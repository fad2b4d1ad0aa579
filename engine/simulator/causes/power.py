"""A power outage at a site: the UPS carries it for as long as its battery lasts, then everything goes, top down."""

from __future__ import annotations

from engine.simulator import declines, truth
from engine.simulator.causes.cause import Cause
from engine.simulator.draws import around, between
from engine.simulator.operation import text_of
from engine.simulator.rhythm import HOUR
from engine.simulator.truth import Effect
from engine.simulator.world import Device


class PowerOutage(Cause):
    """About an hour. A dispatched electrician ends it in a quarter of one."""

    kind = "power"

    def begin(self) -> bool:
        site = self.random.choice(self.operation.world.sites)
        ups = site.of_type("ups")[0]
        if ups.down or ups.drain:
            return False
        self.sites, self.ups = [site], ups
        self.entities = [site.id, *(device.id for device in site.devices)]
        self.remedy, self.targets = "dispatch", (site.id, ups.id)
        level = declines.battery_at(ups, self.operation.now)
        hours = declines.UPS_HOURS * ups.load * (0.5 if self.random.random() < 0.3 else 1.0)
        self._drain(ups, level, 100.0 / hours)
        self.models.devices.report(ups, "error", "mains lost, on battery", self.id)
        title = f"{ups.name} runs on battery"
        self.alert = self.models.monitoring.fire(
            "power-monitor", "UpsOnBattery", title, "high", self.id, host=ups.id, site=site.id
        )
        self.due_in(max(600.0, around(self.random, 70.0 * 60.0, 0.6)))
        self.operation.after(level / 100.0 * hours * HOUR, self._empty)
        return True

    def _drain(self, ups: Device, level: float, per_hour: float) -> None:
        ups.battery, ups.charged_at, ups.drain = level, self.operation.now, per_hour

    def _empty(self) -> None:
        """The battery is gone while the power still is: the site goes dark, and people call."""
        if self.over:
            return
        site = self.sites[0]
        self.models.devices.fail(self.ups, self.id, self.id)
        desk, random = self.models.helpdesk, self.random
        words = f"{site.name} is without power"
        desk.open("outage", words, "P1", site, entity=site.id, cause=self.id, notice=between(random, 120, 480))
        for _ in range(random.randrange(1, 4)):
            notice = between(random, 300, 2400)
            desk.open("client_complaint", "Doors and cameras are dead", "P2", site, cause=self.id, notice=notice)

    def acted(self, act: str, target: str) -> Effect | None:
        if target in self.targets and act == self.remedy:
            return self.shorten(between(self.random, 600.0, 1200.0), act)
        if target == self.ups.id and act == "restart_service" and not self.ups.down:
            # Switching a UPS that runs on battery off and on again drops what it carries.
            self.models.devices.bounce(self.ups, 240.0, self.id)
            return "harm"
        return None

    def finish(self) -> None:
        ups, now = self.ups, self.operation.now
        self._drain(ups, declines.battery_at(ups, now), -60.0)
        self.operation.after(2 * HOUR, self._charged)
        self.models.devices.restore(ups, self.id)
        self.models.monitoring.resolve(self.alert)
        self.operation.truth.add(
            truth.Anomaly(
                series="battery_percent",
                labels=ups.labels,
                start=text_of(self.start),
                end=text_of(now),
                kind="drift",
                cause=self.id,
            )
        )

    def _charged(self) -> None:
        if self.ups.drain < 0:
            self._drain(self.ups, 100.0, 0.0)
