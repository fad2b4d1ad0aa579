"""Learned: the probability that an alert and a cluster are of one incident, by a small tree ensemble.

Owns which clusters are scored and what is decided without the model: an alert whose type was at its place within
minutes joins that cluster at once, unless a rare event is under way there in another one. All other candidates of an
alert are scored together. Noise is an outcome of its own: what no cluster is likely enough to hold opens a cluster,
however near the next one is. Where rare types appear, what follows at that place is taken to be about them for a while;
a place is a site, or everything of a tenant whose senders name none. Fails when two rare things begin at one place
within minutes, and on an engine that has not seen a few hundred alerts yet: nothing is rare to it, and it goes by
type, text, entity and site alone. Figures in `engine.similarity.figures`, the model walked by `engine.models.trees`,
XGBoost itself is never imported here.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from data.records import Alert, ClusterId
from engine.models.refused import ModelRefused
from engine.models.registry import SHIPPED, Registry
from engine.models.serving import Models
from engine.similarity import figures, keeping, links, stream
from engine.similarity.figures import HOT, Columns
from engine.similarity.instead import Instead
from engine.similarity.method import Candidate, Facts, Kind, Match, Ranking, Streaming

if TYPE_CHECKING:
    from engine.book import Draft
    from engine.models.trees import Trees
    from engine.similarity.features import Vector

NAME = "xgboost_similarity"
#: Its name in the registry of models.
MODEL = "clustering"
#: Within so many seconds, the same type at the same site is the same matter without asking the model.
TWIN_SECONDS = 300.0
#: A cluster that holds this type at this site and is as likely as this is taken without looking on.
CERTAIN = 0.9
#: For so long after its last rare alert an event is under way at a place.
UNDER_WAY_SECONDS = 3600.0
#: More alike than this is not said of two types: they are never folded into one line.
_NEVER = 2.0
#: The fact of a manifest that becomes `apart_most`.
APART_MOST = "apart_most"

#: Margin, minus the cluster's number (of equals the older is better), candidate, values of `figures.PAIRED`.
_Scored = tuple[float, int, Candidate, list[float]]


class XgboostSimilarity(Streaming):
    """`join_at`: the probability from which an alert joins, chosen at training. `apart_most`: the most that the model
    gave to pairs of what it was fit on that nothing ties (`Columns.apart`); below `join_at`, such are not scored."""

    name = NAME

    def __init__(self, trees: Trees, join_at: float, apart_most: float = 1.0) -> None:
        self._trees, self._join_at = trees, join_at
        self._own, self._paired = trees.part(figures.OWN), trees.part(figures.PAIRED)
        self._passes_over = apart_most < join_at
        #: Why the model is no longer asked, "" while it is: it failed in use, and cosine stands in.
        self.trouble = ""

    def tokens(self, draft: Draft, alert: Alert) -> Iterator[tuple[str, int]]:
        return tokens_of(draft, alert)

    def rank_in(self, draft: Draft, alert: Alert, vector: Vector, candidates: Iterator[Candidate]) -> Ranking:
        keeping.ensure(draft)
        words = tuple([token for token in vector.shared.tokens if token[:2] == "w:"])
        noted = stream.note(draft, alert, words)
        first = next(candidates, None)
        if first is None:
            marks = figures.marks(None, alert, noted, links.above(draft, alert))
            return Ranking(None, None, 0, self._join_at, _NEVER, {}, marks)
        if first.twin and alert.site and first.gap <= TWIN_SECONDS and not self._under_way(draft, alert, first, noted):
            return self._twin(draft, alert, first, noted)
        offered: list[Candidate] = [first]
        columns = Columns(draft, alert, words, noted)
        scored = self._score(columns, offered, candidates)
        if self.trouble:
            found = Instead(self.trouble).rank(alert, vector, chain(offered, candidates), draft.rules)
            return replace(found, marks=figures.marks(None, alert, noted))
        if not scored:
            marks = figures.marks(None, alert, noted, columns.chain)
            return Ranking(None, None, len(offered), self._join_at, _NEVER, {}, marks)
        return self._ranking(draft, alert, noted, columns, scored, len(offered))

    def _ranking(  # noqa: PLR0917 - what is known of the alert, on the hot path
        self, draft: Draft, alert: Alert, noted: stream.Noted, columns: Columns, scored: list[_Scored], tried: int
    ) -> Ranking:
        if len(scored) > 1:
            scored.sort(reverse=True)
        margin, _, best, pair = scored[0]
        score = self._trees.answer_to(margin)
        second = None
        if len(scored) > 1:
            second = Match(scored[1][2].cluster, self._trees.answer_to(scored[1][0]), scored[1][2].gap)
        row = columns.whole(pair)
        return Ranking(
            Match(best.cluster, score, best.gap),
            second,
            tried,
            self._join_at,
            draft.rules.suppress_above if row[_SAME_TYPE] > 0 else _NEVER,
            figures.telling(row),  # type: ignore[arg-type]  # a dict of facts that happen to be numbers
            figures.marks(best.cluster if score >= self._join_at else None, alert, noted, columns.chain),
        )

    def _score(self, columns: Columns, offered: list[Candidate], more: Iterator[Candidate]) -> list[_Scored]:
        """Those that may hold the alert. What was looked at is in `offered` then. Where the model fails, now and from
        then on, `trouble` says why."""
        if self.trouble:
            return []
        first, scored, trees = offered[0], [], self._trees
        try:
            whole = self._paired is None or self._own is None
            own = 0 if whole else self._own.left(columns.own)  # type: ignore[union-attr]
            for one in chain((first,), more):
                if one is not first:
                    offered.append(one)
                if self._passes_over and columns.apart(one):
                    continue
                pair = columns.pair(one)
                if whole:
                    margin = trees.margin(columns.whole(pair))
                else:
                    margin = trees.margin_of(own & self._paired.left(pair))  # type: ignore[union-attr]
                scored.append((margin, -one.cluster.id, one, pair))
                if one is first and one.twin and trees.answer_to(margin) >= CERTAIN:
                    break
        except ModelRefused as error:
            self.trouble = str(error)
        return scored

    def _twin(self, draft: Draft, alert: Alert, first: Candidate, noted: stream.Noted) -> Ranking:
        same = "e:" + alert.entity in first.cluster.centroid
        match = Match(first.cluster, 0.99 if same else 0.9, first.gap)
        marks = figures.marks(first.cluster, alert, noted, links.above(draft, alert))
        told: Facts = {"rule": "its type was at its site within minutes"}
        return Ranking(match, None, 1, self._join_at, draft.rules.suppress_above, told, marks)

    def _under_way(self, draft: Draft, alert: Alert, first: Candidate, noted: stream.Noted) -> bool:
        """Whether another cluster than the first has had a rare alert of late at this place."""
        numbers = draft.book.candidates.get((alert.tenant, HOT + alert.site))
        if not numbers:
            return False
        hot = draft.book.clusters.get(ClusterId(numbers[-1]))
        if hot is None or hot is first.cluster:
            return False
        return noted.at - hot.centroid.get(figures.RARE_AT, 0.0) <= UNDER_WAY_SECONDS


def tokens_of(draft: Draft, alert: Alert) -> Iterator[tuple[str, int]]:
    """Where else to look: clusters with rare alerts at this place, and those of linked entities."""
    yield HOT + alert.site, 3
    yield from links.tokens(alert, links.above(draft, alert))


_SAME_TYPE = figures.FEATURES.index("same_type")


def of(models: Models) -> XgboostSimilarity:
    """With the model that serves. Raises ValueError when there is none."""
    served = models.serve(MODEL)
    if served is None or served.manifest.features != figures.FEATURES:
        why = models.troubles.get(MODEL, "no model of it is here")
        raise ValueError(f"clustering.method {NAME}: {why}; `noc-console train clustering` makes one")
    most = served.manifest.facts.get(APART_MOST, 1.0)
    return XgboostSimilarity(served.trees, served.manifest.threshold or 0.5, float(most))


def make() -> XgboostSimilarity:
    """With the model that ships with the product. Raises ValueError when it may not serve."""
    return of(Models(Registry(SHIPPED)))


METHOD = Kind(NAME, make)
