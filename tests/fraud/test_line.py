"""Attendance on the line: scores, alerts, tickets, verdicts, and that a restart forgets nothing."""

from __future__ import annotations

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from data.records import AlertState
from data.scope import CAPABILITIES
from engine.client import Refused
from engine.domain.events import ActivityData, CheckpointData, Point, ShiftData, TourData
from tests.fakes.attendance import HARBOUR, MONDAY, TOWER, check_in, ordinary_week, put, world
from tests.fakes.line import ANA, Line, signal

NEXT = MONDAY + timedelta(days=7)


@pytest.fixture
def line() -> Line:
    return ordinary_week(world(Line()))


def cheat(line: Line, minutes: float = 4.0, person: str = "ana", **given: Any) -> str:
    """A check-in far away, minutes after one here, with a face that does not fit → its case."""
    check_in(line, NEXT + timedelta(minutes=minutes - 4), person)
    fields = {"site": "tower", "point": TOWER, "biometric": 0.4, **given}
    event = check_in(line, NEXT + timedelta(minutes=minutes), person, **fields)
    return next(score.id for score in scores(line) if score.event_id == event)


def scores(line: Line) -> list[Any]:
    return list(line.book.nouns["fraud_scores"].values())


def case(line: Line, id: str) -> Any:
    return line.book.nouns["fraud_scores"]["default", id]


def fraud_tickets(line: Line) -> list[Any]:
    return [ticket for ticket in line.book.nouns["tickets"].values() if ticket.type == "fraud"]


def suspected(line: Line) -> list[Any]:
    return [alert for alert in line.book.alerts.values() if alert.name == "fraud_suspected"]


def stored(line: Line, kind: str, id: str) -> Any:
    return line.store.nouns[kind, "default", id]


def test_an_ordinary_week_raises_nothing(line: Line) -> None:
    assert len(scores(line)) == 20
    assert max(score.score for score in scores(line)) < 0.5
    assert suspected(line) == []
    assert fraud_tickets(line) == []


def test_a_lie_becomes_prediction_anomalies_alert_and_ticket(line: Line) -> None:
    found = case(line, cheat(line))
    assert found.score >= 0.80
    assert found.model == "heuristics"
    assert set(found.anomalies) == {"impossible_travel", "biometric_low"}
    assert {f"{found.id}.{kind}" for kind in found.anomalies} == {
        anomaly.id for anomaly in line.book.nouns["attendance_anomalies"].values()
    }
    (alert,) = suspected(line)
    assert alert.annotations["case"] == found.id
    (ticket,) = fraud_tickets(line)
    assert (found.ticket, ticket.assignee, ticket.finding) == (ticket.id, "eva", found.id)
    assert {"prediction_made", "anomaly_detected"} <= {change.kind for change in line.store.changes}


def test_one_ticket_per_person_and_type_in_a_day(line: Line) -> None:
    first = case(line, cheat(line))
    again = case(line, cheat(line, minutes=30))
    assert again.kind == first.kind
    (ticket,) = fraud_tickets(line)
    assert again.ticket == first.ticket == ticket.id
    assert any(step.note.startswith("again") for step in ticket.history)
    cheat(line, person="bo", minutes=40)
    assert len(fraud_tickets(line)) == 2
    cheat(line, minutes=25 * 60)
    assert len(fraud_tickets(line)) == 3


def test_the_limit_of_tickets_holds_over_a_restart_and_a_resolve(line: Line) -> None:
    first = case(line, cheat(line))
    line.act("dismiss_fraud", f"fraud_score:{first.id}")
    line.restart()
    again = case(line, cheat(line, minutes=30))
    assert again.ticket == first.ticket
    assert [ticket.id for ticket in fraud_tickets(line)] == [first.ticket]


