"""The scheduler: turns the passing of time into envelopes, once a second, and notices when the loop was held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from data.records import TenantId
from engine.ports import Clock, Emit, Envelope, EnvelopeKind, Overloaded
from engine.telemetry import Telemetry

EVERY_SECONDS = 1.0
STALL_SECONDS = 0.1
#: No longer than this does time stand still for the line while a source brings up a past.
HELD_SECONDS = 60.0


class Scheduler:
    """A source of ticks. `lag_seconds` is how late the last one came.

    While `held` says so there are none: what has been read of a past only in part would be taken for silence."""

    name = "tick"

    def __init__(
        self, clock: Clock, tenant: TenantId, telemetry: Telemetry, held: Callable[[], bool] = lambda: False
    ) -> None:
        self._clock = clock
        self._held = held
        self._tenant = tenant
        self._telemetry = telemetry
        self.lag_seconds = 0.0

    async def run(self, emit: Emit) -> None:
        """Each tick carries the time of the one before that was taken: what was due in between is done with it."""
        before: datetime | None = None
        until = self._clock.monotonic() + HELD_SECONDS
        while True:
            due = self._clock.monotonic() + EVERY_SECONDS
            await self._clock.sleep(EVERY_SECONDS)
            self.lag_seconds = max(0.0, self._clock.monotonic() - due)
            now = self._clock.now()
            if self._held() and self._clock.monotonic() < until:
                continue
            try:
                await emit(Envelope(kind=EnvelopeKind.TICK, tenant=self._tenant, source=self.name, payload=before))
            except Overloaded:
                continue
            before = now

    async def watch_loop(self) -> None:
        """Count how often the loop was held; asked so often that nothing of twice the limit goes unseen."""
        while True:
            due = self._clock.monotonic() + STALL_SECONDS
            await self._clock.sleep(STALL_SECONDS)
            if self._clock.monotonic() - due >= STALL_SECONDS:
                self._telemetry.count("noc_loop_stalls_total")
