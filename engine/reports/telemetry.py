"""Signs of life as they were counted: of a person, of a site, and what they say about alerts.

Owns the shapes of these answers. Never counts: that is `engine.domain.signals`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from data.nouns.signals import SignalWindow
from data.query_ast import And, Compare, Node, Op
from data.scope import Scope
from engine.client import Refused
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

CACHE_SECONDS = 60.0
MOST = 1000
Id = Annotated[str, Meta(min_length=1, max_length=200)]
Hours = Annotated[float, Meta(ge=0.1, le=168)]


class PersonSignals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    person: Id
    hours: Hours = 24.0


class SiteSignals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    site: Id
    hours: Hours = 24.0


class CorrelationParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`site`, `person` "" = all; `least` is the lowest score."""

    site: Annotated[str, Meta(max_length=200)] = ""
    person: Annotated[str, Meta(max_length=200)] = ""
    hours: Hours = 24.0
    least: Annotated[float, Meta(ge=0, le=1)] = 0.0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 200


@report("telemetry/persons/{person}/signals", params=PersonSignals, cache_seconds=CACHE_SECONDS)
async def person_signals(desk: Desk, scope: Scope, params: PersonSignals) -> Sequence[Any]:
    """A person's signs of life: windows of five minutes, sums by kind, rounds of the time."""
    known = await desk.rows(scope, kind="people", ids=(params.person,), limit=1)
    windows = await _windows(desk, scope, "person", params.person, params.hours)
    if not known and not windows:
        reason = f"no person {params.person!r} is known"
        raise Refused(reason, field="person", remedy="see the list of people", status=404)
    tours = await _tours(desk, scope, "entity", params.person, params.hours)
    return [_summary("person", params.person, windows, tours) | {"person": known[0] if known else None}]


@report("telemetry/sites/{site}/signals", params=SiteSignals, cache_seconds=CACHE_SECONDS)
async def site_signals(desk: Desk, scope: Scope, params: SiteSignals) -> Sequence[Any]:
    """Signs of life at a site: windows of five minutes, sums by kind, who is there, rounds of the time."""
    known = await desk.rows(scope, kind="sites", ids=(params.site,), limit=1) if scope.sees(params.site) else []
    windows = await _windows(desk, scope, "site", params.site, params.hours)
    if not known and not windows:
        raise Refused(f"no site {params.site!r} is known", field="site", remedy="see the list of sites", status=404)
    tours = await _tours(desk, scope, "site", params.site, params.hours)
    shifts = await desk.rows(scope, kind="shifts", where=_is("site", params.site), active=True, limit=MOST)
    present = [{"person": shift.person, "shift": shift.id} for shift in shifts if shift.state == "present"]
    return [_summary("site", params.site, windows, tours) | {"site": known[0] if known else None, "present": present}]


@report("telemetry/correlations", params=CorrelationParams, cache_seconds=CACHE_SECONDS)
async def correlations(desk: Desk, scope: Scope, params: CorrelationParams) -> Sequence[Any]:
    """Signals that belong to alerts, the highest score first."""
    wanted = [_is("site", params.site)] if params.site else []
    wanted += [_is("entity", params.person)] if params.person else []
    if params.least:
        wanted.append(Compare(field="value", op=Op.GE, value=params.least))
    since = desk.clock.now() - timedelta(hours=params.hours)
    found = await desk.rows(scope, kind="correlations", where=_all(wanted), since=since, limit=params.limit)
    return sorted(found, key=lambda record: -record.score)


async def _windows(desk: Desk, scope: Scope, entity_type: str, entity: str, hours: float) -> list[SignalWindow]:
    since = desk.clock.now() - timedelta(hours=hours)
    found = await desk.rows(scope, kind="signals", where=_is("entity", entity), since=since, limit=MOST)
    return sorted((window for window in found if window.entity_type == entity_type), key=lambda window: window.at)


async def _tours(desk: Desk, scope: Scope, field: str, value: str, hours: float) -> list[dict[str, Any]]:
    since = desk.clock.now() - timedelta(hours=hours)
    found = await desk.rows(scope, kind="tours", where=_is(field, value), since=since, limit=100)
    return [
        {
            "tour": tour.id,
            "state": tour.state,
            "due": sum(point.planned for point in tour.checkpoints),
            "scanned": sum(point.scanned_at is not None for point in tour.checkpoints),
            "missed": [point.id for point in tour.checkpoints if point.missed],
            "order": [point.id for point in sorted(tour.checkpoints, key=lambda p: p.order or 0) if point.order],
            "dwell_s": sum(point.dwell_s or 0.0 for point in tour.checkpoints),
            "compliance": tour.compliance,
        }
        for tour in found
    ]


def _summary(
    entity_type: str, entity: str, windows: list[SignalWindow], tours: list[dict[str, Any]]
) -> dict[str, Any]:
    totals: defaultdict[str, float] = defaultdict(float)
    for window in windows:
        for kind, amount in window.kinds.items():
            totals[kind] += amount
    return {
        "entity_type": entity_type,
        "entity": entity,
        "totals": {kind: round(amount, 1) for kind, amount in sorted(totals.items())},
        "first_at": windows[0].first_at if windows else None,
        "last_at": max((window.last_at for window in windows), default=None),
        "windows": [
            {"at": window.at, "site": window.site, "kinds": window.kinds, "last_at": window.last_at}
            for window in windows
        ],
        "tours": tours,
    }


def _is(field: str, value: str) -> Compare:
    return Compare(field=field, op=Op.EQ, value=value)


def _all(parts: list[Compare]) -> Node | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return And(parts=tuple(parts))
