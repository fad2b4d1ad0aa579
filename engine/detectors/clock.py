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

#: LAST: seconds since 1970. SEEN_SAME: records that had a same time of day to compare with. LATE: late ones in a row.
#: TOLD: whether a silence was. CALM: the count of SEEN from which on there may be alarms. LONGEST: gap, fading.
LAST, INTERVAL, SEEN, SEEN_SAME, LATE, TOLD, CALM, LONGEST = range(8)
#: A series with one record only has no interval yet; five minutes stand in.
FIRST_GUESS_SECONDS = 300.0


class Clock:
    """Rows of `state`: see the names above; all 0 for a series that was never seen."""

    rows = 8

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
        self._unsettle(stepped, state)
        ahead |= stepped
        return ahead

    def interval(self, state: Floats, least_seen: float = 0.0) -> Floats:
        """Learnt seconds between records [n]; `least_seen`: fewest records of any of them, where known."""
        known = state[INTERVAL]
        return known if least_seen >= 2 else np.where(known > 0, known, FIRST_GUESS_SECONDS)

    def advance(self, at: Floats | float, least_seen: float, state: Floats) -> Floats:
        """Learn the interval as a running median, note gaps, count the record. Only for accepted records. → seconds
        since the record before [n]."""
        last, longest, seen = state[LAST], state[LONGEST], state[SEEN]
        gap: Floats = at - last
        if least_seen == 0:
            fresh = seen == 0
            gap[fresh] = 0.0
            state[CALM, fresh] = self._configuration.warm_up_records + 1
        off = gap - state[INTERVAL]
        if least_seen < 2 or np.count_nonzero(off):
            self._settle(gap, off, least_seen, state)
        longest *= 0.999
        np.maximum(longest, gap, out=longest)
        last[...] = at
        seen += 1.0
        state[LATE : TOLD + 1] = 0.0
        return gap

    def resumed(self, state: Floats) -> NDArray[np.int64]:
        """Records [n] since a gap or a step of the clock after which there are no alarms yet; 0 where there may be."""
        still = state[CALM] - state[SEEN]
        settles = (still > 0) & (state[SEEN] > self._configuration.warm_up_records)
        return np.where(settles, self._configuration.settling_records - still, 0.0).astype(np.int64)

    def _unsettle(self, opened: Bools, state: Floats) -> None:
        """No alarms of the next records of these series."""
        settled = state[SEEN, opened] + self._configuration.settling_records
        state[CALM, opened] = np.maximum(state[CALM, opened], settled)

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
            if np.count_nonzero(opened):
                self._unsettle(opened, state)

    def _learn(self, gap: Floats, started: Bools, close: Bools, state: Floats) -> None:
        interval = state[INTERVAL]
        rate = np.maximum(0.02, 0.5 / np.maximum(state[SEEN], 1.0))
        stepped = interval * np.exp2(np.where(gap > interval, rate, -rate))
        moved = np.where(close, interval + 0.1 * (gap - interval), stepped)
        state[INTERVAL] = np.where(started, np.where(interval > 0, moved, gap), interval)
