"""One look over all modules: counts, SLA state and trends, from tenant to client to site to entity.

Owns which figures there are. Each names the query (kind, q, active, since) whose rows it counts: asking that query
gives these rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from data.scope import Scope
from engine.client import Query, Refused
from engine.reports.registry import report

if TYPE_CHECKING:
    from engine.desk import Desk

#: Clients, sites or entities below that are counted one by one.
CHILDREN = 25
#: Sites of a client that a query names.
SITES = 20
#: The level of what no client's row counts.
REST = "rest"
Name = Annotated[str, Meta(max_length=200)]


class Figure(NamedTuple):
    """`windowed`: rows of the time asked for, with those of the time before as trend; else all that are there."""

    module: str
    name: str
    kind: str
    q: str = ""
    active: bool | None = None
    windowed: bool = False


FIGURES = (
    Figure("NOC", "open incidents", "incidents", "state in (open, acknowledged, returned)"),
    Figure("NOC", "critical", "incidents", "state in (open, acknowledged) and severity=critical and shelved=false"),
    Figure("NOC", "unacknowledged critical", "incidents", "state=open and severity=critical and shelved=false"),
    Figure("NOC", "firing alerts", "alerts", "", True),
    Figure("NOC", "incidents opened", "incidents", "", None, True),
    Figure("NOC", "open findings", "findings", "state=open"),
    Figure("NOC", "findings", "findings", "", None, True),
    Figure("Attendance", "present", "shifts", "state=present"),
    Figure("Attendance", "absent", "shifts", "state=absent"),
    Figure("Attendance", "missed shifts", "shifts", "state=missed", None, True),
    Figure("Attendance", "check-ins and -outs", "attendance", "", None, True),
    Figure("Attendance", "posts short of people", "alerts", "name=staffing_shortfall", True),
    Figure("Tours", "running", "tours", "state=started"),
    Figure("Tours", "overdue", "tours", "state=overdue"),
    Figure("Tours", "missed", "tours", "state in (missed, incomplete)", None, True),
    Figure("Tours", "finished", "tours", "state=finished", None, True),
    Figure("Devices", "online", "devices", "state=online"),
    Figure("Devices", "offline", "devices", "state=offline"),
    Figure("Devices", "in trouble", "devices", "state in (sync_failed, tampered)"),
    Figure("Devices", "low batteries", "alerts", "name=device_low_battery", True),
    Figure("Assets", "assets", "assets"),
    Figure("Work orders", "open", "workorders", "state in (open, in_progress)"),
    Figure("Work orders", "done", "workorders", "state=done", None, True),
    Figure("Work orders", "overdue", "alerts", "name=work_order_overdue and entity_type=workorder", True),
    Figure("Tasks", "open", "tasks", "state in (open, in_progress)"),
    Figure("Tasks", "done", "tasks", "state=done", None, True),
    Figure("Tasks", "overdue", "alerts", "name=work_order_overdue and entity_type=task", True),
    Figure("Tickets", "open", "tickets", "state in (new, assigned, in_progress, on_hold)"),
    Figure("Tickets", "opened", "tickets", "", None, True),
    Figure("Tickets", "SLA at risk", "alerts", "name=ticket_sla_at_risk", True),
    Figure("Tickets", "SLA breached", "alerts", "name=ticket_sla_breached", True),
)
#: What is counted of each client, site or entity below.
_BELOW = tuple(
    figure
    for figure in FIGURES
    if (figure.kind, figure.name) in {("incidents", "open incidents"), ("devices", "offline"), ("tickets", "open")}
)


class ObservabilityParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`client` or `site` go down a level, `entity` to one person or thing of a site. `hours` is the time of trends."""

    client: Name = ""
    site: Name = ""
    entity: Name = ""
    hours: Annotated[float, Meta(ge=0.1, le=720)] = 24.0


@report("observability", params=ObservabilityParams, cache_seconds=15.0)
async def observability(desk: Desk, scope: Scope, params: ObservabilityParams) -> Sequence[Any]:
    """Figures of every module with the queries behind them, and what is one level below."""
    sites = await _sites_of(desk, scope)
    place = _place(sites, params)
    now = desk.clock.now()
    figures = [_figure(figure, place, now, params.hours) for figure in FIGURES]
    below = [] if params.entity or params.site else await _children(desk, scope, sites, params.client)
    await _fill(desk, scope, [*figures, *below])
    below = [row for row in below if row["level"] != REST or any(row[_counted(figure)] for figure in _BELOW)]
    if params.site and not params.entity:
        below = await _entities(desk, scope, params.site)
    return [
        {
            "level": _level(params),
            "client": params.client,
            "site": params.site,
            "entity": params.entity,
            "at": now,
            "figures": figures,
            "below": below,
        }
    ]


async def _fill(desk: Desk, scope: Scope, rows: Sequence[dict[str, Any]]) -> None:
    """Put the number in the place of each query in the rows: all are counted at once."""
    places = [(row, name) for row in rows for name, value in row.items() if isinstance(value, Query)]
    counts = await desk.totals(scope, [row[name] for row, name in places])
    for (row, name), count in zip(places, counts, strict=True):
        row[name] = count


