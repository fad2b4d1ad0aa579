"""From evidence to alarms: what exceeds the fading peak of the recent past is news.

Two channels with memories of their own, so that the talk of many small spikes never hides a new extreme. The peak of
the first fades twice: all of it within minutes, a part of it slowly, for what comes back within the hour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]

#: Rows of channels: what may say anything, the part of it that fades slowly, what is capped.
RECORD, LASTING, USUAL = range(3)
_ZERO = np.float32(0.0)


class Alarms:
    """Rows: the fading peaks of the channels. They have faded by `fadings` before a step."""

    rows = 3

    def __init__(self, configuration: Configuration) -> None:
        self.fadings = (configuration.record_fading, configuration.lasting_fading, configuration.usual_fading)

    @staticmethod
    def step(channels: Floats, state: Floats) -> Floats:
        """Score [n] of the channels [3, n]; then the peaks learn."""
        score: Floats = np.maximum(state[RECORD], state[LASTING])
        np.subtract(channels[RECORD], score, score)
        np.maximum(score, channels[USUAL] - state[USUAL], out=score)
        np.maximum(score, _ZERO, out=score)
        np.maximum(state, channels, out=state)
        return score
