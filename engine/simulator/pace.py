"""A clock that runs faster or slower than the one it is made from."""

from __future__ import annotations

from datetime import datetime

from engine.ports import Clock


class PacedClock:
    """`now` goes `speed` times as fast from the moment on at which it was made. Waiting and `monotonic` stay real:
    limits of time protect the machine, which does not go faster."""

    def __init__(self, clock: Clock, speed: float) -> None:
        if not 0 < speed <= 3600:
            raise ValueError("speed must be above 0 and at most 3600")
        self._clock, self._speed = clock, speed
        self._began_at = clock.now()

    def now(self) -> datetime:
        return self._began_at + (self._clock.now() - self._began_at) * self._speed

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
