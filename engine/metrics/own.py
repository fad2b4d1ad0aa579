"""The engine's own figures as series: read from its telemetry once a minute, taken in like any other sample.

Owns which figures and how: a counter as what it counted since the minute before, a gauge as it is. They carry no site.
Never judged by detectors, so that an engine in trouble does not raise alarms about its own counters.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from data.records import TenantId
from engine.domain.events import DomainEvent, SampleData
from engine.metrics.intake import OWN
from engine.ports import Clock, Emit, Envelope, EnvelopeKind, Overloaded
from engine.telemetry import Telemetry

EVERY_SECONDS = 60.0


class OwnFigures:
    """Implements `engine.ports.Source`."""

    name = "engine.figures"

    def __init__(self, telemetry: Telemetry, clock: Clock, tenant: TenantId) -> None:
        self._telemetry, self._clock, self._tenant = telemetry, clock, tenant
        self._before: dict[str, float] = {}

    async def run(self, emit: Emit) -> None:
        """Until cancelled. A minute in which the inbox is full is a gap."""
        self._before = dict(self._telemetry.counters)
        while True:
            await self._clock.sleep(EVERY_SECONDS)
            now = self._clock.now()
            payload = list(self.read(now))
            try:
                await emit(Envelope(kind=EnvelopeKind.EVENTS, tenant=self._tenant, source=self.name, payload=payload))
            except Overloaded:
                continue

    def read(self, now: datetime) -> Iterator[DomainEvent]:
        """The figures as events; counters since the last time."""
        counters = dict(self._telemetry.counters)
        figures = {name: count - self._before.get(name, 0) for name, count in counters.items()}
        figures |= {name: gauge() for name, gauge in self._telemetry.gauges.items()}
        figures["noc_signals_per_second"] = self._telemetry.rate(now)
        figures["noc_alarms_10m"] = self._telemetry.alarms(now)
        self._before = {name: float(count) for name, count in counters.items()}
        for name, value in figures.items():
            data = SampleData(name=name, value=float(value), labels={})
            yield DomainEvent(type=OWN, source=self.name, id=f"{name}-{now.timestamp():.0f}", at=now, data=data)
