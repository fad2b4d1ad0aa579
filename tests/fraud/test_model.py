"""The model: its numbers, its explanation, its threshold, and what happens when it cannot serve."""

from __future__ import annotations

import random
import sys
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any

import msgspec
import pytest

from data.nouns.fraud import FraudPrediction
from data.records import DEFAULT_TENANT
from engine.fraud import heuristics, training
from engine.fraud.anomalies import Anomaly
from engine.fraud.features import FEATURES, Features
from engine.fraud.fitting import Fit, Table, TooFew, fit, platt
from engine.fraud.metrics import Costs, bootstrap, cheapest, measure, top
from engine.fraud.model import EXPLAIN_FROM, explain, in_words, score
from engine.fraud.training import read, train_on
from engine.models.registry import Registry
from engine.models.trees import Trees

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def rows(count: int, seed: int = 7) -> tuple[list[list[float]], list[int]]:
    """Fraud goes with high speed, shared devices and poor biometrics; a fifth of all values is missing."""
    draw = random.Random(seed)
    found, labels = [], []
    for _ in range(count):
        label = int(draw.random() < 0.15)
        row = [draw.gauss(0, 1) for _ in FEATURES]
        row[FEATURES.index("speed_kmh")] = abs(draw.gauss(400 if label else 20, 100))
        row[FEATURES.index("device_persons_24h")] = float(draw.randrange(1, 4) if label else draw.random() < 0.1)
        row[FEATURES.index("biometric")] = draw.uniform(0.3, 0.8) if label else draw.uniform(0.6, 1.0)
        found.append([nan if draw.random() < 0.2 else value for value in row])
        labels.append(label)
    return found, labels


def table(count: int, seed: int = 7) -> Table:
    found, labels = rows(count, seed)
    return Table(features=FEATURES, rows=found, labels=labels)


@pytest.fixture(scope="module")
def made() -> Fit:
    return fit(table(1200))


@pytest.fixture(scope="module")
def trees(made: Fit) -> Trees:
    return made.trees()


def test_learns_what_is_there(trees: Trees) -> None:
    held, labels = rows(600, seed=8)
    scores = trees.score(held)
    figures = measure(labels, scores, 0.5)
    assert figures["pr_auc"] > 0.85
    assert figures["brier"] < 0.06
    assert all(0.0 <= found <= 1.0 for found in scores)


def test_what_is_not_there_is_not_learned() -> None:
    draw = random.Random(3)
    noise = Table(
        features=FEATURES,
        rows=[[draw.random() for _ in FEATURES] for _ in range(900)],
        labels=[int(draw.random() < 0.2) for _ in range(900)],
    )
    made = fit(noise)
    held = [[draw.random() for _ in FEATURES] for _ in range(600)]
    labels = [int(draw.random() < 0.2) for _ in range(600)]
    assert measure(labels, made.trees().score(held), 0.5)["roc_auc"] < 0.62


def test_the_same_cases_make_the_same_model(made: Fit) -> None:
    assert fit(table(1200)).raw == made.raw


def test_points_of_an_explanation_sum_to_the_score(trees: Trees) -> None:
    calibration = trees.calibration
    assert calibration is not None
    from engine.models.calibration import logistic

    base = calibration.apply(logistic(trees.bias()))
    for row in rows(60, seed=9)[0]:
        points = sum(reason.points for reason in explain(trees, row))
        assert points == pytest.approx(100 * (trees.score_one(row) - base), abs=1e-4)


def test_an_explanation_is_in_words(trees: Trees) -> None:
    row = [nan] * len(FEATURES)
    row[FEATURES.index("device_persons_24h")] = 2.8
    row[FEATURES.index("speed_kmh")] = 412.4
    reasons = {reason.feature: reason for reason in explain(trees, row, ("bo", "cy", "di"))}
    assert in_words(reasons["device_persons_24h"]).startswith("device used by 4 people in 24 h (+")
    assert reasons["speed_kmh"].words == "412 km/h since the last event"
    assert reasons["speed_kmh"].points > 0
    assert set(reasons) == set(FEATURES)


class Serving:
    def __init__(self, trees: Any, threshold: float | None = None) -> None:
        self.trees = trees
        self.manifest = type("Manifest", (), {"version": "0003", "threshold": threshold})()


