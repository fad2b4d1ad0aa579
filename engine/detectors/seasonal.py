"""Distance of the smoothed level to the same time of day on earlier days and weeks: the nearest of all of them.

A ring of quarter-hour slots over 29 days holds the level that each ended with. The nearest past day counts, so
weekends excuse weekends; a break that looks like any earlier day at that hour is not seen. Slots are of universal
time: a local day that shifts by an hour is compared with a neighbour slot only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import Columns, Key
from engine.detectors.configuration import Configuration

Floats = NDArray[Any]
Ints = NDArray[Any]


#: Steps of half a range in a saved ring, and the word for a slot that is not known.
_STEPS, _UNKNOWN = 32_767, 65_535


class Seasonal:
    """Owns its ring, apart from the other state: it is the largest part and only a few rows are touched per tick."""

    def __init__(self, configuration: Configuration) -> None:
        self._seconds = configuration.slot_seconds
        self._day = round(86400.0 / configuration.slot_seconds)
        self._lags = np.array(configuration.day_lags, dtype=np.int64) * self._day
        self._near = (np.array([-1, 0, 1]) - self._lags[:, None]).ravel()
        self._ring = (max(configuration.day_lags) + 1) * self._day
        self.columns = Columns(self._ring, np.float32, np.nan)
        #: Rows that are near to a slot on earlier days, and of which slot.
        self._rows_of, self._rows = -1.0, self._near

    def slots(self, at: Floats | float) -> Floats | float:
        """Number of the slot since 1970 as a whole float, [n] or one for all."""
        if isinstance(at, float):
            return float(at // self._seconds)
        return np.floor(at / self._seconds)

    def saved(self, series: NDArray[np.int64]) -> tuple[bytes, bytes]:
        """Middle and half of the range [2, n], and the rings [n, slots] in 16 bits of that range."""
        ring = self.columns.matrix[:, series].T.astype(np.float64)
        low, high = np.fmin.reduce(ring, axis=1), np.fmax.reduce(ring, axis=1)
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        middle[np.isnan(middle)] = 0.0
        half[~(half > 0)] = 1.0
        steps = np.rint((ring - middle[:, None]) / half[:, None] * _STEPS) + _STEPS
        known = ~np.isnan(steps)
        packed = np.where(known, np.where(known, steps, 0.0), _UNKNOWN).astype("<u2")
        return np.stack((middle, half)).astype("<f8").tobytes(), packed.tobytes()

    def adopt(self, series: NDArray[np.int64], saved: list[bytes]) -> None:
        """The inverse of `saved`, for which there is room, but for numbers below 0; ValueError if the sizes do not
        fit."""
        count = len(series)
        if [len(part) for part in saved] != [16 * count, 2 * count * self._ring]:
            raise ValueError("saved rings are of another size")
        middle, half = np.frombuffer(saved[0], dtype="<f8").reshape(2, count)
        packed = np.frombuffer(saved[1], dtype="<u2").reshape(count, self._ring)
        ring = (packed.astype(np.float64) - _STEPS) / _STEPS * half[:, None] + middle[:, None]
        ring[packed == _UNKNOWN] = np.nan
        wanted = series >= 0
        self.columns.matrix[:, series[wanted]] = ring[wanted].T

    def touched(self, before: Floats, at: Floats) -> Ints:
        """Rows of the ring that records at these times may write, of series last heard in the slots `before`."""
        slots = np.concatenate((before, np.asarray(self.slots(at))))
        first, last = int(slots.min()), int(slots.max())
        rows: Ints = np.arange(first, min(last + 1, first + self._ring)) % self._ring
        return rows

    def distance(self, level: Floats, slot: Floats | float, interval: Floats, key: Key) -> Floats:
        """Distance to the nearest same time [n] float32, NaN where none is known yet. Learns nothing."""
        one = _one(slot)
        if one is not None and interval.max() < 1.5 * self._seconds:
            if one != self._rows_of:
                self._rows_of, self._rows = one, (int(one) + self._near) % self._ring
            rows = self._rows
            past: Floats = self.columns.matrix[rows, key] if isinstance(key, slice) else self._pick(rows[:, None], key)
        else:
            now = np.broadcast_to(slot, level.shape).astype(np.int64)
            reach = np.maximum(np.rint(interval / self._seconds), 1.0).astype(np.int64)
            offsets = np.array([-1, 0, 1])[:, None, None] * reach
            every = (now - self._lags[:, None] + offsets).reshape(-1, len(now)) % self._ring
            past = self._pick(every, key)
        past -= level.astype(np.float32)
        np.abs(past, out=past)
        nearest: Floats = np.fmin.reduce(past, axis=0)
        return nearest

    def _pick(self, rows: Ints, key: Key) -> Floats:
        columns = np.arange(key.start, key.stop) if isinstance(key, slice) else key
        picked: Floats = self.columns.matrix[rows, columns]
        return picked

    def learn(self, level: Floats, slot: Floats | float, before: Floats, interval: Floats, key: Key) -> None:
        """Keep the level as that of its slot; slots skipped since `before` are filled over short steps or cleared."""
        skipped = slot - before
        one = _one(slot)
        if one is not None:
            self.columns.matrix[int(one) % self._ring, key] = level
        else:
            columns = np.arange(key.start, key.stop) if isinstance(key, slice) else key
            slot = np.asarray(slot)
            self.columns.matrix[slot.astype(np.int64) % self._ring, columns] = level
        skipping = (skipped > 1).nonzero()[0]
        if skipping.size:
            now, kept = np.broadcast_to(slot, level.shape).astype(np.int64), level.astype(np.float32)
            columns = np.arange(key.start, key.stop)[skipping] if isinstance(key, slice) else key[skipping]
            held = skipped[skipping] * self._seconds <= 2.0 * interval[skipping] + self._seconds
            values = np.where(held, kept[skipping], np.nan)
            self._fill(columns, now[skipping], np.minimum(skipped[skipping], self._ring), values)

    def _fill(self, columns: NDArray[np.int64], now: NDArray[np.int64], skipped: Floats, values: Floats) -> None:
        """Write `values` to the slots between the last record and this one, furthest gaps included."""
        for back in range(1, int(skipped.max())):
            still = skipped > back
            self.columns.matrix[(now[still] - back) % self._ring, columns[still]] = values[still]


def _one(slot: Floats | float) -> float | None:
    """The slot, if it is the same for all."""
    if isinstance(slot, float):
        return slot
    first = float(slot[0])
    return first if bool((slot == first).all()) else None
