"""Tickets and their clocks: how many, how they stand, how long they took.

Owns the figures. Every figure names the query of the rows behind it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from data.query_ast import Compare, Op
from data.scope import Scope
from engine.reports.observability import quoted
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

MOST = 1000


class SlaParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    site: Annotated[str, Meta(max_length=200)] = ""
    days: Annotated[int, Meta(ge=1, le=90)] = 30


@report("tickets/sla", params=SlaParams, cache_seconds=60.0)
async def sla(desk: Desk, scope: Scope, params: SlaParams) -> Sequence[Any]:
    """Tickets by state, priority and SLA, and the median time to their resolution."""
    where = Compare(field="site", op=Op.EQ, value=params.site) if params.site else None
    since = desk.clock.now() - timedelta(days=params.days)
    found = await desk.rows(scope, kind="tickets", where=where, since=since, limit=MOST)
    ended = [ticket for ticket in found if ticket.resolved_at is not None]
    minutes = sorted((ticket.resolved_at - ticket.opened_at).total_seconds() / 60.0 for ticket in ended)
    return [
        {
            "tickets": len(found),
            "cut_at": MOST if len(found) == MOST else None,
            "by_state": dict(Counter(ticket.state for ticket in found)),
            "by_priority": dict(Counter(ticket.priority for ticket in found)),
            "by_sla": dict(Counter(ticket.sla or "in_time" for ticket in found)),
            "breached": sum(ticket.breached for ticket in found),
            "median_minutes": round(minutes[len(minutes) // 2], 1) if minutes else None,
            "kind": "tickets",
            "q": f"site={quoted(params.site)}" if params.site else "",
            "since": since,
        }
    ]
