"""The life of an incident, and the score by which it is ranked."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from data.records import IncidentState, Pattern, Severity
from engine.book import Draft
from engine.rules import Rules
from engine.stages.prioritise import MUTED_CAP, score
from engine.stages.triage import remember
from tests.fakes.line import T0, Line, at, signal

OPEN, ACKNOWLEDGED, RETURNED = IncidentState.OPEN, IncidentState.ACKNOWLEDGED, IncidentState.RETURNED
RESOLVED, CLOSED = IncidentState.RESOLVED, IncidentState.CLOSED
CRITICAL, HIGH, MEDIUM, LOW, INFO = Severity


@pytest.fixture
def line() -> Line:
    return Line()


def ack(line: Line, key: str = "a", **params: object) -> None:
    line.act("ack", f"incident:{line.incident(key).id}", **params)


@pytest.mark.parametrize(("severity", "state"), [(CRITICAL, RETURNED), (MEDIUM, RETURNED), (LOW, RESOLVED)])
def test_what_is_over_waits_for_an_ack_if_it_needs_one(line: Line, severity: Severity, state: IncidentState) -> None:
    line.fire("a", severity=severity)
    line.at(60).resolve("a")
    assert line.incident("a").state is state


def test_one_alert_that_needs_an_ack_is_enough_whichever_ends_last(line: Line) -> None:
    for first, last in ("ab", "ba"):
        line = Line()
        line.take(signal("a", severity=CRITICAL), signal("b", severity=LOW))
        line.at(60).resolve(first)
        line.at(61).resolve(last)
        assert (line.incident("a").state, line.incident("a").severity) == (RETURNED, CRITICAL)


def test_an_acknowledged_one_resolves_when_it_is_over(line: Line) -> None:
    line.fire("a")
    ack(line)
    assert line.incident("a").state is ACKNOWLEDGED
    line.at(60).resolve("a")
    assert (line.incident("a").state, line.incident("a").resolved_at) == (RESOLVED, at(60))


def test_an_ack_of_what_returned_resolves_it(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    ack(line.at(90))
    assert (line.incident("a").state, line.incident("a").acked_at) == (RESOLVED, at(90))


def test_what_returned_and_fires_again_is_open(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    line.at(90).fire("a")
    assert (line.incident("a").state, line.incident("a").returned_at) == (OPEN, None)


def test_another_alert_opens_what_returned(line: Line) -> None:
    line.fire("a")
    line.at(60).resolve("a")
    line.at(90).fire("b")
    assert line.incident("a").state is OPEN
    assert line.incident("b").id == line.incident("a").id


@pytest.mark.parametrize("down", [False, True])
def test_an_ack_expires_also_while_the_engine_was_down(line: Line, down: bool) -> None:
    line.fire("a")
    ack(line, minutes=10)
    line.at(599).tick()
    assert line.incident("a").state is ACKNOWLEDGED
    if down:
        line.restart()
    line.at(600 if not down else 5000).tick()
    assert (line.incident("a").state, line.incident("a").ack, line.alert("a").ack) == (OPEN, None, None)
    assert line.incident("a").acked_at == at(0)
    assert "ack_expired" in line.told(line.incident("a").id)


def test_an_ack_is_extended(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    ack(line.at(300), minutes=10)
    assert line.at(600).tick().incident("a").state is ACKNOWLEDGED
    assert line.at(900).tick().incident("a").state is OPEN


@pytest.mark.parametrize(("sticky", "state"), [(False, OPEN), (True, ACKNOWLEDGED)])
def test_a_rise_breaks_an_ack_unless_it_is_sticky(line: Line, sticky: bool, state: IncidentState) -> None:
    line.fire("a", severity=MEDIUM)
    ack(line, sticky=sticky)
    line.at(60).fire("b", severity=CRITICAL)
    assert line.incident("a").state is state
    assert ("ack_broken" in line.told(line.incident("a").id)) is not sticky


def test_a_rise_below_what_was_acknowledged_breaks_nothing(line: Line) -> None:
    line.take(signal("a", severity=CRITICAL), signal("b", severity=LOW))
    ack(line)
    line.at(60).resolve("a")
    assert line.incident("b").severity is LOW
    line.fire("c", severity=HIGH)
    assert line.incident("b").state is ACKNOWLEDGED


def test_a_rise_shortens_the_time_to_the_sla(line: Line) -> None:
    line.fire("a", severity=LOW)
    line.at(60).fire("b", severity=CRITICAL)
    assert line.incident("a").due_at == at(15 * 60)
    line.resolve("b")
    assert line.incident("a").due_at == at(15 * 60)


def test_a_resolved_one_closes_by_time_and_leaves_memory(line: Line) -> None:
    line.fire("a", severity=LOW)
    line.at(60).resolve("a")
    number = line.incident("a").id
    line.at(86_400 + 59).tick()
    assert line.book.incidents[number].state is RESOLVED
    line.at(86_400 + 60).tick()
    assert line.store.incidents[number].state is CLOSED
    line.at(86_400 + 60 + 3600).tick()
    for table in (line.book.incidents, line.book.alerts, line.book.clusters, line.book.members, line.book.tallies):
        assert table == {}


def test_a_late_ack_of_a_closed_one_does_not_bring_an_expiry_back(line: Line) -> None:
    line.fire("a")
    ack(line, minutes=10)
    line.act("close", f"incident:{line.incident('a').id}")
    line.at(700).tick()
    incident = line.incident("a")
    assert incident.ack is not None
    assert "ack_expired" not in line.told(incident.id)


def test_counts_follow_the_alerts(line: Line) -> None:
    line.take(signal("a"), signal("b"), signal("c"))
    line.at(5).resolve("a")
    line.fire("b", 0)
    line.at(10).tick()
    incident = line.incident("b")
    assert (incident.alerts, incident.firing, incident.events) == (3, 2, 4)


# -- priority


def scored(line: Line, **changes: object) -> tuple[float, dict[str, float]]:
    incident = replace(line.incident("a"), **changes)  # type: ignore[arg-type]
    found = score(Draft(line.book, line.rules, line.tenant, line.now), incident)
    return found.priority, {part.feature: part.points for part in found.contributions}


def test_contributions_add_up_to_the_score(line: Line) -> None:
    line.fire("a", severity=CRITICAL)
    line.act("silence", matchers='host="b"', minutes=5)
    line.fire("b", name="Other", site="Harbour", entity="b")
    for incident in line.incidents():
        assert incident.priority == pytest.approx(sum(part.points for part in incident.contributions), abs=0.05)


def test_the_documented_points() -> None:
    line = Line(Rules(tiers={"Portline": "gold"}, on_call=False))
    line.fire("a", severity=HIGH, client="Portline")
    points = scored(line, sites=("Depot", "Harbour"))[1]
    assert points["severity"] == pytest.approx(45 * 0.72, abs=0.05)
    assert points["affected_sites"] == pytest.approx(10 / 3, abs=0.05)
    assert (points["business_hours"], points["client_tier"], points["on_call"]) == (4.0, 6.0, 3.0)


def test_the_past_counts(line: Line) -> None:
    line.fire("a")
    pattern = Pattern(
        tenant=line.tenant, name="LinkDown", incidents=5, alerts=500, resolution_seconds=5 * 7200.0, last_at=T0
    )
    line.book.patterns[line.tenant, "LinkDown"] = pattern
    points = scored(line)[1]
    assert (points["historical_impact"], points["recurrence"], points["resolution_time"]) == (7.0, 3.0, 2.5)


def test_the_score_rises_with_severity_sites_tier_and_time() -> None:
    line = Line(Rules(tiers={"s": "standard", "g": "gold", "v": "vip"}))
    line.fire("a")
    sites = [tuple(f"site{n}" for n in range(count)) for count in (1, 2, 4, 8, 16)]
    for name, values in {
        "severity": [INFO, LOW, MEDIUM, HIGH, CRITICAL],
        "sites": sites,
        "client": ["", "s", "g", "v"],
    }.items():
        scores = [scored(line, **{name: value})[0] for value in values]
        assert scores == sorted(scores)
        assert scores[0] < scores[-1]
    early = scored(line)[0]
    assert scored(line.later(1800))[0] > early
    assert all(0 <= scored(line.later(10**6), severity=severity)[0] <= 100 for severity in Severity)


def test_what_is_all_muted_is_held_down_and_says_so(line: Line) -> None:
    line.fire("a", severity=CRITICAL)
    line.act("silence", matchers='host="a"', minutes=5)
    assert line.incident("a").priority == MUTED_CAP
    assert line.incident("a").contributions[-1].feature == "muted"
    line.at(60).fire("b", severity=CRITICAL)
    assert line.incident("a").priority > MUTED_CAP


def test_an_ended_one_keeps_its_score(line: Line) -> None:
    line.fire("a", severity=LOW)
    before = line.incident("a").priority
    line.at(60).resolve("a")
    line.at(1000).tick()
    assert line.incident("a").priority == before


def test_what_was_remembered_of_an_incident_can_be_taken_back(line: Line) -> None:
    line.fire("a")
    draft = Draft(line.book, line.rules, line.tenant, at(600))
    incident = line.incident("a")
    remember(draft, incident, at(600))
    remember(draft, incident, at(600), -1)
    pattern = line.book.patterns[line.tenant, "LinkDown"]
    assert (pattern.incidents, pattern.alerts, pattern.resolution_seconds) == (0, 0, 0.0)
