"""Why: the decisions of the line in words, each with the facts that decided."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from data.matchers import parse_matchers
from data.records import Reason, Severity
from engine.reasons import ReasonCode
from engine.rules import Rules, inhibit_rule
from engine.why import why_alert, why_incident
from tests.fakes.line import Line, at


@pytest.fixture
def line() -> Line:
    return Line()


def of_alert(line: Line, key: str = "a") -> list[dict[str, Any]]:
    return why_alert(line.alert(key), line.book.silences.get(line.tenant, {}), line.now)


def of_incident(line: Line, key: str = "a") -> list[dict[str, Any]]:
    return why_incident(line.incident(key), line.now)


def words(lines: list[dict[str, Any]]) -> list[str]:
    return [row["words"] for row in lines]


# -- clusters


def test_an_opening_without_candidates(line: Line) -> None:
    line.fire("a")
    (row,) = of_alert(line)
    assert (row["about"], row["code"]) == ("A-1", "opened_no_match")
    nothing = "starts an incident of its own: no group with its type, site, device or correlation id was open"
    assert row["words"] == nothing
    assert row["facts"] == {"tried": 0, "join_at": 0.75}


def test_an_opening_names_what_came_closest(line: Line) -> None:
    first = line.fire("a")
    score = line.fire("b", site="Harbour").why[-1].facts["best_score"]
    assert isinstance(score, float)
    assert words(of_alert(line, "b")) == [
        f"starts an incident of its own: C-{first.cluster} came closest of 1 open group, {score:.2f} alike; "
        "from 0.75 on it would have joined"
    ]


def test_a_join_says_how_alike_and_how_far_apart(line: Line) -> None:
    first = line.fire("a")
    joined = line.at(30).fire("b", name="HighCpu", title="processor busy")
    score = joined.why[-1].facts["score"]
    assert words(of_alert(line, "b")) == [
        f"joined C-{first.cluster}: {score} alike, 30 s from its last alert; below 0.75 it would stand alone"
    ]


def test_a_folded_one_says_into_what(line: Line) -> None:
    first = line.fire("a", entity="one")
    line.fire("b", entity="one")
    assert words(of_alert(line, "b")) == [
        f"folded into C-{first.cluster} as a near repeat: 1.00 alike, at the same time as its last alert; "
        "a higher severity or a new site would have kept it in the list"
    ]


def test_a_successor_says_what_was_full() -> None:
    line = Line(Rules(cap_alerts=1))
    first = line.fire("a")
    line.fire("b")
    text = words(of_alert(line, "b"))[0]
    assert text.startswith(f"starts a successor: C-{first.cluster}, 0.") and "at most 1 alert, or" in text
    assert f"goes on from I-{first.incident}, which was full" in words(of_incident(line, "b"))


# -- what mutes


def test_a_silence_says_until_when_by_whom_and_why(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=5, comment="new cable")
    row = of_alert(line)[-1]
    assert (row["code"], row["words"]) == ("silenced", "silenced until 12:05 by ana: new cable")


def test_a_silence_that_is_over_says_nothing_before_any_tick(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=5)
    assert [row["code"] for row in of_alert(line.at(300))] == ["opened_no_match"]


def test_inhibition_names_each_source() -> None:
    rule = inhibit_rule("r", parse_matchers('level="root"'), parse_matchers('level="leaf"'), ("site",))
    line = Line(Rules(inhibitions=(rule,)))
    for key, level in (("a", "leaf"), ("b", "root"), ("c", "root")):
        line.fire(key, labels={"level": level, "site": "Depot"})
    assert words(of_alert(line))[-2:] == [f"inhibited while A-{line.alert(key).id} fires" for key in "bc"]


def test_a_shelf_says_until_when(line: Line) -> None:
    line.fire("a")
    line.act("shelve", f"alert:{line.alert('a').id}", minutes=5)
    assert words(of_alert(line))[-1] == "shelved until 12:05"
    assert len(of_alert(line.at(300))) == 1


def test_flapping_and_a_wrong_clock_are_said(line: Line) -> None:
    line.fire("a")
    restless = replace(line.alert("a"), flapping=True, transitions=(1, 2, 3), skewed=True)
    assert words(why_alert(restless, {}, line.now))[-2:] == [
        "flapping: 3 changes between firing and over lately",
        "its sender's clock is more than five minutes ahead",
    ]


# -- its end and its moves


def test_how_it_ended(line: Line) -> None:
    line.fire("a")
    line.fire("b", ends_at=at(240))
    line.fire("c")
    line.at(60).resolve("a")
    line.at(240).tick()
    line.act("resolve", f"incident:{line.incident('c').id}")
    assert [words(of_alert(line, key))[-1] for key in "abc"] == [
        "over: its source said so",
        "over: no news of it until its end time",
        "ended by an operator; repeats stay muted until its source resolves it",
    ]


def test_a_merge_and_a_split_say_from_where_and_by_whom() -> None:
    line = Line(Rules(join_at=1.01))
    first, second = line.fire("a").incident, line.fire("b").incident
    line.act("merge", f"incident:{first}", f"incident:{second}")
    assert words(of_alert(line, "b"))[-1] == f"moved here from I-{second} by ana"
    assert words(why_incident(line.book.incidents[second], line.now))[-1] == f"merged into I-{first}"
    line.act("split", f"alert:{line.alert('b').id}")
    assert words(of_alert(line, "b"))[-1] == f"taken out of I-{first} by ana"


# -- the priority


def test_the_parts_of_the_priority_come_largest_first_and_add_up(line: Line) -> None:
    line.fire("a", severity=Severity.CRITICAL)
    lines = of_incident(line)
    assert words(lines)[1:] == [
        "priority 49 by formula; no model yet",
        "+45.0  severity",
        "+4.0  inside business hours",
        "outside business hours: priority 45",
    ]
    assert sum(row["facts"].get("points", 0.0) for row in lines) == line.incident("a").priority
    assert {row["about"] for row in lines} == {"I-1"}


def test_the_cap_of_what_is_muted_is_said(line: Line) -> None:
    line.fire("a", severity=Severity.CRITICAL)
    line.act("silence", matchers='host="a"', minutes=5)
    assert "-34.0  all that fires is muted: held at 15" in words(of_incident(line))


def test_sites_history_and_the_sla_are_said_with_their_numbers() -> None:
    line = Line(Rules(on_call=False, join_at=0.5))
    for _ in range(2):
        line.fire("a", severity=Severity.LOW)
        line.later(3600).resolve("a", severity=Severity.LOW)
        line.later(10)
    line.fire("a", correlation="x")
    line.fire("b", site="Harbour", correlation="x")
    line.later(1800)
    line.act("note", f"incident:{line.incident('a').id}", text="look")
    said = " | ".join(words(of_incident(line)))
    for text in ("2 sites affected", "2 past incidents of this kind", "took 1.0 h to resolve", "50% of the SLA time"):
        assert text in said
    assert "nobody is on call" in said


def test_who_acknowledged_and_until_when(line: Line) -> None:
    line.fire("a")
    line.act("ack", f"incident:{line.incident('a').id}", minutes=5)
    assert words(of_incident(line))[-1] == "acknowledged by ana, until 12:05"
    assert "acknowledged" not in [row["code"] for row in of_incident(line.at(300))]
    line.act("ack", f"incident:{line.incident('a').id}")
    assert words(of_incident(line))[-1] == "acknowledged by ana"


# -- what cannot be said in full


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_has_words_even_without_its_facts(line: Line, code: ReasonCode) -> None:
    line.fire("a")
    bare = replace(line.alert("a"), why=(Reason(code=code),))
    (text,) = words(why_alert(bare, {}, line.now))
    assert text
    assert "{" not in text


def test_hostile_facts_are_only_text(line: Line) -> None:
    line.fire("a")
    reason = Reason(code=ReasonCode.MERGED, facts={"from": "{by.__class__}", "by": "{0}"})
    assert words(why_alert(replace(line.alert("a"), why=(reason,)), {}, line.now)) == [
        "moved here from I-{by.__class__} by {0}"
    ]
