"""Flat lines: the same value many times in a row where the series usually moves.

Told once per run. A series that rests often is excused by its own longest run; a constant one is never flat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]
_RUN, _LONGEST, _MOVES = range(3)


class Flat:
    """Rows: records in the present run, the longest run before, records that differed from the one before."""

    rows = 3

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def step(self, change: Floats, seen: Floats, state: Floats) -> tuple[Floats, NDArray[np.bool_]] | None:
        """Which records lie in a flat run (1.0, else 0) and which one makes it flat; [n] each, None for none.

        `change` = |x - x1|; `seen`: records before this one.
        """
        moved = change > 0
        run = state[_RUN]
        if moved.all() and not run.any():
            state[_MOVES] += 1.0
            return None
        np.maximum(state[_LONGEST], run * moved, out=state[_LONGEST])
        run += 1.0
        run *= ~moved
        state[_MOVES] += moved
        if run.max() < self._configuration.flat_records:
            return None
        limit = np.maximum(self._configuration.flat_records, self._configuration.flat_factor * state[_LONGEST])
        lively = 2.0 * state[_MOVES] >= seen - run
        flat = (run >= limit) & lively & (state[_MOVES] > self._configuration.flat_records)
        return flat.astype(np.float64), flat & (run < limit + 1.0)
