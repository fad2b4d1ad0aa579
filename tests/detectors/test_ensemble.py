"""The ensemble: causal, independent of company, calm at the start, robust to bad input, named kinds, saved state."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from engine.detectors import create
from engine.detectors.configuration import DEFAULT
from engine.detectors.verdicts import Kind, Verdicts

START = 1.6e9
DAY = 288


def daily(days: float, seed: int = 0, noise: float = 1.0) -> np.ndarray[Any, Any]:
    """Five-minute records of a daily wave with noise."""
    count = int(days * DAY)
    generator = np.random.default_rng(seed)
    return 100.0 + 20.0 * np.sin(2 * np.pi * np.arange(count) / DAY) + generator.normal(0.0, noise, count)


def run(
    values: Any, step: float = 300.0, detector: Any = None, begin: float = START
) -> dict[str, np.ndarray[Any, Any]]:
    """One series through a detector, record by record."""
    detector = detector or create()
    one = np.zeros(1, dtype=np.int64)
    said = [detector.step(np.array([value]), begin + step * tick, one) for tick, value in enumerate(values)]
    return joined(said)


def joined(said: list[Verdicts]) -> dict[str, np.ndarray[Any, Any]]:
    names = ("evidence", "score", "threshold", "alarm", "kind")
    return {name: np.array([getattr(verdicts, name)[0] for verdicts in said]) for name in names}


def test_a_prefix_is_judged_alike_with_and_without_the_rest() -> None:
    values = daily(4)
    values[900] += 80.0
    whole, prefix = run(values), run(values[:950])
    for name in ("evidence", "score", "alarm", "kind"):
        np.testing.assert_array_equal(whole[name][:950], prefix[name])


def test_a_series_is_judged_alike_alone_and_among_a_thousand() -> None:
    values = daily(2)
    values[500] += 60.0
    generator = np.random.default_rng(1)
    detector, numbers = create(), np.arange(1000)
    crowd = []
    for tick, value in enumerate(values):
        others = generator.normal(50.0, 9.0, 1000)
        others[417] = value
        verdicts = detector.step(others, START + 300.0 * tick, numbers)
        crowd.append([verdicts.score[417], verdicts.evidence[417], verdicts.kind[417]])
    alone = run(values)
    np.testing.assert_allclose(np.array(crowd)[:, 0], alone["score"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.array(crowd)[:, 1], alone["evidence"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.array(crowd)[:, 2], alone["kind"])


def test_scattered_numbers_and_mixed_times_are_judged_like_neighbours() -> None:
    """Slices, gathered columns, one time for all and a time for each lead to the same verdicts."""
    first, second = daily(2, 1), daily(2, 2)
    together, scattered = create(), create()
    for tick in range(len(first)):
        at = START + 300.0 * tick
        pair = np.array([first[tick], second[tick]])
        near = together.step(pair, at, np.array([0, 1]))
        far = scattered.step(pair[::-1], np.array([at, at]), np.array([90, 3]))
        np.testing.assert_allclose(near.score, far.score[::-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-9, -1.0, 1e9])
def test_the_unit_of_a_series_makes_no_difference(scale: float) -> None:
    values = daily(3)
    values[700] += 60.0
    values[750] = 0.0
    plain, scaled = run(values), run(values * scale)
    np.testing.assert_array_equal(plain["alarm"], scaled["alarm"])
    np.testing.assert_allclose(plain["score"], scaled["score"], rtol=1e-2, atol=1e-2)
    assert {700, 750} <= set(np.flatnonzero(plain["alarm"]).tolist())


def test_few_and_many_series_are_reckoned_alike() -> None:
    """Up to 64 series are copied and judged whole, more in place and sparsely."""
    generator, few, many = np.random.default_rng(12), create(), create()
    for tick, row in enumerate(generator.normal(50.0, 9.0, (400, 65))):
        at = START + 300.0 * tick
        near, far = few.step(row[:64], at, np.arange(64)), many.step(row, at, np.arange(65))
        np.testing.assert_array_equal(near.kind, far.kind[:64])
        np.testing.assert_allclose(near.score, far.score[:64], rtol=1e-5, atol=1e-6)


def test_a_fall_to_nothing_is_heard_where_the_extremes_say_nothing() -> None:
    """Values of either sign: 0 is no new minimum, yet nothing was ever as small."""
    generator = np.random.default_rng(13)
    values = generator.choice([-1.0, 1.0], 1200) * generator.uniform(50.0, 60.0, 1200)
    values[1000] = 0.0
    said = run(values)
    assert said["alarm"][1000] and not said["alarm"][900:1000].any()


def test_a_quiet_start_raises_no_storm() -> None:
    generator = np.random.default_rng(3)
    detector, numbers, alarms = create(), np.arange(300), 0
    for tick in range(400):
        verdicts = detector.step(generator.normal(10.0, 2.0, 300), START + 60.0 * tick, numbers)
        if tick < DEFAULT.warm_up_records:
            assert not verdicts.alarm.any()
        alarms += int(verdicts.alarm.sum())
    assert alarms < 0.005 * 300 * 400


def test_a_restart_after_a_gap_raises_no_storm() -> None:
    generator = np.random.default_rng(4)
    detector, numbers = create(), np.arange(200)
    for tick in range(300):
        detector.step(generator.normal(10.0, 2.0, 200), START + 60.0 * tick, numbers)
    later = create()
    later.restore(detector.state())
    back = START + 60.0 * 300 + 6 * 3600.0
    alarms = sum(
        int(later.step(generator.normal(10.0, 2.0, 200), back + 60.0 * k, numbers).alarm.sum()) for k in range(30)
    )
    assert alarms < 0.01 * 200 * 30


@pytest.mark.parametrize("absurd", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_no_measurement_changes_nothing_of_the_rest(absurd: float) -> None:
    values = daily(2)
    detector, clean = create(), create()
    one = np.zeros(1, dtype=np.int64)
    for tick, value in enumerate(values):
        at = START + 300.0 * tick
        if tick % 50 == 7:
            verdicts = detector.step(np.array([absurd]), at - 100.0, one)
            assert verdicts.score[0] == 0.0
        expected, got = clean.step(np.array([value]), at, one), detector.step(np.array([value]), at, one)
        assert got.score[0] == expected.score[0]


def test_duplicates_are_ignored_and_late_records_wait_for_a_step_of_the_clock() -> None:
    detector, one = create(), np.zeros(1, dtype=np.int64)
    values = daily(1)
    for tick, value in enumerate(values):
        detector.step(np.array([value]), START + 300.0 * tick, one)
    last = START + 300.0 * (len(values) - 1)
    assert detector.step(np.array([1e6]), last, one).score[0] == 0.0
    back = last - 7200.0
    said = [detector.step(np.array([values[0]]), back + 300.0 * k, one) for k in range(20)]
    assert detector.last_at(0) == back + 300.0 * 19
    assert not any(verdicts.alarm[0] for verdicts in said[:14])


def test_a_series_twice_in_a_tick_is_taken_in_order() -> None:
    twice, once = create(), create()
    values = daily(1)
    for tick in range(0, len(values), 2):
        at = np.array([START + 300.0 * tick, START + 300.0 * (tick + 1)])
        both = twice.step(values[tick : tick + 2], at, np.array([0, 0]))
        single = [once.step(values[[k]], at[[k - tick]], np.array([0])).score[0] for k in (tick, tick + 1)]
        np.testing.assert_array_equal(both.score, single)


def test_saved_and_restored_state_goes_on_alike() -> None:
    values = daily(3)
    values[700] += 50.0
    detector = create()
    run(values[:650], detector=detector)
    copy = create()
    copy.restore(detector.state())
    begin = START + 300.0 * 650
    np.testing.assert_array_equal(
        run(values[650:], detector=copy, begin=begin)["score"],
        run(values[650:], detector=detector, begin=begin)["score"],
    )


@pytest.mark.parametrize("harm", [lambda s: s[:-1], lambda s: b"", lambda s: b"\x93\xa11\x01\x90", lambda s: s[:40]])
def test_a_damaged_state_is_refused_whole(harm: Any) -> None:
    detector = create()
    run(daily(0.2), detector=detector)
    other = create()
    with pytest.raises(ValueError):
        other.restore(harm(detector.state()))
    assert other.series == 0


def alarmed(values: Any, first: int, last: int) -> set[Kind]:
    """The kinds of all alarms between two records."""
    said = run(values)
    return {
        Kind(kind) for kind, alarm in zip(said["kind"][first:last], said["alarm"][first:last], strict=True) if alarm
    }


def test_a_spike_is_named() -> None:
    values = daily(4)
    values[1000] += 100.0
    assert Kind.SPIKE in alarmed(values, 1000, 1001)


def test_a_level_shift_within_the_range_is_named() -> None:
    generator = np.random.default_rng(5)
    values = np.where(np.arange(2000) % 2 == 0, 0.0, 100.0) + generator.normal(0.0, 3.0, 2000)
    values[1500:] = 85.0 + generator.normal(0.0, 3.0, 500)
    assert Kind.LEVEL_SHIFT in alarmed(values, 1500, 1700)


def test_a_drift_within_the_range_is_named() -> None:
    """In most of twenty series, whose every other record creeps up towards the others."""
    generator, every, numbers = np.random.default_rng(6), np.arange(4000), np.arange(20)
    creeping = np.where(every % 2 == 0, 100.0, 60.0 * np.clip((every - 2500) / 1000.0, 0.0, 1.0))
    detector, named = create(), np.zeros(20, dtype=np.bool_)
    for tick, row in enumerate(creeping[:, None] + generator.normal(0.0, 3.0, (4000, 20))):
        verdicts = detector.step(row, START + 300.0 * tick, numbers)
        if tick >= 2500:
            named |= verdicts.alarm & np.isin(verdicts.kind, (Kind.DRIFT, Kind.LEVEL_SHIFT))
    assert named.sum() >= 12


def test_a_flat_line_is_named_once_and_a_constant_series_never() -> None:
    values = daily(4)
    values[900:1000] = values[900]
    said = run(values)
    flat = said["alarm"] & (said["kind"] == Kind.FLAT)
    assert flat[900:1000].sum() == 1 and not flat[:900].any()
    assert not run(np.full(800, 5.0))["alarm"].any()


def test_a_break_of_the_day_is_named() -> None:
    values = daily(8, noise=0.5)
    night = 6 * DAY + 144
    values[night : night + 144] += 20.0 * np.sin(np.pi * np.arange(144) / 144)
    assert Kind.SEASONAL_BREAK in alarmed(values, night, night + 144)


def test_silence_is_told_once_and_again_after_the_series_came_back() -> None:
    detector, one = create(), np.zeros(1, dtype=np.int64)
    run(daily(1), detector=detector)
    last = START + 300.0 * (DAY - 1)
    assert not detector.silence(last + 600.0, one).alarm[0]
    told = detector.silence(last + 3000.0, one)
    assert told.alarm[0] and told.kind[0] == Kind.MISSING
    assert not detector.silence(last + 3600.0, one).alarm[0]
    assert not detector.step(np.array([np.nan]), last + 3900.0, one).alarm[0]
    detector.step(np.array([100.0]), last + 4000.0, one)
    for tick in range(1, 3):
        detector.step(np.array([100.0]), last + 4000.0 + 300.0 * tick, one)
    assert detector.silence(last + 4000.0 + 14400.0, one).alarm[0]
    assert not detector.silence(last, np.array([77])).alarm[0]


def test_memory_per_series_is_bounded() -> None:
    detector = create()
    numbers = np.arange(64)
    for tick in range(5):
        detector.step(np.ones(64), START + 60.0 * tick, numbers)
    assert len(detector.state()) / 64 <= 16 * 1024
    assert detector.bytes_per_series <= 16 * 1024


def test_spare_room_for_many_series_stays_within_the_bound() -> None:
    detector = create()
    for count in (1, 3, 1100, 1101, 1500):
        detector.step(np.ones(count), START + count, np.arange(count))
    assert detector.series * detector.bytes_per_series <= 1500 * 16 * 1024


def test_thresholds_are_per_series_and_bounded() -> None:
    detector = create()
    detector.set_z(1, 4.5)
    verdicts = detector.step(np.ones(2), START, np.arange(2))
    assert verdicts.threshold[1] == pytest.approx(1.5 * verdicts.threshold[0])
    for wrong in (1.9, 5.1):
        with pytest.raises(ValueError):
            detector.set_z(0, wrong)


@pytest.mark.parametrize(
    ("values", "at", "series"),
    [
        ([1.0], START, [0, 1]),
        ([1.0], START, [-1]),
        ([1.0], START, [10**9]),
        ([1.0], np.nan, [0]),
        ([[1.0]], START, [[0]]),
    ],
)
def test_wrong_input_is_refused_before_anything_is_learnt(values: Any, at: Any, series: Any) -> None:
    detector = create()
    with pytest.raises(ValueError):
        detector.step(np.array(values), at, np.array(series))
    assert detector.series <= 1


def test_an_empty_tick_is_nothing() -> None:
    assert len(create().step(np.zeros(0), START, np.zeros(0, dtype=np.int64)).score) == 0


def test_importing_the_package_loads_no_numerical_library() -> None:
    code = "import sys, engine.detectors; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_tick_that_is_taken_back_leaves_everything_as_it_was() -> None:
    """After gaps, steps of the clock, series that are new, and a threshold that was set in between."""
    generator, numbers = np.random.default_rng(8), np.array([0, 2, 5])
    detector = create()
    for tick in range(300):
        detector.step(generator.normal(5.0, 1.0, 3), START + 300.0 * tick, numbers)
    last = START + 300.0 * 299
    times = [
        [last + 300.0] * 4,
        [last + 40 * 86400.0, last + 1.0, last + 7200.0, last],
        [last - 86400.0, last + 300.0, last + 900.0, last + 90000.0],
    ]
    before = detector.state()
    for at in times:
        series = np.array([0, 2, 5, 3])
        put_back = detector.remember(series, at)
        detector.step(generator.normal(50.0, 9.0, 4), np.array(at), series)
        detector.set_z(2, 4.0)
        assert detector.state() != before
        put_back()
        assert detector.state() == before


def test_some_series_are_saved_and_adopted_under_other_numbers() -> None:
    generator, numbers = np.random.default_rng(9), np.arange(4)
    detector, rows = create(), generator.normal(100.0, 5.0, (3000, 4))
    for tick, row in enumerate(rows[:2900]):
        detector.step(row, START + 300.0 * tick, numbers)
    state = detector.saved([1, 3])
    assert len(state) <= 2 * 6144
    copy = create()
    copy.adopt([5, -1], state)
    copy.adopt([-1, 0], state)
    copy.set_z(0, 4.0)
    for tick, row in enumerate(rows[2900:], 2900):
        at = START + 300.0 * tick
        old, new = detector.step(row, at, numbers), copy.step(row[[3, 1]], at, np.array([0, 5]))
        np.testing.assert_allclose(new.score, old.score[[3, 1]], atol=0.02)
    assert copy.ready([0, 5, 2, 99]).tolist() == [True, True, False, False]


@pytest.mark.parametrize("harm", [lambda s: s[:-9], lambda s: b"", lambda s: b"x", lambda s: create().saved([])])
def test_a_damaged_part_is_refused_whole(harm: Any) -> None:
    detector = create()
    run(daily(0.2), detector=detector)
    other = create()
    with pytest.raises(ValueError):
        other.adopt([0], harm(detector.saved([0])))
    assert not other.ready([0]).any()
