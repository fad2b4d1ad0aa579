"""Figures: what is told apart of an alert and a cluster that it may belong to; the columns of the learned method.

Owns their order and how each is worked out. Everything of the cluster comes from its record: `centroid` holds, beside
the sum of its first members, marks (tokens with "!") of its rare members. NaN is "not known", which is not "different".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, nan

from data.records import RANK, Alert, Cluster
from engine.book import Draft
from engine.similarity import links, stream
from engine.similarity.features import WEIGHTS, Vector
from engine.similarity.method import Candidate
from engine.similarity.stream import Noted
from engine.similarity.words import PREFIX, WORDS

FEATURES = tuple(WORDS)
#: Those that are the alert's alone, side by side in every row, and those that tell its candidates apart.
OWN = ("surprise", "seen", "since_type_seconds", "since_place_seconds", "burst")
PAIRED = tuple(name for name in FEATURES if name not in OWN)
_OWN_AT = FEATURES.index(OWN[0])
GROUPS: dict[str, tuple[str, ...]] = {
    "time": ("gap_seconds", "age_seconds", "hours_apart", "same_weekday", "since_place_seconds", "burst"),
    "rarity": ("since_rare_seconds", "heat", "rare_members", "surprise", "seen", "since_type_seconds"),
    "type": ("same_type", "severity_step"),
    "entity": ("same_entity", "same_entity_type", "entities", "members"),
    "place": ("same_site", "sites", "same_service", "same_correlation"),
    "text": ("text",),
    "topology": ("topology",),
    "together": ("together",),
}
#: What goes into a reason, most telling first: the figure, and the least and most at which it says something.
_TELLING: tuple[tuple[str, float, float], ...] = (
    ("same_correlation", 1.0, 1.0),
    ("topology", 0.0, 3.0),
    ("same_entity", 0.01, 1.0),
    ("since_rare_seconds", 0.0, 3600.0),
    ("surprise", stream.RARE, 99.0),
    ("same_type", 0.0, 1.0),
    ("text", 0.01, 1.0),
    ("together", 1.0, 99.0),
    ("same_site", 1.0, 1.0),
    ("gap_seconds", 0.0, 1e9),
)
_TOLD = 6
RARE_AT, RARE_COUNT, HEAT = "!at", "!n", "!heat"
#: Prefix of the index token under which clusters with rare alerts stand, by place.
HOT = "r:"
_HEAT_SECONDS = 900.0
_PLACED = tuple((FEATURES.index(name), name, least, most) for name, least, most in _TELLING)


def marks(cluster: Cluster | None, alert: Alert, noted: Noted, chain: tuple[str, ...] = ()) -> Mapping[str, float]:
    """What the cluster that takes this alert must remember: what its entity hangs on, and when a rare one came."""
    held = cluster.centroid if cluster is not None else {}
    linked = links.marks(held, chain)
    if noted.surprise < stream.RARE:
        return linked
    last = held.get(RARE_AT, noted.at)
    faded = held.get(HEAT, 0.0) * exp(-max(0.0, noted.at - last) / _HEAT_SECONDS)
    return {
        **linked,
        RARE_AT: max(last, noted.at),
        RARE_COUNT: held.get(RARE_COUNT, 0.0) + 1.0,
        HEAT: faded + noted.surprise - stream.RARE,
        HOT + alert.site: 0.0,
    }


def telling(row: Sequence[float]) -> dict[str, float]:
    """The few figures of a pair that go into its reason, by name; `engine.similarity.words` says them."""
    found = {}
    for at, name, least, most in _PLACED:
        if least <= row[at] <= most:
            found[PREFIX + name] = round(row[at], 2)
            if len(found) == _TOLD:
                break
    return found


class Columns:
    """Rows of one alert against its candidates. `own` are the values of `OWN`, the same in all of its rows: they and
    whatever else is the alert's are worked out once."""

    def __init__(self, draft: Draft, alert: Alert, vector: Vector, noted: Noted) -> None:
        self._alert, self._noted = alert, noted
        words = tuple(token for token in vector.tokens if token[:2] == "w:")
        self._told = list(zip(words, stream.weights(draft, alert, words), strict=True))
        self._telling = sum(weight for _, weight in self._told)
        self._tokens = ("n:" + alert.name, "e:" + alert.entity, "t:" + alert.entity_type, "j:" + alert.service)
        self._hour, self._weekday = alert.starts_at.hour, alert.starts_at.weekday()
        self._rank = RANK[alert.severity]
        self.chain = links.above(draft, alert)
        self._near = links.steps_to(alert, self.chain)
        self._together = stream.Together(draft, alert)
        burst = noted.burst / max(0.1, noted.usual)
        self.own = [noted.surprise, float(noted.seen), noted.since_type, noted.since_place, burst]

    def row(self, candidate: Candidate) -> list[float]:
        """One value for each of `FEATURES`."""
        pair = self.pair(candidate)
        return [*pair[:_OWN_AT], *self.own, *pair[_OWN_AT:]]

    def pair(self, candidate: Candidate) -> list[float]:
        """One value for each of `PAIRED`: what differs between the candidates."""
        alert, cluster = self._alert, candidate.cluster
        centroid, opened = cluster.centroid, cluster.opened_at
        known, members = centroid.get, centroid["#"]
        name, entity, entity_type, service = self._tokens
        rare_at = known(RARE_AT)
        since_rare, heat = nan, 0.0
        if rare_at is not None:
            since_rare = max(0.0, self._noted.at - rare_at)
            heat = centroid[HEAT] * exp(-since_rare / _HEAT_SECONDS)
        apart = abs(self._hour - opened.hour)
        return [
            candidate.gap,
            since_rare,
            heat,
            known(RARE_COUNT, 0.0),
            known(name, 0.0) / (members * _NAME),
            known(entity, 0.0) / (members * _ENTITY) if alert.entity else nan,
            known(entity_type, 0.0) / (members * _ENTITY_TYPE) if alert.entity_type else nan,
            (1.0 if alert.site in cluster.sites else 0.0) if alert.site and cluster.sites else nan,
            known(service, 0.0) / (members * _SERVICE) if alert.service else nan,
            known("c:" + alert.correlation, 0.0) / (members * _CORRELATION) if alert.correlation else nan,
            self._rank - RANK[cluster.severity],
            apart if apart <= 12 else 24 - apart,
            1.0 if self._weekday == opened.weekday() else 0.0,
            self._text(known),
            cluster.alerts,
            cluster.entities,
            len(cluster.sites),
            max(0.0, (alert.starts_at - opened).total_seconds()),
            links.distance(centroid, self._near, bool(self.chain)),
            self._together.most(cluster.names),
        ]

    def _text(self, known: Callable[[str], float | None]) -> float:
        if not self._telling:
            return nan
        shared = 0.0
        for word, weight in self._told:
            if known(word):
                shared += weight
        return shared / self._telling


_NAME, _ENTITY, _ENTITY_TYPE = WEIGHTS["name"], WEIGHTS["entity"], WEIGHTS["entity_type"]
_SERVICE, _CORRELATION = WEIGHTS["service"], WEIGHTS["correlation"]
