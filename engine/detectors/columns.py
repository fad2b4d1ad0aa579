"""State across series: one matrix of a fixed number of rows, one column per series, grown in proportion.

Rows are contiguous in memory, so that a tick of neighbouring series is arithmetic on slices without a copy. A few
series are copied into one piece and written back, which costs less than stepping over the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Key = slice | NDArray[np.int64]
#: Doubled up to so many series, then by a quarter: spare columns stay within the memory that a series may take.
_SMALL = 1024
#: So many series are few: a copy of their columns, and a list of their values, cost less than views and reductions.
FEW = 64


class Columns:
    """Rows of `dtype`, filled with `fill`, one number or one per row [rows, 1], until a series writes them."""

    def __init__(self, rows: int, dtype: Any, fill: Any) -> None:
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

    def part(self, key: Key) -> NDArray[Any]:
        """The columns of a tick to work on; what `in_place` denies has to be written back."""
        if not isinstance(key, slice):
            return self.matrix.take(key, 1)
        part = self.matrix[:, key]
        return part if in_place(key) else part.copy()

    def state(self, count: int) -> bytes:
        return self.matrix[:, :count].tobytes()

    def restore(self, state: bytes, count: int) -> None:
        """The inverse of `state`; ValueError if the size does not fit."""
        rows = self.matrix.shape[0]
        if len(state) != rows * count * self.matrix.itemsize:
            raise ValueError(f"saved state has {len(state)} bytes, {rows} rows of {count} series need another number")
        self.matrix = np.frombuffer(state, dtype=self.matrix.dtype).reshape(rows, count).copy()


def key_of(series: NDArray[np.int64]) -> Key:
    """A slice where the numbers follow one another (no gathering), the numbers themselves otherwise. Must be
    increasing."""
    first, last = int(series[0]), int(series[-1])
    return slice(first, last + 1) if last - first == len(series) - 1 else series


def in_place(key: Key) -> bool:
    """Whether the parts of a tick are the columns themselves, and no copies."""
    return isinstance(key, slice) and key.stop - key.start > FEW


def tiled(column: NDArray[Any], count: int, tiles: dict[int, NDArray[Any]]) -> NDArray[Any]:
    """`column` [k, 1] as [k, count] for a few series, which is cheaper to reckon with; kept in `tiles`."""
    if count > FEW:
        return column
    found = tiles.get(count)
    if found is None:
        found = tiles[count] = np.repeat(column, count, axis=1)
    return found


def least_of(row: NDArray[Any]) -> float:
    """The smallest number of a row. A few are looked through sooner as a list."""
    return float(min(row.tolist())) if len(row) <= FEW else float(np.minimum.reduce(row))


def most_of(row: NDArray[Any]) -> float:
    """The largest number of a row, the same way."""
    return float(max(row.tolist())) if len(row) <= FEW else float(np.maximum.reduce(row))


def total_of(row: NDArray[Any]) -> float:
    """The sum of magnitudes of a row, NaN where one is none."""
    return float(sum(map(abs, row.tolist()))) if len(row) <= FEW else float(np.add.reduce(np.abs(row)))
