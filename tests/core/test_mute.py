"""Silences, inhibition and maintenance windows: what is muted, until when, and that nothing stays muted."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from data.matchers import parse_matchers
from data.records import Severity, TenantId
from engine.client import Refused
from engine.rules import Rules, Window, inhibit_rule
from engine.stages.maintenance import occurrences
from tests.fakes.line import Line, at

MINUTE = 60


@pytest.fixture
def line() -> Line:
    return Line()


# -- silences


def test_an_active_silence_mutes_what_fires_and_what_comes(line: Line) -> None:
    line.fire("a")
    name = line.act("silence", matchers='site="Depot"', minutes=10).id
    line.at(60).fire("b")
    for key in "ab":
        assert (line.alert(key).silenced_by, line.alert(key).silenced_until) == ((name,), at(600))
    assert line.incident("a").muted == 2
    assert line.incident("a").priority <= 15


def test_a_pending_silence_begins_on_time(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', starts_at=at(100), ends_at=at(200))
    assert not line.at(99).tick().alert("a").silenced_by
    assert line.at(100).tick().alert("a").silenced_by
    assert not line.at(200).tick().alert("a").silenced_by


def test_the_end_unmutes(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=10)
    line.at(600).tick()
    assert (line.alert("a").silenced_by, line.incident("a").muted) == ((), 0)
    assert not line.at(601).fire("b").silenced_by


def test_the_end_unmutes_although_the_engine_was_down(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=10)
    line.at(5000).restart()
    line.tick()
    assert (line.alert("a").silenced_by, line.incident("a").muted) == ((), 0)


def test_expiring_unmutes_at_once_unless_another_holds(line: Line) -> None:
    line.fire("a")
    one = line.act("silence", matchers='host="a"', minutes=10).id
    two = line.act("silence", matchers='site="Depot"', minutes=10, request="two").id
    line.at(60).act("expire_silence", f"silence:{one}")
    assert line.alert("a").silenced_by == (two,)
    line.act("expire_silence", f"silence:{two}")
    assert line.alert("a").silenced_by == ()
    assert line.act("expire_silence", f"silence:{two}").refused == {f"silence:{two}": "it is over already"}


def test_an_active_silence_is_extended_under_its_id(line: Line) -> None:
    line.fire("a")
    name = line.act("silence", matchers='host="a"', minutes=10).id
    again = line.at(300).act("silence", id=name, matchers='host="a"', minutes=10)
    assert again.id == name
    assert line.alert("a").silenced_until == at(900)
    assert line.at(600).tick().alert("a").silenced_by == (name,)


def test_other_matchers_or_another_start_make_another_silence(line: Line) -> None:
    line.fire("a")
    name = line.act("silence", matchers='host="a"', minutes=10).id
    other = line.at(60).act("silence", id=name, matchers='host="b"', minutes=10).id
    assert other != name
    assert line.alert("a").silenced_by == ()
    silences = line.book.silences[line.tenant]
    assert (silences[name].ends_at, silences[other].starts_at) == (at(60), at(60))


def test_a_pending_silence_that_is_replaced_never_begins(line: Line) -> None:
    line.fire("a")
    name = line.act("silence", matchers='host="a"', starts_at=at(500), ends_at=at(900)).id
    line.at(60).act("silence", id=name, matchers='host="b"', minutes=1)
    old = line.book.silences[line.tenant][name]
    assert old.starts_at <= old.ends_at == at(60)
    assert not line.at(600).tick().alert("a").silenced_by


def test_a_pending_silence_keeps_its_id_when_it_moves(line: Line) -> None:
    name = line.act("silence", matchers='host="a"', starts_at=at(500), ends_at=at(900)).id
    assert line.at(60).act("silence", id=name, matchers='host="a"', starts_at=at(300), ends_at=at(900)).id == name
    line.at(310).fire("a")
    assert line.alert("a").silenced_by == (name,)


def test_a_start_in_the_past_is_now(line: Line) -> None:
    name = line.at(500).act("silence", matchers='host="a"', starts_at=at(0), ends_at=at(900)).id
    assert line.book.silences[line.tenant][name].starts_at == at(500)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"matchers": "", "minutes": 5}, "matchers"),
        ({"matchers": 'a=~"("', "minutes": 5}, "matchers"),
        ({"matchers": 'a=~".*"', "minutes": 5}, "matchers"),
        ({"matchers": 'a="b"'}, "ends_at"),
        ({"matchers": 'a="b"', "ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
        ({"matchers": 'a="b"', "ends_at": "2030-01-01T00:00:00"}, "ends_at"),
        ({"matchers": 'a="b"', "minutes": 5, "id": "unknown"}, "id"),
        ({"matchers": 'a="b"', "minutes": -1}, "minutes"),
        ({"minutes": 5}, "matchers"),
        ({"matchers": 'a="b"', "minutes": 5, "wrong": 1}, "wrong"),
    ],
)
def test_what_is_wrong_is_named(line: Line, params: dict[str, object], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        line.act("silence", **params)
    assert refusal.value.field == field
    assert refusal.value.remedy
    assert line.book.silences == {}


# -- inhibition

RULE = inhibit_rule("gate", parse_matchers('alertname="GateDown"'), parse_matchers('level="minor"'), ("site",))


@pytest.fixture
def gate() -> Line:
    return Line(Rules(inhibitions=(RULE,)))


def source(line: Line, key: str = "gate", site: str = "Depot") -> None:
    line.fire(key, name="GateDown", labels={"alertname": "GateDown", "site": site})


def target(line: Line, key: str = "camera", **labels: str) -> None:
    line.fire(key, name="CameraOff", labels={"alertname": "CameraOff", "level": "minor", **labels})


@pytest.mark.parametrize("first", ["source", "target"])
def test_a_source_mutes_its_targets_whichever_came_first(gate: Line, first: str) -> None:
    if first == "source":
        source(gate)
    target(gate, site="Depot")
    if first == "target":
        source(gate)
    assert gate.alert("camera").inhibited_by == (gate.alert("gate").id,)
    assert gate.incident("camera").muted == 1


def test_other_or_missing_equal_labels_do_not_mute(gate: Line) -> None:
    source(gate)
    target(gate, "elsewhere", site="Harbour")
    target(gate, "nowhere")
    gate.fire("blank", name="GateDown", labels={"alertname": "GateDown"})
    assert gate.alert("elsewhere").inhibited_by == gate.alert("nowhere").inhibited_by == ()


def test_the_end_of_the_source_unmutes(gate: Line) -> None:
    source(gate)
    target(gate, site="Depot")
    gate.at(60).resolve("gate")
    assert gate.alert("camera").inhibited_by == ()
    assert gate.incident("camera").muted == 0


def test_with_two_sources_one_end_does_not_unmute(gate: Line) -> None:
    source(gate, "one")
    source(gate, "two")
    target(gate, site="Depot")
    gate.at(60).resolve("one")
    assert gate.alert("camera").inhibited_by == (gate.alert("two").id,)
    gate.resolve("two")
    assert gate.alert("camera").inhibited_by == ()


def test_it_holds_over_a_restart(gate: Line) -> None:
    source(gate, "one")
    source(gate, "two")
    target(gate, site="Depot")
    gate.restart().at(60).resolve("one")
    assert gate.alert("camera").inhibited_by == (gate.alert("two").id,)
    gate.restart().resolve("two")
    assert gate.alert("camera").inhibited_by == ()


def test_a_rule_that_is_gone_after_a_restart_mutes_no_longer(gate: Line) -> None:
    source(gate)
    target(gate, site="Depot")
    gate.restart(Rules()).tick(1)
    assert gate.alert("camera").inhibited_by == ()
    assert gate.incident("camera").muted == 0
    gate.restart(Rules(inhibitions=(RULE,))).tick(1)
    assert gate.alert("camera").inhibited_by == (gate.alert("gate").id,)


def test_nothing_inhibits_itself_and_two_of_both_sides_do_not_mute_each_other() -> None:
    both = inhibit_rule("both", parse_matchers('alertname="X"'), parse_matchers('alertname="X"'), ("site",))
    line = Line(Rules(inhibitions=(both,)))
    labels = {"alertname": "X", "site": "Depot"}
    line.fire("a", labels=labels)
    line.fire("b", labels=labels)
    assert line.alert("a").inhibited_by == line.alert("b").inhibited_by == ()


def test_a_source_whose_labels_change_lets_its_targets_go(gate: Line) -> None:
    source(gate)
    target(gate, site="Depot")
    gate.at(60).fire("gate", 0, name="GateDown", labels={"alertname": "GateDown", "site": "Harbour"})
    assert gate.alert("camera").inhibited_by == ()


def test_a_source_that_comes_back_mutes_again(gate: Line) -> None:
    source(gate)
    target(gate, site="Depot")
    gate.at(60).resolve("gate")
    gate.at(90)
    source(gate)
    assert gate.alert("camera").inhibited_by == (gate.alert("gate").id,)


# -- maintenance windows


def window(start: str, end: str, zone: str, days: frozenset[int] = frozenset(range(7))) -> Window:
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (start, end)]
    return Window(
        name="nightly",
        matchers=parse_matchers('site="Depot"'),
        days=days,
        start_minute=minutes[0],
        end_minute=minutes[1],
        time_zone=zone,
    )


def held(given: Window, day: date) -> list[tuple[str, str]]:
    """(start, end) in UTC of the occurrences that begin on this day of the window's zone, minute by minute."""
    zone = ZoneInfo(given.time_zone)
    noon = datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)
    found = {}
    for minute in range(-60, 50 * 60):
        for start, end in occurrences(given, noon + timedelta(minutes=minute)):
            if start.astimezone(zone).date() == day:
                found[start, end] = None
    return [(f"{start:%H:%M}", f"{end:%H:%M}") for start, end in found]


