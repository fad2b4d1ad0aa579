"""Novelty: how much an alert stands out against what its tenant has seen so far, 0..1, when it begins.

Owns the counts behind that: how often its type and its type on this entity came, how seldom its entity speaks at all,
and how much that was rare has come in the last minutes, there and anywhere. Every sum fades with time, every table is
bounded, each alert is judged before it is counted. Never waits, never reads anything but the alert and the tables.

The score is a logistic sum of eight figures. Their weights were fit on four recordings of intrusion detectors and
checked on each recording in turn with the weights of the other three (average precision .72 to .86 over a base rate
of .007). They say: a type seldom seen, on an entity that seldom speaks, not seen there for long, while other rare types
come from the same entity, matters; the same in the middle of a flood of common alerts, or while everything is new, does
not. Fails on a source whose every alert has a type of its own: all of them are new, and none stands out.
"""

from __future__ import annotations

from itertools import islice
from math import exp, log, log1p
from typing import Any, NamedTuple

from msgspec.structs import force_setattr

from data.records import Alert, IncidentId
from engine.book import ABSENT, Draft
from engine.priority.keeping import ENTITIES, PAIRS, TYPES, WHOLE, ensure, unkept
from engine.root_cause.settling import grew

UNUSUAL = "novelty.incidents"
#: Most rows of a table; those that were entered first make room.
LIMITS = {TYPES: 10_000, PAIRS: 50_000, ENTITIES: 20_000, UNUSUAL: 50_000}
SHORT_SECONDS, LONG_SECONDS = 600.0, 3600.0
#: A type of less than e⁻⁴ of all alerts is rare; by so much it adds to what is rare at its entity.
RARE_FROM = 4.0
_NEVER_SECONDS = 1e6
_FADE = 0.99
_NO_ROWS: dict[Any, Any] = {}
#: After so many alerts of a tenant the tables are looked at, and room is made in them for as many.
_ROOM_EVERY = 64

WEIGHTS = {
    "seen": 0.52,
    "rare_type": 0.89,
    "silent_seconds": 0.30,
    "all_new": -9.2,
    "rare_entity": 0.76,
    "flood": -0.80,
    "rare_nearby": 0.71,
    "new_anywhere": 2.26,
}
BIAS = -17.15


class Figures(NamedTuple):
    """What the score is made of, each at the moment before the alert is counted. Logarithms but for `all_new`.

    seen: alerts of this type · rare_type, rare_entity: surprise of the type and the entity, -ln of their share ·
    silent_seconds: since this type last came from this entity · all_new: share of late alerts that were of a new
    type for their entity · flood: alerts of the last ten minutes · rare_nearby: surprise of rare types at this entity
    in the last ten minutes · new_anywhere: types new to their entity in the last hour, anywhere
    """

    seen: float
    rare_type: float
    silent_seconds: float
    all_new: float
    rare_entity: float
    flood: float
    rare_nearby: float
    new_anywhere: float

    def score(self) -> float:
        return _score(*self)


_A, _B, _C, _D, _E, _F, _G, _H = (WEIGHTS[name] for name in Figures._fields)


def _score(s: float, t: float, u: float, v: float, w: float, x: float, y: float, z: float) -> float:  # noqa: PLR0917 - the figures
    """0..1 of eight figures in the order of `Figures`."""
    total = BIAS + _A * s + _B * t + _C * u + _D * v + _E * w + _F * x + _G * y + _H * z
    return 1.0 / (1.0 + exp(-total)) if total > -60.0 else exp(-60.0)


class Whole(NamedTuple):
    """Of one tenant: all alerts, and what fades since `at` (seconds since 1970)."""

    alerts: int = 0
    all_new: float = 0.0
    at: float = 0.0
    flood: float = 0.0
    new: float = 0.0


def notice(draft: Draft, alert: Alert) -> Alert:
    """The new `alert` with how unusual it is; it is counted, and its incident is as unusual as its most unusual one."""
    if ensure(draft):
        for known in unkept(draft):
            _judge(draft, known)
    found = int(_judge(draft, alert) * 10_000.0 + 0.5) / 10_000.0
    incident = alert.incident
    if incident:
        before = draft.book.derived.get(UNUSUAL, _NO_ROWS).get(incident)
        if before is None or found > before:
            enter(draft, UNUSUAL, incident, found)
        grew(draft, incident)
    force_setattr(alert, "unusual", found)  # it is new, and nobody else has it yet
    return alert


