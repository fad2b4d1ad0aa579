"""Rollups: every series in buckets of five minutes, hours and days.

Owns the rows of `metric_series`, `metric_rollups` and `metric_due`. All of it runs inside the transaction of a commit,
on the writer's thread. A sample goes into its five-minute bucket in the commit that takes it, so that nothing waits in
memory and a late sample is like any other. A bucket that changed leaves a mark for the coarser one above it, which a
tick's commit makes anew from the finer ones, a slice at a time: what is late re-rolls its hour and its day. A sample
that comes after the finer buckets are gone is merged into the coarsest that is still made of nothing finer, and one
that is older than all of them is left out.

Rows lie in the order of time: what is written together is side by side, and what is forgotten is one stretch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import fsum
from sys import float_info

import msgspec
from msgspec import Struct

from data.sketch import Sketch, quantiles_of
from data.slots import DAY, FIVE_MINUTES, HOUR, KEEP_DAYS, next_start, start_of, starts

#: Seconds after the end of a slot at which its marks are taken up: most of what is late has come by then.
SETTLE_SECONDS = 60
#: Marks that one commit takes up.
ROLL_SLICE = 400
#: Series of all tenants that are kept. Samples of others are left out.
SERIES = 60_000

_SERIES = "SELECT number, last_at, last FROM metric_series WHERE tenant = ? AND id = ?"
_ENTER = "INSERT INTO metric_series (tenant, id, name, site, labels, last_at, last) VALUES (?, ?, ?, ?, ?, ?, ?)"
_LAST = "UPDATE metric_series SET last_at = ?, last = ? WHERE number = ?"
_BUCKET = "SELECT count, sum, min, max, sketch FROM metric_rollups WHERE resolution = ? AND at = ? AND series = ?"
_BUCKETS = (
    "SELECT count, sum, min, max, sketch FROM metric_rollups"
    " WHERE resolution = ? AND at IN (SELECT value FROM json_each(?)) AND series = ? ORDER BY at"
)
_PUT = (
    "INSERT INTO metric_rollups (resolution, at, series, count, sum, min, max, sketch) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (resolution, at, series) DO UPDATE SET count = excluded.count, sum = excluded.sum,"
    " min = excluded.min, max = excluded.max, sketch = excluded.sketch"
)
_MARK = "INSERT INTO metric_due (resolution, at, series) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_UNMARK = "DELETE FROM metric_due WHERE resolution = ? AND at = ? AND series = ?"
_DUE = "SELECT at, series FROM metric_due WHERE resolution = ? AND at <= ? ORDER BY at LIMIT ?"

_FINER = {HOUR: FIVE_MINUTES, DAY: HOUR}
_COARSER = {FIVE_MINUTES: HOUR, HOUR: DAY}
_LARGEST = float_info.max


class Sampled(Struct, frozen=True, kw_only=True, gc=False):
    """One finite value of a series at a moment (seconds since 1970 UTC). `zone` is where its days begin."""

    tenant: str
    id: str
    name: str
    labels: dict[str, str]
    at: float
    value: float
    zone: str = "UTC"

    @property
    def site(self) -> str:
        return self.labels.get("site", "")


class Series(Struct, frozen=True, kw_only=True):
    """A series that is kept: `last` is its newest value, `last_at` its time in seconds since 1970 UTC."""

    number: int
    id: str
    name: str
    site: str
    labels: Mapping[str, str]
    last_at: float
    last: float


class Recent(Struct, frozen=True, kw_only=True):
    """The newest value of a series, its time in seconds since 1970 UTC, and averages of slots by when they begin."""

    last: float
    last_at: float
    averages: dict[int, float]


class Rolling(Struct, frozen=True, kw_only=True, gc=False):
    """A tick's word to make coarser buckets of what is due at `now` (seconds since 1970 UTC)."""

    now: float
    zone: str = "UTC"
    most: int = ROLL_SLICE


class Figures(Struct, frozen=True):
    """Count, sum and ends of the values of one slot: they are finite, and at least one."""

    count: int
    sum: float
    min: float
    max: float

    @property
    def avg(self) -> float:
        return min(max(self.sum / self.count, self.min), self.max)

    def _within(self, found: Sequence[float | None]) -> list[float]:
        """Never outside of what was seen."""
        return [min(max(value or 0.0, self.min), self.max) for value in found]


class Bucket(Figures, frozen=True):
    """What is kept of the values of one slot, ready to be merged."""

    sketch: Sketch

    @classmethod
    def of(cls, values: Sequence[float]) -> Bucket:
        return cls(len(values), _sum(values), min(values), max(values), Sketch.of(values))

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        return self._within(self.sketch.quantiles(shares))


