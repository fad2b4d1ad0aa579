"""Exponential means at several speeds, extremes and the last value: the statistics that the judges lean on.

A mean of weight w forgets half of the past in about 0.69 / w records; at the start each is the plain mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]

#: Statistics by row. The first five are judged by records (the fifth, same time of day, is filled in by `seasonal`),
#: the last four by their own quantiles.
HIGH, LOW, SHIFT, DRIFT, SAME, FAST, SLOW, STEP = range(8)
STATISTICS = 8
RECORDS = slice(HIGH, SAME + 1)
RESIDUALS = slice(SAME, STEP + 1)


class Levels:
    """Rows: one mean per weight, then last value, minimum, maximum."""

    def __init__(self, configuration: Configuration) -> None:
        self._weights = np.array(configuration.level_weights)[:, None]
        self._settled = 1.0 / min(configuration.level_weights)
        self._count = len(configuration.level_weights)
        self.rows = self._count + 3
        at = configuration.level_weights.index
        self._quick, self._shift, self._smooth = at(0.2), (at(0.1), at(0.01)), at(0.05)
        self._drift, self._slow = (at(0.02), at(0.002)), at(0.005)

    def step(self, values: Floats, seen: Floats, least_seen: float, state: Floats) -> tuple[Floats, Floats]:
        """Statistics [8, n] float32 of records against what came before, and the smoothed level [n]; then learn.

        `seen` [n]: records of each series before this one; `least_seen` its minimum.
        """
        means, last, least, most = state[: self._count], state[-3], state[-2], state[-1]
        if least_seen == 0:
            fresh = seen == 0
            state[:, fresh] = values[fresh]
        statistics = np.empty((STATISTICS, len(values)), dtype=np.float32)
        statistics[SAME] = 0.0
        np.subtract(values, least, out=statistics[HIGH], casting="same_kind")
        np.subtract(most, values, out=statistics[LOW], casting="same_kind")
        np.subtract(values, last, out=statistics[STEP], casting="same_kind")
        away = values - means
        statistics[FAST] = away[self._quick]
        statistics[SLOW] = away[self._slow]
        weights = self._weights if least_seen > self._settled else np.maximum(self._weights, 1.0 / (seen + 1.0))
        away *= weights
        means += away
        np.subtract(means[self._shift[0]], means[self._shift[1]], out=statistics[SHIFT], casting="same_kind")
        np.subtract(means[self._drift[0]], means[self._drift[1]], out=statistics[DRIFT], casting="same_kind")
        np.abs(statistics[SHIFT:], out=statistics[SHIFT:])
        last[...] = values
        np.minimum(least, values, out=least)
        np.maximum(most, values, out=most)
        return statistics, means[self._smooth]
