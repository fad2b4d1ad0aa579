"""Learning: the truth is kept from the line, the better model serves, operators' acts are labels."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from engine.models.refused import ModelRefused
from engine.models.registry import Registry
from engine.rules import Rules
from engine.similarity import causation, figures, quality, scenarios, scratch, training
from engine.similarity.causation import Network, Occurrence
from engine.similarity.cosine import Cosine
from engine.similarity.recording import Line, read, replay
from engine.similarity.scratch import Scratch
from engine.similarity.teacher import Pair
from engine.similarity.topology import Topology
from engine.similarity.xgboost_similarity import APART_MOST
from noc_console.commands.root import cli

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def small(seed: int) -> list[Line]:
    return scenarios.recording(seed, days=0.5, sites=4, outages=8, chatter=150)


def write(path: Path, lines: list[Line]) -> Path:
    rows = ({**line.row, "labels": {**line.row["labels"], "truth": line.truth}} for line in lines)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_truth_is_taken_off_before_the_line_sees_it() -> None:
    line = b'{"labels": {"alertname": "x", "truth": "i1"}, "startsAt": "2026-05-04T12:00:00Z"}\n'
    (found,) = read([line, b"\n", b"no json", b"[1]"])
    assert found.truth == "i1" and "truth" not in found.row["labels"]
    (other,) = read([b'{"title": "x", "group": 7}'], "group")
    assert other.truth == "7" and "group" not in other.row


def test_a_recording_becomes_incidents_with_their_truth() -> None:
    taken = replay(Scratch(Rules(method=Cosine())), small(5))
    assert len(taken.truths) == len(taken.homes) == taken.rows and taken.refused == 0
    assert len({truth for truth in taken.truths if truth}) == 8


def test_a_challenger_is_judged_beside_cosine_and_the_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_SCENARIOS", ())
    found = training.train([small(1)], what="a test", now=NOW)
    assert found.champion is None and set(found.metrics) == set(found.baseline)
    assert found.metrics["average_precision"] > found.metrics["base_rate"]
    assert found.offer.manifest.features == figures.FEATURES
    registry = Registry(tmp_path, shipped=tmp_path / "none", check=lambda folder: None)
    assert registry.offer(found.offer, NOW).promoted
    served = registry.load("clustering")
    again = training.train([small(1)], what="a test", now=NOW, champion=served.trees)
    assert again.champion is not None
    assert again.offer.champion_score == again.champion["average_precision"]


def test_a_lean_engine_forgets_what_can_no_longer_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = scenarios.recording(9, days=1.0, sites=4, outages=8, chatter=300)
    whole = replay(Scratch(Rules(method=Cosine()), lean=True), lines)
    monkeypatch.setattr(scratch, "_LEAN_ALERTS", 60)
    lean = Scratch(Rules(method=Cosine()), lean=True)
    taken = replay(lean, lines)
    assert (taken.truths, taken.homes) == (whole.truths, whole.homes)
    assert len(lean.book.alerts) < 120 < len(lines) and len(lean.book.clusters) < len(set(whole.homes))


def pairs_apart(count: int, same: bool) -> list[Pair]:
    row = [0.0] * len(figures.FEATURES)
    return [Pair(row, same and not number, 1.0, 0.0, 0.0, apart=True) for number in range(count)]


class Fitted:
    def predict(self, rows: list[list[float]]) -> list[float]:
        return [0.001 * number / len(rows) for number in range(len(rows))]


@pytest.mark.parametrize(("count", "same", "known"), [(2000, False, True), (2000, True, False), (20, False, False)])
def test_what_nothing_ties_is_passed_over_only_where_many_were_seen_and_none_the_same(
    count: int, same: bool, known: bool
) -> None:
    facts = training.apart_facts(pairs_apart(count, same), Fitted(), ())
    assert (APART_MOST in facts) is known


def test_a_hundred_pairs_teach_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two types that always come together, and a third that never belongs to them."""
    monkeypatch.setattr(training, "_SCENARIOS", ())
    kinds = (("pump", "PumpStopped", "pump stopped"), ("desk", "Complaint", "smells"), ("badge", "BadgeLost", "lost"))
    lines = [
        Line(
            {
                "name": name,
                "title": title,
                "site": f"plant {number % 4}",
                "host": f"{kind}-{number}",
                "startsAt": (NOW + timedelta(seconds=8000 * number + 30 * late)).isoformat(),
                "dedup_key": f"{kind} {number}",
            },
            "" if kind == "badge" else f"trouble {number}",
        )
        for number in range(27)
        for late, (kind, name, title) in enumerate(kinds)
    ]
    found = training.train([lines], what="a test", now=NOW)
    assert found.metrics["average_precision"] > max(0.9, found.baseline["average_precision"])