def _level(params: ObservabilityParams) -> str:
    return "entity" if params.entity else "site" if params.site else "client" if params.client else "tenant"


def _place(sites: Mapping[str, Sequence[Any]], params: ObservabilityParams) -> str:
    """The condition that keeps to the place asked for, "" for all of the tenant."""
    parts = []
    if params.site:
        parts.append(f"site={quoted(params.site)}")
    elif params.client:
        if params.client not in sites:
            remedy = "see the list of clients, and that sites name theirs"
            raise Refused(f"no site of client {params.client!r} is known", field="client", remedy=remedy, status=404)
        parts.append(_within(sites[params.client]))
    if params.entity:
        parts.append(f"entity={quoted(params.entity)}")
    return " and ".join(parts)


def _within(sites: Sequence[Any]) -> str:
    return f"site in ({', '.join(quoted(site.id) for site in sites[:SITES])})"


async def _sites_of(desk: Desk, scope: Scope) -> dict[str, list[Any]]:
    """Client → its sites, the most critical first."""
    found: dict[str, list[Any]] = {}
    for site in await desk.rows(scope, kind="sites", limit=1000):
        found.setdefault(site.client, []).append(site)
    for sites in found.values():
        sites.sort(key=lambda site: (-site.criticality, site.id))
    return found


#: Kinds whose rows have no entity: they have no figures of one.
_WITHOUT_ENTITY = frozenset({"incidents", "workorders", "tasks"})


def _figure(figure: Figure, place: str, now: datetime, hours: float) -> dict[str, Any]:
    """The row of a figure, with queries in the places of its numbers."""
    q = _both(figure.q, place)
    since = now - timedelta(hours=hours) if figure.windowed else None
    known = not ("entity=" in place and figure.kind in _WITHOUT_ENTITY)
    asked = partial(Query, kind=figure.kind, q=q, active=figure.active)
    return {
        "module": figure.module,
        "name": figure.name,
        "value": asked(since=since) if known else None,
        "before": asked(since=since - timedelta(hours=hours), until=since) if known and since is not None else None,
        "kind": figure.kind,
        "q": q,
        "active": figure.active,
        "since": since,
    }


async def _children(desk: Desk, scope: Scope, sites: Mapping[str, Sequence[Any]], client: str) -> list[dict[str, Any]]:
    """Clients of the tenant, or sites of a client: the first of them, with queries in the places of their counts."""
    if client:
        return [_child("site", site, f"site={quoted(site.id)}") for site in sites[client][:CHILDREN]]
    clients = await desk.rows(scope, kind="clients", limit=CHILDREN)
    shown = [found for found in clients if found.id in sites]
    return [*(_child("client", found, _within(sites[found.id])) for found in shown), *_rest(sites, shown)]


def _child(level: str, of: Any, place: str) -> dict[str, Any]:
    return {"level": level, "id": of.id, "name": of.name, "verified": of.verified, "q": place, **_counts(place)}


def _counts(place: str) -> dict[str, Query]:
    return {
        _counted(figure): Query(kind=figure.kind, q=_both(figure.q, place), active=figure.active) for figure in _BELOW
    }


def _counted(figure: Figure) -> str:
    """What a row below calls the count."""
    return f"{figure.kind} {figure.name}"


def _both(*conditions: str) -> str:
    return " and ".join(part for part in conditions if part)


def _rest(sites: Mapping[str, Sequence[Any]], shown: Sequence[Any]) -> list[dict[str, Any]]:
    """What the clients' rows leave out, so that they come to the figure of all: what stands at no site, at one that is
    unknown or has no client, and at sites beyond those that are counted. Its `q` asks for the incidents."""
    if not shown:
        return []
    counted = [site for client in shown for site in sites[client.id][:SITES]]
    place = f"not site in ({', '.join(quoted(site.id) for site in counted)})"
    whole = len(counted) == sum(len(found) for client, found in sites.items() if client)
    name = "no client" if whole else "all others"
    q = _both(FIGURES[0].q, place)
    return [{"level": REST, "id": "", "name": name, "verified": True, "kind": "incidents", "q": q, **_counts(place)}]


async def _entities(desk: Desk, scope: Scope, site: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind, level in (("devices", "device"), ("people", "person")):
        page = await desk.query(scope, Query(kind=kind, q=f"site={quoted(site)}", limit=200))
        found += [
            {
                "level": level,
                "id": of.id,
                "name": of.name,
                "verified": of.verified,
                "state": of.state if level == "device" else ("on site" if of.on_site == site else "away"),
                "last_seen": of.last_seen,
                "kind": kind,
                "q": f"site={quoted(site)}",
            }
            for of in page.items
        ]
    return found


def quoted(text: str) -> str:
    """A text as the query language takes it."""
    return json.dumps(text, ensure_ascii=False)
