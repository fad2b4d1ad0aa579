"""Which alerts come together, and which do not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from data.records import Severity
from engine.rules import Rules
from engine.similarity.cosine import similarity
from engine.similarity.features import features
from tests.fakes.line import Line, at, like, signal, unlike
from tests.fakes.outages import outage


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_related_alerts_are_three_clusters_at_most(seed: int) -> None:
    line = Line()
    for row in outage("Harbour 2", 100, random.Random(seed)):
        line.take(row)
    assert len(line.book.clusters) <= 3
    assert sum(incident.alerts for incident in line.incidents()) == 100


def test_two_sites_in_the_same_minutes_stay_apart() -> None:
    dice = random.Random(1)
    line = Line()
    rows = outage("Harbour 2", 60, dice) + outage("Clinic 7", 60, dice)
    for row in sorted(rows, key=lambda row: row.starts_at):
        line.take(row)
    assert all(len(incident.sites) == 1 for incident in line.incidents())
    assert len(line.incidents()) <= 6


def test_unrelated_alerts_in_the_same_minute_stay_apart() -> None:
    line = Line()
    line.take(*(unlike(key) for key in "abcdefgh"))
    assert len(line.incidents()) == 8


def test_the_window_slides_by_event_time() -> None:
    line = Line()
    line.take(signal("a", 0), signal("b", 1700), signal("c", 3400))
    assert len(line.incidents()) == 1
    line.take(signal("d", 3400 + 1801))
    assert len(line.incidents()) == 2


def test_late_news_joins_where_it_belongs_by_its_own_time() -> None:
    line = Line()
    line.at(3000).take(signal("a", 3000))
    line.at(3100).take(signal("b", 2000))
    assert line.alert("b").cluster == line.alert("a").cluster
    assert line.cluster("a").opened_at == at(2000)


def test_a_full_cluster_goes_on_in_a_linked_successor() -> None:
    line = Line(Rules(cap_alerts=5))
    for number in range(12):
        line.take(signal(f"{number}", number))
    first, second, third = sorted(line.book.clusters.values(), key=lambda found: found.id)
    assert [found.alerts for found in (first, second, third)] == [5, 5, 2]
    assert (first.closed, first.successor, second.predecessor) == (True, second.id, first.id)
    one, two, three = line.incidents()
    assert (one.successor, two.predecessor, two.successor, three.predecessor) == (two.id, one.id, three.id, two.id)
    assert line.alert("5").why[-1].code == "opened_cap"
    assert "continued" in line.told(one.id)


def test_the_cap_in_hours_counts_too() -> None:
    line = Line(Rules(cap_seconds=3600.0))
    for number in range(8):
        line.at(number * 900).take(signal(f"{number}", number * 900))
    assert len(line.incidents()) == 2
    assert line.incidents()[0].successor == line.incidents()[1].id


def test_what_is_all_but_the_same_is_folded_away_and_still_counted() -> None:
    line = Line()
    for number in range(10):
        line.take(signal(f"{number}", number, entity="one"))
    incident = line.incident("0")
    assert incident.suppressed > 5
    assert incident.alerts == 10
    assert line.cluster("0").suppressed == incident.suppressed
    assert line.alert("9").why[-1].code == "suppressed_similar"


@pytest.mark.parametrize("change", [{"severity": Severity.CRITICAL}, {"site": "Harbour", "correlation": "trace-1"}])
def test_a_rise_or_a_new_site_is_never_folded_away(change: dict[str, Any]) -> None:
    line = Line(Rules(join_at=0.3, suppress_above=0.4))
    for number in range(5):
        line.take(signal(f"{number}", number, entity="one", correlation="trace-1"))
    line.take(like(signal("new", 6, entity="one", correlation="trace-1"), **change))
    assert line.alert("new").cluster == line.alert("0").cluster
    assert not line.alert("new").suppressed


def test_a_resolved_incident_takes_no_new_alert() -> None:
    line = Line()
    line.fire("a")
    line.act("resolve", f"incident:{line.incident('a').id}")
    line.at(10).fire("b")
    assert line.incident("b").id != line.incident("a").id


def test_reasons_name_the_numbers_that_decided() -> None:
    line = Line()
    line.fire("a")
    facts = line.at(5).fire("b").why[-1].facts
    assert facts["cluster"] == line.alert("a").cluster
    score = facts["score"]
    assert isinstance(score, float)
    assert 0.75 <= score <= 1.0
    assert (facts["join_at"], facts["gap_seconds"]) == (0.75, 5)


def test_missing_features_are_not_equal_features() -> None:
    line = Line()
    bare = {"site": "", "entity": "", "entity_type": "", "labels": {"alertname": "x"}}
    line.take(signal("a", name="DiskFull", title="disk full on volume", **bare))
    line.take(signal("b", name="CertExpires", title="certificate ends soon", **bare))
    assert len(line.incidents()) == 2


def test_similarity_is_one_to_itself_and_falls_with_the_gap() -> None:
    line = Line()
    alert = line.fire("a")
    vector = features(alert)
    scores = [similarity(vector, line.cluster("a"), gap) for gap in (0.0, 300.0, 1800.0)]
    assert scores[0] == pytest.approx(1.0)
    assert scores == sorted(scores, reverse=True)
