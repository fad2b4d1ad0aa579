"""Who is suspected: one term of the score at a time, and the root that the line settles on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data.records import AlertId, Severity
from engine.root_cause.evidence import Evidence, Kind, kind_of, of
from engine.root_cause.ranking import rank, words
from tests.fakes.line import T0, Line, at, signal


def evidence(entity: str, strength: float = 5.0, **given: Any) -> Evidence:
    fields: dict[str, Any] = {
        "alert": AlertId(1),
        "entity": entity,
        "entity_type": "service",
        "kind": Kind.LATENCY,
        "strength": strength,
        "began_at": T0,
        "unusual": 0.0,
        "depends_on": (),
        "name": "slow",
        **given,
    }
    return Evidence(**fields)


def order(*found: Evidence, depends_on: dict[str, list[str]] | None = None) -> list[str]:
    return [suspect.entity for suspect in rank(found, depends_on)]


def test_the_strongest_is_first_when_nothing_is_known_of_dependence() -> None:
    assert order(evidence("a", 3), evidence("b", 9)) == ["b", "a"]


def test_a_caller_is_explained_by_what_it_asks() -> None:
    assert order(evidence("front", 12), evidence("data", 10), depends_on={"front": ["data"]}) == ["data", "front"]


def test_what_is_used_up_says_more_than_what_is_slow() -> None:
    assert order(evidence("slow", 10), evidence("busy", 10, kind=Kind.PROCESSOR)) == ["busy", "slow"]


def test_of_equals_the_first_to_begin_is_suspected() -> None:
    later = evidence("late", began_at=T0 + timedelta(minutes=3))
    assert order(later, evidence("early")) == ["early", "late"]


def test_an_address_seen_from_outside_stands_behind_what_it_stands_for() -> None:
    assert order(evidence("gate", 10, entity_type="remote"), evidence("service", 9)) == ["service", "gate"]


def test_dependence_in_a_circle_and_on_itself_does_no_harm() -> None:
    ring = {"a": ["b", "a"], "b": ["a"]}
    assert sorted(order(evidence("a"), evidence("b"), depends_on=ring)) == ["a", "b"]


def test_nothing_gives_nobody() -> None:
    assert rank(()) == []


def test_the_parts_come_to_the_score() -> None:
    for suspect in rank((evidence("a", 9, unusual=0.4), evidence("b", 3)), {"b": ["a"]}):
        assert sum(suspect.parts.values()) == pytest.approx(suspect.score, abs=0.01)


def test_words_name_who_depends_on_it() -> None:
    first = rank((evidence("data", 9), evidence("front", 3)), {"front": ["data"]})[0]
    assert words(first).startswith("data: its latency stands out; front depends on it")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HostHighCpuLoad", Kind.PROCESSOR),
        ("NodeMemoryUsage", Kind.MEMORY),
        ("p99 latency of checkout", Kind.LATENCY),
        ("HttpErrorRateHigh", Kind.ERRORS),
        ("NetworkReceiveBytes", Kind.TRAFFIC),
        ("device_offline", Kind.STATE),
        ("", Kind.STATE),
    ],
)
def test_kinds(name: str, kind: Kind) -> None:
    assert kind_of(name) is kind


@pytest.mark.parametrize("text", ["nan", "inf", "-", "1e400", "9" * 1000])
def test_a_score_that_is_no_number_is_not_believed(text: str) -> None:
    line = Line()
    found = of(line.fire("a", annotations={"score": text}, severity=Severity.HIGH))
    assert found.strength in (7.0, 1e6)


def test_the_root_moves_to_the_culprit_as_alerts_join() -> None:
    line = Line()
    front = signal("front", 0.0, name="latency high", entity="front", correlation="x", title="front is slow")
    labels = {**front.labels, "depends_on": "data"}
    line.take(signal("front", 0.0, name="latency high", entity="front", correlation="x", labels=labels))
    line.at(10).fire("data", name="cpu high", entity="data", correlation="x", severity=Severity.CRITICAL)
    if line.alert("front").incident != line.alert("data").incident:
        line.act("merge", *(f"incident:{line.incident(key).id}" for key in ("front", "data")))
    number = line.alert("data").incident
    assert line.book.incidents[number].root == line.alert("front").id
    line.tick(5)
    assert line.book.incidents[number].root == line.alert("data").id
    assert at(15) == line.now
