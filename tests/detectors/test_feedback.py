"""Thresholds under feedback: bounded, answered as data, undone; the weekly rule; baselines by hour of the week."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.detectors.baselines import Baselines
from engine.detectors.feedback import Disposition, Thresholds, weekly
from engine.detectors.thresholds import DEFAULT_Z, LEAST_Z, MOST_Z

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def told(count: int, false: int, age: timedelta = timedelta(days=1)) -> list[Disposition]:
    return [Disposition(subject="s", at=NOW - age, false_alarm=number < false) for number in range(count)]


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


def test_a_change_can_be_undone_and_the_undoing_too() -> None:
    thresholds = Thresholds()
    change = thresholds.false_alarm("a", 3.0, 1.0)
    assert change is not None
    undone = thresholds.undo(change)
    assert thresholds.z("a") == DEFAULT_Z and undone is not None and undone.reason == "undone"
    assert thresholds.undo(change) is None
    thresholds.undo(undone)
    assert thresholds.z("a") == change.new
    assert Thresholds(thresholds.all()).z("a") == change.new


def test_an_alarm_without_a_threshold_is_refused() -> None:
    with pytest.raises(ValueError):
        Thresholds().false_alarm("a", 1.0, 0.0)


@pytest.mark.parametrize(
    ("count", "false", "reason"),
    [(10, 4, "weekly_raise"), (10, 3, None), (100, 9, "weekly_lower"), (99, 0, None), (100, 10, None), (0, 0, None)],
)
def test_the_weekly_rule(count: int, false: int, reason: str | None) -> None:
    changes = weekly(told(count, false), {}, NOW)
    assert [change.reason for change in changes] == ([reason] if reason else [])


def test_the_weekly_rule_forgets_after_thirty_days_and_keeps_the_bounds() -> None:
    assert weekly(told(10, 10, timedelta(days=31)), {}, NOW) == []
    assert weekly(told(10, 10), {"s": MOST_Z}, NOW) == []
    assert weekly(told(200, 0), {"s": LEAST_Z}, NOW) == []
    thresholds = Thresholds()
    assert thresholds.weekly(told(10, 10), NOW)[0].evidence == {"false_alarms": 10.0, "samples": 10.0, "share": 1.0}
    assert thresholds.z("s") == pytest.approx(3.3)


def test_baselines_know_the_hour_of_the_week() -> None:
    baselines = Baselines()
    assert baselines.z("site", "tours", NOW, 1.0) is None
    for week in range(10):
        for hour in range(168):
            at = NOW + timedelta(weeks=week, hours=hour)
            baselines.learn("site", "tours", at, 50.0 + week % 3 if hour == 0 else 5.0 + week % 3)
    later = NOW + timedelta(weeks=10)
    busy, calm = (
        baselines.baseline("site", "tours", later),
        baselines.baseline("site", "tours", later + timedelta(hours=1)),
    )
    assert busy is not None and calm is not None
    assert (busy.count, busy.hour, calm.hour) == (10, 12, 13)
    assert busy.mean == pytest.approx(50.9) and calm.mean == pytest.approx(5.9)
    assert abs(busy.z(51.0)) < 1.0
    assert busy.z(80.0) > 5.0
    again = Baselines()
    again.restore(baselines.state())
    assert again.z("site", "tours", later, 60.0) == baselines.z("site", "tours", later, 60.0)


def test_a_young_hour_borrows_from_all_hours_and_nonsense_is_not_learnt() -> None:
    baselines = Baselines()
    for hour in range(6):
        baselines.learn("site", "tours", NOW + timedelta(hours=hour), 5.0)
    baselines.learn("site", "tours", NOW, float("nan"))
    borrowed = baselines.baseline("site", "tours", NOW)
    assert borrowed is not None and borrowed.hour is None and borrowed.mean == pytest.approx(5.0)
    with pytest.raises(ValueError):
        baselines.learn("site", "tours", datetime(2026, 1, 1), 1.0)  # noqa: DTZ001 - the point of it