def features(row: list[float]) -> Features:
    return Features(tuple(row), (), (), 5.0, 100.0, "", "in")


def test_the_model_scores_and_says_which(trees: Trees) -> None:
    frauds = [row for row, label in zip(*rows(200, seed=4), strict=True) if label]
    found = [score(Serving(trees), features(row), ()) for row in frauds]  # type: ignore[arg-type]
    assert {one.model for one in found} == {"0003"}
    assert all(bool(one.reasons) == (one.score >= EXPLAIN_FROM) for one in found)
    assert any(one.reasons for one in found)


def test_the_threshold_of_the_model_is_where_a_score_is_worth_a_ticket(trees: Trees) -> None:
    frauds = [row for row, label in zip(*rows(200, seed=4), strict=True) if label]
    plain = [score(Serving(trees), features(row), ()).score for row in frauds]  # type: ignore[arg-type]
    limit = sorted(plain)[len(plain) // 2]
    found = [score(Serving(trees, limit), features(row), ()) for row in frauds]  # type: ignore[arg-type]
    assert [one.score >= EXPLAIN_FROM for one in found] == [value >= limit for value in plain]
    assert [one.probability for one in found] == plain


def test_what_a_check_finds_impossible_is_not_outvoted(trees: Trees) -> None:
    honest = next(row for row, label in zip(*rows(200, seed=4), strict=True) if not label)
    sure = [Anomaly(kind="impossible_travel", strength=1.0, words="1,485 km in 19 min", numbers={})]
    found = score(Serving(trees), features(honest), sure)  # type: ignore[arg-type]
    assert (found.model, found.score >= EXPLAIN_FROM) == (heuristics.NAME, True)
    assert found.probability is not None


def test_without_a_model_it_is_the_heuristic_and_says_so(trees: Trees) -> None:
    row = rows(1)[0][0]
    assert score(None, features(row), ()).model == heuristics.NAME
    other = Trees.load(
        fit(Table(features=("a", "b"), rows=[row[4:6] for row in rows(900)[0]], labels=rows(900)[1])).raw
    )
    assert score(Serving(other), features(row), ()).model == heuristics.NAME  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "scores", "missed", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9], 5.0, 0.8),
        ([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.9], 5.0, 0.3),
        ([0, 1, 0, 1], [0.1, 0.3, 0.4, 0.9], 0.5, 0.9),
        ([0, 0, 0, 1], [0.9, 0.8, 0.7, 0.1], 1.0, 1.0),
        ([1, 0], [0.5, 0.5], 5.0, 0.5),
    ],
)
def test_the_threshold_costs_least(labels: list[int], scores: list[float], missed: float, expected: float) -> None:
    found = cheapest(labels, scores, Costs(missed=missed))
    assert found == expected

    def cost(threshold: float) -> float:
        return sum(
            missed * label * (score < threshold) + (1 - label) * (score >= threshold)
            for label, score in zip(labels, scores, strict=True)
        )

    assert cost(found) == min(cost(threshold) for threshold in [*scores, 1.0])


def test_calibration_rises_and_meets_the_rate() -> None:
    draw = random.Random(5)
    scores = [draw.random() for _ in range(2000)]
    labels = [int(draw.random() < 0.3 * score) for score in scores]
    found = platt(scores, labels)
    assert found.slope > 0
    calibrated = [found.apply(score) for score in scores]
    assert sum(calibrated) / 2000 == pytest.approx(sum(labels) / 2000, abs=0.01)
    against = platt(scores, [1 - label for label in labels])
    assert against.slope == 1.0


def test_figures() -> None:
    labels, scores = [0, 0, 1, 1], [0.1, 0.6, 0.7, 0.4]
    found = measure(labels, scores, 0.5)
    assert (found["precision"], found["recall"], found["base_rate"]) == (0.5, 0.5, 0.5)
    assert top(labels, scores, 0.25) == {"precision": 1.0, "recall": 0.5}
    low, high = bootstrap(labels * 20, scores * 20, rounds=50)
    assert low < found["pr_auc"] < high
    with pytest.raises(ValueError, match="same label"):
        measure([0, 0], [0.1, 0.2], 0.5)


def test_imports_of_the_line_leave_xgboost_out() -> None:
    import subprocess

    heavy = "print([name in sys.modules for name in ('xgboost', 'sklearn')])"
    code = f"import sys, engine.domain.fraud, engine.fraud.training; {heavy}"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[False, False]"