@pytest.mark.parametrize(
    ("zone", "day", "start", "end", "utc"),
    [
        ("Europe/Berlin", date(2026, 3, 28), "02:30", "03:30", ("01:30", "02:30")),
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "03:30", ("01:30", "02:30")),  # skipped start, moved forward
        ("Europe/Berlin", date(2026, 3, 29), "02:30", "03:00", ("01:30", "02:00")),  # keeps its length
        ("Europe/Berlin", date(2026, 3, 29), "01:00", "04:00", ("00:00", "02:00")),
        ("Europe/Berlin", date(2026, 10, 25), "02:30", "03:30", ("00:30", "02:30")),  # the first half past two
        ("Europe/Berlin", date(2026, 10, 25), "01:00", "02:30", ("23:00", "00:30")),
        ("America/New_York", date(2026, 3, 8), "02:15", "03:30", ("07:15", "07:30")),
        ("America/New_York", date(2026, 11, 1), "01:30", "02:30", ("05:30", "07:30")),
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:15", "03:00", ("15:45", "16:00")),
        ("Australia/Lord_Howe", date(2026, 4, 5), "01:45", "02:15", ("14:45", "15:45")),
        ("UTC", date(2026, 5, 4), "22:00", "06:00", ("22:00", "06:00")),
        ("UTC", date(2028, 2, 29), "22:00", "22:00", ("22:00", "22:00")),
    ],
)
def test_a_window_holds_once_on_each_of_its_days(
    zone: str, day: date, start: str, end: str, utc: tuple[str, str]
) -> None:
    assert held(window(start, end, zone), day) == [utc]


