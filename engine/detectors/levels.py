"""Exponential means at several speeds, extremes and the last value: the statistics that the judges lean on.

A mean of weight w forgets half of the past in about 0.69 / w records; at the start each is the plain mean. One of them
is of the logarithm of the magnitude: it hears a fall to nothing, and a rise from it, whatever the extremes so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import tiled
from engine.detectors.configuration import Configuration

Floats = NDArray[Any]

#: Statistics by row. The first seven are judged by records (SAME and PAST, the distances to the same time of day, are
#: filled in by `seasonal`), the last four by quantiles of their own.
HIGH, LOW, SAME, PAST, SHIFT, DRIFT, LOG, FAST, SLOW, STEP, BEND = range(11)
STATISTICS = 11
RECORDS = slice(HIGH, LOG + 1)
RESIDUALS = slice(FAST, BEND + 1)

#: Rows of means: what SHIFT and DRIFT subtract from, what they subtract, the smoothed level, then LOG, FAST and SLOW.
_SMOOTH, _LOG = 4, 5
_MEANS = 8
#: Smallest magnitude that the logarithm starts from.
_LEAST_MAGNITUDE = 1e-20


class Levels:
    """Rows: one mean per weight, then largest magnitude, last value, last step, minimum, maximum."""

    rows = _MEANS + 5

    def __init__(self, configuration: Configuration) -> None:
        self._weights = np.array(configuration.level_weights)[:, None]
        self._settled = 1.0 / min(configuration.level_weights)
        self._floor = configuration.log_floor
        self._tiles: dict[int, Floats] = {}

    def step(self, values: Floats, seen: Floats, least_seen: float, state: Floats) -> tuple[Floats, Floats]:
        """Statistics [11, n] of records against what came before, and the smoothed level [n]; then learn.

        `seen` [n]: records of each series before this one; `least_seen` its minimum.
        """
        means = state[:_MEANS]
        largest, last, stride, least, most = state[_MEANS:]
        away = np.empty((_MEANS, len(values)))
        away[...] = values
        magnitude = np.abs(values)
        np.maximum(largest, magnitude, out=largest)
        if least_seen == 0:
            np.maximum(largest, _LEAST_MAGNITUDE, out=largest)
        magnitude += largest * self._floor
        away[_LOG] = np.log(magnitude.astype(np.float32))
        if least_seen == 0:
            self._begin(values, away, seen == 0, state)
        away -= means
        statistics = np.empty((STATISTICS, len(values)))
        statistics[LOG : SLOW + 1] = away[_LOG:]
        away *= self._paces(seen, least_seen)
        means += away
        np.subtract(values, least, statistics[HIGH])
        np.subtract(most, values, statistics[LOW])
        statistics[SAME : PAST + 1] = 0.0
        np.subtract(means[:2], means[2:_SMOOTH], statistics[SHIFT : DRIFT + 1])
        step = np.subtract(values, last, statistics[STEP])
        np.subtract(step, stride, statistics[BEND])
        stride[...] = step
        last[...] = values
        np.minimum(least, values, out=least)
        np.maximum(most, values, out=most)
        unsigned = statistics[SHIFT:]
        np.abs(unsigned, unsigned)
        return statistics, means[_SMOOTH]

    @staticmethod
    def _begin(values: Floats, inputs: Floats, fresh: NDArray[np.bool_], state: Floats) -> None:
        state[:_MEANS, fresh] = inputs[:, fresh]
        state[_MEANS + 1, fresh] = values[fresh]
        state[_MEANS + 2, fresh] = 0.0
        state[_MEANS + 3 :, fresh] = values[fresh]

    def _paces(self, seen: Floats, least_seen: float) -> Floats:
        """The weight of this record in each mean."""
        if least_seen > self._settled:
            return tiled(self._weights, len(seen), self._tiles)
        paces: Floats = np.maximum(self._weights, 1.0 / (seen + 1.0))
        return paces