# -- training


def cases(count: int, seed: int = 7) -> list[FraudPrediction]:
    found, labels = rows(count, seed)
    return [
        FraudPrediction(
            tenant=DEFAULT_TENANT,
            id=f"c{number}",
            at=NOW + timedelta(hours=number),
            person="ana",
            site="harbour",
            event_source="test",
            event_id=str(number),
            features=tuple(None if value != value else value for value in row),  # noqa: PLR0124 - NaN
            score=0.5,
            model="heuristics",
            verdict="confirmed" if label else "dismissed",
        )
        for number, (row, label) in enumerate(zip(found, labels, strict=True))
    ]


def registry(folder: Path) -> Registry:
    return Registry(folder / "models", check=lambda place: None)


def test_training_offers_a_model_that_serves(tmp_path: Path) -> None:
    found = train_on(cases(800), registry(tmp_path), NOW)
    assert found.promoted
    assert found.metrics["pr_auc"] > found.baseline["pr_auc"]
    assert found.interval[0] <= found.metrics["pr_auc"] <= found.interval[1]
    assert (found.examples, found.held_out) == (800, 160)
    served = registry(tmp_path).load("fraud")
    assert served.manifest.trained_on.rows == 800
    assert served.manifest.threshold == found.threshold
    assert score(served, features(rows(1)[0][0]), ()).model == "0001"


def test_the_champion_is_kept_unless_the_challenger_is_better(tmp_path: Path) -> None:
    train_on(cases(1200), registry(tmp_path), NOW)
    worse = [
        msgspec.structs.replace(case, features=(None, *case.features[1:4], None, None, None, None, *case.features[8:]))
        for case in cases(400)
    ]
    judged = [*worse[:320], *cases(400)[320:]]
    found = train_on(judged, registry(tmp_path), NOW)
    assert not found.promoted
    assert found.champion["pr_auc"] >= found.metrics["pr_auc"]
    assert registry(tmp_path).champion("fraud") == "0001"


def test_too_few_cases_are_not_trained_on(tmp_path: Path) -> None:
    with pytest.raises(TooFew, match="heuristic"):
        train_on(cases(heuristics.LABELLED_LEAST - 1), registry(tmp_path), NOW)
    honest = [msgspec.structs.replace(case, verdict="dismissed") for case in cases(300)]
    with pytest.raises(TooFew, match="0 of them fraud"):
        train_on(honest, registry(tmp_path), NOW)


def test_only_judged_cases_count(tmp_path: Path) -> None:
    unjudged = [msgspec.structs.replace(case, verdict="open") for case in cases(500)]
    with pytest.raises(TooFew, match="0 cases are judged"):
        train_on(unjudged, registry(tmp_path), NOW)


def test_what_is_held_out_is_later_than_what_is_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Table] = []

    def spy(table: Table, **rest: Any) -> Fit:
        given.append(table)
        return fit(table, **rest)

    monkeypatch.setattr(training, "fit", spy)
    shuffled = cases(500)
    random.Random(1).shuffle(shuffled)
    train_on(shuffled, registry(tmp_path), NOW)
    assert repr(list(given[0].rows)) == repr(rows(500)[0][:400])


def test_reads_exported_cases_and_names_the_bad_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\n".join(msgspec.json.encode(case) for case in cases(3)))
    assert [case.id for case in read(path)] == ["c0", "c1", "c2"]
    path.write_bytes(path.read_bytes() + b'\n{"id": 3}\n')
    with pytest.raises(ValueError, match=r"cases\.jsonl, line 4"):
        read(path)


def test_the_process_trains_or_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b"\n".join(msgspec.json.encode(case) for case in cases(30)))
    assert training.main([str(tmp_path), "--from", str(path)]) == 1
    assert "100" in msgspec.json.decode(capsys.readouterr().out)["error"]
    path.write_bytes(b"\n".join(msgspec.json.encode(case) for case in cases(400)))
    assert training.main([str(tmp_path), "--from", str(path)]) == 0
    said = capsys.readouterr()
    assert msgspec.json.decode(said.out)["promoted"] is True
    assert [msgspec.json.decode(line)["what"] for line in said.err.splitlines()][-1] == "cases"
