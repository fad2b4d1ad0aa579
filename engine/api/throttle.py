"""How much one sender may send: token buckets, and a fair share of what waits for its commit.

Owns counters in memory only. Never looks at a body: all is decided before it is read.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.ports import Overloaded

#: Senders remembered; the one that was quiet longest is forgotten.
REMEMBERED = 4096


class Bucket:
    """`rate` per second up to `burst`. May go into debt by one batch, which then has to be paid off."""

    __slots__ = ("at", "burst", "level", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate, self.burst, self.level, self.at = rate, burst, burst, now

    def wait(self, now: float) -> float:
        """Seconds until something may be sent, 0 = now."""
        self.level = min(self.burst, self.level + (now - self.at) * self.rate)
        self.at = now
        return 0.0 if self.level > 0 else (1.0 - self.level) / self.rate


class Throttle:
    """Admission by sender. `capacity` rows may wait for their commit; while two or more senders have rows
    waiting, none of them gets more than half of it."""

    def __init__(self, monotonic: Callable[[], float], rate: float, burst: float, capacity: int) -> None:
        self._monotonic, self._rate, self._burst, self._capacity = monotonic, rate, burst, capacity
        self._buckets: dict[str, Bucket] = {}
        self._waiting: dict[str, int] = {}
        self._total = 0

    def admit(self, sender: str, rate: float | None = None) -> None:
        """Raises Overloaded with the seconds to wait. `rate` None = the default, 0 = no limit."""
        mine = self._waiting.get(sender, 0)
        if mine * 2 >= self._capacity and (self._total > mine or self._total >= self._capacity):
            raise Overloaded(1.0, "this sender's share is waiting for its commit")
        rate = self._rate if rate is None else rate
        if rate <= 0:
            return
        bucket = self._buckets.get(sender)
        if bucket is None:
            bucket = self._add(sender, rate)
        wait = bucket.wait(self._monotonic())
        if wait > 0:
            raise Overloaded(wait, "this sender sends too fast")

    def _add(self, sender: str, rate: float) -> Bucket:
        now = self._monotonic()
        if len(self._buckets) >= REMEMBERED:
            del self._buckets[min(self._buckets, key=lambda name: self._buckets[name].at)]
        bucket = self._buckets[sender] = Bucket(rate, max(self._burst, rate), now)
        return bucket

    def charge(self, sender: str, rows: float) -> None:
        """Books rows on the sender's bucket; it may go into debt."""
        bucket = self._buckets.get(sender)
        if bucket is not None:
            bucket.level -= rows

    def check_share(self, sender: str, rows: int) -> None:
        """Once the rows are known: raises Overloaded when they and the sender's others are more than half of what may
        wait while somebody else waits too. One delivery alone always passes."""
        mine = self._waiting.get(sender, 0)
        if mine and (mine + rows) * 2 > self._capacity and self._total > mine:
            raise Overloaded(1.0, "this sender's share is waiting for its commit")

    def enter(self, sender: str, rows: int) -> None:
        self._waiting[sender] = self._waiting.get(sender, 0) + rows
        self._total += rows

    def leave(self, sender: str, rows: int) -> None:
        self._total -= rows
        left = self._waiting[sender] - rows
        if left:
            self._waiting[sender] = left
        else:
            del self._waiting[sender]
