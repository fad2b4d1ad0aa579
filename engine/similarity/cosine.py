"""Cosine: an alert is as like a cluster as its vector is to the mean vector of the cluster's first members.

Recency is a dimension of its own: 1 for the cluster, falling with the gap for the alert. A cluster that holds the
same type at the same site and reaches `join_at` is taken at once, any other from `suppress_above` on.

Fails when unrelated things break at one site in the same half hour with similar words: they are joined, and the
operator splits them. Words are masked but not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt
from typing import TYPE_CHECKING

from data.records import Alert, Cluster
from engine.similarity.features import WEIGHTS, Vector, dot
from engine.similarity.method import Candidate, Kind, Match, Ranking, ranked

if TYPE_CHECKING:
    from engine.rules import Rules

RECENCY_SECONDS = 600.0
_RECENCY = WEIGHTS["recency"]
_SQUARE = _RECENCY * _RECENCY


class Cosine:
    """The method of an engine that has learned nothing yet."""

    name = "cosine"

    def rank(self, alert: Alert, vector: Vector, candidates: Iterator[Candidate], rules: Rules) -> Ranking:
        """See `Method.rank`; stops at the first candidate that is alike enough."""
        best: Match | None = None
        second: Match | None = None
        tried = 0
        for found in candidates:
            tried += 1
            score = similarity(vector, found.cluster, found.gap)
            match = Match(found.cluster, score, found.gap)
            if score >= (rules.join_at if found.twin else rules.suppress_above):
                return Ranking(match, best, tried, rules.join_at, rules.suppress_above)
            best, second = ranked(match, best, second)
        return Ranking(best, second, tried, rules.join_at, rules.suppress_above)


def similarity(vector: Vector, cluster: Cluster, gap: float) -> float:
    """Cosine of the alert's vector and the cluster's mean vector, recency included, 0..1.

    `gap` is the time in seconds between the alert and the life of the cluster.
    """
    centroid = cluster.centroid
    members = centroid["#"]
    product = dot(vector, centroid) / members
    recency = _RECENCY * exp(-gap / RECENCY_SECONDS) if gap else _RECENCY
    length = (vector.norm + recency * recency) * (centroid["##"] / (members * members) + _SQUARE)
    return (product + recency * _RECENCY) / sqrt(length)


METHOD = Kind("cosine", Cosine)
