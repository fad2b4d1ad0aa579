"""The shipped detector: all judges on one tick of many series, one score, one alarm, the kind by the strongest.

Pure: the same records in the same order give the same verdicts, and a series is judged alike alone and among
thousands. State is derived data, at most 16 KiB per series; it can be saved, restored or learnt again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.detectors.alarms import RECORD, USUAL, Alarms, Channels
from engine.detectors.clock import CALM, LAST, SEEN, SEEN_SAME, Clock
from engine.detectors.columns import Columns, Key, in_place, key_of, least_of, most_of, tiled, total_of
from engine.detectors.configuration import DEFAULT, Configuration
from engine.detectors.flat import Flat
from engine.detectors.levels import PAST, RESIDUALS, SAME, STEP, Levels
from engine.detectors.missing import Missing
from engine.detectors.records import Records
from engine.detectors.seasonal import Seasonal
from engine.detectors.tails import LEAST_EXCESS, Tails
from engine.detectors.thresholds import DEFAULT_Z, LEAST_Z, MOST_Z
from engine.detectors.ticks import increases, rounds, spread
from engine.detectors.verdicts import Kind, Verdicts

Floats = NDArray[Any]
Ints = NDArray[np.int64]

#: Values beyond are no measurements and would overflow: they count as missing.
LARGEST = 1e30
#: Series that one detector holds at most: a wrong number must not allocate the machine's memory.
MOST_SERIES = 1_000_000
_ZERO = np.float32(0.0)
_VERSION = "2"
#: The kind that each witness of `records` speaks for.
_KINDS = np.array(
    [Kind.SPIKE, Kind.SPIKE, Kind.SEASONAL_BREAK, Kind.SEASONAL_BREAK, Kind.LEVEL_SHIFT, Kind.DRIFT, Kind.SPIKE],
    dtype=np.uint8,
)


class Ensemble:
    """Series are numbered by the caller from 0 without large holes; memory is held for every number up to the largest.

    It fails on what never breaks a record nor its own habit: an anomaly that looks like any past day at its hour.
    """

    def __init__(self, configuration: Configuration = DEFAULT) -> None:
        self._configuration = configuration
        self._clock = Clock(configuration)
        self._levels = Levels(configuration)
        self._flat = Flat(configuration)
        self._records = Records(configuration)
        self._tails = Tails(configuration)
        self._seasonal = Seasonal(configuration)
        self._missing = Missing(configuration, self._clock)
        self._channels = Channels(configuration)
        self._alarms = Alarms(configuration)
        self._after = self._clock.rows + self._levels.rows
        self._wide = Columns(self._clock.rows + self._levels.rows + self._flat.rows, np.float64, 0.0)
        self._peaks = self._records.rows + self._alarms.rows
        unknown = np.repeat([[0.0], [np.nan]], [self._peaks, self._tails.rows], axis=0)
        self._fine = Columns(self._peaks + self._tails.rows, np.float32, unknown)
        self._thresholds = Columns(1, np.float64, configuration.threshold)
        forgotten = [self._records.forgetting] * self._records.rows
        self._fadings = np.array([*forgotten, *self._alarms.fadings], dtype=np.float32)[:, None]
        self._fading_tiles: dict[int, Floats] = {}

    # -- the tick

    def step(self, values: Any, at: Any, series: Any) -> Verdicts:
        """Judge a tick, then learn it.

        `values` [n]: floats; NaN, infinite and absurd ones are missing data. `at`: seconds since 1970, one number or
        [n]. `series` [n]: whole numbers from 0. A series may occur more than once in a tick: in that order.
        Raises ValueError when the shapes differ or a series is out of range.
        """
        values, times, series, increasing = self._checked(values, at, series)
        if increasing:
            return self._together(values, at, series) if isinstance(at, float) else self._round(values, times, series)
        verdicts = Verdicts.quiet(len(values), self._configuration.threshold)
        for part in rounds(series) if len(series) else ():
            verdicts.put(part, self._round(values[part], times[part], series[part]))
        return verdicts

    def _together(self, values: Floats, at: float, series: Ints) -> Verdicts:
        """A round of one time for all, the common case: where all is in order it is judged without further looks."""
        # So each is below the largest, and none is missing; what is not is looked at more closely.
        if total_of(values) < LARGEST:
            key = key_of(series)
            wide = self._wide.part(key)
            if at > most_of(wide[LAST]):
                return self._learnt(values, at, key, wide)
        return self._round(values, np.full(len(values), at), series)

    def _checked(self, values: Any, at: Any, series: Any) -> tuple[Floats, Floats, Ints, bool]:
        """The tick as arrays, with room for its series, and whether each series occurs once in increasing order."""
        measured = np.asarray(values, dtype=np.float64)
        numbers = np.asarray(series, dtype=np.int64)
        times = measured if isinstance(at, float) else spread(at, measured.shape)
        if measured.ndim != 1 or measured.shape != numbers.shape:
            raise ValueError(f"values {measured.shape} and series {numbers.shape} must be of one dimension and equal")
        if not len(numbers):
            return measured, times, numbers, False
        increasing = increases(numbers)
        ends = (numbers[0], numbers[-1]) if increasing else (numbers.min(), numbers.max())
        least, most = int(ends[0]), int(ends[1])
        if least < 0 or most >= MOST_SERIES:
            raise ValueError(f"a series number lies outside of 0 … {MOST_SERIES - 1}")
        if isinstance(at, float) and not increasing:
            times = np.full(len(measured), at)
        if not math.isfinite(at if isinstance(at, float) else times.sum()):
            raise ValueError("a time is not finite")
        if most >= self.series:
            self._grow(most + 1)
        return measured, times, numbers, increasing

    def _grow(self, count: int) -> None:
        if count > self.series:
            for columns in self._all():
                columns.grow(count)

    def _all(self) -> tuple[Columns, ...]:
        return self._wide, self._fine, self._seasonal.columns, self._thresholds

    def _round(self, values: Floats, at: Floats, series: Ints) -> Verdicts:
        """A tick in which each series occurs once, in increasing order."""
        measured = np.abs(values) < LARGEST
        if measured.all():
            return self._judged(values, at, series)
        verdicts = Verdicts.quiet(len(values), self._configuration.threshold)
        if measured.any():
            verdicts.put(measured, self._judged(values[measured], at[measured], series[measured]))
        verdicts.put(~measured, self.silence(at[~measured], series[~measured]))
        return verdicts

    def silence(self, at: Any, series: Any) -> Verdicts:
        """Judge silence: call it now and then for series that have sent nothing. Each silence is told once."""
        numbers = np.asarray(series, dtype=np.int64)
        times = spread(at, numbers.shape)
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= MOST_SERIES):
            raise ValueError(f"a series number lies outside of 0 … {MOST_SERIES - 1}")
        verdicts = Verdicts.quiet(len(numbers), self._configuration.threshold)
        if not len(numbers):
            return verdicts
        self._grow(int(numbers.max()) + 1)
        state = self._wide.matrix[: self._clock.rows, numbers]
        over, news = self._missing.step(times, state)
        self._wide.matrix[: self._clock.rows, numbers] = state
        verdicts.threshold[:] = self._thresholds.matrix[0, numbers]
        verdicts.evidence[:] = over * verdicts.threshold
        verdicts.score[:] = verdicts.evidence * news
        verdicts.alarm[:] = news
        verdicts.kind[:] = np.where(over > 0, Kind.MISSING, Kind.NONE)
        return verdicts

    def _judged(self, values: Floats, at: Floats, series: Ints) -> Verdicts:
        key = key_of(series)
        wide = self._wide.part(key)
        clock = wide[: self._clock.rows]
        accepted = self._clock.accepted(at, clock)
        if accepted.all():
            return self._learnt(values, at, key, wide)
        if not in_place(key):
            self._wide.matrix[: self._clock.rows, key] = clock
        verdicts = Verdicts.quiet(len(values), self._configuration.threshold)
        if accepted.any():
            key = key_of(series[accepted])
            verdicts.put(accepted, self._learnt(values[accepted], at[accepted], key, self._wide.part(key)))
        return verdicts

    def _learnt(self, values: Floats, at: Floats | float, key: Key, wide: Floats) -> Verdicts:
        """Judge and learn records that are in order, at one time for all or a time for each. Reads as the list of
        judges that it is."""
        clock, levels, flat = wide[: self._clock.rows], wide[self._clock.rows : self._after], wide[self._after :]
        fine = self._fine.part(key)
        fading, quantiles = fine[: self._peaks], fine[self._peaks :]
        maxima, peaks = fading[: self._records.rows], fading[self._records.rows :]
        seen, slot = clock[SEEN], self._seasonal.slots(at)
        least = least_of(seen)
        wild, level = self._levels.step(values, seen, least, levels)
        flatness = self._flat.step(wild[STEP], seen, flat)
        gap = self._clock.advance(at, least, clock)
        interval = self._clock.interval(clock, least)
        longest = most_of(interval)
        statistics = wild.astype(np.float32)
        now = np.empty((2, len(values)), dtype=np.float32)
        now[0], now[1] = level, values
        nearest = self._seasonal.distance(now, slot, interval, longest, key)
        same = nearest[0] if self._compare(nearest, statistics, clock) else None
        fading *= tiled(self._fadings, len(values), self._fading_tiles)
        records = self._records.step(statistics, clock[SEEN : SEEN_SAME + 1], maxima)
        excess, most = self._tails.step(statistics[RESIDUALS], same, (seen, interval, least), quantiles)
        self._seasonal.learn(now, slot, gap, interval, key, at)
        together = None if records is None else records[2]
        channels = self._channels.step(together, excess, interval, longest)
        score = self._alarms.step(channels, peaks)
        if not in_place(key):
            self._wide.matrix[:, key], self._fine.matrix[:, key] = wide, fine
        verdicts = self._verdicts(channels, most, score, clock, key)
        if records is not None:
            self._name(verdicts, *records[:2])
        if flatness is not None:
            self._tell_flat(verdicts, *flatness)
        return verdicts

    @staticmethod
    def _compare(nearest: Floats, statistics: Floats, clock: Floats) -> bool:
        """Distances to the same time of day take their place where there is one. → whether there is any."""
        known = np.isfinite(nearest[0])
        count = np.count_nonzero(known)
        if count == len(known):
            statistics[SAME : PAST + 1] = nearest
            clock[SEEN_SAME] += 1.0
        elif count:
            clock[SEEN_SAME] += known
            np.copyto(statistics[SAME : PAST + 1], nearest, where=known)
        return bool(count > 0)

    def _verdicts(self, channels: Floats, most: Floats, score: Floats, clock: Floats, key: Key) -> Verdicts:
        """The excess over the usual quantiles orders records that break nothing: it is in the evidence alone."""
        most -= LEAST_EXCESS
        most += np.maximum(channels[RECORD], channels[USUAL])
        threshold = self._thresholds.matrix[0, key].copy()
        alarm = score >= threshold
        if np.count_nonzero(alarm):
            alarm &= clock[SEEN] >= clock[CALM]
        # Where no record was broken it is a spike of residuals: the number of that kind is that of a truth.
        return Verdicts(most, score, threshold, alarm, (score > _ZERO).view(np.uint8))

    @staticmethod
    def _name(verdicts: Verdicts, evidence: Floats, largest: Floats) -> None:
        """The kind of whatever scores: by the witness that broke its record most, else a spike of residuals."""
        named = (largest > _ZERO).view(np.uint8)
        named &= verdicts.kind
        where = named.nonzero()[0]
        if where.size:
            verdicts.kind[where] = _KINDS[evidence[:, where].argmax(axis=0)]

    @staticmethod
    def _tell_flat(verdicts: Verdicts, flatness: Floats, falls_flat: NDArray[np.bool_]) -> None:
        np.maximum(verdicts.evidence, flatness * verdicts.threshold, out=verdicts.evidence, casting="same_kind")
        verdicts.score[falls_flat] = np.maximum(verdicts.score, verdicts.threshold)[falls_flat]
        verdicts.alarm[falls_flat] = True
        # What alarms meanwhile keeps its own name: a flat line is told once.
        verdicts.kind[(flatness > 0) & (falls_flat | ~verdicts.alarm)] = Kind.FLAT

    # -- thresholds

    def z(self, series: int) -> float:
        """The z-equivalent threshold of a series."""
        if series >= self._thresholds.capacity:
            return DEFAULT_Z
        return DEFAULT_Z * float(self._thresholds.matrix[0, series]) / self._configuration.threshold

    def set_z(self, series: int, z: float) -> None:
        """Set the z-equivalent threshold; ValueError outside of its bounds."""
        if not LEAST_Z <= z <= MOST_Z:
            raise ValueError(f"z must lie in {LEAST_Z} … {MOST_Z}, not {z}")
        if not 0 <= series < MOST_SERIES:
            raise ValueError(f"a series number lies outside of 0 … {MOST_SERIES - 1}")
        self._grow(series + 1)
        self._thresholds.matrix[0, series] = self._configuration.threshold * z / DEFAULT_Z

    # -- what is known

    def ready(self, series: Any) -> NDArray[np.bool_]:
        """Which of these series [n] have been seen for longer than the warm-up; False for one that is not held."""
        numbers = np.asarray(series, dtype=np.int64)
        held = numbers < self.series
        seen = np.zeros(len(numbers))
        seen[held] = self._wide.matrix[SEEN, numbers[held]]
        ready: NDArray[np.bool_] = seen > self._configuration.warm_up_records
        return ready

    def resumed(self, series: Any) -> Ints:
        """Records [n] since a gap after which nothing is said yet; 0 where the detector speaks or is not ready."""
        return self._clock.resumed(self._wide.matrix[: self._clock.rows, np.asarray(series, dtype=np.int64)])

    def lasting(self, verdicts: Verdicts) -> NDArray[np.bool_]:
        """Which records [n] are as unusual as what alarms, though they may be no news."""
        # Evidence has a floor that even the most usual record stands on.
        floor = -float(LEAST_EXCESS)
        lasting: NDArray[np.bool_] = verdicts.evidence - floor >= verdicts.threshold
        return lasting

    def remember(self, series: Any, at: Any) -> Callable[[], None]:
        """→ a function that puts these series [n] back to what they are now, should the tick at these times [n], and
        what is set of their thresholds, have to be taken back."""
        numbers, times = np.asarray(series, dtype=np.int64), np.asarray(at, dtype=np.float64)
        if not len(numbers):
            return lambda: None
        where = np.unique(numbers)
        self._grow(int(where[-1]) + 1)
        clock = self._wide.matrix[:, where]
        rows = self._seasonal.touched(clock[LAST, clock[SEEN] > 0], times)
        small = [columns for columns in self._all() if columns is not self._seasonal.columns]
        before = [columns.matrix[:, where] for columns in small]
        ring, past = self._seasonal.columns, self._seasonal.columns.matrix[np.ix_(rows, where)]

        def put_back() -> None:
            for columns, old in zip(small, before, strict=True):
                columns.matrix[:, where] = old
            ring.matrix[np.ix_(rows, where)] = past

        return put_back

    # -- state

    @property
    def series(self) -> int:
        """How many series there is room for."""
        return self._wide.capacity

    @property
    def bytes_per_series(self) -> int:
        return sum(columns.bytes_per_series for columns in self._all())

    def last_at(self, series: int) -> float:
        """Seconds since 1970 of the last accepted record; 0 for none."""
        return float(self._wide.matrix[LAST, series]) if series < self.series else 0.0

    def state(self) -> bytes:
        """Everything learnt, for `restore`. Derived data: it may be thrown away at any time."""
        count = self.series
        return msgspec.msgpack.encode((_VERSION, count, [columns.state(count) for columns in self._all()]))

    def saved(self, series: Any) -> bytes:
        """What was learnt of these series [n], compressed, for `adopt`: at most 6 KiB each. Without thresholds."""
        numbers = np.asarray(series, dtype=np.int64)
        parts = [columns.matrix[:, numbers].tobytes() for columns in self._learning()]
        packed = msgspec.msgpack.encode((_VERSION, len(numbers), [*parts, *self._seasonal.saved(numbers)]))
        return zlib.compress(packed, 1)

    def adopt(self, series: Any, state: bytes) -> None:
        """Take over what `saved` gave, for as many series [n], which may have other numbers now; below 0 = leave it
        out. The rings of days lose digits below 1 in 65,000 of their range.

        Raises ValueError if it is none, of another version or count; then nothing was taken.
        """
        numbers = np.asarray(series, dtype=np.int64)
        most = 1024 + (self.bytes_per_series + 64) * len(numbers)
        try:
            packed = zlib.decompressobj().decompress(state, most)
            version, count, parts = msgspec.msgpack.decode(packed, type=tuple[str, int, list[bytes]])
        except (zlib.error, msgspec.MsgspecError) as error:
            raise ValueError("this is no saved state of series") from error
        learning = self._learning()
        sizes = [columns.bytes_per_series * count for columns in learning]
        if version != _VERSION or count != len(numbers) or [len(part) for part in parts[: len(sizes)]] != sizes:
            raise ValueError("this state of series is of another version or count")
        if count:
            self._grow(int(numbers.max()) + 1)
        self._seasonal.adopt(numbers, parts[len(sizes) :])
        wanted = numbers >= 0
        for columns, part in zip(learning, parts, strict=False):
            read = np.frombuffer(part, dtype=columns.matrix.dtype).reshape(-1, count)
            columns.matrix[:, numbers[wanted]] = read[:, wanted]

    def _learning(self) -> tuple[Columns, ...]:
        return self._wide, self._fine

    def restore(self, state: bytes) -> None:
        """Take over a saved state, replacing all. Raises ValueError if it is none, or of another version."""
        try:
            version, count, parts = msgspec.msgpack.decode(state, type=tuple[str, int, list[bytes]])
        except msgspec.MsgspecError as error:
            raise ValueError("this is no saved detector state") from error
        if version != _VERSION or len(parts) != len(self._all()) or not 0 <= count <= MOST_SERIES:
            raise ValueError("this detector state is of another version")
        for columns, part in zip(self._all(), parts, strict=True):
            if len(part) != columns.bytes_per_series * count:
                raise ValueError("this detector state is damaged")
        for columns, part in zip(self._all(), parts, strict=True):
            columns.restore(part, count)
