"""Causes that befall people and places: a weather front over a region, an illness in a team."""

from __future__ import annotations

from engine.simulator.causes.cause import Cause
from engine.simulator.draws import between
from engine.simulator.places import CITIES
from engine.simulator.rhythm import DAY, HOUR

STEP_SECONDS = 900.0


class Weather(Cause):
    """Comes up over an hour, stays for some, and goes: people are late, positions vague, pictures poor."""

    kind = "weather"

    def begin(self) -> bool:
        region = self.random.choice(sorted({city.region for city in CITIES}))
        self.sites = self.operation.world.sites_of(region)
        if not self.sites or any(site.weather for site in self.sites):
            return False
        self.entities = [site.id for site in self.sites]
        self.force = between(self.random, 0.5, 1.0)
        self.lasts = between(self.random, 4.0, 12.0) * HOUR
        self.alerts: list[str] = []
        self.due_in(self.lasts)
        self._step()
        return True

    def _step(self) -> None:
        if self.over:
            return
        age = self.operation.now - self.start
        rise = min(1.0, (age + STEP_SECONDS) / HOUR, (self.lasts - age) / HOUR)
        for site in self.sites:
            site.weather = round(self.force * max(0.0, rise), 3)
            if site.weather > 0.4 and self.random.random() < 0.08:
                camera = self.random.choice(site.of_type("camera"))
                self.alerts.append(
                    self.models.monitoring.fire(
                        "video-monitor",
                        "PictureDegraded",
                        f"{camera.name}: picture is degraded",
                        "warning",
                        self.id,
                        host=camera.id,
                        site=site.id,
                    )
                )
        self.operation.after(STEP_SECONDS, self._step)

    def finish(self) -> None:
        for site in self.sites:
            site.weather = 0.0
        for key in self.alerts:
            self.models.monitoring.resolve(key)


class Illness(Cause):
    """Two to four days in the team of one site. Single shifts can be covered, the cause cannot be ended."""

    kind = "illness"

    def begin(self) -> bool:
        site = self.random.choice(self.operation.world.sites)
        if site.illness:
            return False
        self.sites = [site]
        self.entities = [site.id, *(person.id for person in site.people)]
        site.illness = round(between(self.random, 0.35, 0.8), 2)
        self.due_in(between(self.random, 2.0, 4.0) * DAY)
        return True

    def finish(self) -> None:
        self.sites[0].illness = 0.0
