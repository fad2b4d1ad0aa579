"""Features: an alert as a sparse weighted vector, and a cluster as the sum of the vectors of its first members.

Tokens are a prefix and a value (`n:` type, `v:` severity, `h:` day and hour of the week, `w:` word of the title with
numbers masked, `s:` site, `e:` entity, `t:` entity type, `j:` service, `c:` correlation id). The sum is kept in the
Cluster record (`centroid`), so that every method finds it there after a restart: a token's sum divided by its weight in
`WEIGHTS` (words: by `WEIGHTS["words"] / sqrt(words of the title)`) is the number of the first members that have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import repeat
from math import sqrt
from operator import mul

from msgspec import Struct

from data.records import Alert, Severity

#: Squared, these are the shares of the similarity: site and burst carry most, as one cause hits one place at once.
WEIGHTS = {
    "correlation": 2.0,
    "site": 2.1,
    "recency": 0.9,
    "service": 0.6,
    "name": 0.7,
    "entity": 0.6,
    "entity_type": 0.3,
    "severity": 0.25,
    "hour_of_week": 0.22,
    "words": 0.6,
}
_CENTROID_LIMIT = 96
_STOP = frozenset({"the", "for", "has", "been", "from", "with", "and", "its", "than", "more"})
#: Lower-case letters of ASCII, everything else of ASCII a blank.
_LETTERS = {code: chr(code).lower() if chr(code).isalpha() else " " for code in range(128)}
_ASCII_LETTERS = "".join(_LETTERS[code] for code in range(128)).encode() + b" " * 128
_HOURS_OF_WEEK = tuple(tuple(f"h:{day}/{hour}" for hour in range(24)) for day in range(7))
_SEVERITIES = {severity: "v:" + severity for severity in Severity}
_SITE, _ENTITY_TYPE = WEIGHTS["site"], WEIGHTS["entity_type"]
_ALWAYS = tuple(WEIGHTS[feature] for feature in ("name", "severity", "hour_of_week"))
#: By number of words: their weights, and the squared length of these and the features that are always there.
_WORD_WEIGHTS = tuple((WEIGHTS["words"] / sqrt(count or 1),) * count for count in range(7))
_NORMS = tuple(sum(weight * weight for weight in (*_ALWAYS, *shares)) for shares in _WORD_WEIGHTS)
_ZEROS = repeat(0.0)
_MET_NONE: tuple[Mapping[str, float], float] = ({}, 0.0)


def _own(present: Iterable[str]) -> tuple[tuple[float, ...], float]:
    weights = tuple(WEIGHTS[feature] for feature in present)
    return weights, sum(weight * weight for weight in weights)


#: Weights and squared length of what an alert has of its own, by what is there: entity 1, service 2, correlation 4.
_OWN = tuple(
    _own(feature for bit, feature in enumerate(("entity", "service", "correlation")) if which >> bit & 1)
    for which in range(8)
)


class Shared(Struct, gc=False):
    """What the vectors of alerts of one kind at one site have in common. `home`: the index token of "this type at this
    site". `met`: the sum of vectors that it was last multiplied with, and what came of it."""

    tokens: tuple[str, ...]
    weights: tuple[float, ...]
    norm: float
    home: str
    met: tuple[Mapping[str, float], float] = _MET_NONE


class Vector(Struct, frozen=True, gc=False):
    """An alert as a sparse vector: what it shares with its kind, its own tokens with their weights, and its squared
    length without recency. `entity`: the token of its entity, "" without one."""

    shared: Shared
    own: tuple[str, ...]
    own_weights: tuple[float, ...]
    norm: float
    entity: str

    @property
    def home(self) -> str:
        return self.shared.home

    @property
    def tokens(self) -> tuple[str, ...]:
        return self.shared.tokens + self.own

    @property
    def weights(self) -> tuple[float, ...]:
        return self.shared.weights + self.own_weights


def features(alert: Alert) -> Vector:
    """The alert's features. Missing ones are missing, not equal."""
    at = alert.starts_at
    hour = _HOURS_OF_WEEK[at.weekday()][at.hour]
    shared = _of_kind(alert.name, alert.severity, hour, words(alert.title), alert.site, alert.entity_type)
    entity = "e:" + alert.entity if alert.entity else ""
    own: tuple[str, ...] = (entity,) if entity else ()
    which = 1 if entity else 0
    if alert.service:
        own, which = (*own, "j:" + alert.service), which | 2
    if alert.correlation:
        own, which = (*own, "c:" + alert.correlation), which | 4
    weights, norm = _OWN[which]
    return Vector(shared, own, weights, shared.norm + norm, entity)


def dot(vector: Vector, centroid: Mapping[str, float]) -> float:
    """Product of the vector and a sum of vectors. The part of its kind is kept: most alerts of a kind meet the cluster
    that the one before has met, and a sum is settled after its first members."""
    shared = vector.shared
    met, product = shared.met
    if met is not centroid:
        product = sum(map(mul, shared.weights, map(centroid.get, shared.tokens, _ZEROS)))
        shared.met = centroid, product
    of_its_own: float = sum(map(mul, vector.own_weights, map(centroid.get, vector.own, _ZEROS)))
    return product + of_its_own


@lru_cache(maxsize=2048)
def _of_kind(  # noqa: PLR0917 - the key of the memory, on the hot path
    name: str, severity: Severity, hour: str, found: tuple[str, ...], site: str, entity_type: str
) -> Shared:
    """What alerts of one kind at one site share: there are few of them."""
    tokens = ["n:" + name, _SEVERITIES[severity], hour, *found]
    weights = [*_ALWAYS, *_WORD_WEIGHTS[len(found)]]
    norm = _NORMS[len(found)]
    if site:
        tokens.append("s:" + site)
        weights.append(_SITE)
        norm += _SITE * _SITE
    if entity_type:
        tokens.append("t:" + entity_type)
        weights.append(_ENTITY_TYPE)
        norm += _ENTITY_TYPE * _ENTITY_TYPE
    return Shared(tuple(tokens), tuple(weights), norm, pair(site, name))


def words(title: str) -> tuple[str, ...]:
    """Up to six words of the title; numbers, addresses and ids are masked by being left out.

    >>> words("Link down on 10.0.0.1: eth0")
    ('w:link', 'w:down', 'w:eth')
    """
    title = title[:120]
    if title.isascii():
        return _words(title.encode().translate(_ASCII_LETTERS))
    return _words(title.translate(_LETTERS).encode())


@lru_cache(maxsize=4096)
def _words(masked: bytes) -> tuple[str, ...]:
    """Titles differ in their numbers; masked, those of one type are few."""
    found = dict.fromkeys(masked.decode("utf-8", "replace").split())
    return tuple(["w:" + word for word in found if len(word) > 2 and word not in _STOP][:6])


def pair(site: str, name: str) -> str:
    """The index token of "this type at this site"."""
    return f"p:{site}\x1f{name}"


def add(centroid: dict[str, float], vector: Vector) -> dict[str, float]:
    """Sum of both. "#" counts the members, "##" is the squared length of the sum; `home` is kept for the index.

    Past the limit, new tokens are not taken on: what a large cluster is about is settled by then.
    """
    total = dict(centroid)
    length = total.get("##", 0.0)
    room = len(total) < _CENTROID_LIMIT
    for token, weight in zip(vector.tokens, vector.weights, strict=True):
        old = total.get(token, 0.0)
        if old or room:
            total[token] = old + weight
            length += weight * (weight + 2.0 * old)
    total[vector.home] = 0.0
    total["#"] = total.get("#", 0.0) + 1.0
    total["##"] = length
    return total
