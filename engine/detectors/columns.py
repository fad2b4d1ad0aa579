"""State across series: one matrix of a fixed number of rows, one column per series, grown in proportion.

Rows are contiguous in memory, so that a tick of neighbouring series is arithmetic on slices without a copy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Key = slice | NDArray[np.int64]
#: Doubled up to so many series, then by a quarter: spare columns stay within the memory that a series may take.
_SMALL = 1024


class Columns:
    """Rows of `dtype`, filled with `fill` until a series writes them."""

    def __init__(self, rows: int, dtype: Any, fill: float) -> None:
        self._fill = fill
        self.matrix: NDArray[Any] = np.full((rows, 0), fill, dtype=dtype)

    @property
    def capacity(self) -> int:
        return int(self.matrix.shape[1])

    @property
    def bytes_per_series(self) -> int:
        return int(self.matrix.shape[0] * self.matrix.itemsize)

    def grow(self, count: int) -> None:
        """Room for series 0 … count-1; old columns keep their state."""
        if count <= self.capacity:
            return
        room = 2 * self.capacity if self.capacity < _SMALL else self.capacity * 5 // 4
        grown = np.full((self.matrix.shape[0], max(count, room)), self._fill, dtype=self.matrix.dtype)
        grown[:, : self.capacity] = self.matrix
        self.matrix = grown

    def state(self, count: int) -> bytes:
        return self.matrix[:, :count].tobytes()

    def restore(self, state: bytes, count: int) -> None:
        """The inverse of `state`; ValueError if the size does not fit."""
        rows = self.matrix.shape[0]
        if len(state) != rows * count * self.matrix.itemsize:
            raise ValueError(f"saved state has {len(state)} bytes, {rows} rows of {count} series need another number")
        self.matrix = np.frombuffer(state, dtype=self.matrix.dtype).reshape(rows, count).copy()


def key_of(series: NDArray[np.int64]) -> Key:
    """A slice where the numbers follow one another (no copy), the numbers themselves otherwise. Must be increasing."""
    first, last = int(series[0]), int(series[-1])
    return slice(first, last + 1) if last - first == len(series) - 1 else series