def test_a_window_begins_only_on_its_days() -> None:
    mondays = window("22:00", "06:00", "UTC", frozenset({0}))
    assert held(mondays, date(2026, 5, 4)) == [("22:00", "06:00")]
    assert held(mondays, date(2026, 5, 5)) == []


def test_a_window_mutes_while_it_lasts() -> None:
    line = Line(Rules(maintenance=(window("12:10", "12:20", "UTC"),)))
    line.fire("a")
    line.at(10 * MINUTE).tick()
    assert line.alert("a").silenced_by == ("maintenance/nightly/2026-05-04T12:10",)
    line.at(11 * MINUTE).tick().restart().tick()
    assert len(line.book.silences[line.tenant]) == 1
    line.at(20 * MINUTE).tick()
    assert line.alert("a").silenced_by == ()


def test_a_window_that_was_ended_early_does_not_begin_again() -> None:
    line = Line(Rules(maintenance=(window("12:00", "18:00", "UTC"),)))
    line.fire("a")
    line.at(10).tick()
    (name,) = line.alert("a").silenced_by
    line.act("expire_silence", f"silence:{name}")
    for hour in range(1, 5):
        line.at(hour * 3600).restart()
        line.tick()
        assert line.alert("a").silenced_by == ()


def test_windows_are_for_every_tenant() -> None:
    other = TenantId("other")
    line = Line(Rules(maintenance=(window("12:00", "13:00", "UTC"),)))
    line.tenant = other
    line.fire("a", severity=Severity.LOW)
    line.tenant = TenantId("default")
    line.at(10).tick()
    assert line.alert("a", other).silenced_by
    line.at(3600).tick()
    assert not line.alert("a", other).silenced_by
