"""Network trouble: the switch of a site hangs, or the provider of a whole region is away."""

from __future__ import annotations

from engine.simulator.causes.cause import Cause
from engine.simulator.draws import around, between
from engine.simulator.places import CITIES
from engine.simulator.truth import Effect


class SwitchHang(Cause):
    """An hour and a half, unless somebody restarts the switch."""

    kind = "switch"

    def begin(self) -> bool:
        site = self.random.choice(self.operation.world.sites)
        switch = site.of_type("switch")[0]
        if switch.down:
            return False
        self.sites, self.switch = [site], switch
        below = [device for device in site.devices if switch in device.above()]
        self.entities = [switch.id, *(device.id for device in below)]
        self.remedy, self.targets = "restart_service", (switch.id,)
        # It limps for some minutes before it stops.
        switch.noise = 4.0
        self.models.devices.report(switch, "error", "forwarding table full", self.id)
        self.operation.after(between(self.random, 120.0, 900.0), self._stop)
        self.due_in(max(1200.0, around(self.random, 5400.0, 0.5)))
        return True

    def _stop(self) -> None:
        if self.over:
            return
        site = self.sites[0]
        self.models.devices.fail(self.switch, self.id, self.id)
        notice = between(self.random, 180.0, 900.0)
        words = f"{site.name} cannot be reached"
        self.models.helpdesk.open("outage", words, "P1", site, entity=self.switch.id, cause=self.id, notice=notice)

    def finish(self) -> None:
        self.switch.noise = 0.0
        self.models.devices.restore(self.switch, self.id)


class RegionOutage(Cause):
    """All gateways of a region, for half an hour to two hours. Nobody here can mend it; a gateway that is switched to
    its second line is reachable all the same."""

    kind = "region"

    def begin(self) -> bool:
        regions = sorted({city.region for city in CITIES})
        region = self.random.choice(regions)
        self.sites = self.operation.world.sites_of(region)
        gateways = [gateway for site in self.sites for gateway in site.of_type("gateway")]
        if not gateways:
            return False
        self.gateways = gateways
        self.entities = [device.id for gateway in gateways for device in (gateway, *gateway.children)]
        for gateway in gateways:
            self.operation.after(between(self.random, 0.0, 90.0), self._cut, gateway.id)
        for site in self.sites:
            if self.random.random() < 0.5:
                notice = between(self.random, 300.0, 2400.0)
                words = f"{site.name} is not visible"
                self.models.helpdesk.open("outage", words, "P2", site, cause=self.id, notice=notice)
        self.due_in(between(self.random, 1800.0, 7200.0))
        return True

    def _cut(self, id: str) -> None:
        if not self.over:
            self.models.devices.fail(self.operation.world.device[id], self.id, self.id)

    def acted(self, act: str, target: str) -> Effect | None:
        gateway = next((gateway for gateway in self.gateways if gateway.id == target), None)
        if act != "fail_over" or gateway is None or self.id not in gateway.down:
            return None
        self.operation.after(between(self.random, 20.0, 60.0), self.models.devices.restore, gateway, self.id)
        return "shortened"

    def finish(self) -> None:
        for gateway in self.gateways:
            self.operation.after(between(self.random, 0.0, 120.0), self.models.devices.restore, gateway, self.id)
