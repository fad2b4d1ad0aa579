"""Distance to the same time of day on each of the last seven days, of the value and of the smoothed level: the nearest.

A ring of quarter-hour slots over eight days holds the level that each ended with, another its last value. The nearest
past day counts, so weekends excuse weekends; a break that looks like any earlier day at that hour is not seen. Slots
are of universal time: a local day that shifts by an hour is compared with a neighbour slot only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import Columns, Key, most_of
from engine.detectors.configuration import Configuration

Floats = NDArray[Any]
Ints = NDArray[Any]

#: Steps of half a range in a saved ring, and the word for a slot that is not known.
_STEPS, _UNKNOWN = 32_767, 65_535


class Seasonal:
    """Owns its rings, apart from the other state: they are the largest part and only a few rows are touched per tick.

    Rows: slots of levels, then slots of values; infinite where nothing is known."""

    def __init__(self, configuration: Configuration) -> None:
        self._seconds = configuration.slot_seconds
        self._day = round(86400.0 / configuration.slot_seconds)
        self._lags = np.array(configuration.day_lags, dtype=np.int64) * self._day
        self._near = (np.array([-1, 0, 1]) - self._lags[:, None]).ravel()
        self._ring = (max(configuration.day_lags) + 1) * self._day
        self.columns = Columns(2 * self._ring, np.float32, np.inf)
        #: Rows that are near to a slot on earlier days, and of which slot.
        self._rows_of, self._rows = -1.0, self._near

    def slots(self, at: Floats | float) -> Floats | float:
        """Number of the slot since 1970 as a whole float, [n] or one for all."""
        if isinstance(at, float):
            return float(at // self._seconds)
        return np.floor(at / self._seconds)

    def saved(self, series: NDArray[np.int64]) -> tuple[bytes, bytes]:
        """Middle and half of the range [2, 2 n], and the rings [2 n, slots] in 16 bits of that range."""
        rings = self.columns.matrix[:, series].T.reshape(-1, self._ring).astype(np.float64)
        unknown = np.isinf(rings)
        rings[unknown] = np.nan
        low, high = np.fmin.reduce(rings, axis=1), np.fmax.reduce(rings, axis=1)
        middle, half = (low + high) / 2.0, (high - low) / 2.0
        middle[np.isnan(middle)] = 0.0
        half[~(half > 0)] = 1.0
        rings[unknown] = 0.0
        steps = np.rint((rings - middle[:, None]) / half[:, None] * _STEPS) + _STEPS
        steps[unknown] = _UNKNOWN
        return np.stack((middle, half)).astype("<f8").tobytes(), steps.astype("<u2").tobytes()

    def adopt(self, series: NDArray[np.int64], saved: list[bytes]) -> None:
        """The inverse of `saved`, for which there is room, but for numbers below 0; ValueError if the sizes do not
        fit."""
        count = len(series)
        if [len(part) for part in saved] != [32 * count, 4 * count * self._ring]:
            raise ValueError("saved rings are of another size")
        middle, half = np.frombuffer(saved[0], dtype="<f8").reshape(2, -1, 1)
        packed = np.frombuffer(saved[1], dtype="<u2").reshape(2 * count, self._ring)
        rings = (packed.astype(np.float64) - _STEPS) / _STEPS * half + middle
        rings[packed == _UNKNOWN] = np.inf
        wanted = series >= 0
        self.columns.matrix[:, series[wanted]] = rings.reshape(count, -1)[wanted].T

    def touched(self, last: Floats, at: Floats) -> Ints:
        """Rows that records at these times may write, of series that were last heard at `last`."""
        slots = np.concatenate((np.asarray(self.slots(last)), np.asarray(self.slots(at))))
        first, final = int(slots.min()), int(slots.max())
        rows = np.arange(first, min(final + 1, first + self._ring)) % self._ring
        return np.concatenate((rows, rows + self._ring))

    def distance(self, now: Floats, slot: Floats | float, interval: Floats, longest: float, key: Key) -> Floats:
        """Distance to the nearest same time [2, n], infinite where none is known yet. Learns nothing.

        `now` [2, n] float32: level and value; `longest` of the intervals."""
        one = _one(slot)
        if one is not None and longest < 1.5 * self._seconds:
            if one != self._rows_of:
                near = (int(one) + self._near) % self._ring
                self._rows_of, self._rows = one, np.concatenate((near, near + self._ring))
            rows = self._rows
            past: Floats = self.columns.matrix[rows, key] if isinstance(key, slice) else self._pick(rows[:, None], key)
        else:
            count = now.shape[1]
            whole = np.broadcast_to(slot, count).astype(np.int64)
            reach = np.maximum(np.rint(interval / self._seconds), 1.0).astype(np.int64)
            offsets = np.array([-1, 0, 1])[:, None, None] * reach
            each = (whole - self._lags[:, None] + offsets).reshape(-1, count) % self._ring
            past = self._pick(np.concatenate((each, each + self._ring)), key)
        past = past.reshape(2, -1, now.shape[1])
        past -= now[:, None]
        np.abs(past, past)
        nearest: Floats = np.minimum.reduce(past, 1)
        return nearest

    def _pick(self, rows: Ints, key: Key) -> Floats:
        columns = np.arange(key.start, key.stop) if isinstance(key, slice) else key
        picked: Floats = self.columns.matrix.reshape(-1).take(rows * self.columns.capacity + columns)
        return picked

    def learn(self, now: Floats, slot: Floats | float, gap: Floats, interval: Floats, key: Key, at: Any) -> None:  # noqa: PLR0917 - the hot path
        """Keep level and value as those of the slot; slots skipped since the record `gap` seconds ago are filled over
        short steps or cleared."""
        one = _one(slot)
        if one is not None:
            row = int(one) % self._ring
            self.columns.matrix[row, key], self.columns.matrix[row + self._ring, key] = now
        else:
            columns = np.arange(key.start, key.stop) if isinstance(key, slice) else key
            rows = np.asarray(slot).astype(np.int64) % self._ring
            self.columns.matrix[rows, columns], self.columns.matrix[rows + self._ring, columns] = now
        if most_of(gap) < self._seconds:
            return
        skipped = slot - np.floor((at - gap) / self._seconds)
        skipping = (skipped > 1).nonzero()[0]
        if skipping.size:
            whole = np.broadcast_to(slot, gap.shape).astype(np.int64)
            columns = np.arange(key.start, key.stop)[skipping] if isinstance(key, slice) else key[skipping]
            held = skipped[skipping] * self._seconds <= 2.0 * interval[skipping] + self._seconds
            values = np.where(held, now[:, skipping], np.float32(np.inf))
            self._fill(columns, whole[skipping], np.minimum(skipped[skipping], self._ring), values)

    def _fill(self, columns: NDArray[np.int64], now: NDArray[np.int64], skipped: Floats, values: Floats) -> None:
        """Write `values` to the slots between the last record and this one, furthest gaps included."""
        for back in range(1, int(skipped.max())):
            still = skipped > back
            rows = (now[still] - back) % self._ring
            self.columns.matrix[rows, columns[still]] = values[0, still]
            self.columns.matrix[rows + self._ring, columns[still]] = values[1, still]


def _one(slot: Floats | float) -> float | None:
    """The slot, if it is the same for all."""
    if isinstance(slot, float):
        return slot
    first = float(slot[0])
    return first if bool((slot == first).all()) else None
