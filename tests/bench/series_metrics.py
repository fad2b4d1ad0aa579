"""Measures of detection on labelled series: events found at a false-alarm budget, event F1, average precision.

No point adjustment anywhere: with it, random scores look good. Scores are arrays [n], labels 0 or 1 [n]; lists hold one
of each per series, and one threshold serves all series.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
#: Alarms at most so many records apart are one run.
GAP = 10


def segments(label: Array) -> tuple[Array, Array]:
    """First and one-past-last index of every labelled event."""
    edges = np.diff(np.concatenate(([0], (label > 0).astype(np.int64), [0])))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


def average_precision(score: Array, label: Array) -> float:
    """Point-wise, ties taken together; NaN without a positive."""
    order = np.argsort(-score, kind="stable")
    ordered, hits = score[order], np.cumsum(label[order] > 0)
    if not hits.size or hits[-1] == 0:
        return float("nan")
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    recall = np.diff(np.concatenate(([0], hits[last]))) / hits[-1]
    return float((recall * hits[last] / (last + 1)).sum())


def point_f1(score: Array, label: Array) -> float:
    """Best point-wise F1 over all thresholds."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order] > 0)
    last = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    return float((2.0 * hits[last] / (last + 1 + max(int(hits[-1]), 1))).max())


def recall_at(scores: Sequence[Array], labels: Sequence[Array], budget: float) -> float:
    """Share of events found at no more than `budget` false alarms (records outside of events) per 1,000 records."""
    outside = np.sort(np.concatenate([s[y == 0] for s, y in zip(scores, labels, strict=True)]))[::-1]
    allowed = int(budget * sum(len(score) for score in scores) / 1000.0)
    threshold = outside[allowed] if allowed < len(outside) else -np.inf
    found = [
        bool(s[a:b].max() > threshold)
        for s, y in zip(scores, labels, strict=True)
        for a, b in zip(*segments(y), strict=True)
    ]
    return float(np.mean(found)) if found else float("nan")


def event_counts(score: Array, label: Array, threshold: float) -> Array:
    """[true runs, runs, found events, events] of one series at a threshold."""
    first, end = segments(label)
    hits = np.flatnonzero(score >= threshold)
    if not hits.size:
        return np.array([0, 0, 0, len(first)])
    split = np.flatnonzero(np.diff(hits) > GAP + 1)
    start, stop = hits[np.concatenate(([0], split + 1))], hits[np.concatenate((split, [len(hits) - 1]))] + 1
    labelled = np.concatenate(([0], np.cumsum(label > 0)))
    true = int((labelled[stop] > labelled[start]).sum())
    covered = np.zeros(len(score) + 1, dtype=np.int64)
    covered[start] += 1
    covered[stop] -= 1
    inside = np.concatenate(([0], np.cumsum(np.cumsum(covered)[:-1] > 0)))
    return np.array([true, len(start), int((inside[end] > inside[first]).sum()), len(first)])


def f1_of(counts: Array) -> float:
    """Harmonic mean of the share of true runs and the share of found events."""
    precision, recall = counts[0] / max(counts[1], 1), counts[2] / max(counts[3], 1)
    return float(2.0 * precision * recall / max(precision + recall, 1e-12))


def event_f1(scores: Sequence[Array], labels: Sequence[Array]) -> tuple[float, float]:
    """Best event F1 with one threshold, and that threshold, out of 80 quantiles of what scores."""
    every = np.concatenate(scores)
    every = every[every > 0]
    if not every.size:
        return 0.0, float("inf")
    grid = np.unique(np.quantile(every, 1.0 - np.geomspace(1e-5, 0.3, 80)))
    return max((f1_at(scores, labels, float(threshold)), float(threshold)) for threshold in grid)


def f1_at(scores: Sequence[Array], labels: Sequence[Array], threshold: float) -> float:
    """Event F1 at a given threshold."""
    counts = [event_counts(score, label, threshold) for score, label in zip(scores, labels, strict=True)]
    return f1_of(np.sum(counts, axis=0))
