"""Residuals against running quantiles of their own: spikes against what is usual in this very series.

Two quantiles per residual are tracked by stochastic approximation in the logarithm (Robbins and Monro 1951), so a
series' scale never matters. The usual one is exceeded so many times a day whatever the polling interval: a series'
false-alarm budget; the rare one by 1 record in 500. It adapts within hours to a series that has become wilder.
It fails on anomalies that last so long that they become the quantile.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration
from engine.detectors.levels import RESIDUALS

Floats = NDArray[Any]
WITNESSES = RESIDUALS.stop - RESIDUALS.start
#: Excess is cut to these, in powers of two.
LEAST_EXCESS, MOST_EXCESS = np.float32(-4.0), np.float32(8.0)
_ZERO, _SMALLEST, _HALF, _ONE = (np.float32(number) for number in (0.0, 1e-30, 0.5, 1.0))


class _Paces(NamedTuple):
    """What polling intervals mean: [2, 1, n] each, usual and rare."""

    of: bytes
    least_rate: Floats
    per_share: Floats
    rise: Floats
    fall: Floats


class Tails:
    """Rows: log2 of the usual quantile of each residual, then of the rare one, and the usual one of the
    distance to the same time of day; NaN until what it is of was above 0."""

    rows = 2 * WITNESSES + 1

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._settled = 2.0 / configuration.quantile_rate
        nothing = np.zeros((2, 1, 0), dtype=np.float32)
        self._paces = _Paces(b"", nothing, nothing, nothing, nothing)

    def step(
        self, residuals: Floats, same: Floats | None, clock: tuple[Floats, Floats, float], state: Floats
    ) -> tuple[Floats, Floats]:
        """Log2 excess, each between -4 and 8, summed over the usual quantiles and over the rare ones but the last
        [2, n], and the largest over the usual ones [n], which also hears the distance to the same time of day; then
        learn. `same` [n]: that distance, infinite where unknown, None if it is for all. `clock`: records seen [n],
        polling interval [n], fewest records of any series."""
        seen, interval, least_seen = clock
        height = np.maximum(residuals, _SMALLEST)
        np.log2(height, height)
        quantiles = state[:-1].reshape(2, WITNESSES, -1)
        excess = height - quantiles
        rise, fall = self._steps(seen, interval, least_seen)
        change = np.where(excess > _ZERO, rise, fall)
        flat = excess.ravel()
        if math.isnan(np.dot(flat, flat)):
            unknown = np.isnan(excess)
            excess[unknown] = 0.0
            change[unknown] = 0.0
            start = unknown & (residuals > _SMALLEST)
            quantiles[start] = np.broadcast_to(height, quantiles.shape)[start]
        quantiles += change
        np.maximum(excess, LEAST_EXCESS, out=excess)
        np.minimum(excess, MOST_EXCESS, out=excess)
        sums: Floats = np.add.reduce(excess, 1)
        sums[1] -= excess[1, -1]
        largest: Floats = np.maximum.reduce(excess[0])
        if same is not None:
            np.maximum(largest, self._same(same, rise[0, 0], fall[0, 0], state[-1]), out=largest)
        return sums, largest

    @staticmethod
    def _same(distance: Floats, rise: Floats, fall: Floats, quantile: Floats) -> Floats:
        """Excess of the distance to the same time of day, the least where there is none; then learn."""
        height = np.log2(np.maximum(distance, _SMALLEST))
        excess: Floats = height - quantile
        change = np.where(excess > _ZERO, rise, fall)
        absent = ~np.isfinite(excess)
        if np.count_nonzero(absent):
            excess[absent] = LEAST_EXCESS
            change[absent] = 0.0
            start = np.isnan(quantile) & (distance > _SMALLEST) & np.isfinite(distance)
            quantile[start] = height[start]
        quantile += change
        np.maximum(excess, LEAST_EXCESS, out=excess)
        np.minimum(excess, MOST_EXCESS, out=excess)
        return excess

    def _steps(self, seen: Floats, interval: Floats, least_seen: float) -> tuple[Floats, Floats]:
        """How far a quantile rises after an exceedance and falls after any other record: [2, 1, n] each."""
        paces = self._paces
        if interval.tobytes() != paces.of:
            paces = self._paces = self._paces_of(interval)
        if least_seen > self._settled:
            return paces.rise, paces.fall
        early = (2.0 / seen).astype(np.float32)
        if least_seen < 4:
            np.minimum(early, _HALF, out=early)
        rate = np.maximum(paces.least_rate, early)
        rise = rate * paces.per_share
        np.minimum(rise, _ONE, out=rise)
        return rise, np.negative(rate, rate)

    def _paces_of(self, interval: Floats) -> _Paces:
        configuration = self._configuration
        share = np.empty((2, 1, len(interval)), dtype=np.float32)
        usual = configuration.exceedances_per_day / 86400.0 * interval
        share[0, 0] = np.minimum(np.maximum(usual, configuration.least_exceedance), configuration.most_exceedance)
        share[1] = configuration.least_exceedance
        rate = share * np.float32(0.1)
        rate[1] = configuration.quantile_rate
        np.maximum(rate, np.float32(configuration.quantile_rate), out=rate)
        per_share = _ONE / share
        return _Paces(interval.tobytes(), rate, per_share, np.minimum(rate * per_share, _ONE), -rate)
