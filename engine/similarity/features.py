"""Features: an alert as a sparse weighted vector, and a cluster as the sum of the vectors of its first members.

Tokens are a prefix and a value (`n:` type, `v:` severity, `h:` day and hour of the week, `w:` word of the title with
numbers masked, `s:` site, `e:` entity, `t:` entity type, `j:` service, `c:` correlation id). The sum is kept in the
Cluster record (`centroid`), so that every method finds it there after a restart: a token's sum divided by its weight in
`WEIGHTS` (words: by `WEIGHTS["words"] / sqrt(words of the title)`) is the number of the first members that have it.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

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
_SITE, _ENTITY = WEIGHTS["site"], WEIGHTS["entity"]
_ENTITY_TYPE, _SERVICE, _CORRELATION = WEIGHTS["entity_type"], WEIGHTS["service"], WEIGHTS["correlation"]
_ALWAYS = tuple(WEIGHTS[feature] for feature in ("name", "severity", "hour_of_week"))
#: By number of words: their weights, and the squared length of these and the features that are always there.
_WORD_WEIGHTS = tuple((WEIGHTS["words"] / sqrt(count or 1),) * count for count in range(7))
_NORMS = tuple(sum(weight * weight for weight in (*_ALWAYS, *shares)) for shares in _WORD_WEIGHTS)


class Vector(Struct, frozen=True, gc=False):
    """An alert as a sparse vector: tokens, their weights, and its squared length without recency.

    `home` is the index token of "this type at this site"."""

    tokens: list[str]
    weights: list[float]
    norm: float
    home: str


def features(alert: Alert) -> Vector:
    """The alert's features. Missing ones are missing, not equal."""
    at = alert.starts_at
    hour = _HOURS_OF_WEEK[at.weekday()][at.hour]
    kind = _of_kind(alert.name, alert.severity, hour, words(alert.title), alert.site, alert.entity_type)
    tokens, weights, norm = kind.tokens.copy(), kind.weights.copy(), kind.norm
    if alert.entity:
        tokens.append("e:" + alert.entity)
        weights.append(_ENTITY)
        norm += _ENTITY * _ENTITY
    if alert.service:
        tokens.append("j:" + alert.service)
        weights.append(_SERVICE)
        norm += _SERVICE * _SERVICE
    if alert.correlation:
        tokens.append("c:" + alert.correlation)
        weights.append(_CORRELATION)
        norm += _CORRELATION * _CORRELATION
    return Vector(tokens, weights, norm, kind.home)


@lru_cache(maxsize=2048)
def _of_kind(  # noqa: PLR0917 - the key of the memory, on the hot path
    name: str, severity: Severity, hour: str, found: tuple[str, ...], site: str, entity_type: str
) -> Vector:
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
    return Vector(tokens, weights, norm, pair(site, name))


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
