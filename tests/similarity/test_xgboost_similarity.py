"""The learned method in the line: outages come together, chatter stays apart, caps and rises hold, it says why."""

from __future__ import annotations

import random
from datetime import timedelta
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from data.nouns.world import Device
from data.records import DEFAULT_TENANT, Severity
from engine.models.refused import ModelRefused
from engine.models.registry import SHIPPED, Registry
from engine.models.serving import Models
from engine.ports import EnvelopeKind
from engine.reason_words import reason_words
from engine.rules import Rules
from engine.similarity import figures, keeping, links, quality, scenarios, stream
from engine.similarity.choice import chosen, method_of
from engine.similarity.cosine import Cosine
from engine.similarity.method import Method, Streaming
from engine.similarity.recording import replay
from engine.similarity.scratch import Scratch
from engine.similarity.topology import Topology
from engine.similarity.xgboost_similarity import XgboostSimilarity
from engine.stages.cluster import candidates
from tests.fakes.line import Line, at, signal, unlike
from tests.fakes.outages import outage


def pairwise(method: Method | Streaming, seed: int) -> dict[str, float]:
    lines = scenarios.recording(seed, days=1.0, outages=12, chatter=1500)
    taken = replay(Scratch(Rules(method=method), lean=True), lines)
    return quality.pairs(taken.truths, taken.homes)


@pytest.mark.parametrize("seed", [101, 102])
def test_among_much_chatter_it_tells_outages_better_than_cosine(learned: Streaming, seed: int) -> None:
    ours, theirs = pairwise(learned, seed), pairwise(Cosine(), seed)
    assert ours["f1"] > max(0.6, theirs["f1"])


