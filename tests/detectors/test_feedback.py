"""Thresholds under feedback: bounded, answered as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detectors.feedback import Thresholds
from engine.detectors.thresholds import LEAST_Z, MOST_Z


def test_a_false_alarm_raises_just_enough_and_at_most_by_three_tenths() -> None:
    thresholds = Thresholds()
    little = thresholds.false_alarm("a", score=1.1, threshold=1.0)
    much = thresholds.false_alarm("b", score=50.0, threshold=1.0)
    assert little is not None and 3.3 <= little.new < 3.31
    assert much is not None and much.new == pytest.approx(3.9)
    assert (much.old, much.reason, much.evidence) == (3.0, "false_alarm", {"score": 50.0, "threshold": 1.0})


def test_a_confirmed_alarm_lowers_by_a_tenth() -> None:
    change = Thresholds().confirmed("a", score=2.0, threshold=1.0)
    assert change is not None and change.new == pytest.approx(2.7)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 1e9)), max_size=60))
def test_whatever_operators_say_z_stays_within_its_bounds(answers: list[tuple[bool, float]]) -> None:
    thresholds = Thresholds()
    for false, score in answers:
        (thresholds.false_alarm if false else thresholds.confirmed)("a", score, 1.25)
        assert LEAST_Z <= thresholds.z("a") <= MOST_Z


def test_an_alarm_without_a_threshold_is_refused() -> None:
    with pytest.raises(ValueError):
        Thresholds().false_alarm("a", 1.0, 0.0)
