"""What one key goes through, step by step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from data.records import AlertState, IncidentState, Severity, SignalStatus
from engine.rules import Rules
from tests.fakes.line import T0, Line, at, signal

HIGH, LOW, CRITICAL = Severity.HIGH, Severity.LOW, Severity.CRITICAL


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_first_signal_is_an_alert_of_its_own(line: Line) -> None:
    alert = line.fire("a")
    assert (alert.state, alert.count, alert.starts_at, alert.previous) == (AlertState.OPEN, 1, at(0), None)
    assert [change.kind for change in line.store.changes] == ["alert_created", "incident_opened"]


def test_an_alert_says_what_its_first_signal_said_field_by_field(line: Line) -> None:
    words = ("source", "name", "title", "site", "entity", "entity_type", "service", "client", "correlation", "url")
    said = signal(
        "k",
        -60,
        **{field: f"the {field}" for field in words},
        severity=LOW,
        labels={"label": "l"},
        annotations={"annotation": "a"},
        timeout=True,
        skewed=True,
    )
    alert = line.take(said).alert("k")
    shared = set(said.__struct_fields__) & set(alert.__struct_fields__)
    assert len(shared) == 18
    assert {field: getattr(alert, field) for field in shared} == {field: getattr(said, field) for field in shared}
    assert (alert.tenant, alert.received_at, alert.last_at, alert.ended_at) == (line.tenant, at(0), at(0), None)


def test_a_plain_repeat_moves_three_columns_and_says_nothing(line: Line) -> None:
    first = line.fire("a", ends_at=at(240))
    said = len(line.store.changes)
    again = line.at(60).fire("a", 0, ends_at=at(300))
    assert (again.count, again.last_at, again.ends_at) == (2, at(60), at(300))
    assert len(line.store.changes) == said
    assert line.store.alerts[first.id] == again


def test_an_undated_repeat_is_plain_too(line: Line) -> None:
    line.fire("a", undated=True)
    said = len(line.store.changes)
    again = line.at(60).fire("a", undated=True)
    assert (again.starts_at, again.restarted_at, len(line.store.changes)) == (at(0), None, said)


def test_a_late_repeat_does_not_shorten_what_was_promised(line: Line) -> None:
    line.fire("a", ends_at=at(300))
    assert line.fire("a", 0, ends_at=at(240)).ends_at == at(300)
    assert line.fire("a", 0, ends_at=at(360)).ends_at == at(360)


def test_a_sent_end_beats_an_assumed_one(line: Line) -> None:
    line.fire("a", ends_at=at(300), timeout=True)
    again = line.fire("a", 0, ends_at=at(60))
    assert (again.ends_at, again.timeout) == (at(60), False)
    assert line.at(61).tick().alert("a").state is AlertState.RESOLVED


def test_severity_rises_and_falls(line: Line) -> None:
    line.fire("a", severity=LOW)
    assert line.fire("a", 0, severity=CRITICAL).severity is CRITICAL
    assert line.incident("a").severity is CRITICAL
    line.fire("a", 0, severity=HIGH)
    assert line.incident("a").severity is HIGH
    assert "severity_rose" in line.told(line.incident("a").id)


def test_a_rise_unfolds_what_was_folded_away(line: Line) -> None:
    for key in "abcdef":
        line.fire(key, entity="one")
    folded = [key for key in "abcdef" if line.alert(key).suppressed]
    key = folded[-1]
    line.fire(key, 0, entity="one", severity=CRITICAL)
    assert not line.alert(key).suppressed
    assert line.cluster(key).suppressed == line.incident(key).suppressed == len(folded) - 1
    assert line.cluster(key).severity is CRITICAL


def test_changed_text_is_taken_over_and_announced(line: Line) -> None:
    line.fire("a")
    changed = line.fire("a", 0, annotations={"summary": "both links down"}, title="both links down")
    assert (changed.title, changed.count) == ("both links down", 2)
    assert line.store.changes[-1].kind == "alert_updated"


def test_a_resolve_ends_it_at_the_time_its_source_says(line: Line) -> None:
    line.fire("a")
    line.at(100).resolve("a", 90)
    alert = line.alert("a")
    assert (alert.state, alert.ended_at, alert.why[-1].code) == (AlertState.RESOLVED, at(90), "resolved_by_source")
    assert line.incident("a").state is IncidentState.RETURNED


def test_the_latest_end_wins_whatever_came_first(line: Line) -> None:
    line.fire("a")
    line.at(100).resolve("a", 90)
    line.resolve("a", 95)
    line.resolve("a", 92)
    assert line.alert("a").ended_at == at(95)


def test_a_refire_reopens_while_the_incident_lives(line: Line) -> None:
    first = line.fire("a")
    line.at(100).resolve("a")
    again = line.at(200).fire("a")
    assert (again.id, again.state, again.ended_at, again.starts_at) == (first.id, AlertState.OPEN, None, at(0))
    assert again.restarted_at == at(200)
    assert line.incident("a").state is IncidentState.OPEN
    assert line.told(again.incident) == ["opened", "returned", "fired_again"]


def test_a_refire_after_the_incident_is_a_new_episode_with_its_notes(line: Line) -> None:
    first = line.fire("a")
    line.act("note", f"alert:{first.id}", text="cable 4 is loose")
    line.act("ack", f"incident:{first.incident}")
    line.at(100).resolve("a")
    again = line.at(200).fire("a")
    assert again.id != first.id
    assert (again.previous, [note.text for note in again.notes]) == (first.id, ["cable 4 is loose"])
    assert again.incident != first.incident
    assert line.told(again.incident) == ["opened", "note"]


@pytest.mark.parametrize("started", [0, 50, 90])
def test_late_news_never_reopens(line: Line, started: float) -> None:
    line.fire("a")
    line.at(100).resolve("a", 90)
    line.at(110).fire("a", started)
    assert (line.alert("a").state, line.alert("a").ended_at) == (AlertState.RESOLVED, at(90))


def test_a_late_end_does_not_end_what_began_anew(line: Line) -> None:
    line.fire("a")
    line.at(200).fire("a", 200)
    line.resolve("a", 100)
    assert line.alert("a").state is AlertState.OPEN
    line.at(300).resolve("a", 250)
    assert line.alert("a").ended_at == at(250)


def test_an_end_before_its_beginning_waits_for_it(line: Line) -> None:
    line.at(100).resolve("a", 90)
    assert line.alert("a").incident == 0
    assert line.incidents() == []
    alert = line.at(110).fire("a", 0)
    assert (alert.state, alert.starts_at, alert.ended_at) == (AlertState.RESOLVED, at(0), at(90))
    assert line.incident("a").state is IncidentState.RETURNED
    assert line.book.counters["alert"] == alert.id + 1


def test_a_beginning_after_the_known_end_fires(line: Line) -> None:
    line.at(100).resolve("a", 90)
    assert line.at(110).fire("a", 105).state is AlertState.OPEN


def test_a_waiting_end_is_forgotten_when_it_is_too_late_for_its_beginning(line: Line) -> None:
    line.at(100).resolve("a", 90)
    stub = line.alert("a")
    line.later(601).tick()
    assert stub.id not in line.book.alerts
    assert line.fire("a", 95).state is AlertState.OPEN


def test_an_old_end_of_something_unknown_leaves_nothing(line: Line) -> None:
    line.at(5000).resolve("a", 90)
    assert line.book.alerts == {}


def test_no_news_in_time_ends_it_and_fresh_news_revives_it(line: Line) -> None:
    first = line.fire("a", ends_at=at(240))
    line.at(241).tick()
    assert (line.alert("a").ended_at, line.alert("a").why[-1].code) == (at(240), "expired")
    revived = line.at(300).fire("a", 0, ends_at=at(540))
    assert (revived.id, revived.state) == (first.id, AlertState.OPEN)


def test_the_sources_word_replaces_an_assumed_end(line: Line) -> None:
    line.fire("a", ends_at=at(240))
    line.at(241).tick()
    line.at(250).resolve("a", 230)
    assert (line.alert("a").ended_at, line.alert("a").why[-1].code) == (at(230), "resolved_by_source")


def test_a_reopened_alert_is_looked_at_for_silences_again(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=1)
    assert line.alert("a").silenced_by
    line.at(30).resolve("a")
    line.at(90).tick()
    assert line.at(100).fire("a").silenced_by == ()
    line.at(110).resolve("a")
    line.act("silence", matchers='host="a"', minutes=5)
    assert line.at(120).fire("a").silenced_by
    assert line.incident("a").muted == 1


def test_labels_that_change_under_one_key_are_silenced_anew(line: Line) -> None:
    line.act("silence", matchers='level="low"', minutes=5)
    line.fire("a", labels={"alertname": "x", "level": "low"})
    assert line.alert("a").silenced_by
    line.fire("a", 0, labels={"alertname": "x", "level": "high"})
    assert line.alert("a").silenced_by == ()


def test_the_source_acknowledges(line: Line) -> None:
    line.fire("a")
    line.take(signal("a", status=SignalStatus.ACKNOWLEDGED, by="pager"))
    alert = line.alert("a")
    assert alert.ack is not None
    assert (alert.state, alert.ack.by) == (AlertState.ACKNOWLEDGED, "pager")
    line.take(signal("b", status=SignalStatus.ACKNOWLEDGED))
    assert "b" not in line.book.current[line.tenant]


def test_an_operators_end_is_not_undone_by_repeats(line: Line) -> None:
    first = line.fire("a", ends_at=at(240))
    line.at(10).act("resolve", f"incident:{first.incident}")
    again = line.at(60).fire("a", 0, ends_at=at(300))
    assert (again.id, again.state, again.ended_at, again.ends_at) == (first.id, AlertState.RESOLVED, at(10), at(300))
    for minutes in range(10, 300, 10):
        muted = line.at(minutes * 60).tick().fire("a", 0, ends_at=at(minutes * 60 + 240))
        assert (muted.id, muted.state) == (first.id, AlertState.RESOLVED)
        line.restart()
    fresh = line.at(18_000).fire("a", 17_990, ends_at=at(18_240))
    assert fresh.id != first.id


def test_flapping_comes_above_thirty_percent_and_goes_below_twenty_five() -> None:
    line = Line()
    moment = 0.0
    seen = {}
    while not line.alert("a").flapping if seen else True:
        for step in (line.fire, line.resolve):
            step("a")
            seen[len(line.alert("a").transitions)] = line.alert("a").flapping
            moment = (line.now - T0).total_seconds()
            line.later(5)
    assert [seen[number] for number in range(8)] == [False] * 7 + [True]
    line.fire("a", moment := moment + 5)
    calm = 0
    while line.alert("a").flapping:
        line.later(60).fire("a", moment)
        calm += 1
    share = sum(at_count > line.alert("a").count - 20 for at_count in line.alert("a").transitions) / 20
    assert share < Rules().flapping_off
    assert calm > 10


def test_flapping_is_seen_over_incidents_that_end_each_time() -> None:
    line = Line()
    for cycle in range(5):
        line.at(cycle * 100).fire("a", severity=LOW)
        line.later(10).resolve("a", severity=LOW)
    assert len(line.incidents()) == 5
    assert line.alert("a").flapping
    assert len(line.alert("a").transitions) <= 20


def test_no_more_changes_are_kept_than_the_window_has() -> None:
    line = Line()
    for cycle in range(40):
        line.at(cycle * 10).fire("a")
        line.later(5).resolve("a")
    assert len(line.alert("a").transitions) == Rules().flapping_window


def test_a_skewed_beginning_is_no_new_one(line: Line) -> None:
    line.fire("a", skewed=True, undated=True)
    line.at(60).fire("a", skewed=True, undated=True)
    assert line.alert("a").restarted_at is None


def test_a_beginning_from_before_the_episode_before_stays_there(line: Line) -> None:
    first = line.fire("a", 0, severity=LOW)
    line.at(50).resolve("a")
    second = line.at(100).fire("a", severity=LOW)
    assert second.previous == first.id
    line.fire("a", 20, severity=LOW)
    assert line.alert("a").starts_at == at(100)
    line.fire("a", 80, severity=LOW)
    assert line.alert("a").starts_at == at(80)


def test_everything_here_stays_after_a_restart(line: Line) -> None:
    line.fire("a")
    line.at(100).resolve("a", 90)
    line.at(200).fire("a")
    before = line.alert("a")
    assert line.restart().alert("a") == before
    assert before.received_at + timedelta(seconds=200) == before.last_at
