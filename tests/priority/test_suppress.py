"""Suppression rules, what they may never fold, and how often each rule took effect."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data.matchers import compile_matchers, parse_matchers
from data.nouns.priority import RuleHits
from data.records import Severity
from engine.reasons import ReasonCode
from engine.rules import KeyRule, Rules, SuppressRule, inhibit_rule
from engine.stages.hits import IDLE, idle
from tests.fakes.line import T0, Line, signal


def rules(**given: Any) -> Rules:
    match = compile_matchers(parse_matchers('alertname="Noisy"'))
    return Rules(suppress_above=1.01, suppressions=(SuppressRule(name="noise", match=match, **given),))


def noisy(line: Line, key: str, **given: Any) -> Any:
    return line.later(5).fire(key, **{"name": "Noisy", "entity": "db", "correlation": "c", "title": "noise", **given})


def hits(line: Line) -> dict[str, RuleHits]:
    return {id: record for (kind, _, id), record in line.store.nouns.items() if kind == "rules"}


def test_what_a_rule_matches_is_folded_counted_and_says_why() -> None:
    line = Line(rules())
    first, second = noisy(line, "a"), noisy(line, "b")
    assert first.incident == second.incident
    assert not first.suppressed
    assert second.suppressed
    assert second.why[-1].code == ReasonCode.SUPPRESSED_RULE
    assert second.why[-1].facts["rule"] == "noise"
    assert line.cluster("b").suppressed == 1
    assert line.incident("b").suppressed == 1
    assert line.incident("b").alerts == 2


@pytest.mark.parametrize("given", [{"severity": Severity.CRITICAL}, {"site": "Elsewhere"}])
def test_a_rise_and_a_new_site_are_never_folded(given: dict[str, Any]) -> None:
    line = Line(rules())
    first, second = noisy(line, "a"), noisy(line, "b", **given)
    if first.incident == second.incident:
        assert not second.suppressed


def test_a_rise_in_the_same_delivery_is_not_folded_either() -> None:
    line = Line(rules())
    same: dict[str, Any] = {"name": "Noisy", "entity": "db", "correlation": "c", "title": "noise"}
    line.take(signal("a", **same), signal("b", severity=Severity.CRITICAL, **same), signal("c", **same))
    assert [line.alert(key).suppressed for key in "abc"] == [False, False, True]


def test_only_from_its_likeness_on() -> None:
    line = Line(rules(above=1.0))
    noisy(line, "a")
    assert not noisy(line, "b", title="something else altogether").suppressed


def test_never_keeps_what_would_be_folded() -> None:
    match = compile_matchers(parse_matchers('alertname="Noisy"'))
    folding = Line(Rules())
    keeping = Line(Rules(suppressions=(SuppressRule(name="keep", match=match, never=True),)))
    for line in (folding, keeping):
        noisy(line, "a")
        noisy(line, "b")
    assert folding.alert("b").suppressed
    assert not keeping.alert("b").suppressed
    assert keeping.cluster("b").suppressed == 0


def test_every_rule_that_is_in_force_is_known_with_its_hits() -> None:
    line = Line(rules())
    noisy(line, "a")
    noisy(line, "b")
    line.tick(60)
    assert hits(line)["suppression/noise"].hits == 1
    noisy(line, "c")
    line.tick(60)
    assert hits(line)["suppression/noise"].hits == 2
    assert hits(line)["suppression/noise"].last_at == line.now


def test_a_rule_that_met_nothing_is_kept_with_none_and_is_pointed_out_later() -> None:
    line = Line(rules())
    line.fire("other")
    line.tick(60)
    found = hits(line)["suppression/noise"]
    assert (found.hits, found.last_at) == (0, None)
    assert idle([found], found.since + IDLE - timedelta(seconds=1)) == []
    assert idle([found], found.since + IDLE) == ["suppression 'noise' has matched nothing for 30 d"]


def test_silences_inhibition_and_dedup_rules_are_counted() -> None:
    rule = inhibit_rule(
        "by core", parse_matchers('alertname="CoreDown"'), parse_matchers('alertname="LinkDown"'), ("site",)
    )
    key = KeyRule(name="links", match=compile_matchers(parse_matchers('alertname="LinkDown"')))
    line = Line(Rules(inhibitions=(rule,), dedups=(key,)))
    line.act("silence", matchers=[{"name": "host", "value": "quiet", "isEqual": True, "isRegex": False}], **_hour())
    line.fire("core", name="CoreDown")
    line.fire("quiet")
    line.tick(60)
    found = hits(line)
    assert found["inhibition/by core"].hits == 1
    assert found["dedup/links"].hits == 1
    assert [record.hits for id, record in found.items() if id.startswith("silence/")] == [1]


def _hour() -> dict[str, Any]:
    return {"ends_at": (T0 + timedelta(hours=1)).isoformat(), "comment": "quiet"}


def test_hits_go_on_after_a_restart() -> None:
    line = Line(rules())
    noisy(line, "a")
    noisy(line, "b")
    line.tick(60)
    line.restart()
    noisy(line, "c")
    line.tick(60)
    assert hits(line)["suppression/noise"].hits == 2
