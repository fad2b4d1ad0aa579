"""Record-breaking statistics: the surprise of a new extreme, which needs no distribution and no scale.

Among c exchangeable records the next is the largest with probability 1/c, so a new record after c is worth log10(c)
at most, in full at a fixed margin over the old maximum, which is slowly forgotten. It fails where extremes come back
regularly and each a little higher; it says nothing of spikes below the largest so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import FEW
from engine.detectors.configuration import Configuration
from engine.detectors.levels import PAST, RECORDS, SAME

Floats = NDArray[Any]
WITNESSES = RECORDS.stop - RECORDS.start
_ZERO, _ONE, _BEYOND, _SMALLEST = (np.float32(number) for number in (0.0, 1.0, 4.0, 1e-37))
#: Which count each witness has: all records, or those that had a same time to compare with.
_COUNT_OF = np.array([int(witness in (SAME, PAST)) for witness in range(WITNESSES)])


class Records:
    """Rows: the remembered maximum of each statistic, forgotten by `forgetting` before a step."""

    rows = WITNESSES

    def __init__(self, configuration: Configuration) -> None:
        self.forgetting = configuration.record_forgetting
        self._margin = np.float32(1.0 / configuration.record_margin)
        self._growth = np.float32(configuration.record_growth)
        self._sum_weight = np.float32(configuration.sum_weight)

    def step(self, statistics: Floats, counts: Floats, state: Floats) -> tuple[Floats, Floats, Floats] | None:
        """Evidence of every witness [7, n], the largest [n] and of all together [n], None if there is none; then the
        maxima learn.

        `counts` [2, n]: records so far including this one, and those that had a same time to compare with.
        """
        current = statistics[RECORDS]
        broken = current > state
        if not np.count_nonzero(broken):
            return None
        if current.shape[1] <= FEW:
            evidence = self._all(current, counts, broken, state)
        else:
            evidence = self._some(current, counts, broken, state)
        largest: Floats = np.maximum.reduce(evidence)
        return evidence, largest, largest + self._sum_weight * np.add.reduce(evidence)

    def _all(self, current: Floats, counts: Floats, broken: NDArray[np.bool_], state: Floats) -> Floats:
        """A few series are cheaper reckoned with whole: the excess is 0 where nothing was known, or broken."""
        excess = np.minimum(current, state * _BEYOND)
        excess -= state
        np.maximum(excess, _ZERO, out=excess)
        excess /= np.maximum(state, _SMALLEST)
        excess *= self._margin
        np.minimum(excess, _ONE, out=excess)
        surprise = np.log10(np.maximum(counts, 1.0))
        evidence: Floats = (excess * surprise[_COUNT_OF]).astype(np.float32)
        grown = np.where(state > 0, state * self._growth, current)
        np.copyto(state, np.minimum(current, grown), where=broken)
        return evidence

    def _some(self, current: Floats, counts: Floats, broken: NDArray[np.bool_], state: Floats) -> Floats:
        """Among many series only what exceeds its maximum costs more than a comparison."""
        evidence = np.zeros(current.shape, dtype=np.float32)
        witness, series = np.divmod(broken.ravel().nonzero()[0], current.shape[1])
        new, old = current[witness, series], state[witness, series]
        known = old > 0
        surprise = np.log10(np.maximum(counts[_COUNT_OF[witness], series], 1.0))
        # Four times the old maximum is beyond any margin, and cannot overflow; where nothing was known, 1 is dropped.
        base = np.where(known, old, new)
        excess = np.minimum((np.minimum(new, _BEYOND * base) - base) / base * self._margin, _ONE)
        evidence[witness, series] = np.where(known, excess * surprise, 0.0)
        state[witness, series] = np.where(known, np.minimum(new, self._growth * old), new)
        return evidence
