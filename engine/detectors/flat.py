"""Flat lines: the same value many times in a row where the series usually moves.

Told once per run. A series that rests often is excused by its own longest run; a constant one is never flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]


class Flat:
    """Rows: records in the present run, the longest run before, records that were equal to the one before."""

    rows = 3

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def step(self, change: Floats, seen: Floats, state: Floats) -> tuple[Floats, NDArray[np.bool_]] | None:
        """Which records lie in a flat run (1.0, else 0) and which one makes it flat; [n] each, None for none.

        `change` = |x - x1|; `seen`: records before this one.
        """
        run, longest, rests = state
        if np.count_nonzero(change) == len(change) and not np.count_nonzero(run):
            return None
        moved = change > 0
        np.maximum(longest, run * moved, out=longest)
        run += 1.0
        run *= ~moved
        rests += ~moved
        if run.max() < self._configuration.flat_records:
            return None
        limit = np.maximum(self._configuration.flat_records, self._configuration.flat_factor * longest)
        moves = seen + 1.0 - rests
        lively = 2.0 * moves >= seen - run
        flat = (run >= limit) & lively & (moves > self._configuration.flat_records)
        return flat.astype(np.float64), flat & (run < limit + 1.0)
