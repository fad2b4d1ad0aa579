"""A device's score: a broken relation between metrics is seen and the metric named; state is bounded, input checked."""

from __future__ import annotations

import numpy as np
import pytest

from engine.detectors.device import WARM_UP, Device


def records(count: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Five metrics that follow one load, and one of its own."""
    generator = np.random.default_rng(seed)
    load = 50.0 + 10.0 * np.sin(np.arange(count) / 20.0) + generator.normal(0.0, 3.0, count)
    table = np.stack([load * k + generator.normal(0.0, 0.5, count) for k in (1.0, 2.0, 0.5, 3.0, 1.5)], axis=1)
    return np.column_stack((table, generator.normal(0.0, 1.0, count)))


def test_a_metric_that_leaves_the_others_is_found_and_named_within_its_own_range() -> None:
    device, table = Device(6), records(3000)
    usual = [device.step(record).score for record in table[:2800]]
    broken = table[2800:2820].copy()
    broken[:, 1] = 2.0 * (100.0 - table[2800:2820, 0])
    said = [device.step(record) for record in broken]
    assert max(verdict.score for verdict in said) > 2.0 * max(usual[500:])
    strongest = max(said, key=lambda verdict: verdict.score)
    assert strongest.contributors[0][0] == 1


def test_nothing_is_said_while_little_was_seen() -> None:
    device = Device(6)
    assert all(device.step(record).score == 0.0 for record in records(WARM_UP))


def test_a_score_rests_on_the_past_only() -> None:
    table = records(600)
    first, second = Device(6), Device(6)
    whole = [first.step(record).score for record in table]
    assert [second.step(record).score for record in table[:400]] == whole[:400]


def test_missing_values_count_as_usual_and_wrong_shapes_are_refused() -> None:
    device = Device(6)
    for record in records(500):
        device.step(record)
    assert np.isfinite(device.step(np.full(6, np.nan)).score)
    assert np.isfinite(device.step(np.full(6, np.inf)).score)
    with pytest.raises(ValueError):
        device.step(np.zeros(5))
    with pytest.raises(ValueError):
        Device(0)


def test_a_saved_device_goes_on_alike_and_a_damaged_one_is_refused() -> None:
    table = records(700)
    device = Device(6)
    for record in table[:640]:
        device.step(record)
    state = device.state()
    copy = Device.restored(state)
    assert copy.ready and copy.state() == state
    for record in table[640:]:
        assert copy.step(record) == device.step(record)
    for harm in (b"", state[:-1], state.replace(b"\xa11", b"\xa10", 1), state[:2]):
        with pytest.raises(ValueError):
            Device.restored(harm)


def test_an_alarm_is_a_score_above_what_the_device_rarely_exceeds_and_can_be_taken_back() -> None:
    device, table = Device(6), records(3000)
    assert sum(device.step(record).alarm for record in table[:2800]) <= 14
    before = device.state()
    put_back = device.remember()
    broken = table[2800:2830].copy()
    broken[:, 1:4] = 90.0
    said = [device.step(record) for record in broken]
    assert any(verdict.alarm for verdict in said)
    assert all(verdict.alarm == (verdict.score >= verdict.threshold) for verdict in said)
    assert device.state() != before
    put_back()
    assert device.state() == before
