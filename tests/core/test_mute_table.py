"""What is muted, by what, and until when: silences, inhibition, maintenance windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.matchers import parse_matchers
from data.records import AlertState, Silence, TenantId
from engine.book import is_muted
from engine.client import Refused
from engine.ports import EnvelopeKind
from engine.rules import InhibitRule, Rules, Window, inhibit_rule
from engine.stages.maintenance import occurrences
from tests.fakes.line import T0, Line, at, signal

BERLIN = "Europe/Berlin"


@pytest.fixture
def line() -> Line:
    return Line()


def silence(line: Line, matchers: str = 'host="a"', **params: Any) -> str:
    return line.act("silence", matchers=matchers, **params).id


def stored(line: Line, name: str) -> Silence:
    return line.store.silences[line.tenant, name]


# -- silences


def test_a_silence_mutes_what_fires_already(line: Line) -> None:
    line.fire("a")
    line.fire("b")
    name = silence(line, minutes=5)
    assert line.alert("a").silenced_by == (name,)
    assert line.alert("a").silenced_until == at(300)
    assert line.alert("b").silenced_by == ()
    assert (line.incident("a").firing, line.incident("a").muted) == (2, 1)
    assert line.alert("a").state is AlertState.OPEN


def test_a_silence_mutes_what_comes_later(line: Line) -> None:
    name = silence(line, minutes=5)
    assert line.at(299).fire("a").silenced_by == (name,)


def test_a_pending_silence_begins_at_its_time(line: Line) -> None:
    line.fire("a")
    name = silence(line, starts_at=at(600).isoformat(), ends_at=at(900).isoformat())
    assert line.alert("a").silenced_by == ()
    assert line.at(599).tick().alert("a").silenced_by == ()
    assert line.at(600).tick().alert("a").silenced_by == (name,)
    assert line.incident("a").muted == 1
    assert line.at(900).tick().alert("a").silenced_by == ()


def test_a_pending_silence_begins_also_after_a_restart(line: Line) -> None:
    line.fire("a")
    name = silence(line, starts_at=at(600).isoformat(), ends_at=at(900).isoformat())
    assert line.restart().at(700).tick().alert("a").silenced_by == (name,)


def test_expiry_unmutes_at_the_tick(line: Line) -> None:
    line.fire("a")
    silence(line, minutes=5)
    assert line.at(299).tick().incident("a").muted == 1
    assert line.at(300).tick().alert("a").silenced_by == ()
    assert (line.alert("a").silenced_until, line.incident("a").muted) == (None, 0)


def test_a_silence_that_ended_while_down_mutes_nothing(line: Line) -> None:
    line.fire("a")
    silence(line, minutes=5)
    assert line.at(400).restart().fire("b", labels={"host": "a"}).silenced_by == ()
    assert line.tick().alert("a").silenced_by == ()


def test_a_silence_holds_by_its_stored_time_before_any_tick(line: Line) -> None:
    silence(line, minutes=5)
    assert line.at(300).fire("a").silenced_by == ()


def test_the_longest_of_two_silences_holds(line: Line) -> None:
    line.fire("a")
    short, long = silence(line, minutes=5), silence(line, 'site="Depot"', minutes=10)
    assert line.alert("a").silenced_by == tuple(sorted((short, long)))
    assert line.alert("a").silenced_until == at(600)
    assert line.at(300).tick().alert("a").silenced_by == (long,)
    assert line.incident("a").muted == 1


def test_every_matcher_must_match(line: Line) -> None:
    line.fire("a")
    silence(line, 'host="a", site="Harbour"', minutes=5)
    assert line.alert("a").silenced_by == ()


@pytest.mark.parametrize(
    ("matchers", "muted"),
    [
        ('host=~"a|b"', True),
        ('host=~"xa"', False),
        ('host=~"a.+"', False),  # anchored at both ends
        ('host!="b", site="Depot"', True),
        ('host!~"a", site="Depot"', False),
        ('rack="", site="Depot"', True),  # a missing label reads as empty
    ],
)
def test_matchers(line: Line, matchers: str, muted: bool) -> None:
    line.fire("a")
    silence(line, matchers, minutes=5)
    assert bool(line.alert("a").silenced_by) is muted


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"matchers": 'host="a"'}, "ends_at"),
        ({"matchers": 'host="a"', "ends_at": "2026-05-04T11:00:00Z"}, "ends_at"),
        ({"matchers": "", "minutes": 5}, "matchers"),
        ({"matchers": 'host=~".*"', "minutes": 5}, "matchers"),
        ({"matchers": 'host=~"("', "minutes": 5}, "matchers"),
        ({"matchers": 'host="a"', "minutes": 5, "id": "nobody-knows"}, "id"),
        ({"matchers": 'host="a"', "minutes": -1}, "minutes"),
        ({"matchers": 'host="a"', "ends_at": "2026-05-04T15:00:00"}, "ends_at"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(line: Line, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as refusal:
        line.act("silence", **params)
    assert refusal.value.field == field
    assert refusal.value.remedy
    assert line.store.silences == {}


def test_the_remedy_shows_matchers_that_are_taken(line: Line) -> None:
    with pytest.raises(Refused) as refusal:
        silence(line, 'host="a" site="b"', minutes=5)
    _, _, example = refusal.value.remedy.partition("like ")
    assert silence(line, example, minutes=5)


def test_an_update_of_the_end_keeps_the_id(line: Line) -> None:
    line.fire("a")
    name = silence(line, minutes=5)
    assert silence(line.at(100), minutes=60, id=name) == name
    assert line.alert("a").silenced_until == at(3700)
    assert line.at(300).tick().alert("a").silenced_by == (name,)


@pytest.mark.parametrize(
    "changed",
    [
        {"matchers": 'host="b"', "minutes": 5},
        {"matchers": 'host="a"', "minutes": 5, "starts_at": at(200).isoformat()},
    ],
    ids=["other matchers", "begins again"],
)
def test_an_update_of_what_it_is_ends_it_and_begins_another(line: Line, changed: dict[str, Any]) -> None:
    name = silence(line, minutes=5)
    other = line.at(100).act("silence", id=name, **changed).id
    assert other != name
    assert stored(line, name).ends_at == at(100)
    assert stored(line, other).ends_at > at(100)


def test_an_update_of_one_that_is_over_begins_another(line: Line) -> None:
    name = silence(line, minutes=5)
    line.at(310).tick()
    assert silence(line, minutes=5, id=name) != name
    assert stored(line, name).ends_at == at(300)


def test_a_pending_one_may_move_to_another_time(line: Line) -> None:
    name = silence(line, starts_at=at(600).isoformat(), ends_at=at(900).isoformat())
    assert silence(line, id=name, starts_at=at(700).isoformat(), ends_at=at(900).isoformat()) == name
    line.fire("a")
    assert line.at(650).tick().alert("a").silenced_by == ()
    assert line.at(700).tick().alert("a").silenced_by == (name,)


def test_expire_ends_it_at_once(line: Line) -> None:
    line.fire("a")
    name = silence(line, minutes=5)
    line.at(60).act("expire_silence", f"silence:{name}")
    assert (stored(line, name).ends_at, line.alert("a").silenced_by) == (at(60), ())
    assert line.incident("a").muted == 0


def test_a_pending_one_that_is_expired_never_begins(line: Line) -> None:
    line.fire("a")
    name = silence(line, starts_at=at(600).isoformat(), ends_at=at(900).isoformat())
    line.at(60).act("expire_silence", f"silence:{name}")
    assert line.at(700).tick().alert("a").silenced_by == ()
    assert line.restart().tick().alert("a").silenced_by == ()


def test_a_silence_of_another_tenant_mutes_nothing_here(line: Line) -> None:
    other = Line(tenant=TenantId("other"))
    other.book, other.store = line.book, line.store
    silence(line, minutes=5)
    assert other.fire("a").silenced_by == ()


# -- inhibition


def rule(source: str = 'level="root"', target: str = 'level="leaf"', equal: Sequence[str] = ("site",)) -> InhibitRule:
    return inhibit_rule("root over leaf", parse_matchers(source), parse_matchers(target), equal)


def fire(line: Line, key: str, level: str, site: str = "Depot", **given: Any) -> None:
    labels = {"alertname": key, "level": level} | ({"site": site} if site else {})
    line.fire(key, labels=labels, site=site, **given)


@pytest.fixture
def ruled() -> Line:
    return Line(Rules(inhibitions=(rule(),)))


@pytest.mark.parametrize("order", [("root", "leaf"), ("leaf", "root")], ids=["source first", "target first"])
def test_a_source_inhibits_its_targets(ruled: Line, order: tuple[str, str]) -> None:
    for level in order:
        fire(ruled, level, level)
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("root").id,)
    assert ruled.alert("root").inhibited_by == ()
    assert is_muted(ruled.alert("leaf"))
    assert ruled.incident("leaf").muted == 1


def test_source_and_target_in_one_delivery(ruled: Line) -> None:
    rows = [signal(level, labels={"level": level, "site": "Depot"}) for level in ("leaf", "root")]
    ruled.take(*rows)
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("root").id,)


def test_equal_labels_must_be_equal(ruled: Line) -> None:
    fire(ruled, "root", "root", "Depot")
    fire(ruled, "leaf", "leaf", "Harbour")
    assert ruled.alert("leaf").inhibited_by == ()


def test_equal_labels_must_be_there(ruled: Line) -> None:
    fire(ruled, "root", "root", "")
    fire(ruled, "leaf", "leaf", "")
    assert ruled.alert("leaf").inhibited_by == ()


def test_a_rule_without_equal_labels_reaches_everywhere() -> None:
    line = Line(Rules(inhibitions=(rule(equal=()),)))
    fire(line, "root", "root", "Depot")
    fire(line, "leaf", "leaf", "Harbour")
    assert line.alert("leaf").inhibited_by == (line.alert("root").id,)


def test_what_only_it_muted_speaks_again_when_the_source_ends(ruled: Line) -> None:
    fire(ruled, "root", "root")
    fire(ruled, "leaf", "leaf")
    ruled.at(60).resolve("root")
    assert ruled.alert("leaf").inhibited_by == ()
    assert ruled.incident("leaf").muted == 0


def test_a_source_that_fires_again_inhibits_again(ruled: Line) -> None:
    fire(ruled, "root", "root")
    fire(ruled, "leaf", "leaf")
    ruled.at(60).resolve("root")
    fire(ruled.at(70), "root", "root")
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("root").id,)


def test_two_sources_one_of_which_ends(ruled: Line) -> None:
    for key in ("root", "trunk"):
        fire(ruled, key, "root")
    fire(ruled, "leaf", "leaf")
    both = tuple(sorted(ruled.alert(key).id for key in ("root", "trunk")))
    assert ruled.alert("leaf").inhibited_by == both
    ruled.at(60).resolve("root")
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("trunk").id,)
    assert ruled.incident("leaf").muted == 1
    ruled.at(70).resolve("trunk")
    assert ruled.alert("leaf").inhibited_by == ()


def test_a_restart_keeps_inhibition(ruled: Line) -> None:
    fire(ruled, "root", "root")
    fire(ruled, "leaf", "leaf")
    ruled.restart().tick(1)
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("root").id,)
    ruled.at(60).resolve("root")
    assert ruled.alert("leaf").inhibited_by == ()


@pytest.mark.parametrize("restart", [True, False], ids=["restart", "reload"])
def test_rules_that_are_gone_mute_no_longer_and_new_ones_do(restart: bool) -> None:
    line = Line(Rules(inhibitions=(rule(),)))
    fire(line, "root", "root")
    fire(line, "leaf", "leaf")
    for rules, muted in ((Rules(), False), (Rules(inhibitions=(rule(),)), True)):
        if restart:
            line.restart(rules).tick(1)
        else:
            line.rules = rules
            line.put(line.envelope(EnvelopeKind.RULES, None))
        assert bool(line.alert("leaf").inhibited_by) is muted
        assert line.incident("leaf").muted == int(muted)


def test_nothing_inhibits_itself() -> None:
    line = Line(Rules(inhibitions=(rule('level="root"', 'level=~"root|leaf"'),)))
    fire(line, "only", "root")
    assert line.alert("only").inhibited_by == ()


def test_those_on_both_sides_do_not_mute_each_other() -> None:
    line = Line(Rules(inhibitions=(rule('level="root"', 'level=~"root|leaf"'),)))
    fire(line, "one", "root")
    fire(line, "two", "root")
    fire(line, "leaf", "leaf")
    assert (line.alert("one").inhibited_by, line.alert("two").inhibited_by) == ((), ())
    assert line.alert("leaf").inhibited_by == (line.alert("one").id, line.alert("two").id)


def test_a_silenced_source_still_inhibits(ruled: Line) -> None:
    fire(ruled, "root", "root")
    silence(ruled, 'level="root"', minutes=5)
    fire(ruled, "leaf", "leaf")
    assert ruled.alert("leaf").inhibited_by == (ruled.alert("root").id,)


# -- maintenance windows


def window(days: str = "0123456", start: int = 0, end: int = 60, zone: str = "UTC") -> Window:
    return Window(
        name="patching",
        matchers=parse_matchers('site="Depot"'),
        days=frozenset(int(day) for day in days),
        start_minute=start,
        end_minute=end,
        time_zone=zone,
    )


def utc(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def held(of: Window, *moments: datetime) -> list[bool]:
    return [bool(list(occurrences(of, moment))) for moment in moments]


def test_a_window_holds_from_its_start_until_before_its_end() -> None:
    of = window(start=13 * 60, end=14 * 60)
    moments = [utc(5, 4, 12, 59), utc(5, 4, 13), utc(5, 4, 13, 59), utc(5, 4, 14)]
    assert held(of, *moments) == [False, True, True, False]


def test_a_window_begins_on_its_days_only() -> None:
    of = window("1", start=13 * 60, end=14 * 60)  # Tuesdays
    assert held(of, utc(5, 4, 13, 30), utc(5, 5, 13, 30)) == [False, True]


def test_an_overnight_window_belongs_to_the_day_it_begins() -> None:
    of = window("0", start=22 * 60, end=4 * 60)  # Monday night
    moments = [utc(5, 4, 3), utc(5, 4, 21, 59), utc(5, 4, 22), utc(5, 5, 3, 59), utc(5, 5, 4), utc(5, 5, 23)]
    assert held(of, *moments) == [False, False, True, True, False, False]


def test_a_window_keeps_to_the_wall_clock_over_a_clock_change() -> None:
    of = window(start=13 * 60, end=14 * 60, zone=BERLIN)
    assert held(of, utc(3, 28, 12, 30), utc(3, 28, 11, 30)) == [True, False]  # winter: UTC+1
    assert held(of, utc(3, 29, 11, 30), utc(3, 29, 12, 30)) == [True, False]  # summer: UTC+2


def test_an_overnight_window_is_an_hour_shorter_in_spring_and_longer_in_autumn() -> None:
    of = window(start=22 * 60, end=6 * 60, zone=BERLIN)
    (spring,) = occurrences(of, utc(3, 29, 0))
    (autumn,) = occurrences(of, utc(10, 25, 0))
    assert spring == (utc(3, 28, 21), utc(3, 29, 4))
    assert autumn == (utc(10, 24, 20), utc(10, 25, 5))
    assert (spring[1] - spring[0], autumn[1] - autumn[0]) == (timedelta(hours=7), timedelta(hours=9))


def test_a_window_in_the_hour_that_is_skipped_happens_once() -> None:
    of = window(start=2 * 60 + 15, end=2 * 60 + 45, zone=BERLIN)  # 29 March has no 02:15
    minutes = [utc(3, 29, 0) + timedelta(minutes=step) for step in range(180)]
    found = {span for moment in minutes for span in occurrences(of, moment)}
    assert found == {(utc(3, 29, 1, 15), utc(3, 29, 1, 45))}


def test_a_window_in_the_hour_that_is_repeated_happens_once() -> None:
    of = window(start=2 * 60 + 15, end=2 * 60 + 45, zone=BERLIN)  # 25 October has 02:15 twice
    minutes = [utc(10, 25, 0) + timedelta(minutes=step) for step in range(180)]
    found = {span for moment in minutes for span in occurrences(of, moment)}
    assert found == {(utc(10, 25, 0, 15), utc(10, 25, 0, 45))}


def test_maintenance_mutes_and_lets_go_by_itself() -> None:
    line = Line(Rules(maintenance=(window(start=12 * 60 + 10, end=12 * 60 + 20),)))
    line.fire("a")
    line.fire("b", site="Harbour")
    assert line.at(599).tick().alert("a").silenced_by == ()
    name = "maintenance/patching/2026-05-04T12:10"
    assert line.at(600).tick().alert("a").silenced_by == (name,)
    assert line.alert("b").silenced_by == ()
    assert (stored(line, name).starts_at, stored(line, name).ends_at) == (at(600), at(1200))
    assert line.at(900).fire("c").silenced_by == (name,)
    assert line.at(1200).tick().alert("a").silenced_by == ()


def test_maintenance_begins_once_also_over_restarts_and_when_ended_early() -> None:
    line = Line(Rules(maintenance=(window(start=12 * 60, end=13 * 60),)))
    line.tick(1).restart().tick(1)
    (name,) = (name for _, name in line.store.silences)
    line.act("expire_silence", f"silence:{name}")
    line.restart()
    for _ in range(4):
        line.tick(600)
    assert line.fire("a").silenced_by == ()
    assert [found for _, found in line.store.silences] == [name]
    assert stored(line, name).ends_at == T0 + timedelta(seconds=2)


def test_maintenance_comes_back_the_next_day() -> None:
    line = Line(Rules(maintenance=(window(start=12 * 60, end=13 * 60),)))
    line.tick(1)
    line.at(86_400).tick()
    assert len(line.store.silences) == 2
