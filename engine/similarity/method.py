"""The contract of a method of clustering.

A method MUST be pure: the same alert, clusters and rules give the same ranking, in this process and after a restart, so
what it knows of a cluster comes from the Cluster record (`centroid`, counts, sites, times) and from a model that is
part of the method. A new model is a new method object, and reaches the line with the next Rules, never in between.
It MUST take no more than it is offered: the candidates are few (see `engine.stages.cluster`), newest first per index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from data.records import Alert, Cluster
from engine.similarity.features import Vector

if TYPE_CHECKING:
    from engine.book import Draft
    from engine.rules import Rules

Facts = dict[str, str | int | float | bool | None]
_NO_FACTS: Facts = {}
_NO_MARKS: Mapping[str, float] = {}


class Candidate(Struct, frozen=True, gc=False):
    """A cluster that the alert may join. `gap`: seconds between the alert and the life of the cluster, 0 inside it.
    `twin`: it already holds this type at this site."""

    cluster: Cluster
    gap: float
    twin: bool


class Match(Struct, frozen=True, gc=False):
    """A candidate with its score, 0..1."""

    cluster: Cluster
    score: float
    gap: float


class Ranking(Struct, frozen=True, gc=False):
    """What a method says of one alert.

    `best` is joined when its score is at least `join_at`, and the alert is folded away when it is above
    `suppress_above`; `second` is the next one, `tried` how many were scored. `facts` go into the alert's reason,
    beside the scores, and are flat and few. `marks` are tokens with values that are written into the centroid of
    the cluster that takes the alert; by those with an indexed prefix it is found from then on.
    """

    best: Match | None
    second: Match | None
    tried: int
    join_at: float
    suppress_above: float
    facts: Facts = _NO_FACTS
    marks: Mapping[str, float] = _NO_MARKS


class Method(Protocol):
    """One way to judge likeness. `name` is written into each cluster that it opens."""

    @property
    def name(self) -> str: ...

    def rank(self, alert: Alert, vector: Vector, candidates: Iterator[Candidate], rules: Rules) -> Ranking:
        """The two most like `alert` among the candidates, of equals the older cluster.

        `vector` is `features(alert)`. `candidates` is lazy: a method may stop early, or list all and score them in one
        call. Each cluster comes once, none is closed or outside the window."""
        ...


class Streaming:
    """A method that also knows the stream of alerts, from tables that it keeps in `Book.derived` through the draft.

    Every alert is put to it once, in the order in which the line takes them. No ABC: the line asks for every alert
    whether its method is one, and of an ABC that costs a microsecond."""

    name: str

    def rank_in(self, draft: Draft, alert: Alert, vector: Vector, candidates: Iterator[Candidate]) -> Ranking:
        """See `Method.rank`; the draft is for look-ups and for the method's own tables."""
        raise NotImplementedError

    def tokens(self, draft: Draft, alert: Alert) -> Iterator[tuple[str, int]]:
        """Tokens of the index by which clusters are offered beside the usual ones, and how many of the newest of
        each."""
        raise NotImplementedError


class Kind(NamedTuple):
    """What registers a method: its name in `clustering.method`, and how to make one. `make` may import what is heavy
    and raises ValueError, with what to do about it, when it lacks something (no model yet)."""

    name: str
    make: Callable[[], Method | Streaming]


def ranked(match: Match, best: Match | None, second: Match | None) -> tuple[Match, Match | None]:
    """The two most similar of the three; of equals the older cluster."""
    if best is None or (match.score, -match.cluster.id) > (best.score, -best.cluster.id):
        return match, best
    if second is None or match.score > second.score:
        return best, match
    return best, second
