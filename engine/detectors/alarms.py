"""From evidence to alarms: what exceeds the fading peak of the recent past is news; a bounded threshold per series.

Two channels with memories of their own, so that the talk of many small spikes never hides a new extreme.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]

#: The z-equivalent of the default threshold, and its bounds. The threshold of a series is in proportion.
DEFAULT_Z, LEAST_Z, MOST_Z = 3.0, 2.0, 5.0


class Alarms:
    """Rows: the fading peak of either channel."""

    rows = 2

    def __init__(self, configuration: Configuration) -> None:
        self._fading = np.array([[configuration.record_fading], [configuration.usual_fading]], dtype=np.float32)

    def step(self, channels: Floats, state: Floats) -> Floats:
        """Score [n] of the two channels [2, n]; then the peaks learn."""
        state *= self._fading
        news = channels - state
        score: Floats = np.maximum(np.maximum(news[0], news[1]), np.float32(0.0))
        np.maximum(state, channels, out=state)
        return score