def test_what_is_like_nothing_opens_a_cluster_of_its_own(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    for number, key in enumerate("abcdefgh"):
        line.at(number).take(unlike(key, number))
    assert len(line.incidents()) == 8


def test_a_full_cluster_goes_on_in_a_linked_successor(learned: Streaming) -> None:
    line = Line(Rules(method=learned, cap_alerts=5))
    for number in range(12):
        line.at(number).take(signal(f"{number}", number, entity="one"))
    first, second, third = sorted(line.book.clusters.values(), key=lambda found: found.id)
    assert [found.alerts for found in (first, second, third)] == [5, 5, 2]
    assert (first.closed, first.successor, second.predecessor) == (True, second.id, first.id)
    assert first.method == "xgboost_similarity"


def test_the_window_slides_and_ends(learned: Streaming) -> None:
    line = Line(Rules(method=learned, window_seconds=600.0))
    for moment in (0, 250, 500, 1200):
        line.at(moment).take(signal(f"{moment}", moment, entity="one"))
    assert line.alert("500").incident == line.alert("0").incident != line.alert("1200").incident


def test_a_rise_is_never_folded_away(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    for number in range(5):
        line.at(number).take(signal(f"{number}", number, entity="one"))
    assert line.alert("4").suppressed
    line.at(6).take(signal("worse", 6, entity="one", severity=Severity.CRITICAL))
    assert line.alert("worse").cluster == line.alert("0").cluster and not line.alert("worse").suppressed


def test_the_reason_names_figures_and_what_would_have_changed_it(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    line.fire("a", name="PowerLost", title="power lost", entity="panel-1")
    alert = line.at(400).fire("b", name="PowerLost", title="power lost", entity="panel-1")
    (reason,) = alert.why
    told = reason_words(reason)
    assert any(name.startswith("f_") for name in reason.facts)
    assert "its entity" in told and f"{reason.facts['join_at']:.2f}" in told


def test_a_dropped_draft_leaves_no_trace(learned: Streaming) -> None:
    from engine import pipeline
    from engine.ports import EnvelopeKind

    line = Line(Rules(method=learned))
    line.take(signal("a", 0), signal("b", 1, name="Other"))
    before = {name: dict(table) for name, table in line.book.derived.items()}
    envelope = line.envelope(EnvelopeKind.SIGNALS, (signal("c", 2, name="Third"),))
    draft = line.draft(envelope)
    pipeline.run(draft, envelope)
    draft.drop()
    assert {name: table for name, table in line.book.derived.items() if table} == {
        name: table for name, table in before.items() if table
    }


def test_a_burst_in_any_order_is_one_incident(learned: Streaming) -> None:
    """What holds of order: the burst's alerts share type and site, so whichever comes first opens what all join."""
    rows = [signal(f"{number}", number * 10, entity=f"cam-{number % 3}") for number in range(12)]
    for seed in range(4):
        random.Random(seed).shuffle(rows)
        line = Line(Rules(method=learned))
        for row in rows:
            line.now = max(line.now, row.starts_at)
            line.take(row)
        assert len(line.incidents()) == 1


def test_rare_types_mark_their_cluster_and_survive_a_restart(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    for number in range(400):
        line.at(number * 30).take(signal(f"c{number}", number * 30, name="Common", site=f"s{number % 9}", entity="x"))
    line.at(12_001).take(signal("rare", 12_001, name="NeverSeen", site="s1"))
    found = line.cluster("rare").centroid
    assert found[figures.RARE_AT] == at(12_001).timestamp() and figures.HOT + "s1" in found
    token = (line.tenant, figures.HOT + "s1")
    before = line.book.candidates[token]
    assert line.restart().book.candidates[token] == before


class Failing:
    """Trees that fail in use."""

    def part(self, names: Any) -> None:
        return None

    def margin(self, row: Any) -> float:
        raise ModelRefused("nan", "the model's answer is not a number")


def test_a_model_that_fails_in_use_gives_way_to_cosine(learned: Streaming) -> None:
    method = XgboostSimilarity(Failing(), 0.5)  # type: ignore[arg-type]
    line = Line(Rules(method=method))
    line.fire("a", entity="one")
    alert = line.at(400).fire("b", entity="one")
    assert alert.incident == line.alert("a").incident
    assert alert.why[-1].facts["fallback"] == method.trouble != ""
    assert "does not serve" in reason_words(alert.why[-1])


def test_a_missing_model_is_cosine_with_a_banner(tmp_path: Path) -> None:
    models = Models(Registry(tmp_path, shipped=tmp_path / "none"))
    method = chosen("xgboost_similarity", models)
    assert method.name == "cosine"
    line = Line(Rules(method=method))
    assert "fallback" in line.fire("a").why[-1].facts
    assert any("clustering" in banner for banner in models.banners())
    assert chosen("cosine", Models(Registry(tmp_path))).name == "cosine"


def test_what_nothing_ties_is_not_scored_unless_the_model_may_join_it() -> None:
    served = Models(Registry(SHIPPED)).serve("clustering")
    assert served is not None and served.manifest.facts["apart_most"] < 0.3
    for most, scored in ((0.1, False), (1.0, True)):
        line = Line(Rules(method=XgboostSimilarity(served.trees, 0.3, most)))
        line.fire("there", site="North", entity="one")
        tied = line.at(400).fire("same entity", site="South", entity="one").why[-1]
        assert "best_score" in tied.facts or tied.facts.get("score")
        apart = line.at(800).fire("apart", site="West", entity="two").why[-1]
        assert ("best_score" in apart.facts) is scored and apart.facts["tried"]
        assert "open group" in reason_words(apart)


def test_an_unknown_method_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cosine"):
        method_of("guess", tmp_path)


def test_linked_entities_are_looked_at_and_close() -> None:
    lab = Topology([("port 1", "switch"), ("port 2", "switch"), ("far", "elsewhere")])
    assert lab.distance("port 1", ("port 2",)) == 2
    assert lab.distance("port 1", ("far",)) == 4
    hub = Topology([(f"leaf {number}", "hub") for number in range(200)])
    assert hub.neighbours("hub") == () and hub.distance("leaf 1", ("leaf 2",)) == 4


def test_the_tables_of_the_stream_are_bounded(learned: Streaming, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.similarity import stream

    monkeypatch.setattr(stream, "LIMITS", dict.fromkeys(stream.LIMITS, 10))
    line = Line(Rules(method=learned))
    for number in range(40):
        line.at(number).take(
            signal(f"k{number}", number, name=f"Type{number}", site=f"s{number}", title=f"word{number} x")
        )
    assert all(len(line.book.derived[name]) <= 10 for name in stream.LIMITS if name in line.book.derived)


def test_gaps_are_told_in_event_time(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    line.take(signal("a", 0, entity="one"))
    line.now = at(0) + timedelta(seconds=5)
    line.take(signal("b", 200, entity="one"))
    assert line.alert("b").why[-1].facts["gap_seconds"] == 200


def device(id: str, parent: str) -> Device:
    return Device(tenant=DEFAULT_TENANT, id=id, at=at(0), parent=parent)


def hang(line: Line, *devices: Device) -> None:
    """As events of the world would have it."""
    for one in devices:
        line.book.nouns["devices"][line.tenant, one.id] = one


def test_clusters_of_linked_devices_are_found_and_told_how_far(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    hang(line, device("camera", "switch"), device("reader", "switch"), device("switch", "router"))
    line.fire("a", name="CameraOffline", title="camera lost", site="North", entity="camera")
    first = line.cluster("a")
    assert links.UNDER + "switch" in first.centroid
    draft = line.draft(line.envelope(EnvelopeKind.TICK, None))
    for entity, steps in (("reader", 2.0), ("switch", 1.0), ("camera", 0.0), ("stranger", None)):
        alert = replace(line.alert("a"), entity=entity, site="South", name="Other")
        chain = links.above(draft, alert)
        found = links.distance(first.centroid, links.steps_to(alert, chain), bool(chain))
        assert isnan(found) if steps is None else found == steps
        offered = candidates(draft, alert, "p:nothing", learned.tokens(draft, alert))
        assert (first.id in [one.cluster.id for one in offered]) == (entity != "stranger"), entity


def test_a_loop_of_parents_ends(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    hang(line, device("one", "other"), device("other", "one"))
    alert = line.fire("a", entity="one")
    draft = line.draft(line.envelope(EnvelopeKind.TICK, None))
    assert links.above(draft, alert) == ("other",)


def test_what_was_learned_of_the_stream_survives_a_restart(learned: Streaming) -> None:
    line = Line(Rules(method=learned))
    for number in range(300):
        moment = number * 10.0
        line.at(moment).take(signal(f"k{number}", moment, name=f"Type{number % 7}", title=f"word{number % 7} lost"))
        line.tick()
    for _ in range(20):
        line.tick(60.0)
    before = {name: dict(line.book.derived[name]) for name in keeping.KEPT}
    line.restart(line.rules)
    line.fire("after", name="Type3", title="word3 lost")
    after = line.book.derived
    assert after[stream.WHOLE] == {line.tenant: before[stream.WHOLE][line.tenant] + 1}
    assert after[stream.TYPES][line.tenant, "Type3"][0] == before[stream.TYPES][line.tenant, "Type3"][0] + 1
    assert after[stream.PAIRS] == before[stream.PAIRS] and after[stream.WORDS] == before[stream.WORDS]
    place = (line.tenant, "Depot")
    assert after[stream.PLACES][place].alerts == before[stream.PLACES][place].alerts + 1


@given(order=st.permutations(range(24)), learns=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_within_lateness_does_not_change_what_comes_together(
    learned: Streaming, order: list[int], learns: bool
) -> None:
    """Bursts of one type at each of three sites, taken in any order within two minutes, are three incidents."""
    rows = [
        signal(f"{number}", 5.0 * (number // 3), site=f"site {number % 3}", entity=f"cam-{number % 3}-{number % 2}")
        for number in range(24)
    ]
    line = Line(Rules(method=learned) if learns else Rules())
    for moment, number in enumerate(order):
        line.at(120.0 + moment).take(rows[number])
    homes: dict[int, set[str]] = {}
    for row in rows:
        homes.setdefault(line.alert(row.key).incident, set()).add(row.site)
    assert sorted(map(sorted, homes.values())) == [["site 0"], ["site 1"], ["site 2"]]
    assert {cluster.opened_at for cluster in line.book.clusters.values()} == {at(0)}


@pytest.mark.parametrize("warm", [0, 400])
@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_related_alerts_are_few_clusters(learned: Streaming, seed: int, warm: int) -> None:
    """An outage of many types at one site, on an engine that has seen nothing yet, and on one that knows chatter."""
    dice = random.Random(seed)
    line = Line(Rules(method=learned))
    for number in range(warm):
        moment = -20.0 * (warm - number) - 4000.0
        chatter = {"name": f"Chatter{number % 3}", "title": f"chatter {number % 3}", "site": f"s{number % 9}"}
        line.at(moment).take(signal(f"chatter {number}", moment, entity=f"x{number % 9}", **chatter))
    before = len(line.book.clusters)
    rows = outage("Harbour 2", 100, dice)
    for row in rows:
        line.now = row.starts_at
        line.take(row)
    homes = {line.alert(row.key).cluster for row in rows}
    assert len(homes) < 15 and len(line.book.clusters) - before < 15
