"""Samples of the metrics of devices and sites, every five minutes, one delivery per site.

What is on the network and mains reports every time, the rest every third time. A device that is offline reports
nothing. Distortions (see `distortions`) are laid over the values that the models give. The `labels` objects are shared
between events: readers must not change them.
"""

from __future__ import annotations

from random import Random
from typing import Any

from engine.simulator import declines, rhythm
from engine.simulator.distortions import Distortion
from engine.simulator.operation import Operation
from engine.simulator.places import INFRASTRUCTURE
from engine.simulator.staffing import Staffing
from engine.simulator.tickets import Helpdesk
from engine.simulator.world import Device, Site

EVERY_SECONDS = 300.0
#: Of the things on the gateways, one third report in each round.
THIRDS = 3

#: Usual round trip in ms and load in percent by type.
_LATENCY = {"ups": 6.0, "switch": 2.0, "gateway": 24.0, "server": 9.0}
_CPU = {"ups": 4.0, "switch": 18.0, "gateway": 30.0, "server": 38.0}


class Samples:
    def __init__(self, operation: Operation, helpdesk: Helpdesk, staffing: Staffing) -> None:
        self._operation, self._helpdesk, self._staffing = operation, helpdesk, staffing

    def open(self, start: float) -> None:
        for number, site in enumerate(self._operation.world.sites):
            offset = EVERY_SECONDS * (number / len(self._operation.world.sites))
            things = [device for device in site.devices if device.type not in INFRASTRUCTURE]
            groups = [things[n::THIRDS] for n in range(THIRDS)]
            infrastructure = site.of_type(*INFRASTRUCTURE)
            labels = {"site": site.id}
            random = self._operation.draws.of("samples", site.id)
            self._operation.at(start + offset, self._round, site, infrastructure, groups, labels, random, 0)

    def _round(  # noqa: PLR0917 - the fixed parts of a site's round
        self,
        site: Site,
        infrastructure: list[Device],
        groups: list[list[Device]],
        labels: dict[str, str],
        random: Random,
        number: int,
    ) -> None:
        operation, now = self._operation, self._operation.now
        operation.after(EVERY_SECONDS, self._round, site, infrastructure, groups, labels, random, number + 1)
        busy, warmth = rhythm.busy(site.city, now), rhythm.warmth(site.city, now)
        rows: list[dict[str, Any]] = []
        for device in infrastructure:
            if not device.down:
                values = _infrastructure(device, random, now, busy, warmth)
                _append(rows, device.labels, values, device.distortions, now)
        for device in groups[number % THIRDS]:
            if not device.down:
                _append(rows, device.labels, _thing(device, random, now, busy), device.distortions, now)
        if any(not device.down for device in infrastructure):
            _append(rows, labels, self._site(site, random, busy, warmth), site.distortions, now)
        if rows:
            operation.emit("noc.sample", rows)

    def _site(self, site: Site, random: Random, busy: float, warmth: float) -> dict[str, float]:
        noise = random.random() + random.random() - 1.0
        visitors = max(0.0, 90.0 * site.size * busy * (1 - 0.4 * site.weather) * (1 + 0.25 * noise) - 2.0)
        return {
            "site_visitors": float(int(visitors)),
            "site_door_events": float(int(visitors * (0.35 + 0.1 * random.random()) + 2 * random.random())),
            "site_power_kw": round(site.size * (12.0 + 22.0 * busy + 0.5 * abs(warmth - 19.0)) * (1 + 0.04 * noise), 2),
            "site_open_tickets": float(self._helpdesk.backlog[site.id]),
            "site_guards": float(self._staffing.present[site.id]),
        }


def _infrastructure(device: Device, random: Random, now: float, busy: float, warmth: float) -> dict[str, float]:
    decline, weather, draw = device.decline, device.site.weather, random.random
    wear = decline.wear(now) if decline is not None and decline.kind != "battery" else 0.0
    noise = draw() + draw() - 1.0
    tail = 6.0 * draw() if draw() < 0.01 else 0.0
    latency = _LATENCY[device.type] * device.load * (1 + 0.35 * busy + 0.12 * noise + tail + 2.5 * wear)
    loss = max(0.0, draw() - 0.97) * 20 + 3.0 * wear * draw() + 4.0 * weather * draw() * draw() + device.noise * draw()
    hot = 14.0 * wear if decline is not None and decline.kind == "hardware" else 0.0
    cpu = _CPU[device.type] * device.load * (0.7 + 0.7 * busy) + 4 * noise + 30 * wear
    values = {
        "latency_ms": round(latency * (1 + device.noise), 2),
        "packet_loss_percent": round(min(100.0, loss), 2),
        "cpu_percent": round(min(100.0, max(0.0, cpu)), 1),
        "temperature_c": round(26.0 + 0.25 * warmth + 5 * busy * device.load + noise + hot, 1),
    }
    if device.type == "ups":
        values["battery_percent"] = declines.battery_at(device, now)
    return values


def _thing(device: Device, random: Random, now: float, busy: float) -> dict[str, float]:
    decline, draw = device.decline, random.random
    wear = decline.wear(now) if decline is not None and decline.kind != "battery" else 0.0
    age = 20.0 + 40.0 * draw() + device.sync_delay * (0.8 + 0.4 * draw())
    if draw() < 0.02:
        age += 600.0 * draw()
    if wear > 0:
        age += 5400.0 * wear * draw()
    values = {"sync_age_s": round(age, 1)}
    if device.battery is not None:
        values["battery_percent"] = declines.battery_at(device, now)
    elif device.type == "camera":
        noise = draw() + draw() - 1.0
        night = 0.5 if not 6.0 < rhythm.local_hour(device.site.city, now) < 20.0 else 0.0
        quality = 96.0 - 4.0 * night - 40.0 * device.site.weather * (0.6 + 0.4 * draw()) + 1.5 * noise - 25 * wear
        values["image_quality_percent"] = round(min(100.0, max(0.0, quality)), 1)
        values["bitrate_kbps"] = round(3800 * device.load * (0.7 + 0.5 * busy) * (1 + 0.06 * noise), 0)
    return values


def _append(
    rows: list[dict[str, Any]],
    labels: dict[str, str],
    values: dict[str, float],
    distortions: dict[str, Distortion],
    now: float,
) -> None:
    if not distortions:
        for name, value in values.items():
            rows.append({"name": name, "value": value, "labels": labels})
        return
    for name, value in values.items():
        distortion = distortions.get(name)
        reported = value if distortion is None else distortion.over(value, now)
        if reported is not None:
            rows.append({"name": name, "value": reported, "labels": labels})
