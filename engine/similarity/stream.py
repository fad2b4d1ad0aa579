"""The stream of a tenant's alerts, as far as a method of clustering must know it: how rare a type is, how long since
it and its place last spoke, which types come together, which words tell types apart.

Owns these tables, in `Book.derived`: bounded, faded by event time, written through the draft so that a dropped one
takes them back. An alert is judged before it is counted. `engine.similarity.keeping` brings them over a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

from msgspec import Struct

from data.records import Alert, TenantId
from engine.book import Draft

TYPES, PLACES, PAIRS, WORDS, WHOLE = (
    "similarity.types",
    "similarity.places",
    "similarity.pairs",
    "similarity.words",
    "similarity.whole",
)
#: Most rows of a table; the one that was entered first makes room. A row of PAIRS is a type with the types that came
#: together with it, each with how often, and as many of them.
LIMITS = {TYPES: 20_000, PLACES: 20_000, PAIRS: 5_000, WORDS: 50_000}
PARTNERS_MOST = 64
#: A place's burst fades with this; types within it came together.
BURST_SECONDS, TOGETHER_SECONDS = 600.0, 120.0
#: So many other types of the last two minutes are taken as having come together with the alert's.
_RECENT = 4
#: A type whose surprise is above this is rare: fewer than one alert in about 150 is of it.
RARE = 5.0
NEVER_SECONDS = 1e6
#: Types of a cluster that are asked whether they came together with an alert's.
_NAMES_LOOKED_AT = 8


class Place(Struct, frozen=True, gc=False):
    """Of one site, or of all alerts that name none: the last alert, the faded number of late ones, types of late."""

    at: float
    burst: float
    alerts: int
    first: float
    recent: tuple[tuple[str, float], ...]


class Noted(Struct, frozen=True, gc=False):
    """What was known when the alert came. Times in seconds, `surprise` is -ln of the share of its type."""

    at: float
    seen: int
    surprise: float
    since_type: float
    since_place: float
    burst: float
    usual: float


def note(draft: Draft, alert: Alert, words: tuple[str, ...]) -> Noted:
    """Judge the alert, then count it."""
    tenant, name, at = alert.tenant, alert.name, alert.starts_at.timestamp()
    types, places, whole = draft.derived(TYPES), draft.derived(PLACES), draft.derived(WHOLE)
    total, of_type, at_place = whole.get(tenant, 0), (tenant, name), (tenant, alert.site)
    known: tuple[int, float] | None = types.get(of_type)
    place: Place | None = places.get(at_place)
    noted = _judged(at, total, known, place)
    draft.exchange(whole, tenant, total + 1, total or None)
    if known is None:
        _make_room(draft, TYPES, types)
        _learn_words(draft, tenant, words)
        draft.exchange(types, of_type, (1, at), None)
    else:
        draft.exchange(types, of_type, (known[0] + 1, at if at > known[1] else known[1]), known)
    if place is None:
        _make_room(draft, PLACES, places)
        draft.exchange(places, at_place, Place(at, 1.0, 1, at, ((name, at),)), None)
        return noted
    since = at - TOGETHER_SECONDS
    late = [one for one in place.recent if one[0] != name and one[1] >= since]
    if late:
        _count(draft, of_type, late)
    late.append((name, at))
    found = Place(
        at if at > place.at else place.at,
        noted.burst + 1.0,
        place.alerts + 1,
        at if at < place.first else place.first,
        tuple(late[-_RECENT:]),
    )
    draft.exchange(places, at_place, found, place)
    return noted


def _judged(at: float, total: int, known: tuple[int, float] | None, place: Place | None) -> Noted:
    if known is None:
        seen, since_type = 0, NEVER_SECONDS
    else:
        seen, since_type = known[0], at - known[1] if at > known[1] else 0.0
    surprise = -log((seen + 0.5) / (total + 1))
    if place is None:
        return Noted(at, seen, surprise, since_type, NEVER_SECONDS, 0.0, 0.0)
    since = at - place.at if at > place.at else 0.0
    length = at - place.first
    return Noted(
        at,
        seen,
        surprise,
        since_type,
        since,
        place.burst * exp(-since / BURST_SECONDS) if since else place.burst,
        place.alerts * BURST_SECONDS / length if length > BURST_SECONDS else float(place.alerts),
    )


def weights(draft: Draft, alert: Alert, words: tuple[str, ...]) -> list[float]:
    """How much each word tells: ln of the types there are over the types that have it (inverse document frequency, with
    types as documents: Spärck Jones 1972)."""
    known, tenant = draft.derived(WORDS), alert.tenant
    types = len(draft.derived(TYPES)) + 2.0
    return [log(types / (known.get((tenant, word), 0) + 1.0)) for word in words]


class Together:
    """How much oftener than by chance the type of an alert and others came together: ln(1 + lift), 0 when unknown."""

    __slots__ = ("_known", "_name", "_own", "_partners", "_tenant", "_types", "_whole")

    def __init__(self, draft: Draft, alert: Alert) -> None:
        self._tenant, self._name = alert.tenant, alert.name
        self._partners: dict[str, int] = draft.derived(PAIRS).get((alert.tenant, alert.name), _NONE)
        if self._partners:
            self._types, self._whole = draft.derived(TYPES), draft.derived(WHOLE).get(alert.tenant, 0)
            self._own = self._types.get((alert.tenant, alert.name), _UNKNOWN)[0]
        self._known: dict[str, float] = {}

    def most(self, names: Sequence[str]) -> float:
        """Of these types the most. Candidates share most of theirs: each is worked out once."""
        partners = self._partners
        if not partners:
            return 0.0
        most, known = 0.0, self._known
        for name in names[:_NAMES_LOOKED_AT]:
            if name in partners:
                found = known.get(name)
                if found is None:
                    found = known[name] = self._lift(name, partners[name])
                most = max(most, found)
        return most

    def _lift(self, name: str, both: int) -> float:
        if both < _FEWEST_TOGETHER:
            return 0.0
        others = self._types.get((self._tenant, name), (1, 0.0))[0]
        return log(1.0 + both * self._whole / max(1, self._own * others))


_NONE: dict[str, int] = {}
_UNKNOWN = (0, 0.0)
_FEWEST_TOGETHER = 2


def _count(draft: Draft, of_type: tuple[TenantId, str], late: Sequence[tuple[str, float]]) -> None:
    """In the rows of both."""
    pairs, (tenant, name) = draft.derived(PAIRS), of_type
    mine: dict[str, int] | None = pairs.get(of_type)
    if mine is None:
        mine = _partners(draft, pairs, of_type)
    for other, _ in late:
        _add(draft, mine, other)
        theirs: dict[str, int] | None = pairs.get((tenant, other))
        _add(draft, _partners(draft, pairs, (tenant, other)) if theirs is None else theirs, name)


def _partners(draft: Draft, pairs: dict[Any, dict[str, int]], of_type: tuple[TenantId, str]) -> dict[str, int]:
    """A row for a type that has none."""
    found: dict[str, int] = {}
    _make_room(draft, PAIRS, pairs)
    draft.exchange(pairs, of_type, found, None)
    return found


def _add(draft: Draft, partners: dict[str, int], other: str) -> None:
    count = partners.get(other)
    if count is None:
        if len(partners) >= PARTNERS_MOST:
            draft.discard(partners, next(iter(partners)))
        draft.exchange(partners, other, 1, None)
    else:
        draft.exchange(partners, other, count + 1, count)


def _learn_words(draft: Draft, tenant: TenantId, words: tuple[str, ...]) -> None:
    """Once per type: how many types have each word."""
    table = draft.derived(WORDS)
    for word in words:
        count = table.get((tenant, word))
        if count is None:
            _make_room(draft, WORDS, table)
        draft.exchange(table, (tenant, word), (count or 0) + 1, count)


def _make_room(draft: Draft, name: str, table: dict[Any, Any]) -> None:
    """For one more."""
    if len(table) >= LIMITS[name]:
        draft.discard(table, next(iter(table)))