def test_a_verdict_settles_everything_that_came_of_it(line: Line) -> None:
    id = cheat(line)
    ticket = case(line, id).ticket
    result = line.act("confirm_fraud", f"fraud_score:{id}", note="seen on camera")
    assert result.changed == (f"fraud_score:{id}",)
    judged = stored(line, "fraud_scores", id)
    assert (judged.verdict, judged.verdict_by, judged.verdict_note) == ("confirmed", "ana", "seen on camera")
    assert stored(line, "attendance_anomalies", f"{id}.impossible_travel").verdict == "confirmed"
    assert all(alert.ended_at is not None for alert in suspected(line))
    assert line.book.nouns["tickets"]["default", ticket].history[-1].note == "verdict: confirmed - seen on camera"
    assert [change.kind for change in line.store.changes if change.subject == f"fraud_score:{id}"] == [
        "prediction_made",
        "prediction_validated",
    ]


def test_a_confirmed_case_counts_from_then_on(line: Line) -> None:
    line.act("confirm_fraud", f"fraud_score:{cheat(line)}")
    check_in(line, NEXT + timedelta(hours=20), kind="out")
    assert scores(line)[-1].features[-1] == 1.0
    check_in(line, NEXT + timedelta(hours=21), "bo", site="tower", point=TOWER)
    assert scores(line)[-1].features[-1] == 1.0


def test_a_dismissed_case_resolves_its_ticket_and_counts_for_nothing(line: Line) -> None:
    id = cheat(line)
    line.act("dismiss_fraud", f"fraud_score:{id}")
    assert [ticket.state for ticket in fraud_tickets(line)] == ["resolved"]
    check_in(line, NEXT + timedelta(hours=20), kind="out")
    assert scores(line)[-1].features[-1] == 0.0


def test_a_verdict_is_given_once_and_takes_the_capability(line: Line) -> None:
    id = cheat(line)
    with pytest.raises(Refused) as refusal:
        line.act("confirm_fraud", f"fraud_score:{id}", scope=blind())
    assert refusal.value.status == 403
    line.act("confirm_fraud", f"fraud_score:{id}")
    assert "not found" in line.act("dismiss_fraud", f"fraud_score:{id}").refused[f"fraud_score:{id}"]


def blind() -> Any:
    return replace(ANA, capabilities=CAPABILITIES - {"security:fraud:view"})


def test_what_nobody_judges_leaves_memory(line: Line) -> None:
    id = cheat(line)
    line.now = NEXT + timedelta(days=8)
    line.tick()
    assert [score.id for score in scores(line) if score.score < 0.3] == []
    assert case(line, id).verdict == "open"
    line.now = NEXT + timedelta(days=31)
    line.tick()
    assert scores(line) == []
    assert stored(line, "fraud_scores", id).verdict == "unjudged"


def test_a_restart_changes_no_score(line: Line) -> None:
    other = ordinary_week(world(Line())).restart()
    for each in (line, other):
        cheat(each, minutes=4)
        cheat(each, person="bo", minutes=50, device="phone-ana")
    mine, theirs = (
        [(score.score, score.features, score.reasons) for score in scores(each)][-4:] for each in (line, other)
    )
    assert mine == theirs


def test_a_dropped_envelope_leaves_no_trace(line: Line) -> None:
    from engine import pipeline
    from engine.domain.events import AttendanceData, DomainEvent
    from engine.ports import EnvelopeKind

    before = deepcopy((line.book.derived, line.book.nouns))
    data = AttendanceData(person="ana", site="tower", point=TOWER, device="new", biometric=0.1)
    event = DomainEvent(type="noc.attendance", source="test", id="dropped", at=NEXT, data=data)
    envelope = line.envelope(EnvelopeKind.EVENTS, (event,))
    draft = line.draft(envelope)
    pipeline.run(draft, envelope)
    assert line.book.nouns != before[1]
    draft.drop()
    assert (line.book.derived, line.book.nouns) == before


def test_fraud_clusters_only_with_fraud(line: Line) -> None:
    cheat(line)
    (alert,) = suspected(line)
    same = {"site": alert.site, "entity": alert.entity, "entity_type": "person", "title": alert.title}
    line.fire("plain", **same, name="attendance_geofence")
    assert line.alert("plain").incident != alert.incident
    cheat(line, person="bo", minutes=6)
    names = {
        number: {line.book.alerts[member].name for member in members} for number, members in line.book.members.items()
    }
    assert all(len(found) == 1 or "fraud_suspected" not in found for found in names.values())