class Stored(Figures, frozen=True):
    """The same as it was read: `body` is an encoded sketch that nobody may ever ask for.
    What looks into it raises `data.sketch.Damaged`."""

    body: bytes

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        return self._within(quantiles_of(self.body, shares)) if shares else []

    def bucket(self) -> Bucket:
        return Bucket(self.count, self.sum, self.min, self.max, Sketch.decode(self.body))


def merged(buckets: Iterable[Bucket]) -> Bucket | None:
    """One bucket of several; None of none. The buckets themselves may not be used after that."""
    found = list(buckets)
    if not found:
        return None
    sketch = found[0].sketch
    for bucket in found[1:]:
        sketch.merge(bucket.sketch)
    return Bucket(
        sum(bucket.count for bucket in found),
        _sum(bucket.sum for bucket in found),
        min(bucket.min for bucket in found),
        max(bucket.max for bucket in found),
        sketch,
    )


def _sum(values: Iterable[float]) -> float:
    """Exact while it can be, and finite."""
    numbers = list(values)
    try:
        return fsum(numbers)
    except OverflowError:
        return max(-_LARGEST, min(_LARGEST, fsum(number * 2.0**-64 for number in numbers) * 2.0**64))


def bucket_of(row: Sequence[object]) -> Bucket:
    """A row of (count, sum, min, max, sketch). Raises `data.sketch.Damaged`."""
    count, total, least, most, sketch = row
    return Bucket(int(count), float(total), float(least), float(most), Sketch.decode(sketch))  # type: ignore[call-overload, arg-type]


def oldest(now: float, resolution: int, zone: str) -> int:
    """The oldest slot of a resolution that still takes samples: those above it are made of whole finer ones."""
    return start_of(now - KEEP_DAYS[resolution] * DAY, _COARSER.get(resolution, DAY), zone)


# -- samples in


def take(connection: sqlite3.Connection, samples: Sequence[Sampled], now: float) -> int:
    """Merge samples into their buckets → how many were taken. Left out are those of series beyond `SERIES`, those that
    are too old, and a sample that says again what the newest of its series said."""
    by_series: dict[tuple[str, str], list[Sampled]] = {}
    for sample in samples:
        by_series.setdefault((sample.tenant, sample.id), []).append(sample)
    known = _Known(connection)
    return sum(_take_series(connection, known, rows, now) for rows in by_series.values())


