"""The benchmark's own rules, on cases small enough to count by hand; the published totals where the corpus is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.bench import nab_scorer as nab
from tests.bench import series_metrics as metrics

CORPUS = Path(__file__).parents[3] / "shared/datasets/nab"


def corpus() -> nab.Rules:
    """A hundred records, 15 on probation, one window from 40 to 59."""
    return nab.rules_of("file", [str(number) for number in range(100)], [("40", "59")])


def test_the_left_edge_of_every_window_is_worth_a_hundred_and_silence_nothing() -> None:
    score = np.zeros(100)
    assert nab.total_at([corpus()], [score], 0.5, "standard") == 0.0
    score[40] = 1.0
    for profile in nab.PROFILES:
        assert nab.best([corpus()], [score], profile)[0] == pytest.approx(100.0)


def test_false_positives_cost_by_their_distance_and_none_on_probation() -> None:
    rule = corpus()
    score = np.zeros(100)
    score[[5, 20]] = 1.0
    assert nab.raw_at(rule, score, 0.5, "standard") == pytest.approx(-1.0 - 0.11)
    late = np.zeros(100)
    late[60] = 1.0
    assert -1.11 < nab.raw_at(rule, late, 0.5, "standard") < -1.0


def test_the_curve_agrees_with_one_threshold_at_a_time() -> None:
    score = np.random.default_rng(0).random(100)
    thresholds, raw = nab.curve([corpus()], [score], "reward_low_FP_rate")
    for threshold, expected in list(zip(thresholds, raw, strict=True))[1::9]:
        assert nab.raw_at(corpus(), score, float(threshold), "reward_low_FP_rate") == pytest.approx(expected)


@pytest.mark.skipif(not (CORPUS / "oracle_scores").is_dir(), reason="the corpus is not beside the project")
def test_the_published_total_of_a_detector_is_met() -> None:
    read = nab.read_corpus(CORPUS)
    scores = []
    for rule, _, _ in read:
        rows = nab.read_rows(CORPUS / "oracle_scores/contextOSE" / f"{rule.name}.gz")
        scores.append(np.array([float(row["anomaly_score"]) for row in rows]))
    assert nab.best([rule for rule, _, _ in read], scores, "standard")[0] == pytest.approx(69.90, abs=0.01)


def test_events_runs_and_recall() -> None:
    label = np.zeros(1000, dtype=np.int8)
    label[100:110] = label[500:505] = 1
    score = np.zeros(1000)
    score[[105, 300, 308, 700]] = [3.0, 2.0, 2.0, 1.0]
    np.testing.assert_array_equal(metrics.event_counts(score, label, 1.0), [1, 3, 1, 2])
    assert metrics.event_f1([score], [label])[0] == pytest.approx(2 * 1.0 * 0.5 / 1.5)
    assert metrics.recall_at([score], [label], 1.0) == 0.5
    score[502] = 0.5
    assert metrics.recall_at([score], [label], 1.0) == 0.5
    assert metrics.recall_at([score], [label], 3.0) == 1.0
    assert metrics.average_precision(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.point_f1(np.array([3.0, 2.0, 1.0]), np.array([1, 0, 1])) == pytest.approx(0.8)