def test_fraud_is_not_merged_with_anything(line: Line) -> None:
    cheat(line)
    line.take(signal("a"))
    (alert,) = suspected(line)
    with pytest.raises(Refused):
        line.act("merge", f"incident:{line.incident('a').id}", f"incident:{alert.incident}")
    assert line.book.alerts[alert.id].incident == alert.incident


def test_who_may_not_see_fraud_cannot_act_on_its_alerts_and_incidents(line: Line) -> None:
    cheat(line)
    (alert,) = suspected(line)
    for target in (f"incident:{alert.incident}", f"alert:{alert.id}"):
        result = line.act("ack", target, scope=blind(), minutes=5)
        assert result.changed == ()
        assert "not found" in result.refused[target]
    assert line.book.alerts[alert.id].state is AlertState.OPEN


def test_minutes_from_the_shift_that_the_person_is_due_in(line: Line) -> None:
    put(
        line,
        "noc.shift",
        ShiftData(id="s1", site="harbour", person="ana", starts_at=NEXT, ends_at=NEXT + timedelta(hours=8)),
    )
    check_in(line, NEXT + timedelta(minutes=12))
    assert scores(line)[-1].features[1] == pytest.approx(12.0)
    check_in(line, NEXT + timedelta(hours=8, minutes=-5), kind="out")
    assert scores(line)[-1].features[1] == pytest.approx(-5.0)


def round_of(line: Line, apart_m: float, seconds: float, metres: float) -> None:
    start = NEXT + timedelta(hours=2)
    points = tuple(CheckpointData(id=f"c{number}") for number in range(4))
    tour = {"id": "t1", "site": "harbour", "person": "ana"}
    put(
        line,
        "noc.tour",
        TourData(action="scheduled", starts_at=start, ends_at=start + timedelta(hours=1), checkpoints=points, **tour),
        start,
    )
    for number in range(4):
        at = start + timedelta(seconds=60 + number * seconds)
        point = Point(lat=HARBOUR.lat + number * apart_m / 111_195, lon=HARBOUR.lon)
        put(line, "noc.tour", TourData(action="scan", checkpoint=f"c{number}", point=point, **tour), at)
        put(line, "noc.activity", ActivityData(person="ana", kind="movement", metres=metres, site="harbour"), at)
    put(line, "noc.tour", TourData(action="finished", **tour), at + timedelta(seconds=20))


def test_a_round_scanned_at_the_desk_is_suspected(line: Line) -> None:
    round_of(line, apart_m=0.0, seconds=20.0, metres=0.0)
    (alert,) = suspected(line)
    assert "ghost round" in alert.title
    assert scores(line)[-1].anomalies == ("ghost_round",)


def test_a_walked_round_is_not(line: Line) -> None:
    round_of(line, apart_m=80.0, seconds=120.0, metres=90.0)
    assert suspected(line) == []


@pytest.mark.parametrize(("holidays", "types"), [({}, {0}), ({"": NEXT.date()}, {7}), ({"other": NEXT.date()}, {0})])
def test_a_holiday_is_a_type_of_day_of_its_own(holidays: dict[str, date], types: set[int], line: Line) -> None:
    days = {client: frozenset({day}) for client, day in holidays.items()}
    line.rules = replace(line.rules, domain=replace(line.rules.domain, holidays=days))
    before = profile_days(line)
    check_in(line, NEXT, "ana")
    more = [now - then for now, then in zip(profile_days(line), before, strict=True)]
    assert {place for place, number in enumerate(more) if number} == types


def profile_days(line: Line) -> tuple[int, ...]:
    """Check-ins of ana by type of day."""
    found: tuple[int, ...] = stored(line, "attendance_profiles", "person:ana").history.days
    return found
