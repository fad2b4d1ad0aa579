"""The life of an incident: from state to state, by its alerts, by operators and by time."""

from __future__ import annotations

from typing import Any

import pytest

from data.records import AlertState, IncidentState, Severity
from engine.rules import Rules
from tests.fakes.line import Line, at, signal

OPEN, ACKNOWLEDGED, RETURNED = IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RETURNED
RESOLVED, CLOSED = IncidentState.RESOLVED, IncidentState.CLOSED
CRITICAL, HIGH, LOW = Severity.CRITICAL, Severity.HIGH, Severity.LOW


@pytest.fixture
def line() -> Line:
    return Line()


def ack(line: Line, key: str = "a", **params: Any) -> None:
    line.act("ack", f"incident:{line.incident(key).id}", **params)


def state(line: Line, key: str = "a") -> IncidentState:
    """What is durable is what is in memory."""
    found = line.incident(key)
    assert line.store.incidents[found.id].state is found.state
    return found.state


# -- from state to state


def test_seen_then_over_is_resolved(line: Line) -> None:
    line.fire("a")
    assert state(line) is OPEN
    ack(line.at(10))
    assert state(line) is ACKNOWLEDGED
    line.at(60).resolve("a")
    assert state(line) is RESOLVED
    assert line.incident("a").resolved_at == at(60)
    assert line.told(line.incident("a").id) == ["opened", "acknowledged", "resolved"]


