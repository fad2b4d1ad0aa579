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
    seen, last = known if known is not None else (0, at - NEVER_SECONDS)
    before: Place | None = places.get(at_place)
    place = before if before is not None else Place(at - NEVER_SECONDS, 0.0, 0, at, ())
    since = at - place.at if at > place.at else 0.0
    burst = place.burst * exp(-since / BURST_SECONDS) if place.burst else 0.0
    noted = Noted(
        at,
        seen,
        -log((seen + 0.5) / (total + 1)),
        NEVER_SECONDS if known is None else max(0.0, at - last),
        since,
        burst,
        place.alerts * BURST_SECONDS / max(BURST_SECONDS, at - place.first),
    )
    draft.exchange(whole, tenant, total + 1, total or None)
    _enter(draft, TYPES, types, of_type, (seen + 1, at if at > last else last), known)
    late = [one for one in place.recent if one[0] != name and at - one[1] <= TOGETHER_SECONDS]
    if late:
        mine = _partners(draft, tenant, name)
        for other, _ in late:
            _count(draft, mine, other)
            _count(draft, _partners(draft, tenant, other), name)
    _enter(
        draft,
        PLACES,
        places,
        at_place,
        Place(
            at if at > place.at else place.at,
            burst + 1.0,
            place.alerts + 1,
            at if at < place.first else place.first,
            (*late, (name, at))[-_RECENT:],
        ),
        before,
    )
    if not seen:
        table = draft.derived(WORDS)
        for word in words:
            count = table.get((tenant, word))
            _enter(draft, WORDS, table, (tenant, word), 1 if count is None else count + 1, count)
    return noted


def weights(draft: Draft, alert: Alert, words: tuple[str, ...]) -> list[float]:
    """How much each word tells: ln of the types there are over the types that have it (inverse document frequency, with
    types as documents: Spärck Jones 1972)."""
    known, tenant = draft.derived(WORDS), alert.tenant
    types = len(draft.derived(TYPES)) + 2.0
    return [log(types / (known.get((tenant, word), 0) + 1.0)) for word in words]


class Together:
    """How much oftener than by chance the type of an alert and others came together: ln(1 + lift), 0 when unknown."""

    def __init__(self, draft: Draft, alert: Alert) -> None:
        self._draft, self._tenant = draft, alert.tenant
        self._partners: dict[str, int] = draft.derived(PAIRS).get((alert.tenant, alert.name)) or {}
        self._types = draft.derived(TYPES) if self._partners else {}
        self._own = self._types.get((alert.tenant, alert.name), (0, 0.0))[0]
        self._total = draft.derived(WHOLE).get(alert.tenant, 0)
        self._known: dict[str, float] = {}

    def most(self, names: Sequence[str]) -> float:
        """Of these types the most. Candidates share most of theirs: each is worked out once."""
        if not self._partners:
            return 0.0
        most, partners, known = 0.0, self._partners, self._known
        for name in names[:_NAMES_LOOKED_AT]:
            both = partners.get(name, 0)
            if both > 1:
                found = known.get(name)
                if found is None:
                    others = self._types.get((self._tenant, name), (1, 0.0))[0]
                    found = known[name] = log(1.0 + both * self._total / max(1, self._own * others))
                most = max(most, found)
        return most


def _partners(draft: Draft, tenant: TenantId, name: str) -> dict[str, int]:
    pairs = draft.derived(PAIRS)
    found: dict[str, int] | None = pairs.get((tenant, name))
    if found is None:
        found = {}
        _enter(draft, PAIRS, pairs, (tenant, name), found, None)
    return found


def _count(draft: Draft, partners: dict[str, int], other: str) -> None:
    count = partners.get(other)
    if count is None and len(partners) >= PARTNERS_MOST:
        draft.discard(partners, next(iter(partners)))
    draft.exchange(partners, other, 1 if count is None else count + 1, count)


def _enter(  # noqa: PLR0917 - the write in parts, on the hot path
    draft: Draft, name: str, table: dict[Any, Any], key: Any, value: Any, old: Any
) -> None:
    """`old` is what is there, None = nothing."""
    if old is None and len(table) >= LIMITS[name]:
        draft.discard(table, next(iter(table)))
    draft.exchange(table, key, value, old)
