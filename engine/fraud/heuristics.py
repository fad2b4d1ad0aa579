"""The score without a model: documented weights on the named anomalies and a few soft signs.

Owns the weights and says of every score that it is a heuristic: it ranks, it is no probability. Used until a model has
been trained on at least `LABELLED_LEAST` judged cases, and whenever a model cannot be had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isnan

from data.nouns.fraud import FraudReason
from engine.fraud.anomalies import Anomaly, value
from engine.fraud.features import Features

NAME = "heuristics"
#: Judged cases, of both kinds, from which on a model is trained.
LABELLED_LEAST = 100

#: The share of doubt that each anomaly takes away at full strength: 1 - score = ∏ (1 - weight · strength).
WEIGHTS = {
    "impossible_travel": 0.95,
    "ghost_round": 0.90,
    "geofence": 0.70,
    "biometric_low": 0.70,
    "device_sharing": 0.70,
    "buddy_checkin": 0.60,
    "too_little_rest": 0.40,
}
#: Signs that say little alone: feature → (limit that must be exceeded, weight, words).
SOFT = {
    "device_new": (0.5, 0.15, "a device that the person never used"),
    "hour_deviation_h": (4.0, 0.15, "{:.1f} h from the usual hour"),
    "rate_z": (4.0, 0.15, "many more events than usual"),
    "unusual_day": (0.9, 0.10, "a day on which the person is rarely seen"),
    "confirmed_30d": (0.5, 0.30, "{:.0f} confirmed in 30 days"),
}


def score(features: Features, anomalies: Sequence[Anomaly]) -> tuple[float, tuple[FraudReason, ...]]:
    """0..1 and its reasons, heaviest first; their points sum to 100 · score."""
    return _together((*_named(anomalies), *_soft(features)))


def of_anomalies(anomalies: Sequence[Anomaly]) -> tuple[float, tuple[FraudReason, ...]]:
    """The same for what has no features."""
    return _together(_named(anomalies))


def _together(signs: Iterable[tuple[str, float, str]]) -> tuple[float, tuple[FraudReason, ...]]:
    doubt = 1.0
    reasons = []
    for name, weight, words in sorted(signs, key=lambda sign: -sign[1]):
        reasons.append(FraudReason(feature=name, points=100.0 * doubt * weight, words=words))
        doubt *= 1.0 - weight
    return 1.0 - doubt, tuple(reasons)


def _named(anomalies: Sequence[Anomaly]) -> Iterator[tuple[str, float, str]]:
    for anomaly in anomalies:
        yield anomaly.kind, WEIGHTS[anomaly.kind] * anomaly.strength, anomaly.words


def _soft(features: Features) -> Iterator[tuple[str, float, str]]:
    for name, (limit, weight, words) in SOFT.items():
        found = value(features, name)
        if not isnan(found) and found > limit:
            yield name, weight, words.format(found)
