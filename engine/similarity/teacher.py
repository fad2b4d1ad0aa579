"""Teacher: a method of clustering that knows the truth, and writes down every pair that it was asked about.

Owns labels: which pairs of alert and cluster are of one incident, and how much each pair says. A pair of two things
that no label names says little: the repeat of a type on its entity is the same thing, anything else is not. With a
model to explore by, it joins as the model would, so that the pairs are those that the model will meet (Ross, Gordon,
Bagnell, "DAgger", AISTATS 2011). Used in training and evaluation alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from math import nan
from typing import TYPE_CHECKING, NamedTuple

from data.records import Alert, Cluster, ClusterId
from engine.models.trees import Trees
from engine.similarity import cosine, figures, stream
from engine.similarity.figures import Columns
from engine.similarity.method import Candidate, Match, Ranking, Streaming, ranked
from engine.similarity.xgboost_similarity import tokens_of

if TYPE_CHECKING:
    from engine.book import Draft
    from engine.similarity.features import Vector

#: What a pair of two unlabelled things weighs, where a site tells places apart and where none is named.
UNLABELLED_AT_SITE, UNLABELLED = 0.3, 0.03
_NEVER = 2.0


class Pair(NamedTuple):
    """One row of `figures.FEATURES`, whether it is the same incident, its weight, cosine's score, the time, and whether
    nothing ties the two (`Columns.apart`)."""

    row: Sequence[float]
    same: bool
    weight: float
    cosine: float
    at: float
    apart: bool = False


class Teacher(Streaming):
    """`truth`: dedup key of the alert → its incident, "" or absent = noise. `pairs` fills as alerts are taken."""

    name = "teacher"

    def __init__(
        self,
        truth: dict[str, str],
        explore: Trees | None = None,
        join_at: float = 0.4,
    ) -> None:
        self.pairs: list[Pair] = []
        self._truth, self._explore, self._join_at = truth, explore, join_at
        self._members: dict[ClusterId, list[tuple[str, str, str]]] = {}

    def tokens(self, draft: Draft, alert: Alert) -> Iterator[tuple[str, int]]:
        return tokens_of(draft, alert)

    def rank_in(self, draft: Draft, alert: Alert, vector: Vector, candidates: Iterator[Candidate]) -> Ranking:
        words = tuple(token for token in vector.tokens if token[:2] == "w:")
        noted = stream.note(draft, alert, words)
        mine = self._truth.get(alert.key, "")
        columns = Columns(draft, alert, words, noted)
        best: Match | None = None
        second: Match | None = None
        tried = 0
        for candidate in candidates:
            tried += 1
            pair = self._pair(alert, mine, candidate, columns.row(candidate), vector)
            apart = columns.apart(candidate)
            self.pairs.append(pair._replace(row=array("f", pair.row), at=noted.at, apart=apart))
            score = float(pair.same) if self._explore is None else self._explore.score_one(pair.row)
            best, second = ranked(Match(candidate.cluster, score, candidate.gap), best, second)
        joined = best.cluster if best is not None and best.score >= self._join_at else None
        self._remember(draft, alert, mine, joined)
        return Ranking(
            best, second, tried, self._join_at, _NEVER, {}, figures.marks(joined, alert, noted, columns.chain)
        )

    def _pair(self, alert: Alert, mine: str, candidate: Candidate, row: list[float], vector: Vector) -> Pair:
        members = self._members.get(candidate.cluster.id, [])
        if mine:
            same = 2 * sum(truth == mine for truth, _, _ in members) > len(members)
        else:
            mine_too = ("", alert.name, alert.entity)
            same = 2 * sum(member == mine_too for member in members) > len(members)
        labelled = bool(mine) or 2 * sum(bool(truth) for truth, _, _ in members) > len(members)
        likeness = cosine.similarity(vector, candidate.cluster, candidate.gap)
        weight = 1.0 if labelled else UNLABELLED_AT_SITE if alert.site else UNLABELLED
        return Pair(row, same, weight, likeness, nan)

    def _remember(self, draft: Draft, alert: Alert, mine: str, joined: Cluster | None) -> None:
        opens = joined is None or joined.alerts >= draft.rules.cap_alerts
        number = ClusterId(draft.book.counters["cluster"]) if opens or joined is None else joined.id
        self._members.setdefault(number, []).append((mine, alert.name, alert.entity))
