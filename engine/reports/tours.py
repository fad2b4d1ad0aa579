"""How much of the rounds was walked: compliance per site, shift and day.

Owns the sums. A day is one at the site, by its clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from data.query_ast import Compare, Op
from data.scope import Scope
from engine.domain.calendar import local_day
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

#: Rounds that an answer is made of at most, the newest.
MOST = 10_000
PAGE = 1000


class ComplianceParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`by` is what rows are: sites, shifts or days of sites."""

    by: Literal["site", "shift", "day"] = "site"
    site: Annotated[str, Meta(max_length=200)] = ""
    days: Annotated[int, Meta(ge=1, le=90)] = 7


@report("tours/compliance", params=ComplianceParams, cache_seconds=60.0)
async def compliance(desk: Desk, scope: Scope, params: ComplianceParams) -> Sequence[Any]:
    """Rounds and checkpoints that were due, walked and missed, per site, shift or day."""
    zones = {site.id: site.zone for site in await desk.rows(scope, kind="sites", limit=PAGE)}
    groups: defaultdict[tuple[str, ...], list[Any]] = defaultdict(list)
    for tour in await _tours(desk, scope, params):
        if tour.compliance is None:
            continue
        place: tuple[str, ...] = (tour.site,)
        if params.by == "shift":
            place = (tour.site, tour.shift)
        elif params.by == "day":
            place = (tour.site, local_day(tour.starts_at, zones.get(tour.site, "UTC")).isoformat())
        groups[place].append(tour)
    return [_row(params.by, place, tours) for place, tours in sorted(groups.items())]


async def _tours(desk: Desk, scope: Scope, params: ComplianceParams) -> list[Any]:
    now = desk.clock.now()
    where = Compare(field="site", op=Op.EQ, value=params.site) if params.site else None
    found: list[Any] = []
    until = now
    while len(found) < MOST:
        rows = await desk.rows(
            scope, kind="tours", where=where, since=now - timedelta(days=params.days), until=until, limit=PAGE
        )
        known = {tour.id for tour in found[-PAGE:]}
        fresh = [tour for tour in rows if tour.id not in known]
        found += fresh
        if len(rows) < PAGE or not fresh:
            break
        until = min(tour.starts_at for tour in rows)
    return found


def _row(by: str, place: tuple[str, ...], tours: list[Any]) -> dict[str, Any]:
    due = sum(point.planned for tour in tours for point in tour.checkpoints)
    scanned = sum(point.planned and point.scanned_at is not None for tour in tours for point in tour.checkpoints)
    dwell = [point.dwell_s for tour in tours for point in tour.checkpoints if point.dwell_s is not None]
    return {
        "site": place[0],
        **({by: place[1]} if len(place) > 1 else {}),
        "rounds": len(tours),
        "missed_rounds": sum(tour.state == "missed" for tour in tours),
        "due": due,
        "scanned": scanned,
        "missed": due - scanned,
        "compliance": round(scanned / due, 4) if due else None,
        "mean_dwell_s": round(sum(dwell) / len(dwell), 1) if dwell else None,
    }
