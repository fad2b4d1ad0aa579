"""From evidence to alarms: what exceeds the fading peak of the recent past is news.

Two channels with memories of their own, so that the talk of many small spikes never hides a new extreme. The peak of
the first fades twice: all of it within minutes, a part of it slowly, for what comes back within the hour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.columns import tiled
from engine.detectors.configuration import Configuration
from engine.detectors.tails import WITNESSES

Floats = NDArray[Any]

#: Rows of channels: what may say anything, the part of it that fades slowly, what is capped.
RECORD, LASTING, USUAL = range(3)
_ZERO = np.float32(0.0)


class Channels:
    """How the judges' evidence becomes channels. Stateless."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        # The rare excess is of one residual less than the usual one, and both come as sums.
        weights = configuration.usual_weight / WITNESSES, configuration.rare_weight / (WITNESSES - 1)
        self._weights = np.array(weights, dtype=np.float32)[:, None]
        self._tiles: dict[int, Floats] = {}
        self._share = np.float32(configuration.lasting_share)
        self._cap = np.float32(configuration.usual_weight * configuration.usual_cap)

    def step(self, records: Floats | None, excess: Floats, interval: Floats, longest: float) -> Floats:
        """Channels [3, n] from the evidence of records [n], and from sums of log2 excess, usual and rare [2, n], which
        are used up. `longest` of the polling intervals."""
        cap: Any = self._cap
        close = self._configuration.usual_cap_seconds
        if longest > close:
            cap = cap * np.maximum(interval / close, 1.0).astype(np.float32)
        excess *= tiled(self._weights, len(interval), self._tiles)
        np.maximum(excess, _ZERO, out=excess)
        usual, anything = excess
        if records is not None:
            anything += records
        channels = np.empty((3, len(interval)), dtype=np.float32)
        channels[RECORD] = anything
        np.multiply(anything, self._share, channels[LASTING])
        np.minimum(usual, cap, out=channels[USUAL])
        return channels


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
