"""Features: an incident at a moment as a row of numbers for the model, and which of the nine each number is of.

Owns the columns and their order; a model names its columns, and one whose names differ is not used. What is known at
the opening of an incident is worked out once and kept, so that a score moves only with the incident and the clock.
Never looks ahead: rows are made of the Book as it is at the draft's time.
"""

from __future__ import annotations

from array import array
from math import log1p, nan

from data.records import RANK, Incident
from engine.book import Draft
from engine.priority import memory, novelty
from engine.priority.shares import TIER_SHARE, business_hours, local_time, sla_used

#: Names of the groups, as operators read them.
GROUPS = (
    "severity",
    "affected_sites",
    "business_hours",
    "client_tier",
    "historical_impact",
    "recurrence",
    "resolution_time",
    "site_workload",
    "on_call",
    "sla",
)
#: Column → its group, of what moves while the incident lives.
_MOVING = {
    "severity": "severity",
    "sites": "affected_sites",
    "alerts": "affected_sites",
    "open_hours": "business_hours",
    "hour": "business_hours",
    "weekday": "business_hours",
    "tier": "client_tier",
    "unusual": "recurrence",
    "site_open": "site_workload",
    "on_call": "on_call",
    "sla_used": "sla",
    "age_minutes": "sla",
}
#: Group of each figure of `memory`.
_FIGURES = {
    "mattered": "historical_impact",
    "ended": "recurrence",
    "hours": "resolution_time",
    "open": "site_workload",
}
_KEPT_ONCE = ("impact", "late_minutes", *memory.names())
COLUMNS = (*_MOVING, *_KEPT_ONCE)
#: Group → the positions of its columns.
POSITIONS: dict[str, list[int]] = {group: [] for group in GROUPS}
for _position, _column in enumerate(COLUMNS):
    _group = _MOVING.get(_column) or _FIGURES.get(_column.partition("_")[0])
    _group = {"impact": "historical_impact", "late_minutes": "sla"}.get(_column) or _group
    POSITIONS[str(_group)].append(_position)
#: Columns along which a score may only rise.
RISING = frozenset({"severity", "sites", "tier", "sla_used", *(f"mattered_{facet}" for facet in memory.FACETS)})

AT_OPENING = "priority.at_opening"
_LIMIT = 20_000


def row(draft: Draft, incident: Incident) -> list[float]:
    """The incident at the draft's time, in the order of `COLUMNS`; NaN is not known."""
    return [*_moving(draft, incident), *at_opening(draft, incident)]


def at_opening(draft: Draft, incident: Incident) -> array[float]:
    """What was known of its kind when it was first looked at; kept, and worked out again after a restart."""
    table = draft.derived(AT_OPENING)
    kept: bytes | None = table.get(incident.id)
    if kept is not None:
        return array("f", kept)
    found = array("f", (*_history(draft, incident), *memory.columns(draft, incident)))
    if len(table) >= _LIMIT:
        draft.discard(table, next(iter(table)))
    # As bytes: small, and equal to itself also where something is not known.
    draft.set(table, incident.id, found.tobytes())
    return found


def forget(draft: Draft, incident: Incident) -> None:
    draft.discard(draft.derived(AT_OPENING), incident.id)


def _history(draft: Draft, incident: Incident) -> tuple[float, float]:
    name = incident.names[0] if incident.names else ""
    pattern = draft.book.patterns.get((incident.tenant, name))
    impact = log1p(pattern.alerts / pattern.incidents) if pattern is not None and pattern.incidents else nan
    first = draft.book.alerts.get(incident.root)
    late = (draft.now - first.starts_at).total_seconds() / 60.0 if first is not None else nan
    return impact, log1p(max(0.0, late))


def _moving(draft: Draft, incident: Incident) -> tuple[float, ...]:
    rules, book = draft.rules, draft.book
    local = local_time(draft.now, rules)
    place = (incident.tenant, incident.site)
    on_call = nan if rules.on_call is None else float(rules.on_call)
    return (
        float(RANK[incident.severity]),
        float(max(1, len(incident.sites))),
        log1p(incident.alerts),
        float(business_hours(draft.now, rules)),
        float(local.hour),
        float(local.weekday()),
        TIER_SHARE.get(rules.tiers.get(incident.client, ""), 0.0),
        novelty.unusual(draft, incident.id),
        float(max(0, book.workload.get(place, 1) - 1)) if incident.site else nan,
        on_call,
        sla_used(incident, draft.now),
        log1p(max(0.0, (draft.now - incident.opened_at).total_seconds() / 60.0)),
    )
