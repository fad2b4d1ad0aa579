"""Residuals against running quantiles of their own: spikes against what is usual in this very series.

Two quantiles per residual are tracked by stochastic approximation in the logarithm (Robbins and Monro 1951), so a
series' scale never matters. The usual one is exceeded so many times a day whatever the polling interval: a series'
false-alarm budget; the rare one by 1 record in 500. It adapts within hours to a series that has become wilder.
It fails on anomalies that last so long that they become the quantile.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration
from engine.detectors.levels import RESIDUALS

Floats = NDArray[Any]
WITNESSES = RESIDUALS.stop - RESIDUALS.start
_SMALLEST = np.float32(1e-30)


class Tails:
    """Rows: log2 of the usual quantile of each residual, then of the rare one; NaN until a residual was above 0."""

    rows = 2 * WITNESSES

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._settled_interval = b""
        self._settled_steps: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))

    def step(
        self, statistics: Floats, seen: Floats, interval: Floats, state: Floats, young: bool
    ) -> tuple[Floats, Floats, Floats]:
        """Mean log2 excess [n] over the usual quantile, between -4 and 8, the same over the rare one, and the largest
        over the usual one, which also hears the distance to the same time of day; then learn.

        `young`: some series has seen fewer records than its quantiles need to settle."""
        residuals = np.log2(np.maximum(statistics[RESIDUALS], _SMALLEST))
        quantiles = state.reshape(2, WITNESSES, -1)
        excess = residuals - quantiles
        above = excess > 0
        rise, fall = self._steps(seen, interval, young)
        change = np.where(above, rise, fall)
        if young or math.isnan(excess.sum()):
            unknown = np.isnan(excess)
            excess[unknown] = 0.0
            change[unknown] = 0.0
            start = unknown & (statistics[RESIDUALS] > _SMALLEST)
            quantiles[start] = np.broadcast_to(residuals, quantiles.shape)[start]
        quantiles += change
        if not np.shares_memory(quantiles, state):
            state[...] = quantiles.reshape(state.shape)
        np.maximum(excess, np.float32(-4.0), out=excess)
        np.minimum(excess, np.float32(8.0), out=excess)
        mean = excess[:, 1] + excess[:, 2]
        mean += excess[:, 3]
        mean *= np.float32(1.0 / (WITNESSES - 1))
        return mean[0], mean[1], excess[0].max(axis=0)

    def _steps(self, seen: Floats, interval: Floats, young: bool) -> tuple[Floats, Floats]:
        """How far a quantile rises after an exceedance and falls after any other record: [2, 1, n] each."""
        if not young and interval.tobytes() == self._settled_interval:
            return self._settled_steps
        configuration = self._configuration
        share = np.empty((2, 1, len(seen)), dtype=np.float32)
        usual = configuration.exceedances_per_day / 86400.0 * interval
        share[0, 0] = np.minimum(np.maximum(usual, configuration.least_exceedance), configuration.most_exceedance)
        share[1] = configuration.least_exceedance
        rate = share * np.float32(0.1)
        rate[1] = configuration.quantile_rate
        np.maximum(rate, np.float32(configuration.quantile_rate), out=rate)
        if young:
            np.maximum(rate, np.minimum(0.5, 2.0 / seen), out=rate, casting="same_kind")
        steps = np.minimum(rate / share, np.float32(1.0)), -rate
        if not young:
            self._settled_interval, self._settled_steps = interval.tobytes(), steps
        return steps