def test_too_little_truth_is_refused() -> None:
    with pytest.raises(ModelRefused, match="at least"):
        training.train([[line for line in small(1) if not line.truth]], what="noise", now=NOW)


def test_measures_against_known_values() -> None:
    truths, homes = ["a", "a", "b", "b", ""], [1, 1, 1, 2, 2]
    assert quality.pairs(truths, homes) == pytest.approx({"precision": 0.25, "recall": 0.5, "f1": 1 / 3})
    assert quality.adjusted_rand(["a", "a", "b", "b"], [5, 5, 7, 7]) == 1.0
    assert quality.adjusted_rand(["a", "a", "b", "b"], [1, 2, 1, 2]) < 0.0
    assert quality.best_matches(truths, homes)["a"] == pytest.approx((0.8, 1 / 3))
    assert quality.average_precision([True, False, True], [0.9, 0.8, 0.7], [1.0] * 3) == pytest.approx((1 + 2 / 3) / 2)


def test_evaluate_prints_one_object(tmp_path: Path) -> None:
    file = write(tmp_path / "day.jsonl", small(3))
    done = CliRunner().invoke(cli, ["evaluate", "clustering", str(file), "--data-dir", str(tmp_path)])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["alerts"] == found["rows"] and found["true_incidents"] == 8
    assert {"incidents", "noise_percent", "pairwise_f1", "adjusted_rand", "alerts_per_s"} <= found.keys()


def test_nothing_to_learn_from_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["train", "clustering", "--data-dir", str(tmp_path)])
    assert done.exit_code == 1 and "--from" in done.output


def test_models_are_listed_shown_and_rolled_back(tmp_path: Path) -> None:
    run = CliRunner().invoke
    listed = run(cli, ["model", "list", "--json", "--data-dir", str(tmp_path)])
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert {"name": "clustering", "version": "shipped", "serves": True}.items() <= rows[0].items()
    shown = json.loads(run(cli, ["model", "show", "clustering", "--data-dir", str(tmp_path)]).stdout)
    assert shown["loads"] is True and "CC BY" in shown["trained_on"]["licence"]
    back = run(cli, ["model", "rollback", "clustering", "--data-dir", str(tmp_path)])
    assert back.exit_code == 1 and "no other champion" in back.output


def test_merged_and_split_incidents_are_labels(tmp_path: Path) -> None:
    from data.learned_from import Stored
    from engine.similarity import operators

    bodies = [
        Stored(1, 10, {"name": "A", "why": [{"code": "opened_no_match"}]}),
        Stored(2, 10, {"name": "B", "why": [{"code": "merged", "facts": {"from": 11}}]}),
        Stored(3, 12, {"name": "C", "why": []}),
    ]
    assert set(operators._judged(bodies)) == {10, 11}


def test_causes_are_found_where_one_type_follows_the_other() -> None:
    def network(shift: int) -> Network:
        seen = []
        for number in range(120):
            at = number * 5000.0 + shift
            device = f"d{number % 7}"
            seen.append(Occurrence("power", device, at, at + 500))
            seen.append(Occurrence("link", device, at + 5, at + 400))
            seen.append(Occurrence("noise", f"d{(number * 3) % 7}", at + 2500, at + 2600))
        return Network(seen, Topology())

    target = causation.figures(network(0))
    scores = dict(zip(target.pairs, causation.score(target, [], linked=False), strict=True))
    assert max(scores, key=lambda pair: scores[pair]) == ("power", "link")
    assert causation.alike(target.habits, target.habits) == 0.0  # three types are too few to tell
