"""Record-breaking statistics: the surprise of a new extreme, which needs no distribution and no scale.

Among c exchangeable records the next is the largest with probability 1/c, so a new record after c is worth log10(c)
at most, in full at a fixed margin over the old maximum, which is slowly forgotten. It fails where extremes come back
regularly and each a little higher; it says nothing of spikes below the largest so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration
from engine.detectors.levels import PAST, RECORDS, SAME

Floats = NDArray[Any]
WITNESSES = RECORDS.stop - RECORDS.start


class Records:
    """Rows: the remembered maximum of each statistic, forgotten by `forgetting` before a step."""

    rows = WITNESSES

    def __init__(self, configuration: Configuration) -> None:
        self.forgetting = configuration.record_forgetting
        self._margin = np.float32(1.0 / configuration.record_margin)
        self._growth = np.float32(configuration.record_growth)
        self._sum_weight = np.float32(configuration.sum_weight)

    def step(self, statistics: Floats, counts: Floats, state: Floats) -> tuple[Floats, Floats] | None:
        """Evidence of every witness [7, n] and of all together [n], None if there is none; then the maxima learn.

        `counts` [2, n]: records so far including this one, and those that had a same time to compare with.
        Only what exceeds its maximum costs more than a comparison.
        """
        current = statistics[RECORDS]
        broken = current > state
        if not np.count_nonzero(broken):
            return None
        witness, series = broken.nonzero()
        evidence = np.zeros(current.shape, dtype=np.float32)
        new, old = current[witness, series], state[witness, series]
        known = old > 0
        seasonal = (witness == SAME) | (witness == PAST)
        surprise = np.log10(np.maximum(counts[seasonal.view(np.int8), series], 1.0))
        # Four times the old maximum is beyond any margin, and cannot overflow; where nothing was known, 1 is dropped.
        base = np.where(known, old, new)
        ratio = np.minimum(new, np.float32(4.0) * base) / base
        excess = np.minimum((ratio - np.float32(1.0)) * self._margin, np.float32(1.0))
        evidence[witness, series] = np.where(known, excess * surprise, 0.0)
        state[witness, series] = np.where(known, np.minimum(new, self._growth * old), new)
        return evidence, evidence.max(axis=0) + self._sum_weight * evidence.sum(axis=0)
