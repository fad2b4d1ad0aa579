"""Figures: what is told apart of an alert and a cluster that it may belong to; the columns of the learned method.

Owns their order and how each is worked out. Everything of the cluster comes from its record: `centroid` holds, beside
the sum of its first members, marks (tokens with "!") of its rare members. NaN is "not known", which is not "different".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, nan

from data.records import RANK, Alert, Cluster
from engine.book import Draft
from engine.similarity import links, stream
from engine.similarity.features import WEIGHTS
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
_PLACED = tuple((FEATURES.index(name), PREFIX + name, least, most) for name, least, most in _TELLING)


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
    found: dict[str, float] = {}
    left = _TOLD
    for at, name, least, most in _PLACED:
        value = row[at]
        if least <= value <= most:
            # Cut to hundredths; `round` costs more than the score of a candidate.
            found[name] = int(value * 100.0 + 0.5) / 100.0
            left -= 1
            if not left:
                break
    return found


class Columns:
    """Rows of one alert against its candidates. `own` are the values of `OWN`, the same in all of its rows: they and
    whatever else is the alert's are worked out once."""

    __slots__ = (
        "_alert", "_at", "_correlation", "_entity", "_entity_type", "_hour", "_linked", "_name", "_near", "_rank",
        "_service", "_telling", "_together", "_told", "_weekday", "chain", "own",
    )  # fmt: skip

    def __init__(self, draft: Draft, alert: Alert, words: tuple[str, ...], noted: Noted) -> None:
        self._alert, self._at = alert, noted.at
        weights = stream.weights(draft, alert, words)
        self._told, self._telling = list(zip(words, weights, strict=True)), sum(weights)
        self._name = "n:" + alert.name
        self._entity = "e:" + alert.entity if alert.entity else ""
        self._entity_type = "t:" + alert.entity_type if alert.entity_type else ""
        self._service = "j:" + alert.service if alert.service else ""
        self._correlation = "c:" + alert.correlation if alert.correlation else ""
        starts_at = alert.starts_at
        self._hour, self._weekday = starts_at.hour, starts_at.weekday()
        self._rank = RANK[alert.severity]
        self.chain = links.above(draft, alert)
        self._near, self._linked = links.steps_to(alert, self.chain), bool(self.chain)
        self._together = stream.Together(draft, alert)
        burst = noted.burst / (noted.usual if noted.usual > 0.1 else 0.1)
        self.own = [noted.surprise, float(noted.seen), noted.since_type, noted.since_place, burst]

    def row(self, candidate: Candidate) -> list[float]:
        """One value for each of `FEATURES`."""
        return self.whole(self.pair(candidate))

    def whole(self, pair: list[float]) -> list[float]:
        """The row of which these are the values of `PAIRED`."""
        return [*pair[:_OWN_AT], *self.own, *pair[_OWN_AT:]]

    def apart(self, candidate: Candidate) -> bool:
        """Whether nothing but types, words and times can tie them: both name sites, and they differ, as do entities,
        correlation ids and what they hang on."""
        site, cluster = self._alert.site, candidate.cluster
        if not site or not cluster.sites or site in cluster.sites:
            return False
        centroid = cluster.centroid
        if self._correlation in centroid:
            return False
        return not any(token in centroid for token, _ in self._near)

    def pair(self, candidate: Candidate) -> list[float]:
        """One value for each of `PAIRED`: what differs between the candidates."""
        alert, cluster, at = self._alert, candidate.cluster, self._at
        centroid, opened, sites = cluster.centroid, cluster.opened_at, cluster.sites
        known, members = centroid.get, centroid["#"]
        rare_at = known(RARE_AT)
        if rare_at is None:
            since_rare, heat, rare = nan, 0.0, 0.0
        else:
            since_rare = at - rare_at if at > rare_at else 0.0
            heat, rare = centroid[HEAT] * exp(-since_rare / _HEAT_SECONDS), centroid[RARE_COUNT]
        apart = self._hour - opened.hour if self._hour > opened.hour else opened.hour - self._hour
        age = at - opened.timestamp()
        shared = 0.0
        for word, weight in self._told:
            if word in centroid:
                shared += weight
        return [
            candidate.gap,
            since_rare,
            heat,
            rare,
            known(self._name, 0.0) / (members * _NAME),
            known(self._entity, 0.0) / (members * _ENTITY) if self._entity else nan,
            known(self._entity_type, 0.0) / (members * _ENTITY_TYPE) if self._entity_type else nan,
            (1.0 if alert.site in sites else 0.0) if alert.site and sites else nan,
            known(self._service, 0.0) / (members * _SERVICE) if self._service else nan,
            known(self._correlation, 0.0) / (members * _CORRELATION) if self._correlation else nan,
            self._rank - RANK[cluster.severity],
            apart if apart <= 12 else 24 - apart,
            1.0 if self._weekday == opened.weekday() else 0.0,
            shared / self._telling if self._telling else nan,
            cluster.alerts,
            cluster.entities,
            len(sites),
            age if age > 0.0 else 0.0,
            links.distance(centroid, self._near, self._linked),
            self._together.most(cluster.names),
        ]


_NAME, _ENTITY, _ENTITY_TYPE = WEIGHTS["name"], WEIGHTS["entity"], WEIGHTS["entity_type"]
_SERVICE, _CORRELATION = WEIGHTS["service"], WEIGHTS["correlation"]
