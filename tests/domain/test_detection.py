"""The detector on the line: verdicts move a series' threshold, changes are put back, dropped drafts change none."""

from __future__ import annotations

from math import sin, tau
from typing import Any

import pytest

from data.nouns.baselines import Baseline
from engine import pipeline
from engine.ports import EnvelopeKind
from tests.domain.timeline import World, event

LABELS = {"site": "Depot", "device": "gw"}


def wave(number: int) -> float:
    """A daily wave with a little noise that repeats with no day."""
    return 50.0 + 10.0 * sin(number / 288 * tau) + 0.5 * sin(number * 1.7)


def fed(world: World, first: int, last: int, values: dict[int, float] | None = None) -> World:
    """Samples every five minutes."""
    for number in range(first, last):
        value = (values or {}).get(number, wave(number))
        world.say("sample", 300.0 * number, name="cpu", value=value, labels=LABELS)
    return world


def detector(world: World) -> Any:
    return world.book.derived["domain.detector"]["detector"]


@pytest.fixture
def alarmed() -> tuple[World, str]:
    """A world with an anomaly, and its id."""
    world = fed(World(), 0, 301, {300: 90.0})
    return world, world.nouns("anomalies")[-1].id


def _z(world: World) -> float:
    (baseline,) = [found for found in world.nouns("baselines") if isinstance(found, Baseline) and found.alarms]
    return baseline.threshold


def test_a_false_alarm_raises_the_threshold_of_its_series_and_of_the_detector(alarmed: tuple[World, str]) -> None:
    world, anomaly = alarmed
    result = world.act("judge_finding", f"anomaly:{anomaly}", verdict="false_alarm")
    assert (result.changed, result.refused) == ((f"anomaly:{anomaly}",), {})
    (change,) = world.nouns("thresholds")
    assert (change.old, change.new, change.by) == (3.0, _z(world), "ana")
    assert 3.0 < change.new <= 3.9
    fed(world, 301, 302)
    assert detector(world).z(0) == pytest.approx(change.new)
    world.act("judge_finding", f"anomaly:{anomaly}", verdict="false_alarm")
    assert _z(world) == change.new, "the same word again changes nothing"


def test_a_confirmed_alarm_lowers_it_and_the_change_is_put_back(alarmed: tuple[World, str]) -> None:
    world, anomaly = alarmed
    world.act("judge_finding", f"anomaly:{anomaly}", verdict="true_alarm")
    (change,) = world.nouns("thresholds")
    assert change.new == pytest.approx(2.7)
    fed(world, 301, 302)
    assert detector(world).z(0) == pytest.approx(2.7)
    world.act("undo_threshold", f"threshold:{change.id}")
    fed(world, 302, 303)
    assert detector(world).z(0) == pytest.approx(3.0)


def test_a_tuned_threshold_survives_a_restart(alarmed: tuple[World, str]) -> None:
    world, anomaly = alarmed
    world.act("judge_finding", f"anomaly:{anomaly}", verdict="true_alarm")
    world.restart()
    fed(world, 301, 302)
    assert detector(world).z(0) == pytest.approx(2.7)


def test_an_anomaly_that_is_not_known_is_refused(alarmed: tuple[World, str]) -> None:
    world, _ = alarmed
    result = world.act("judge_finding", "anomaly:cpu/x/spike", verdict="true_alarm")
    assert list(result.refused) == ["anomaly:cpu/x/spike"] and not result.changed


def test_a_dropped_draft_leaves_the_threshold_as_it_was(alarmed: tuple[World, str]) -> None:
    world, anomaly = alarmed
    world.act("judge_finding", f"anomaly:{anomaly}", verdict="true_alarm")
    envelope = world.envelope(EnvelopeKind.EVENTS, [event("sample", 300.0 * 301, name="cpu", value=5.0, labels=LABELS)])
    draft = world.draft(envelope)
    pipeline.run(draft, envelope)
    assert detector(world).z(0) == pytest.approx(2.7)
    draft.drop()
    assert detector(world).z(0) == pytest.approx(3.0)
