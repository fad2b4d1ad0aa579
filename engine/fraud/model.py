"""The fraud score of one event: by the trained model where one serves, else by the heuristic that says so.

Owns the choice, the floor of explanation and the words of contributions. Never loads a file, never imports xgboost.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

from data.nouns.fraud import FraudReason
from engine.fraud import heuristics
from engine.fraud.anomalies import Anomaly
from engine.fraud.features import FEATURES, Features
from engine.fraud.words import words
from engine.models.calibration import logistic
from engine.models.loading import Served
from engine.models.refused import ModelRefused
from engine.models.trees import Trees

MODEL = "fraud"
#: Scores from here on are explained as they are made: TreeSHAP takes some 10 ms, which only a suspicion is worth.
EXPLAIN_FROM = 0.80
REASONS_MOST = 5


class Score(NamedTuple):
    """`score` 0..1, 0.80 being where it is worth somebody's time; `model` is the version that made it, or "heuristics".
    `probability` is the model's, calibrated; None where none served."""

    score: float
    model: str
    reasons: tuple[FraudReason, ...]
    probability: float | None = None


def score(served: Served | None, features: Features, anomalies: Sequence[Anomaly]) -> Score:
    """A model that was made for other features, or that answers nonsense, does not serve.

    A calibrated probability of something rare is seldom large: the score puts the model's own threshold, which was
    chosen by the cost of misses and false alarms, at 0.80. What a check finds impossible is not outvoted by the model:
    where the heuristic is sure and the model is not, the heuristic's score stands.
    """
    if served is None or served.trees.features != FEATURES:
        return _heuristic(features, anomalies)
    try:
        probability = served.trees.score_one(features.values)
    except ModelRefused:
        return _heuristic(features, anomalies)
    found = scaled(probability, served.manifest.threshold)
    if anomalies:
        checked = _heuristic(features, anomalies)
        if checked.score >= EXPLAIN_FROM > found:
            return checked._replace(probability=probability)
    reasons = explain(served.trees, features.values, features.others) if found >= EXPLAIN_FROM else ()
    return Score(found, served.manifest.version, reasons[:REASONS_MOST], probability)


def scaled(probability: float, threshold: float | None) -> float:
    """The probability with `threshold` put at 0.80, straight on both sides of it.

    >>> [round(scaled(probability, 0.2), 3) for probability in (0.1, 0.2, 0.6)]
    [0.4, 0.8, 0.9]
    """
    if threshold is None or not 0.0 < threshold < 1.0:
        return probability
    if probability < threshold:
        return EXPLAIN_FROM * probability / threshold
    return EXPLAIN_FROM + (1.0 - EXPLAIN_FROM) * (probability - threshold) / (1.0 - threshold)


def _heuristic(features: Features, anomalies: Sequence[Anomaly]) -> Score:
    found, reasons = heuristics.score(features, anomalies)
    return Score(found, heuristics.NAME, reasons)


def explain(trees: Trees, values: Sequence[float | None], others: Sequence[str] = ()) -> tuple[FraudReason, ...]:
    """What each feature added to the probability, in points of 100, largest first.

    The contributions of TreeSHAP add up on the scale of log odds. Taken one after another from the mean of the training
    data, largest first, they walk to the score; the points are the steps of this walk as probabilities, and therefore
    sum to exactly 100 · (score - score of the mean).
    """
    row = [nan if value is None else value for value in values]
    margin = trees.bias()
    before = _probability(trees, margin)
    reasons = []
    for name, added in sorted(trees.contributions(row).items(), key=lambda item: -abs(item[1])):
        margin += added
        after = _probability(trees, margin)
        text = words(name, row[trees.features.index(name)], others)
        reasons.append(FraudReason(feature=name, points=100.0 * (after - before), words=text))
        before = after
    return tuple(sorted(reasons, key=lambda reason: -abs(reason.points)))


def in_words(reason: FraudReason) -> str:
    """
    >>> in_words(FraudReason(feature="speed_kmh", points=30.6, words="412 km/h since the last event"))
    '412 km/h since the last event (+31 points)'
    """
    return f"{reason.words} ({reason.points:+.0f} points)"


def _probability(trees: Trees, margin: float) -> float:
    raw = logistic(margin)
    return raw if trees.calibration is None else trees.calibration.apply(raw)