class _Known:
    """The series that there are: their numbers, and room for more."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._room: int | None = None

    def find(self, of: Sampled) -> tuple[int | None, float | None, float | None]:
        """The number of a series, and its newest sample; a new one is entered. None when there is no room."""
        found = self._connection.execute(_SERIES, (of.tenant, of.id)).fetchone()
        if found is not None:
            return found[0], found[1], found[2]
        if self._room is None:
            (count,) = self._connection.execute("SELECT count(*) FROM metric_series").fetchone()
            self._room = SERIES - count
        if self._room <= 0:
            return None, None, None
        self._room -= 1
        labels = msgspec.json.encode(of.labels)
        row = (of.tenant, of.id, of.name, of.site, labels, of.at, of.value)
        return self._connection.execute(_ENTER, row).lastrowid, None, None


def _take_series(connection: sqlite3.Connection, known: _Known, rows: Sequence[Sampled], now: float) -> int:
    number, last_at, last = known.find(rows[0])
    if number is None:
        return 0
    before = (last_at, last)
    slots: dict[int, list[float]] = {}
    for row in rows:
        if (row.at, row.value) == (last_at, last):
            continue
        if last_at is None or row.at >= last_at:
            last_at, last = row.at, row.value
        slots.setdefault(start_of(row.at, FIVE_MINUTES, row.zone), []).append(row.value)
    if (last_at, last) != before:
        connection.execute(_LAST, (last_at, last, number))
    zone = rows[0].zone
    return sum(len(values) for at, values in slots.items() if _put_in(connection, number, at, values, now, zone))


def _put_in(  # noqa: PLR0917 - a bucket's place and what goes there
    connection: sqlite3.Connection, series: int, at: int, values: Sequence[float], now: float, zone: str
) -> bool:
    """Values of one five-minute slot: into it, or into the finest slot above it that takes them."""
    hour = start_of(at, HOUR, zone)
    if at >= oldest(now, FIVE_MINUTES, zone):
        is_new = _merge(connection, FIVE_MINUTES, at, series, values)
        if is_new or hour + HOUR <= now:
            connection.execute(_MARK, (HOUR, hour, series))
        return True
    day = start_of(at, DAY, zone)
    if at >= oldest(now, HOUR, zone):
        _settle(connection, HOUR, hour, series, zone)
        _merge(connection, HOUR, hour, series, values)
        connection.execute(_MARK, (DAY, day, series))
        return True
    if at >= oldest(now, DAY, zone):
        for within in starts(day, next_start(day, DAY, zone), HOUR, zone):
            _settle(connection, HOUR, within, series, zone)
        _settle(connection, DAY, day, series, zone)
        _merge(connection, DAY, day, series, values)
        return True
    return False


def _merge(connection: sqlite3.Connection, resolution: int, at: int, series: int, values: Sequence[float]) -> bool:
    """→ whether the bucket is new."""
    row = connection.execute(_BUCKET, (resolution, at, series)).fetchone()
    fresh = Bucket.of(values)
    _write(connection, resolution, at, series, fresh if row is None else merged((bucket_of(row), fresh)) or fresh)
    return row is None


def _write(connection: sqlite3.Connection, resolution: int, at: int, series: int, bucket: Bucket) -> None:
    row = (resolution, at, series, bucket.count, bucket.sum, bucket.min, bucket.max, bucket.sketch.encode())
    connection.execute(_PUT, row)


# -- coarser buckets


def roll(connection: sqlite3.Connection, rolling: Rolling) -> int:
    """Make coarser buckets of what is due, hours first, at most `most` → how many."""
    done = 0
    for resolution in (HOUR, DAY):
        for at, series in _due(connection, resolution, rolling, rolling.most - done):
            _settle(connection, resolution, at, series, rolling.zone)
            done += 1
    return done


def _due(connection: sqlite3.Connection, resolution: int, rolling: Rolling, most: int) -> Iterator[tuple[int, int]]:
    """Marks of slots that are over, oldest first."""
    if most <= 0:
        return
    shortest = HOUR // 2 if resolution == HOUR else 22 * HOUR
    rows = connection.execute(_DUE, (resolution, rolling.now - shortest - SETTLE_SECONDS, most)).fetchall()
    for at, series in rows:
        if next_start(at, resolution, rolling.zone) + SETTLE_SECONDS <= rolling.now:
            yield at, series


def _settle(connection: sqlite3.Connection, resolution: int, at: int, series: int, zone: str) -> None:
    """If a bucket is marked, make it anew from the finer ones, and mark the one above it."""
    if connection.execute(_UNMARK, (resolution, at, series)).rowcount == 0:
        return
    finer = _FINER[resolution]
    slots = _finer_starts(at, resolution, zone)
    rows = connection.execute(_BUCKETS, (finer, slots, series)).fetchall()
    bucket = merged(map(bucket_of, rows))
    if bucket is None:
        return
    _write(connection, resolution, at, series, bucket)
    if resolution == HOUR:
        connection.execute(_MARK, (DAY, start_of(at, DAY, zone), series))


def _finer_starts(at: int, resolution: int, zone: str) -> str:
    """Where the finer slots within a slot begin, as JSON. They are on the five-minute grid, whatever the zone."""
    end = next_start(at, resolution, zone)
    step = FIVE_MINUTES if resolution == HOUR else HOUR // 2
    return msgspec.json.encode(list(range(at, end, step))).decode()


# -- what is forgotten


def forget(connection: sqlite3.Connection, resolution: int, cutoff: float, most: int) -> int:
    """Delete at most `most` buckets that begin before `cutoff` → how many. What a coarser bucket waits for stays, and
    so does a margin of two slots above it, so that samples which are just taken find their bucket."""
    before = cutoff - 2 * DAY if resolution != FIVE_MINUTES else cutoff - 2 * HOUR
    above = _COARSER.get(resolution)
    if above is not None:
        (waiting,) = connection.execute("SELECT min(at) FROM metric_due WHERE resolution = ?", (above,)).fetchone()
        before = before if waiting is None else min(before, waiting)
    rows = "SELECT at, series FROM metric_rollups WHERE resolution = ? AND at < ? ORDER BY at LIMIT ?"
    sql = f"DELETE FROM metric_rollups WHERE resolution = ? AND (at, series) IN ({rows})"
    return connection.execute(sql, (resolution, resolution, before, most)).rowcount


def forget_series(connection: sqlite3.Connection, cutoff: float, most: int) -> int:
    """Delete series whose newest sample is older than everything that is kept."""
    found = "SELECT number FROM metric_series WHERE last_at < ? LIMIT ?"
    sql = f"DELETE FROM metric_series WHERE number IN ({found})"
    return connection.execute(sql, (cutoff - 4 * DAY, most)).rowcount