def unusual(draft: Draft, incident: IncidentId) -> float:
    """The most that any alert of the incident stood out; looked up again after a restart."""
    found: float | None = draft.derived(UNUSUAL).get(incident)
    if found is None:
        found = max((alert.unusual for alert in draft.members(incident)), default=0.0)
        enter(draft, UNUSUAL, incident, found)
    return found


def _judge(draft: Draft, alert: Alert) -> float:
    """The score of `alert` before it is counted, and the count. Straight on purpose: it runs for every new alert, and
    each call saved is time on the line."""
    types, pairs, entities, wholes = _tables(draft)
    tenant, name, at = alert.tenant, alert.name, alert.starts_at.timestamp()
    place = alert.entity or alert.site
    type, pair, entity = (tenant, name), (tenant, name, place), (tenant, place)
    known_type, last, known_entity, whole = types.get(type), pairs.get(pair), entities.get(entity), wholes.get(tenant)
    seen = known_type or 0
    there, rare, rare_at = known_entity or (0, 0.0, at)
    alerts, all_new, until, flood, new = whole or (0, 0.0, at, 0.0, 0.0)
    total = alerts + 1
    if at > until:
        flood *= exp((until - at) / SHORT_SECONDS)
        new *= exp((until - at) / LONG_SECONDS)
        until = at
    if at > rare_at:
        rare *= exp((rare_at - at) / SHORT_SECONDS)
        rare_at = at
    surprise = log(total / (seen + 0.5))
    silent = _NEVER_SECONDS if last is None else min(max(0.0, at - last), _NEVER_SECONDS)
    score = _score(
        log1p(seen),
        surprise,
        log1p(silent),
        all_new,
        log(total / (there + 0.5)),
        log1p(flood),
        log1p(rare) if rare else 0.0,
        log1p(new),
    )
    all_new *= _FADE
    if last is None:
        all_new += 1.0 - _FADE
        new += 1.0
    if surprise > RARE_FROM:
        rare += surprise - RARE_FROM
    if total % _ROOM_EVERY == 0:
        _keep_bounds(draft)
    journal = draft.journal
    journal((types, type, known_type or ABSENT))
    types[type] = seen + 1
    if last is None or at > last:
        journal((pairs, pair, ABSENT if last is None else last))
        pairs[pair] = at
    journal((entities, entity, known_entity or ABSENT))
    entities[entity] = (there + 1, rare, rare_at)
    journal((wholes, tenant, whole or ABSENT))
    wholes[tenant] = (total, all_new, until, flood + 1.0, new)
    return score


def _tables(draft: Draft) -> tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any], dict[Any, Any]]:
    tables = draft.book.derived
    try:
        return tables[TYPES], tables[PAIRS], tables[ENTITIES], tables[WHOLE]
    except KeyError:
        return draft.derived(TYPES), draft.derived(PAIRS), draft.derived(ENTITIES), draft.derived(WHOLE)


def _keep_bounds(draft: Draft) -> None:
    """Make room for the next so many rows in each of the tables."""
    for name in (TYPES, PAIRS, ENTITIES):
        table = draft.derived(name)
        if len(table) > LIMITS[name] - _ROOM_EVERY:
            _make_room(draft, table, name)


def enter(draft: Draft, name: str, key: Any, value: Any) -> None:
    """Set a row of a bounded table."""
    table = draft.derived(name)
    if key not in table and len(table) >= LIMITS[name]:
        _make_room(draft, table, name)
    draft.set(table, key, value)


def _make_room(draft: Draft, table: dict[Any, Any], name: str) -> None:
    """Of a full table the rows that were entered first go, several at once: a dict searches for its first row past all
    that left before."""
    for oldest in list(islice(table, max(_ROOM_EVERY, LIMITS[name] // 50))):
        draft.discard(table, oldest)
