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

#: State by row: what stands where each statistic does is what a record is compared with, so that one subtraction makes
#: nearly all of them. SHIFT and DRIFT are taken from their means and those in the places of SAME and PAST.
_LEAST, _MOST, _LAST, _AHEAD, _SMOOTH, _LARGEST = HIGH, LOW, STEP, BEND, 11, 12
_COMPARED = 12
_SPREADING = slice(SAME, _COMPARED)
#: Smallest magnitude that the logarithm starts from.
_LEAST_MAGNITUDE = 1e-20


class Levels:
    """Rows: see above; `_AHEAD` is where the last step would lead again, `_LARGEST` the largest magnitude."""

    rows = 13

    def __init__(self, configuration: Configuration) -> None:
        self._weights = np.zeros((_COMPARED - SAME, 1))
        self._weights[: STEP - SAME, 0] = configuration.level_weights[:-1]
        self._weights[_SMOOTH - SAME] = configuration.level_weights[-1]
        self._settled = 1.0 / min(configuration.level_weights)
        self._floor = configuration.log_floor
        self._tiles: dict[int, Floats] = {}

    def step(self, values: Floats, seen: Floats, least_seen: float, state: Floats) -> tuple[Floats, Floats]:
        """Statistics [11, n] of records against what came before, SAME and PAST 0, and the smoothed level [n]; then
        learn.

        `seen` [n]: records of each series before this one; `least_seen` its minimum.
        """
        compared = state[:_COMPARED]
        away = np.empty((_COMPARED, len(values)))
        away[...] = values
        away[LOG] = self._logarithm(values, least_seen, state[_LARGEST])
        if least_seen == 0:
            fresh = seen == 0
            compared[:, fresh] = away[:, fresh]
        away -= compared
        means = compared[_SPREADING]
        means += away[_SPREADING] * self._paces(seen, least_seen)
        np.subtract(compared[SHIFT : DRIFT + 1], compared[SAME : PAST + 1], away[SHIFT : DRIFT + 1])
        np.negative(away[LOW], away[LOW])
        np.add(values, away[STEP], compared[_AHEAD])
        compared[_LAST] = values
        least, most = compared[_LEAST], compared[_MOST]
        np.minimum(least, values, out=least)
        np.maximum(most, values, out=most)
        away[SAME : PAST + 1] = 0.0
        np.abs(away[SHIFT:], away[SHIFT:])
        return away[:STATISTICS], compared[_SMOOTH]

    def _logarithm(self, values: Floats, least_seen: float, largest: Floats) -> Floats:
        """Of the magnitude, above a share of the largest so far, so that 0 has one too."""
        magnitude = np.abs(values)
        np.maximum(largest, magnitude, out=largest)
        if least_seen == 0:
            np.maximum(largest, _LEAST_MAGNITUDE, out=largest)
        magnitude += largest * self._floor
        logarithm: Floats = np.log(magnitude.astype(np.float32))
        return logarithm

    def _paces(self, seen: Floats, least_seen: float) -> Floats:
        """The weight of this record in each mean; what is no mean has none."""
        if least_seen > self._settled:
            return tiled(self._weights, len(seen), self._tiles)
        paces: Floats = np.maximum(self._weights, 1.0 / (seen + 1.0))
        paces[_LAST - SAME : _AHEAD - SAME + 1] = 0.0
        return paces
