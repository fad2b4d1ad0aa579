"""How good scores are: ranking, calibration, and what a threshold costs.

Owns the formulas. Imports numpy and scikit-learn when they are asked for, in the training process only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct


class Costs(Struct, frozen=True, kw_only=True):
    """What a wrong answer costs, in units of a look at a false alarm."""

    false_alarm: float = 1.0
    missed: float = 5.0


def measure(labels: Sequence[int], scores: Sequence[float], threshold: float) -> dict[str, float]:
    """PR-AUC (average precision), ROC-AUC, Brier, and precision and recall at `threshold`.

    Raises ValueError where all labels are alike: then nothing can be ranked.
    """
    from sklearn import metrics  # type: ignore[import-untyped]

    if len(set(labels)) < 2:
        raise ValueError("all held-out cases have the same label")
    caught = sum(label for label, score in zip(labels, scores, strict=True) if score >= threshold)
    raised = sum(score >= threshold for score in scores)
    return {
        "pr_auc": float(metrics.average_precision_score(labels, scores)),
        "roc_auc": float(metrics.roc_auc_score(labels, scores)),
        "precision": caught / raised if raised else 0.0,
        "recall": caught / sum(labels),
        "brier": float(metrics.brier_score_loss(labels, scores)),
        "base_rate": sum(labels) / len(labels),
    }


def cheapest(labels: Sequence[int], scores: Sequence[float], costs: Costs) -> float:
    """The threshold at which these cases cost least; scores at it are alarms. The highest of equals: fewer alarms."""
    order = sorted(zip(scores, labels, strict=True), reverse=True)
    cost = costs.missed * sum(labels)
    best, threshold = cost, 1.0
    for index, (score, label) in enumerate(order):
        cost += -costs.missed if label else costs.false_alarm
        last = index + 1 == len(order) or order[index + 1][0] < score
        if last and cost < best:
            best, threshold = cost, score
    return threshold


def bootstrap(labels: Sequence[int], scores: Sequence[float], rounds: int = 200, seed: int = 7) -> tuple[float, float]:
    """The 95 % interval of the PR-AUC over resampled cases."""
    import numpy as np
    from sklearn import metrics

    random = np.random.default_rng(seed)
    truth, given = np.asarray(labels), np.asarray(scores)
    found = []
    for _ in range(rounds):
        chosen = random.integers(0, len(truth), len(truth))
        if truth[chosen].any():
            found.append(metrics.average_precision_score(truth[chosen], given[chosen]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def top(labels: Any, scores: Any, share: float) -> Mapping[str, float]:
    """Precision and recall of the `share` of cases that score highest."""
    count = max(1, round(len(labels) * share))
    order = sorted(zip(scores, labels, strict=True), key=lambda pair: -pair[0])[:count]
    caught = sum(label for _, label in order)
    return {"precision": caught / count, "recall": caught / max(1, sum(labels))}
