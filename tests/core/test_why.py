"""Why, in words: every reason that the line gives reads as a sentence with its numbers in it."""

from __future__ import annotations

from typing import Any

import pytest

from data.matchers import parse_matchers
from data.records import Reason
from engine.rules import Rules, inhibit_rule
from engine.why import why_alert, why_incident
from tests.fakes.line import Line, at, signal, unlike

GATE = inhibit_rule("gate", parse_matchers('alertname="GateDown"'), parse_matchers('alertname="LinkDown"'), ("site",))

NOTHING_ALIKE = "starts an incident of its own: no group with its type, site, device or correlation id was open"


@pytest.fixture
def line() -> Line:
    return Line(Rules(cap_alerts=3, inhibitions=(GATE,)))


def said(line: Line, key: str = "a") -> list[str]:
    silences = line.book.silences.get(line.tenant, {})
    return [entry["words"] for entry in why_alert(line.alert(key), silences, line.now)]


def told(line: Line, key: str = "a") -> dict[str, str]:
    return {entry["code"]: entry["words"] for entry in why_incident(line.incident(key), line.now)}


def test_opening_joining_and_folding(line: Line) -> None:
    line.take(unlike("x"))
    line.fire("a", entity="one")
    line.at(5).fire("b", entity="one")
    assert said(line, "x") == [NOTHING_ALIKE]
    assert said(line, "a")[0] == NOTHING_ALIKE
    assert "0.9" in said(line, "b")[0]
    assert f"C-{line.alert('a').cluster}" in said(line, "b")[0]


def test_the_closest_that_lost_is_named(line: Line) -> None:
    line.fire("a")
    line.fire("b", name="DiskFull", title="no room left on volume", site="Harbour", entity="a")
    if line.incident("a").id != line.incident("b").id:
        assert f"C-{line.alert('a').cluster} came closest of 1 open group, 0." in said(line, "b")[0]


def test_a_successor_says_whose(line: Line) -> None:
    for number in range(4):
        line.fire(f"{number}")
    assert said(line, "3")[0] == (
        f"starts a successor: C-{line.alert('0').cluster}, 0.96 alike, takes no more "
        "(at most 3 alerts, or it is too old); it would have joined otherwise"
    )
    assert told(line, "3")["opened_cap"].endswith(f"I-{line.incident('0').id}, which was full")


def test_mutes_name_who_and_until_when(line: Line) -> None:
    line.fire("a")
    line.act("silence", matchers='host="a"', minutes=10, comment="works on the roof")
    line.fire("gate", name="GateDown", title="gate down", entity="gate")
    line.act("shelve", f"alert:{line.alert('a').id}", minutes=20)
    words = said(line)
    assert "silenced until 12:10 by ana: works on the roof" in words
    assert f"inhibited while A-{line.alert('gate').id} fires" in words
    assert "shelved until 12:20" in words
    line.at(1300)
    assert not any("until" in text for text in said(line))


def test_ends_and_returns(line: Line) -> None:
    line.fire("a", ends_at=at(60))
    line.at(61).tick()
    assert said(line)[-1] == "over: no news of it until its end time"
    line.at(70).fire("a", 0)
    assert said(line)[-1] == "fired again while its incident was open"
    line.at(80).resolve("a")
    assert said(line)[-1] == "over: its source said so"
    line.at(90).resolve("late")
    line.fire("late", 0)
    assert "its end was known before its beginning" in "".join(said(line, "late"))


def test_moves_by_hand_name_who(line: Line) -> None:
    line.take(signal("a"), unlike("x"))
    one, other = line.incident("a").id, line.incident("x").id
    line.act("merge", f"incident:{one}", f"incident:{other}")
    assert said(line, "x")[-1] == f"moved here from I-{other} by ana"
    line.act("split", f"alert:{line.alert('x').id}")
    assert said(line, "x")[-1] == f"taken out of I-{one} by ana"


def test_the_priority_is_told_by_its_largest_parts_first(line: Line) -> None:
    line.fire("a")
    line.act("ack", f"incident:{line.incident('a').id}", minutes=5)
    lines = why_incident(line.incident("a"), line.now)
    points = [abs(entry["facts"]["points"]) for entry in lines if "points" in entry["facts"]]
    assert points == sorted(points, reverse=True)
    assert told(line)["acknowledged"] == "acknowledged by ana, until 12:05"
    assert told(line)["scored_formula"].startswith(f"priority {line.incident('a').priority:g} by formula")


@pytest.mark.parametrize("facts", [{}, {"cluster": "{0.__class__}"}, {"score": None}])
def test_strange_facts_are_words_and_nothing_more(line: Line, facts: dict[str, Any]) -> None:
    line.fire("a")
    from msgspec.structs import replace

    strange = replace(line.alert("a"), why=(Reason(code="joined_similar", facts=facts), Reason(code="from_the_future")))
    words = [entry["words"] for entry in why_alert(strange, {}, line.now)]
    assert words[1] == "from the future"
    assert "class '" not in words[0]
