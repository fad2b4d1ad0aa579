"""What a detector says of one tick: arrays side by side, one place per record, in the order of the records."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Ints = NDArray[np.int64]


class Kind(IntEnum):
    """The named kinds of anomaly. NONE where there is no evidence at all."""

    NONE = 0
    SPIKE = 1
    LEVEL_SHIFT = 2
    DRIFT = 3
    MISSING = 4
    FLAT = 5
    SEASONAL_BREAK = 6


class Verdicts(NamedTuple):
    """One tick's verdicts, each array of shape [n]."""

    evidence: Floats
    """How unusual the record is by itself, at least 0; stays high while something lasts."""
    score: Floats
    """What is news in it, at least 0: evidence above the fading peak of the recent past."""
    threshold: Floats
    alarm: NDArray[np.bool_]
    kind: NDArray[np.uint8]
    """A `Kind` by the strongest witness."""

    @staticmethod
    def quiet(count: int, threshold: float) -> Verdicts:
        """Verdicts without any evidence."""
        return Verdicts(
            np.zeros(count),
            np.zeros(count),
            np.full(count, threshold),
            np.zeros(count, dtype=np.bool_),
            np.zeros(count, dtype=np.uint8),
        )

    def put(self, where: Any, other: Verdicts) -> None:
        """Write `other` to the places `where` of this one."""
        for mine, theirs in zip(self, other, strict=True):
            mine[where] = theirs
