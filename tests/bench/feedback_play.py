"""What false-alarm feedback buys: a simulated operator beside the best static threshold at equal false alarms.

The operator judges every alarm 30 records after it sounded; a series' threshold then moves by the product's own rule
and within its bounds. Everything starts from one loose common threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.detectors.feedback import DEFAULT_Z, Thresholds
from tests.bench.series_files import Series, stream
from tests.bench.series_metrics import segments

Array = np.ndarray[Any, Any]
DELAY = 30
#: False alarms per 1,000 records that the loose start gives.
LOOSE = 3.0


def feedback_figures(series: Sequence[Series]) -> dict[str, Any]:
    """Recall of events and false alarms per 1,000 records: start, feedback, and static at the same false alarms."""
    streamed = stream([one.at for one in series], [one.values for one in series])
    scores = [score[one.begins :] for score, one in zip(streamed.scores, series, strict=True)]
    labels = [one.labels[one.begins :] for one in series]
    records = sum(len(score) for score in scores)
    outside = np.sort(np.concatenate([s[y == 0] for s, y in zip(scores, labels, strict=True)]))[::-1]
    start = max(float(outside[int(LOOSE * records / 1000.0)]), 1e-6)
    fixed = _static(scores, labels, start)
    played = np.sum([_played(one.name, s, y, start) for one, s, y in zip(series, scores, labels, strict=True)], axis=0)
    same = float(outside[min(int(played[0]), len(outside) - 1)])
    tuned = _static(scores, labels, np.nextafter(same, np.inf))
    return {
        "series": len(series),
        "recall_start": fixed[1] / fixed[2],
        "false_alarms_start": 1000.0 * fixed[0] / records,
        "recall_feedback": float(played[1] / played[2]),
        "false_alarms_feedback": float(1000.0 * played[0] / records),
        "recall_static_same": tuned[1] / tuned[2],
        "feedback_minus_static": float(played[1] / played[2]) - tuned[1] / tuned[2],
        "fewer_false_alarms": float(fixed[0] / max(played[0], 1)),
    }


def _static(scores: Sequence[Array], labels: Sequence[Array], threshold: float) -> tuple[float, float, float]:
    """False alarms, found events, events."""
    false = found = events = 0.0
    for score, label in zip(scores, labels, strict=True):
        false += float((score[label == 0] >= threshold).sum())
        hits = [bool((score[a:b] >= threshold).any()) for a, b in zip(*segments(label), strict=True)]
        found, events = found + sum(hits), events + len(hits)
    return false, found, max(events, 1.0)


def _played(name: str, score: Array, label: Array, start: float) -> Array:
    """The same for one series under an operator who answers every alarm."""
    thresholds, threshold = Thresholds(), start
    waiting: list[tuple[int, float, float]] = []
    alarms: list[int] = []
    # Whatever the operator does, the threshold never falls below two thirds of the start: other records need no look.
    for index in np.flatnonzero(score >= start * 2.0 / 3.0 * 0.999).tolist():
        while waiting and waiting[0][0] <= index:
            then, alarm_score, alarm_threshold = waiting.pop(0)
            verdict = thresholds.confirmed if label[then - DELAY] else thresholds.false_alarm
            verdict(name, alarm_score, alarm_threshold)
            threshold = start * thresholds.z(name) / DEFAULT_Z
        if score[index] >= threshold:
            alarms.append(index)
            waiting.append((index + DELAY, float(score[index]), threshold))
    hit = np.zeros(len(score), dtype=np.bool_)
    hit[alarms] = True
    events = [bool(hit[a:b].any()) for a, b in zip(*segments(label), strict=True)]
    return np.array([float((hit & (label == 0)).sum()), float(sum(events)), float(len(events))])
