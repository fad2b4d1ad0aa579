"""Missing data: a series that is silent for much longer than it ever is, or sends no number.

Told once per silence. A series that is irregular by nature widens its own limit by its longest gap.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.clock import LAST, LONGEST, SEEN, TOLD, Clock
from engine.detectors.configuration import Configuration

Floats = NDArray[Any]


class Missing:
    """Reads the clock's rows and writes TOLD: one alarm per silence."""

    def __init__(self, configuration: Configuration, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock

    def step(self, at: Floats, state: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Silence over its limit, so far at least 1 when overdue and 0 before, and which are told now; [n] each."""
        configuration = self._configuration
        limit = np.maximum(configuration.missing_intervals * self._clock.interval(state), configuration.missing_seconds)
        limit = np.maximum(limit, 2.0 * state[LONGEST])
        over = (at - state[LAST]) / limit
        known = state[SEEN] >= configuration.warm_up_records
        evidence = np.where(known & (over >= 1.0), np.minimum(over, 10.0), 0.0)
        news = (evidence > 0) & (state[TOLD] == 0)
        state[TOLD, news] = 1.0
        return evidence, news
