"""One rule of time: an incident counts from when its source says that it began, however late that is heard."""

from __future__ import annotations

from datetime import timedelta

import pytest

from data.records import IncidentState, Severity
from engine.rules import SLA_MINUTES
from engine.stages.times import OLDEST, began_at
from engine.telemetry import Telemetry
from tests.fakes.line import T0, Line, at, signal

HOUR = 3600.0


def test_what_is_heard_late_is_as_old_as_it_is() -> None:
    line = Line().at(3 * HOUR)
    line.fire("a", HOUR)
    incident = line.incident("a")
    assert incident.opened_at == at(HOUR)
    assert incident.due_at == at(HOUR) + timedelta(minutes=SLA_MINUTES[Severity.HIGH])


def test_its_sla_clock_has_run_since_then() -> None:
    fresh, late = Line().at(HOUR), Line().at(HOUR)
    fresh.fire("a", HOUR)
    late.fire("a", 0.0)
    shares = [
        {part.feature: part.value for part in line.incident("a").contributions}.get("sla", 0.0)
        for line in (fresh, late)
    ]
    assert shares == [0.0, 1.0]


@pytest.mark.parametrize("starts", [-OLDEST.total_seconds() - 1, 61.0])
def test_a_clock_that_is_wrong_is_not_believed(starts: float) -> None:
    line = Line().at(60)
    line.fire("a", starts)
    assert line.incident("a").opened_at == began_at(line.alert("a")) == at(60)


def test_a_start_of_long_ago_is_believed_as_long_as_it_may_be_true() -> None:
    line = Line()
    line.fire("a", -OLDEST.total_seconds())
    assert line.incident("a").opened_at == T0 - OLDEST


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_it_begins_with_the_first_of_its_alerts_in_any_order(order: tuple[int, ...]) -> None:
    line = Line().at(600)
    for number in order:
        line.fire(f"k{number}", 60.0 * number, entity="one")
    (incident,) = line.incidents()
    assert incident.opened_at == T0
    assert incident.due_at == T0 + timedelta(minutes=SLA_MINUTES[Severity.HIGH])


@pytest.mark.parametrize("starts", [(0.0, 60.0), (60.0, 0.0)])
def test_news_of_an_earlier_start_moves_it(starts: tuple[float, float]) -> None:
    line = Line().at(600)
    for seconds in starts:
        line.fire("a", seconds)
    assert line.incident("a").opened_at == T0


def test_it_returned_when_its_last_alert_ended_and_not_when_that_was_heard() -> None:
    line = Line().at(2 * HOUR)
    line.fire("a", 0.0)
    line.fire("b", 60.0)
    line.resolve("a", HOUR)
    line.later(1).resolve("b", HOUR + 60)
    incident = line.incident("a")
    assert incident.state is IncidentState.RETURNED
    assert (incident.returned_at, incident.last_at) == (at(HOUR + 60), at(HOUR + 60))


def test_the_timeline_says_once_that_it_returned() -> None:
    line = Line()
    line.fire("a")
    line.resolve("a")
    (entry,) = [entry for entry in line.store.timeline if entry.kind == "returned"]
    assert (entry.text, entry.reason) == ("", None)


def test_one_that_needs_no_ack_was_resolved_when_its_last_alert_ended() -> None:
    line = Line().at(2 * HOUR)
    line.fire("a", 0.0, severity=Severity.LOW)
    line.resolve("a", HOUR, severity=Severity.LOW)
    incident = line.incident("a")
    assert (incident.state, incident.resolved_at) == (IncidentState.RESOLVED, at(HOUR))


def test_an_act_is_of_now() -> None:
    line = Line().at(2 * HOUR)
    line.fire("a", 0.0)
    line.resolve("a", HOUR)
    line.later(60)
    line.act("ack", f"incident:{line.incident('a').id}")
    incident = line.incident("a")
    assert incident.resolved_at == incident.acked_at == at(2 * HOUR + 60)


def test_a_new_episode_does_not_begin_before_the_end_of_the_one_before() -> None:
    """Its source names the old start again, after silence was taken for its end."""
    line = Line()
    line.take(signal("a", 0.0, severity=Severity.LOW, timeout=True, ends_at=at(300)))
    line.at(400).tick()
    first = line.incident("a")
    assert first.state is IncidentState.RESOLVED
    line.at(600).take(signal("a", 0.0, severity=Severity.LOW, timeout=True, ends_at=at(900)))
    second = line.incident("a")
    assert second.id != first.id
    assert second.opened_at == at(300)


def test_a_restart_keeps_the_times() -> None:
    line = Line().at(2 * HOUR)
    line.fire("a", 0.0)
    line.resolve("a", HOUR)
    before = line.incident("a")
    assert line.restart().incident("a") == before


def test_alarms_are_counted_where_they_began() -> None:
    telemetry = Telemetry()
    telemetry.alarmed(T0, [T0 - timedelta(hours=3), T0 - timedelta(minutes=9), T0 - timedelta(minutes=1), T0])
    assert telemetry.alarms(T0) == 3
    assert telemetry.alarms(T0 + timedelta(minutes=2)) == 2
    assert telemetry.alarms(T0 + timedelta(minutes=10)) == 0


def test_a_storm_of_old_seconds_does_not_stay_in_memory() -> None:
    telemetry = Telemetry()
    for second in range(5_000):
        now = T0 + timedelta(seconds=second)
        telemetry.alarmed(now, [now])
    assert len(telemetry._alarms) <= 1201
