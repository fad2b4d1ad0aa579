"""The contract of methods of clustering: the line asks the method that the rules name, and takes its word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data.records import Alert
from engine.config import Settings
from engine.rules import Rules, compile_rules
from engine.similarity import registry
from engine.similarity.features import Vector
from engine.similarity.method import Candidate, Match, Ranking, ranked
from tests.fakes.line import Line, signal


class ByEntity:
    """Alerts of one entity are one thing; keeps what it was offered."""

    name = "by_entity"

    def __init__(self) -> None:
        self.offered: list[list[Candidate]] = []

    def rank(self, alert: Alert, vector: Vector, candidates: Iterator[Candidate], rules: Rules) -> Ranking:
        self.offered.append(list(candidates))
        best = second = None
        for found in self.offered[-1]:
            score = 1.0 if "e:" + alert.entity in found.cluster.centroid else 0.1
            best, second = ranked(Match(found.cluster, score, found.gap), best, second)
        return Ranking(best, second, len(self.offered[-1]), 0.5, 2.0, {"entity": alert.entity})


def test_the_method_of_the_rules_decides_and_its_facts_are_the_reason() -> None:
    line = Line(Rules(method=ByEntity()))
    line.take(signal("a", 0, entity="one"), signal("b", 1, entity="two"), signal("c", 2, entity="one"))
    assert line.alert("b").cluster != line.alert("a").cluster == line.alert("c").cluster
    assert line.alert("c").why[-1].facts.items() >= {"entity": "one", "join_at": 0.5, "score": 1.0}.items()
    assert line.cluster("a").method == "by_entity"


def test_candidates_are_open_inside_the_window_each_once_and_few() -> None:
    method = ByEntity()
    line = Line(Rules(method=method))
    for number in range(40):
        line.take(signal(f"k{number}", number, entity=f"e{number}"))
    line.take(signal("far", 10_000, entity="e1"), signal("near", 10_001, entity="e2"))
    assert [len(offered) for offered in method.offered[-2:]] == [0, 1]
    numbers = [found.cluster.id for found in method.offered[39]]
    assert len(numbers) == len(set(numbers)) <= 10
    assert all(not found.cluster.closed for offered in method.offered for found in offered)


def test_a_candidate_that_holds_this_type_at_this_site_comes_first() -> None:
    method = ByEntity()
    line = Line(Rules(method=method))
    line.take(signal("a", 0, entity="one"), signal("b", 1, entity="two", name="Other"), signal("c", 2, entity="three"))
    assert [found.twin for found in method.offered[-1]] == [True, False]
    assert method.offered[-1][0].cluster.id == line.alert("a").cluster


@pytest.mark.parametrize("name", sorted(registry()))
def test_every_method_is_made_by_its_name(name: str) -> None:
    try:
        method = registry()[name].make()
    except ValueError as error:
        assert str(error)
        return
    assert method.name == name


def test_the_settings_choose_the_method() -> None:
    assert compile_rules(Settings()).method.name == "cosine"
    given = ByEntity()
    assert compile_rules(Settings(), given).method is given
