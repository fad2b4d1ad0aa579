"""Somebody tries to get in: a burst of denied badges, a camera turned away, then the alarm of the panel."""

from __future__ import annotations

from engine.simulator.causes.cause import Cause
from engine.simulator.draws import between
from engine.simulator.truth import Effect


class Intrusion(Cause):
    """Half an hour. A patrol ends it in minutes, locking the reader at once if the alarm has not yet gone off."""

    kind = "intrusion"

    def begin(self) -> bool:
        random = self.random
        site = random.choice(self.operation.world.sites)
        readers = [reader for reader in site.of_type("reader") if not reader.down]
        if not readers:
            return False
        self.sites = [site]
        self.reader = random.choice(readers)
        self.panel, self.camera = random.choice(site.of_type("panel")), random.choice(site.of_type("camera"))
        self.entities = [site.id, self.reader.id, self.panel.id, self.camera.id]
        self.remedy, self.targets = "dispatch", (site.id, self.reader.id)
        self.badge = f"badge-{random.randrange(10_000, 99_999)}"
        self.alarm = ""
        self._denied(random.randrange(15, 45))
        self.operation.after(between(random, 480.0, 1200.0), self._forced)
        self.due_in(between(random, 1500.0, 3000.0))
        return True

    def _denied(self, left: int) -> None:
        if self.over or not left:
            return
        site, reader = self.sites[0], self.reader
        title = f"{self.badge} denied at {reader.name}"
        self.models.monitoring.once(
            "access-control", "AccessDenied", title, "low", self.id, host=reader.id, site=site.id
        )
        self.operation.after(between(self.random, 4.0, 45.0), self._denied, left - 1)

    def _forced(self) -> None:
        if self.over:
            return
        site = self.sites[0]
        self.models.devices.report(self.camera, "tampered", "view blocked", self.id)
        title = f"Intrusion alarm at {site.name}"
        self.alarm = self.models.monitoring.fire(
            "alarm-panels", "IntrusionAlarm", title, "critical", self.id, host=self.panel.id, site=site.id
        )
        self.models.helpdesk.open("safety", title, "P1", site, entity=self.panel.id, cause=self.id, notice=90.0)

    def acted(self, act: str, target: str) -> Effect | None:
        if target not in self.targets:
            return None
        if act == self.remedy:
            return self.shorten(between(self.random, 240.0, 600.0), act)
        if act == "configure" and target == self.reader.id and not self.alarm:
            self.end(act)
            return "ended"
        return None

    def finish(self) -> None:
        if self.alarm:
            self.models.monitoring.resolve(self.alarm)
            self.operation.after(between(self.random, 300.0, 1500.0), self.models.devices.recover, self.camera, self.id)
