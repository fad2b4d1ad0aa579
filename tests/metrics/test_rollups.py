"""Buckets: late samples, merges and their error, days on which clocks change, what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data import rollups
from data.rollups import Bucket, merged
from data.sketch import ACCURACY, BINS, Damaged, Sketch, quantiles_of
from data.slots import DAY, FIVE_MINUTES, HOUR, next_start, start_of, starts
from tests.metrics.metering import Shelf

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC).timestamp()
SHARES = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0)
values = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=80)


def exact(numbers: list[float], share: float) -> float:
    return sorted(numbers)[int(share * (len(numbers) - 1))]


@given(values, values)
@settings(max_examples=150, deadline=None)
def test_a_merge_is_the_sketch_of_all_values_within_its_accuracy(one: list[float], other: list[float]) -> None:
    sketch = Sketch.of(one)
    sketch.merge(Sketch.decode(Sketch.of(other).encode()))
    assert sketch.encode() == Sketch.of(one + other).encode()
    for share, found in zip(SHARES, sketch.quantiles(SHARES), strict=True):
        wanted = exact(one + other, share)
        assert found is not None
        assert abs(found - wanted) <= abs(wanted) * (ACCURACY + 1e-6) + 1e-9


def test_a_sketch_stays_bounded_and_says_how_exact_it_is() -> None:
    random = Random(1)
    numbers = [random.choice((-1, 1)) * 10 ** random.uniform(-8, 250) for _ in range(20_000)]
    whole, parts = Sketch.of(numbers), Sketch()
    for start in range(0, len(numbers), 500):
        parts.merge(Sketch.of(numbers[start : start + 500]))
    for sketch in (whole, parts):
        assert len(sketch.positive) + len(sketch.negative) <= BINS
        assert ACCURACY < sketch.accuracy < 1
        assert sketch.count == len(numbers)
        for share, found in zip(SHARES, sketch.quantiles(SHARES), strict=True):
            wanted = exact(numbers, share)
            assert found is not None
            assert abs(found - wanted) <= abs(wanted) * (sketch.accuracy + 1e-6)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0\2", b"\0\0\11\0\1\1\0", b"\0\0\0\0\0", b"\0\0\6\0\377\377\3\1\0"])
def test_bytes_that_are_no_sketch_are_told(body: bytes) -> None:
    with pytest.raises(Damaged):
        Sketch.decode(body)
    with pytest.raises(Damaged):
        quantiles_of(body, [0.5])


@given(values, st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_quantiles_of_bytes_are_those_of_the_sketch(numbers: list[float], times: int) -> None:
    for found in (numbers, [abs(number) for number in numbers], [1.0] * times + [abs(number) for number in numbers]):
        body = Sketch.of(found).encode()
        assert quantiles_of(body, SHARES) == Sketch.decode(body).quantiles(SHARES)
    assert quantiles_of(Sketch().encode(), SHARES) == [None] * len(SHARES)


def test_sums_stay_finite_and_averages_within_what_was_seen() -> None:
    bucket = merged([Bucket.of([1e308] * 50), Bucket.of([1.7e308] * 50)])
    assert bucket is not None
    assert 1e308 <= bucket.avg <= 1.7e308


def test_what_comes_in_any_order_makes_the_same_buckets() -> None:
    rows = [(NOW - 3 * HOUR + 7 * number, float(number % 41)) for number in range(1500)]
    one, other = Shelf(), Shelf()
    one.put(NOW, *rows)
    shuffled = Random(3).sample(rows, len(rows))
    for start in range(0, len(rows), 100):
        other.put(NOW, *shuffled[start : start + 100])
        other.roll(NOW, most=2)
    one.roll(NOW)
    other.roll(NOW)
    for resolution in (FIVE_MINUTES, HOUR):
        pairs = zip(one.buckets(resolution).items(), other.buckets(resolution).items(), strict=True)
        for (at, mine), (moment, theirs) in pairs:
            assert (at, mine.count, mine.sum, mine.min, mine.max) == (
                moment, theirs.count, theirs.sum, theirs.min, theirs.max,
            )  # fmt: skip
            assert mine.sketch.encode() == theirs.sketch.encode()


@pytest.mark.parametrize(
    ("age_days", "finest"), [(0.1, FIVE_MINUTES), (6.9, FIVE_MINUTES), (8, HOUR), (89, HOUR), (92, DAY), (729, DAY)]
)
def test_a_late_sample_goes_where_there_still_is_a_place_for_it(age_days: float, finest: int) -> None:
    shelf, at = Shelf(), NOW - age_days * DAY
    shelf.put(at, (at, 1.0))
    shelf.roll(at + 2 * DAY)
    shelf.roll(at + 2 * DAY)
    assert shelf.put(NOW, (at + 1, 3.0)) == 1
    shelf.roll(NOW + 2 * DAY)
    shelf.roll(NOW + 2 * DAY)
    for resolution in (FIVE_MINUTES, HOUR, DAY):
        expected = 2 if resolution >= finest else 1
        assert list(shelf.counts(resolution).values()) == [expected]


def test_a_sample_older_than_all_that_is_kept_is_left_out() -> None:
    shelf = Shelf()
    assert shelf.put(NOW, (NOW - 732 * DAY, 1.0), (NOW, 1.0)) == 1
    assert shelf.counts(DAY) == {}


def test_an_hour_that_was_made_of_what_is_gone_is_not_made_again_of_the_rest() -> None:
    shelf, at = Shelf(), NOW - 10 * DAY
    shelf.put(at, *((at + 60 * minute, 1.0) for minute in range(60)))
    shelf.roll(at + 2 * DAY)
    while rollups.forget(shelf.connection, FIVE_MINUTES, NOW - 7 * DAY, 5):
        pass
    assert shelf.counts(FIVE_MINUTES) == {}
    shelf.put(NOW, (at + 61, 9.0))
    shelf.roll(NOW)
    (hour,) = shelf.buckets(HOUR).values()
    assert (hour.count, hour.max) == (61, 9.0)


def test_what_is_forgotten_and_what_still_waits() -> None:
    shelf = Shelf()
    for age in (800, 400, 100, 60, 9, 1):
        shelf.put(NOW - age * DAY, (NOW - age * DAY, 1.0))
    waiting = shelf.counts(FIVE_MINUTES)
    assert rollups.forget(shelf.connection, FIVE_MINUTES, NOW - 7 * DAY, 100) == 0, "no hour is made of them yet"
    assert len(waiting) == 6
    shelf.roll(NOW)
    for resolution, days in ((FIVE_MINUTES, 7), (HOUR, 90), (DAY, 730)):
        rollups.forget(shelf.connection, resolution, NOW - days * DAY, 100)
    assert [round((NOW - at) / DAY) for at in shelf.counts(FIVE_MINUTES)] == [1]
    assert [round((NOW - at) / DAY) for at in shelf.counts(HOUR)] == [60, 9, 1]
    assert [int((NOW - at) / DAY) for at in shelf.counts(DAY)] == [400, 100, 60, 9, 1]
    rollups.forget_series(shelf.connection, NOW - 730 * DAY, 100)
    assert shelf.connection.execute("SELECT count(*) FROM metric_series").fetchone() == (1,)


def test_a_slice_makes_no_more_than_it_may() -> None:
    shelf = Shelf()
    shelf.put(NOW, *((NOW - number * HOUR, 1.0) for number in range(1, 40)))
    assert shelf.roll(NOW, most=7) == 7
    assert len(shelf.counts(HOUR)) == 7


def test_the_room_for_series_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "SERIES", 2)
    shelf = Shelf()
    assert [shelf.put(NOW, (NOW, 1.0), series=name) for name in ("a", "b", "c", "a")] == [1, 1, 0, 0]
    assert shelf.put(NOW, (NOW + 1, 1.0), series="a") == 1


@pytest.mark.parametrize(
    ("zone", "day", "hours", "slots"),
    [
        ("UTC", (2026, 3, 29), 24, 24),
        ("Europe/Berlin", (2026, 3, 29), 23, 23),
        ("Europe/Berlin", (2026, 10, 25), 25, 25),
        ("America/New_York", (2026, 11, 1), 25, 25),
        ("Asia/Kolkata", (2026, 1, 1), 24, 24),
        ("Asia/Beirut", (2026, 3, 29), 23, 23),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5, 25),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5, 24),
    ],
)
def test_days_and_hours_are_those_of_the_wall_clock(
    zone: str, day: tuple[int, int, int], hours: float, slots: int
) -> None:
    begin = start_of(datetime(*day, 12, tzinfo=UTC).timestamp(), DAY, zone)
    end = next_start(begin, DAY, zone)
    within = starts(begin, end, HOUR, zone)
    assert (end - begin) / HOUR == hours
    assert (len(within), within[0]) == (slots, begin)
    assert [next_start(at, HOUR, zone) for at in within] == [*within[1:], end]
    for moment in range(begin, end, FIVE_MINUTES):
        assert start_of(moment, DAY, zone) == begin
        assert start_of(moment, HOUR, zone) == max(at for at in within if at <= moment)
    shelf = Shelf(zone)
    shelf.put(end, *((float(moment), 1.0) for moment in range(begin - HOUR, end + HOUR, FIVE_MINUTES)))
    for _ in range(2):
        shelf.roll(end + 30 * HOUR)
    assert shelf.counts(DAY)[begin] == ceil((end - begin) / FIVE_MINUTES)


def test_tenants_with_series_of_one_name_do_not_mix() -> None:
    shelf = Shelf()
    shelf.put(NOW, (NOW, 1.0))
    shelf.put(NOW, (NOW, 5.0), tenant="other")
    assert [bucket.sum for number in (1, 2) for bucket in shelf.buckets(FIVE_MINUTES, number).values()] == [1.0, 5.0]
