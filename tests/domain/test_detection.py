"""The detector on the line: verdicts move a series' threshold, changes are put back, dropped drafts change none."""

from __future__ import annotations

from itertools import pairwise
from math import sin, tau
from typing import Any, get_args

import pytest

from data.nouns.baselines import Baseline
from data.nouns.samples import AnomalyKind
from engine import pipeline
from engine.detectors.verdicts import Kind
from engine.domain import detection
from engine.ports import EnvelopeKind
from engine.why import why_alert
from tests.domain.timeline import World, event
from tests.fakes.line import T0

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


def test_the_alert_itself_is_judged_and_its_reasons_say_so(alarmed: tuple[World, str]) -> None:
    world, _ = alarmed
    (alert,) = world.alerts("metric_anomaly")
    result = world.act("judge_finding", f"alert:{alert.id}", verdict="false_alarm")
    assert (result.changed, result.refused) == ((f"alert:{alert.id}",), {})
    raised = _z(world)
    (words,) = [one["words"] for one in why_alert(world.alerts("metric_anomaly")[0], {}, world.now) if _is_verdict(one)]
    assert f"called a false alarm by ana: the threshold of its series rises from z 3.00 to z {raised:.2f}" in words
    world.restart()
    assert [_is_verdict(one) for one in why_alert(world.alerts("metric_anomaly")[0], {}, world.now)].count(True) == 1


def test_the_other_verdict_takes_the_first_ones_move_back(alarmed: tuple[World, str]) -> None:
    world, _ = alarmed
    (alert,) = world.alerts("metric_anomaly")
    world.act("judge_finding", f"alert:{alert.id}", verdict="false_alarm")
    world.act("judge_finding", f"alert:{alert.id}", verdict="true_alarm")
    assert _z(world) == pytest.approx(2.7), "as if it had been called true at once"
    (baseline,) = [found for found in world.nouns("baselines") if found.alarms]
    assert [one.false_alarm for one in baseline.verdicts] == [False]


def test_what_was_called_false_no_longer_alarms_and_what_is_worse_does() -> None:
    """Two worlds with the same samples: an excursion that nearly comes again, later one that is far worse."""
    told: dict[bool, list[int]] = {}
    for judges in (False, True):
        world = fed(World(), 0, 301, {300: 57.5})
        for alert in world.alerts("metric_anomaly") if judges else ():
            assert not world.act("judge_finding", f"alert:{alert.id}", verdict="false_alarm").refused
        counts = [len(world.nouns("anomalies"))]
        for last, values in ((600, {590: 57.4}), (700, {690: 500.0})):
            fed(world, following(world), last, values)
            counts.append(len(world.nouns("anomalies")))
        told[judges] = [after - before for before, after in pairwise(counts)]
    assert told == {False: [1, 1], True: [0, 1]}


def following(world: World) -> int:
    """The number of the next sample."""
    return int((world.now - T0).total_seconds() // 300) + 1


def test_an_alert_of_something_else_has_no_threshold_to_move() -> None:
    world = World()
    alert = world.fire("x", name="metric_anomaly", annotations={"anomaly": "cpu/x/spike"})
    result = world.act("judge_finding", f"alert:{alert.id}", verdict="false_alarm")
    assert list(result.refused) == [f"alert:{alert.id}"] and not result.changed


def _is_verdict(line: dict[str, Any]) -> bool:
    return bool(line["code"] == "judged")


def resumed_after(world: World, values: list[float]) -> list[tuple[int, str, str]]:
    """(place, kind, detector) of the anomalies begun by these samples, six hours after those before."""
    before = len(world.nouns("anomalies"))
    for place, value in enumerate(values):
        world.say("sample", 300.0 * (372 + place), name="cpu", value=value, labels=LABELS)
    found = world.nouns("anomalies")[before:]
    return [(round((one.at - T0).total_seconds() / 300.0) - 372, one.kind, one.detector) for one in found]


def test_after_a_gap_a_spike_is_told_where_what_was_known_still_fits() -> None:
    world = fed(World(), 0, 300)
    calm = [wave(372 + place) for place in range(8)]
    calm[5] += 100.0
    assert resumed_after(world, calm) == [(5, "spike", "usual")]


def test_after_a_gap_in_which_the_level_has_moved_that_is_told_once() -> None:
    world = fed(World(), 0, 300)
    moved = [wave(372 + place) + 100.0 for place in range(10)]
    assert resumed_after(world, moved) == [(3, "level_shift", "usual")]


def test_without_a_gap_the_detector_itself_tells() -> None:
    world = fed(World(), 0, 372)
    values = [wave(372 + place) for place in range(8)]
    values[5] += 100.0
    assert resumed_after(world, values)[0] == (5, "spike", "ensemble")


def test_kinds_are_named_as_the_detector_numbers_them() -> None:
    names = [kind.name.lower() for kind in Kind if kind is not Kind.NONE]
    assert list(detection.KINDS) == [None, *names]
    assert set(names) == set(get_args(AnomalyKind)) - {"relation"}