def test_over_before_it_was_seen_is_returned_until_it_is_seen(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    assert (state(line), line.incident("a").returned_at) == (RETURNED, at(60))
    ack(line.at(90), note="saw it")
    assert state(line) is RESOLVED
    assert (line.incident("a").resolved_at, line.incident("a").resolution) == (at(90), "saw it")
    assert line.incident("a").acked_at == at(90)


def test_returned_fires_again(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    line.at(90).fire("a")
    assert (state(line), line.incident("a").returned_at) == (OPEN, None)
    assert line.told(line.incident("a").id) == ["opened", "returned", "fired_again"]


def test_it_is_over_only_when_all_its_alerts_are(line: Line) -> None:
    for key in "abc":
        line.fire(key)
    ack(line)
    for key, left in (("a", 2), ("b", 1)):
        line.later(10).resolve(key)
        assert (state(line), line.incident("a").firing) == (ACKNOWLEDGED, left)
    line.later(10).resolve("c")
    assert state(line) is RESOLVED


def test_what_joins_does_not_take_the_acknowledgement_away(line: Line) -> None:
    line.fire("a")
    ack(line)
    line.at(10).fire("b")
    assert state(line) is ACKNOWLEDGED
    assert line.alert("b").state is AlertState.OPEN


@pytest.mark.parametrize(
    ("severity", "then"),
    [("critical", RETURNED), ("high", RETURNED), ("medium", RETURNED), ("low", RESOLVED), ("info", RESOLVED)],
)
def test_the_lower_severities_need_no_ack(line: Line, severity: str, then: IncidentState) -> None:
    line.fire("a", severity=Severity(severity))
    line.at(60).resolve("a", severity=Severity(severity))
    assert state(line) is then


def test_which_severities_need_an_ack_is_configured() -> None:
    line = Line(Rules(needs_ack=frozenset({LOW})))
    line.fire("a", severity=LOW)
    line.fire("b", severity=CRITICAL, site="Harbour")
    for key in "ab":
        line.at(60).resolve(key, severity=line.alert(key).severity, site=line.alert(key).site)
    assert (state(line, "a"), state(line, "b")) == (RETURNED, RESOLVED)


def test_the_worst_of_it_decides_whether_it_needs_an_ack(line: Line) -> None:
    line.fire("a", severity=HIGH)
    line.fire("b", severity=LOW)
    line.at(60).resolve("a")
    line.at(70).resolve("b", severity=LOW)
    assert state(line) is RETURNED


def test_an_alert_that_expires_brings_it_back_too(line: Line) -> None:
    line.fire("a", ends_at=at(240))
    line.at(240).tick()
    assert state(line) is RETURNED


def test_an_unseen_incident_that_was_over_when_it_began(line: Line) -> None:
    line.at(100).resolve("a", 90)
    line.at(110).fire("a", 0)
    assert state(line) is RETURNED


def test_what_fires_after_the_end_is_another_incident(line: Line) -> None:
    line.fire("a")
    ack(line)
    line.at(60).resolve("a")
    first = line.incident("a").id
    line.at(90).fire("a")
    assert line.incident("a").id != first
    assert (line.book.incidents[first].state, state(line)) == (RESOLVED, OPEN)


# -- severity and its clock


@pytest.mark.parametrize(("severity", "minutes"), [("critical", 15), ("high", 60), ("medium", 240), ("low", 1440)])
def test_due_by_severity(line: Line, severity: str, minutes: int) -> None:
    line.at(30).fire("a", severity=Severity(severity))
    assert line.incident("a").due_at == at(30 + minutes * 60)


def test_a_rise_shortens_the_time_from_its_opening(line: Line) -> None:
    line.fire("a", severity=LOW)
    line.at(600).fire("b", severity=CRITICAL)
    assert (line.incident("a").severity, line.incident("a").due_at) == (CRITICAL, at(900))


def test_a_fall_gives_no_more_time(line: Line) -> None:
    line.fire("a", severity=CRITICAL)
    line.fire("b", severity=LOW)
    line.at(60).resolve("a", severity=CRITICAL)
    assert (line.incident("a").severity, line.incident("a").due_at) == (LOW, at(900))


# -- the acknowledgement


def test_an_ack_lapses_at_its_time(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    assert line.incident("a").ack is not None
    line.at(599).tick()
    assert state(line) is ACKNOWLEDGED
    line.at(600).tick()
    assert (state(line), line.incident("a").ack, line.alert("a").state) == (OPEN, None, AlertState.OPEN)
    assert line.incident("a").acked_at == at(0)
    assert line.told(line.incident("a").id)[-1] == "ack_expired"


def test_an_ack_lapses_also_when_the_engine_was_down_at_that_moment(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    line.at(5000).restart().tick()
    assert (state(line), line.incident("a").ack, line.alert("a").state) == (OPEN, None, AlertState.OPEN)


def test_an_ack_that_has_lapsed_counts_for_nothing_before_any_tick(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    line.at(601).resolve("a")
    assert state(line) is RETURNED


def test_an_ack_given_again_holds_longer(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    ack(line.at(300), minutes=20)
    line.at(600).tick()
    assert state(line) is ACKNOWLEDGED
    line.at(1500).tick()
    assert state(line) is OPEN


def test_an_ack_without_a_time_does_not_lapse(line: Line) -> None:
    line.fire("a")
    ack(line)
    line.at(86_000).tick()
    assert state(line) is ACKNOWLEDGED


def test_a_rise_in_severity_breaks_the_ack(line: Line) -> None:
    line.fire("a", severity=HIGH)
    ack(line)
    line.at(60).fire("a", 0, severity=CRITICAL)
    assert (state(line), line.incident("a").ack) == (OPEN, None)
    assert line.told(line.incident("a").id)[-2:] == ["severity_rose", "ack_broken"]


def test_a_worse_alert_that_joins_breaks_the_ack(line: Line) -> None:
    line.fire("a", severity=HIGH)
    ack(line)
    line.at(60).fire("b", severity=CRITICAL)
    assert line.alert("b").incident == line.alert("a").incident
    assert state(line) is OPEN


def test_a_sticky_ack_survives_a_rise_and_still_lapses(line: Line) -> None:
    line.fire("a", severity=HIGH)
    ack(line, minutes=10, sticky=True)
    line.at(60).fire("a", 0, severity=CRITICAL)
    assert (state(line), line.incident("a").severity) == (ACKNOWLEDGED, CRITICAL)
    line.at(600).tick()
    assert state(line) is OPEN


def test_a_rise_to_what_was_acknowledged_breaks_nothing(line: Line) -> None:
    line.fire("a", severity=CRITICAL)
    ack(line)
    line.at(60).fire("a", 0, severity=HIGH)
    line.at(90).fire("a", 0, severity=CRITICAL)
    assert state(line) is ACKNOWLEDGED


def test_an_ack_broken_while_all_is_over_leaves_it_unseen(line: Line) -> None:
    line.fire("a", severity=HIGH)
    ack(line)
    worse = signal("a", 0, severity=CRITICAL)
    line.at(60).take(worse, signal("a", 0, ends=60, severity=CRITICAL))
    assert state(line) is RETURNED


# -- closing


def test_time_closes_what_is_resolved(line: Line) -> None:
    line.fire("a", severity=LOW)
    line.at(60).resolve("a", severity=LOW)
    number = line.incidents()[0].id
    line.at(60 + 86_399).tick()
    assert line.store.incidents[number].state is RESOLVED
    line.at(60 + 86_400).tick()
    assert line.store.incidents[number].state is CLOSED
    assert line.store.incidents[number].closed_at == at(60 + 86_400)
    assert line.told(number)[-1] == "closed"


def test_time_closes_also_what_was_due_while_the_engine_was_down(line: Line) -> None:
    line.fire("a", severity=LOW)
    line.at(60).resolve("a", severity=LOW)
    number = line.incidents()[0].id
    line.at(200_000).restart().tick()
    assert line.store.incidents[number].state is CLOSED


@pytest.mark.parametrize("days", [1, 8])
def test_time_never_closes_what_nobody_has_seen(line: Line, days: int) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    for day in range(1, days + 1):
        line.at(day * 86_400 + 60).tick()
    assert [incident.state for incident in line.store.incidents.values()] == [RETURNED]


def test_what_is_closed_leaves_memory_and_stays_stored(line: Line) -> None:
    line.fire("a")
    number = line.incident("a").id
    line.act("close", f"incident:{number}")
    line.at(3600).tick()
    assert (line.book.incidents, line.book.alerts, line.book.members) == ({}, {}, {})
    assert line.store.incidents[number].state is CLOSED
    with pytest.raises(KeyError):
        line.alert("a")


def test_each_end_is_remembered_for_the_name(line: Line) -> None:
    for moment in (0, 1000):
        line.at(moment).fire("a", severity=LOW)
        line.later(100).resolve("a", severity=LOW)
    pattern = line.store.patterns[line.tenant, "LinkDown"]
    assert (pattern.incidents, pattern.alerts, pattern.resolution_seconds) == (2, 2, 200.0)


def test_the_version_rises_with_every_change(line: Line) -> None:
    line.fire("a")
    seen = [line.incident("a").version]
    for step in (
        lambda: ack(line),
        lambda: line.at(20).fire("b", site="Depot"),
        lambda: line.act("unack", f"incident:{line.incident('a').id}"),
        lambda: line.at(30).fire("a", 0, severity=CRITICAL),
        lambda: line.at(40).take(signal("a", ends=40), signal("b", ends=40)),
        lambda: ack(line),
    ):
        step()
        seen.append(line.incident("a").version)
    assert seen == sorted(set(seen))


def test_an_ended_incident_cannot_be_acknowledged(line: Line) -> None:
    line.fire("a")
    number = line.incident("a").id
    line.act("resolve", f"incident:{number}")
    assert line.act("ack", f"incident:{number}").refused == {f"incident:{number}": "it is resolved"}
