"""The shipped detector: all judges on one tick of many series, one score, one alarm, the kind by the strongest.

Pure: the same records in the same order give the same verdicts, and a series is judged alike alone and among
thousands. State is derived data, at most 16 KiB per series; it can be saved, restored or learnt again.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from operator import lt
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.detectors.alarms import DEFAULT_Z, LEAST_Z, MOST_Z, Alarms
from engine.detectors.clock import LAST, LATE, SEEN, SEEN_SAME, SETTLING, SLOT, Clock
from engine.detectors.columns import Columns, Key, key_of
from engine.detectors.configuration import DEFAULT, Configuration
from engine.detectors.flat import Flat
from engine.detectors.levels import SAME, STEP, Levels
from engine.detectors.missing import Missing
from engine.detectors.records import Records
from engine.detectors.seasonal import Seasonal
from engine.detectors.tails import Tails
from engine.detectors.verdicts import Kind, Verdicts

Floats = NDArray[Any]
Ints = NDArray[np.int64]

#: Values beyond are no measurements and would overflow: they count as missing.
LARGEST = 1e30
#: Series that one detector holds at most: a wrong number must not allocate the machine's memory.
MOST_SERIES = 1_000_000
_VERSION = "1"
_FEW = 64
#: The kind that each witness of `records` speaks for.
_KINDS = np.array([Kind.SPIKE, Kind.SPIKE, Kind.LEVEL_SHIFT, Kind.DRIFT, Kind.SEASONAL_BREAK], dtype=np.uint8)


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
        self._alarms = Alarms(configuration)
        self._settled = 2.0 / configuration.quantile_rate
        self._after = self._clock.rows + self._levels.rows
        self._wide = Columns(self._clock.rows + self._levels.rows + self._flat.rows, np.float64, 0.0)
        self._fine = Columns(self._records.rows + self._alarms.rows, np.float32, 0.0)
        self._quantiles = Columns(self._tails.rows, np.float32, np.nan)
        self._factors = Columns(1, np.float64, 1.0)

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
        for part in _rounds(series) if len(series) else ():
            verdicts.put(part, self._round(values[part], times[part], series[part]))
        return verdicts

    def _together(self, values: Floats, at: float, series: Ints) -> Verdicts:
        """A round of one time for all, the common case: where all is in order it is judged without further looks."""
        # So each is far below the largest, and none is missing; what overflows is looked at more closely.
        if float(np.abs(values).max()) < LARGEST:
            key = key_of(series)
            wide = self._wide.matrix[:, key]
            if at > wide[LAST].max():
                wide[LATE] = 0.0
                return self._learnt(values, at, key, wide)
        return self._round(values, np.full(len(values), at), series)

    def _checked(self, values: Any, at: Any, series: Any) -> tuple[Floats, Floats, Ints, bool]:
        """The tick as arrays, with room for its series, and whether each series occurs once in increasing order."""
        measured = np.asarray(values, dtype=np.float64)
        numbers = np.asarray(series, dtype=np.int64)
        times = measured if isinstance(at, float) else _spread(at, measured.shape)
        if measured.ndim != 1 or measured.shape != numbers.shape:
            raise ValueError(f"values {measured.shape} and series {numbers.shape} must be of one dimension and equal")
        if not len(numbers):
            return measured, times, numbers, False
        increasing = _increases(numbers)
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
        return self._wide, self._fine, self._quantiles, self._seasonal.columns, self._factors

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
        times = np.broadcast_to(np.asarray(at, dtype=np.float64), numbers.shape)
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= MOST_SERIES):
            raise ValueError(f"a series number lies outside of 0 … {MOST_SERIES - 1}")
        verdicts = Verdicts.quiet(len(numbers), self._configuration.threshold)
        if not len(numbers):
            return verdicts
        self._grow(int(numbers.max()) + 1)
        state = self._wide.matrix[: self._clock.rows, numbers]
        over, news = self._missing.step(times, state)
        self._wide.matrix[: self._clock.rows, numbers] = state
        verdicts.threshold[:] *= self._factors.matrix[0, numbers]
        verdicts.evidence[:] = over * verdicts.threshold
        verdicts.score[:] = verdicts.evidence * news
        verdicts.alarm[:] = news
        verdicts.kind[:] = np.where(over > 0, Kind.MISSING, Kind.NONE)
        return verdicts

    def _judged(self, values: Floats, at: Floats, series: Ints) -> Verdicts:
        key = key_of(series)
        wide = self._wide.matrix[:, key]
        clock = wide[: self._clock.rows]
        accepted = self._clock.accepted(at, clock)
        if accepted.all():
            return self._learnt(values, at, key, wide)
        if not isinstance(key, slice):
            self._wide.matrix[: self._clock.rows, key] = clock
        verdicts = Verdicts.quiet(len(values), self._configuration.threshold)
        if accepted.any():
            key = key_of(series[accepted])
            verdicts.put(accepted, self._learnt(values[accepted], at[accepted], key, self._wide.matrix[:, key]))
        return verdicts

    def _learnt(self, values: Floats, at: Floats | float, key: Key, wide: Floats) -> Verdicts:
        """Judge and learn records that are in order, at one time for all or a time for each. Reads as the list of
        judges that it is."""
        clock, levels, flat = wide[: self._clock.rows], wide[self._clock.rows : self._after], wide[self._after :]
        fine, quantiles = self._fine.matrix[:, key], self._quantiles.matrix[:, key]
        slot, before = self._seasonal.slots(at), clock[SLOT].copy()
        least = float(clock[SEEN].min())
        if least == 0:
            np.copyto(before, slot, where=clock[SEEN] == 0)
        statistics, level = self._levels.step(values, clock[SEEN], least, levels)
        flatness = self._flat.step(statistics[STEP], clock[SEEN], flat)
        self._clock.advance(at, slot, least, clock)
        interval = self._clock.interval(clock, least)
        nearest = self._seasonal.distance(level, slot, interval, key)
        known = ~np.isnan(nearest)
        clock[SEEN_SAME] += known
        np.copyto(statistics[SAME], nearest, where=known)
        evidence, records = self._records.step(statistics, clock[SEEN : SEEN_SAME + 1], fine[: self._records.rows])
        usual, rare, most = self._tails.step(statistics, clock[SEEN], interval, quantiles, least < self._settled)
        self._seasonal.learn(level, slot, before, interval, key)
        channels = self._channels(records, usual, rare, interval)
        score = self._alarms.step(channels, fine[self._records.rows :])
        if not isinstance(key, slice):
            self._wide.matrix[:, key], self._fine.matrix[:, key], self._quantiles.matrix[:, key] = wide, fine, quantiles
        verdicts = self._verdicts(channels, most, score, clock, key, least)
        if evidence is not None:
            self._name(verdicts, evidence)
        if flatness is not None:
            self._tell_flat(verdicts, *flatness)
        return verdicts

    def _channels(self, records: Floats, usual: Floats, rare: Floats, interval: Floats) -> Floats:
        """[2, n]: records with rare residuals, which may say anything, and usual residuals, which are capped."""
        configuration = self._configuration
        cap: Any = configuration.usual_cap
        if interval.max() > configuration.usual_cap_seconds:
            cap = cap * np.maximum(interval / configuration.usual_cap_seconds, 1.0)
        channels = np.empty((2, len(records)), dtype=np.float32)
        channels[0] = records + np.float32(configuration.rare_weight) * np.maximum(rare, 0.0)
        np.minimum(np.maximum(usual, np.float32(0.0)), cap, out=channels[1], casting="same_kind")
        channels[1] *= np.float32(configuration.usual_weight)
        return channels

    def _verdicts(  # noqa: PLR0917 - one tick in parts, on the hot path
        self, channels: Floats, most: Floats, score: Floats, clock: Floats, key: Key, least: float
    ) -> Verdicts:
        graded = np.float32(self._configuration.graded_weight) * (most + np.float32(4.0))
        threshold = self._configuration.threshold * self._factors.matrix[0, key]
        alarm = score >= threshold
        alarm &= clock[SETTLING] == 0
        if least <= self._configuration.warm_up_records:
            alarm &= clock[SEEN] > self._configuration.warm_up_records
        # Where no record was broken it is a spike of residuals: the number of that kind is that of a truth.
        kind = (score > 0).view(np.uint8)
        return Verdicts(np.maximum(channels[0], channels[1]) + graded, score, threshold, alarm, kind)

    @staticmethod
    def _name(verdicts: Verdicts, evidence: Floats) -> None:
        """The kind of whatever scores: by the witness that broke its record most, else a spike of residuals."""
        where = np.flatnonzero(verdicts.score)
        if where.size:
            witnesses = evidence[:, where]
            named = _KINDS[witnesses.argmax(axis=0)]
            verdicts.kind[where] = np.where(witnesses.max(axis=0) > 0, named, np.uint8(Kind.SPIKE))

    @staticmethod
    def _tell_flat(verdicts: Verdicts, flatness: Floats, falls_flat: NDArray[np.bool_]) -> None:
        np.maximum(verdicts.evidence, flatness * verdicts.threshold, out=verdicts.evidence, casting="same_kind")
        verdicts.score[falls_flat] = np.maximum(verdicts.score, verdicts.threshold)[falls_flat]
        verdicts.alarm[falls_flat] = True
        verdicts.kind[flatness > 0] = Kind.FLAT

    # -- thresholds

    def z(self, series: int) -> float:
        """The z-equivalent threshold of a series."""
        return DEFAULT_Z * float(self._factors.matrix[0, series]) if series < self._factors.capacity else DEFAULT_Z

    def set_z(self, series: int, z: float) -> None:
        """Set the z-equivalent threshold; ValueError outside of its bounds."""
        if not LEAST_Z <= z <= MOST_Z:
            raise ValueError(f"z must lie in {LEAST_Z} … {MOST_Z}, not {z}")
        if not 0 <= series < MOST_SERIES:
            raise ValueError(f"a series number lies outside of 0 … {MOST_SERIES - 1}")
        self._grow(series + 1)
        self._factors.matrix[0, series] = z / DEFAULT_Z

    # -- what is known

    def ready(self, series: Any) -> NDArray[np.bool_]:
        """Which of these series [n] have been seen for longer than the warm-up; False for one that is not held."""
        numbers = np.asarray(series, dtype=np.int64)
        held = numbers < self.series
        seen = np.zeros(len(numbers))
        seen[held] = self._wide.matrix[SEEN, numbers[held]]
        ready: NDArray[np.bool_] = seen > self._configuration.warm_up_records
        return ready

    def lasting(self, verdicts: Verdicts) -> NDArray[np.bool_]:
        """Which records [n] are as unusual as what alarms, though they may be no news."""
        # Evidence has a floor that even the most usual record stands on.
        floor = 4.0 * self._configuration.graded_weight
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
        rows = self._seasonal.touched(clock[SLOT, clock[SEEN] > 0], times)
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
        return self._wide, self._fine, self._quantiles

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


def _spread(at: Any, shape: tuple[int, ...]) -> Floats:
    return np.broadcast_to(np.asarray(at, dtype=np.float64), shape)


def _increases(series: Ints) -> bool:
    """Whether each number is above the one before. A few are told sooner as a list than as an array."""
    if len(series) > _FEW:
        return bool((series[1:] > series[:-1]).all())
    listed = series.tolist()
    return listed == list(range(listed[0], listed[0] + len(listed))) or all(map(lt, listed, listed[1:]))


def _rounds(series: Ints) -> list[NDArray[np.int64]]:
    """Places of a tick in rounds of strictly increasing series; the k-th occurrence of a series is in round k."""
    order = np.argsort(series, kind="stable")
    ordered = series[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    turn = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    return [order[turn == number] for number in range(int(turn.max()) + 1)]
