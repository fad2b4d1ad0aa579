"""Each series' own clock: last time, learnt polling interval, late records, gaps, and how long to settle after one.

Never the time of day of the process: all times come with the records.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.detectors.configuration import Configuration

Floats = NDArray[Any]
Bools = NDArray[np.bool_]

LAST, INTERVAL, SEEN, SEEN_SAME, LATE, SETTLING, SLOT, LONGEST, TOLD = range(9)
#: A series with one record only has no interval yet; five minutes stand in.
FIRST_GUESS_SECONDS = 300.0


class Clock:
    """Rows of `state`: see the names above; all 0 for a series that was never seen."""

    rows = 9

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def accepted(self, at: Floats, state: Floats) -> Bools:
        """Which records lie after the last one of their series. The others are counted, and after a few in a row
        taken as a step of the clock: the series goes on from there. The same time again is a duplicate, never late."""
        ahead: Bools = at > state[LAST]
        if ahead.all():
            state[LATE] = 0.0
            return ahead
        ahead |= state[SEEN] == 0
        late = at < state[LAST]
        state[LATE] = np.where(ahead, 0.0, state[LATE] + late)
        stepped = late & (state[LATE] >= self._configuration.late_records)
        state[LATE, stepped] = 0.0
        state[LAST, stepped] = at[stepped] - self.interval(state)[stepped]
        state[SLOT, stepped] = np.floor(at[stepped] / self._configuration.slot_seconds)
        state[SETTLING, stepped] = self._configuration.settling_records
        ahead |= stepped
        return ahead

    def interval(self, state: Floats, least_seen: float = 0.0) -> Floats:
        """Learnt seconds between records [n]; `least_seen`: fewest records of any of them, where known."""
        known = state[INTERVAL]
        return known if least_seen >= 2 else np.where(known > 0, known, FIRST_GUESS_SECONDS)

    def advance(self, at: Floats | float, slot: Floats | float, least_seen: float, state: Floats) -> None:
        """Learn the interval as a running median, note gaps, count the record. Only for accepted records."""
        gap = at - state[LAST]
        if least_seen == 0:
            gap[state[SEEN] == 0] = 0.0
        interval = state[INTERVAL]
        off = gap - interval
        if least_seen < 2 or off.any():
            self._settle(gap, off, least_seen, state)
        state[LONGEST] *= 0.999
        np.maximum(state[LONGEST], gap, out=state[LONGEST])
        settling = state[SETTLING]
        settling -= 1.0
        np.maximum(settling, 0.0, out=settling)
        state[LAST] = at
        state[SLOT] = slot
        state[SEEN] += 1.0
        state[TOLD] = 0.0

    def _settle(self, gap: Floats, off: Floats, least_seen: float, state: Floats) -> None:
        """Learn intervals that were not met to the very second, and note gaps."""
        interval = state[INTERVAL]
        close = np.abs(off) <= 0.05 * interval
        if least_seen >= 2 and close.all():
            interval += 0.1 * off
        else:
            started = state[SEEN] > 0
            self._learn(gap, started, close, state)
            opened = started & (gap > self._configuration.gap_intervals * interval) & (state[SEEN] > 1)
            state[SETTLING, opened] = self._configuration.settling_records

    def _learn(self, gap: Floats, started: Bools, close: Bools, state: Floats) -> None:
        interval = state[INTERVAL]
        rate = np.maximum(0.02, 0.5 / np.maximum(state[SEEN], 1.0))
        stepped = interval * np.exp2(np.where(gap > interval, rate, -rate))
        moved = np.where(close, interval + 0.1 * (gap - interval), stepped)
        state[INTERVAL] = np.where(started, np.where(interval > 0, moved, gap), interval)
