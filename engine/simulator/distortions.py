"""Anomalies of single series, laid over what a metric would have been: spike, level shift, drift, missing, flat, and a
broken season. Owns their shape and their arrival; their truth is known from the moment they end."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from engine.simulator import truth
from engine.simulator.draws import between
from engine.simulator.operation import Operation, text_of
from engine.simulator.rhythm import DAY, HOUR
from engine.simulator.world import Device, Site

#: Kind → weight, shortest and longest in hours.
KINDS: dict[str, tuple[int, float, float]] = {
    "spike": (35, 0.09, 0.25),
    "level_shift": (22, 2.0, 8.0),
    "drift": (13, 6.0, 24.0),
    "missing": (12, 0.75, 3.0),
    "flat": (10, 2.0, 6.0),
    "seasonal_break": (8, 10.0, 22.0),
}
#: What a strong change of the metric amounts to.
AMPLITUDE = {
    "latency_ms": 35.0, "packet_loss_percent": 12.0, "cpu_percent": 35.0, "temperature_c": 14.0, "bitrate_kbps": 2200.0,
    "image_quality_percent": -35.0, "sync_age_s": 3600.0, "site_visitors": 90.0, "site_door_events": 40.0,
    "site_power_kw": 25.0,
}  # fmt: skip
SEASONAL = ("site_visitors", "site_door_events", "site_power_kw")
BY_TYPE = {
    "gateway": ("latency_ms", "packet_loss_percent", "cpu_percent", "temperature_c"),
    "server": ("latency_ms", "cpu_percent", "temperature_c"),
    "switch": ("latency_ms", "temperature_c"),
    "camera": ("bitrate_kbps", "image_quality_percent", "sync_age_s"),
}


@dataclass(slots=True)
class Distortion:
    """`size` is in the metric's unit. `held` is the value that a flat series stays at."""

    kind: str
    start: float
    end: float
    size: float
    held: float | None = None

    def over(self, value: float, at: float) -> float | None:
        """The value that is reported; None = nothing is."""
        if self.kind == "missing":
            return None
        if self.kind == "flat":
            self.held = value if self.held is None else self.held
            return self.held
        if self.kind == "seasonal_break":
            return round(abs(self.size) * 0.55, 1)
        share = (at - self.start) / (self.end - self.start) if self.kind == "drift" else 1.0
        return round(max(0.0, value + self.size * share), 2)


class Distortions:
    """`per_day` over the whole world, on series that carry none yet."""

    def __init__(self, operation: Operation, per_day: float) -> None:
        self._operation, self._per_day = operation, per_day
        self._random = operation.draws.of("distortions")

    def open(self, start: float) -> None:
        if self._per_day > 0:
            self._operation.at(start + self._wait(), self._next)

    def _wait(self) -> float:
        return self._random.expovariate(self._per_day / DAY)

    def _next(self) -> None:
        self._operation.after(self._wait(), self._next)
        random = self._random
        kind = random.choices(list(KINDS), [weight for weight, _, _ in KINDS.values()])[0]
        subject, name = self._series(kind, random)
        if name in subject.distortions or (isinstance(subject, Device) and subject.down):
            return
        now = self._operation.now
        end = now + between(random, KINDS[kind][1], KINDS[kind][2]) * HOUR
        size = AMPLITUDE[name] * between(random, 0.6, 1.6)
        if kind in ("level_shift", "drift") and random.random() < 0.3:
            size = -0.5 * size
        subject.distortions[name] = Distortion(kind, now, end, size)
        self._operation.at(end, self._end, subject, name)

    def _series(self, kind: str, random: Random) -> tuple[Device | Site, str]:
        site = random.choice(self._operation.world.sites)
        if kind == "seasonal_break" or random.random() < 0.25:
            return site, random.choice(SEASONAL)
        device = random.choice(site.of_type(*BY_TYPE))
        return device, random.choice(BY_TYPE[device.type])

    def _end(self, subject: Device | Site, name: str) -> None:
        distortion = subject.distortions.pop(name)
        labels = subject.labels if isinstance(subject, Device) else {"site": subject.id}
        self._operation.truth.add(
            truth.Anomaly(
                series=name,
                labels=labels,
                start=text_of(distortion.start),
                end=text_of(distortion.end),
                kind=distortion.kind,
            )
        )
