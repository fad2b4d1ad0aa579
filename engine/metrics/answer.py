"""A question about one series: which resolution answers it, what has to be read for it, and its points.

Owns the choice of resolution, and the slots that are not over yet, which are made of finer ones when asked for. A slot
without samples is a gap: it has no point. Never reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from data.rollups import Bucket, Stored, merged
from data.slots import DAY, FIVE_MINUTES, HOUR, KEEP_DAYS, next_start, start_of, starts

#: Words of resolutions.
WORDS = {"5m": FIVE_MINUTES, "1h": HOUR, "1d": DAY}
#: Slots that one answer reads at most: two years of days, ninety days of hours and seven of five minutes are below.
POINTS = 2400
#: Slots before the one that is running whose coarse bucket may not be made yet.
UNSETTLED = 2


def picked(since: float, now: float) -> int:
    """The finest resolution that still has all of a time that begins at `since`: five minutes up to 7 days back, hours
    up to 90, days beyond."""
    back = (now - since) / DAY
    return FIVE_MINUTES if back <= KEEP_DAYS[FIVE_MINUTES] else HOUR if back <= KEEP_DAYS[HOUR] else DAY


def slots(since: float, until: float, resolution: int, zone: str, now: float) -> list[int]:
    """The slots of an answer, without those that are no longer kept or still to come."""
    first = max(since, now - KEEP_DAYS[resolution] * DAY)
    return starts(first, until if until < now else now + FIVE_MINUTES, resolution, zone)


class Point(Struct, frozen=True):
    """What is known of [at, to), seconds since 1970 UTC."""

    at: int
    to: int
    bucket: Stored | Bucket


class Plan(Struct, frozen=True, kw_only=True):
    """Slots of one resolution at the time `now`, and how they are read and put together. `zone` is where days begin."""

    wanted: Sequence[int]
    resolution: int
    zone: str
    now: float

    def reads(self) -> dict[int, list[int]]:
        """Resolution → beginnings of slots to read: what was wanted, and what the newest of it is still made of."""
        found, resolution, wanted = {self.resolution: list(self.wanted)}, self.resolution, self.wanted
        while resolution != FIVE_MINUTES:
            fresh = self._fresh(wanted, resolution)
            if not fresh:
                break
            end = min(next_start(fresh[-1], resolution, self.zone), self.now + FIVE_MINUTES)
            resolution = FIVE_MINUTES if resolution == HOUR else HOUR
            wanted = found[resolution] = starts(fresh[0], end, resolution, self.zone)
        return found

    def points(self, found: Mapping[int, Mapping[int, Stored]], most: int = 0) -> list[Point]:
        """The points, oldest first, of what was read. When the slots are more than `most` (0 = any number), as many
        neighbours as it takes become one point. Raises `data.sketch.Damaged`."""
        whole = self._whole(found)
        size = -(-len(self.wanted) // most) if most else 1
        groups = [self.wanted[place : place + size] for place in range(0, len(self.wanted), size)]
        made = []
        for group in groups:
            there = [whole[at] for at in group if at in whole]
            if there:
                end = next_start(group[-1], self.resolution, self.zone)
                made.append(Point(group[0], end, there[0] if len(there) == 1 else _one(there)))
        return made

    def _whole(self, found: Mapping[int, Mapping[int, Stored]]) -> Mapping[int, Stored | Bucket]:
        """Slots of the resolution wanted; those that are not made yet put together of finer ones, level by level."""
        below: dict[int, Stored | Bucket] = {}
        for resolution in (FIVE_MINUTES, HOUR, DAY):
            if resolution > self.resolution:
                break
            by_slot: dict[int, list[Stored | Bucket]] = {}
            for at, bucket in below.items():
                by_slot.setdefault(start_of(at, resolution, self.zone), []).append(bucket)
            here: dict[int, Stored | Bucket] = dict(found.get(resolution, {}))
            below = here | {at: _one(of) for at, of in by_slot.items()}
        return below

    def _fresh(self, wanted: Sequence[int], resolution: int) -> list[int]:
        first = start_of(self.now, resolution, self.zone)
        for _ in range(UNSETTLED):
            first = start_of(first - 1, resolution, self.zone)
        return [at for at in wanted if at >= first]


def _one(of: Sequence[Stored | Bucket]) -> Bucket:
    """One bucket of several, which may not be used after that."""
    whole = merged(found.bucket() if isinstance(found, Stored) else found for found in of)
    assert whole is not None
    return whole
