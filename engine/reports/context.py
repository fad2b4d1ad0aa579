"""The context of an incident in five categories, gathered when asked for and kept with the incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, to_builtins

from data.records import Incident, IncidentId
from data.scope import CAPABILITIES, Scope
from engine.client import Refused
from engine.domain.contexts import ContextData, context_event
from engine.enrichers import gather
from engine.ports import Envelope, EnvelopeKind, Overloaded
from engine.reports.registry import report
from engine.root_cause.ranking import words
from engine.root_cause.settling import ALERTS_MOST, suspects_of

if TYPE_CHECKING:
    from engine.desk import Desk

#: An answer is given again for so long.
CACHE_SECONDS = 15.0
SUSPECTS_MOST = 10


class ContextParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is the incident's number."""

    id: Annotated[int, Meta(ge=1)]


@report("incidents/{id}/context", params=ContextParams, cache_seconds=CACHE_SECONDS)
async def context(desk: Desk, scope: Scope, params: ContextParams) -> Sequence[Any]:
    """Context of an incident: {"category", "items"} for each category, every item with its reason."""
    incident = await _incident(desk, scope, params.id)
    items = await gather(desk, scope, incident)
    if scope.sites is None:  # what one may see of a part is not the context of the whole
        await keep(desk, incident, items)
    return [{"category": category, "items": listed} for category, listed in items.items()]


class SubjectParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` names an incident, as in "incident:3"."""

    id: Annotated[str, Meta(pattern=r"^(incident:)?[0-9]{1,15}$")]


@report("context", params=SubjectParams, cache_seconds=CACHE_SECONDS)
async def context_of(desk: Desk, scope: Scope, params: SubjectParams) -> Sequence[Any]:
    """Context of the incident that `id` names: {"category", "items"} for each category."""
    return await context(desk, scope, ContextParams(id=int(params.id.rpartition(":")[2])))


class CauseParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`id` is the incident's number."""

    id: Annotated[int, Meta(ge=1)]


@report("incidents/{id}/root_cause", params=CauseParams, cache_seconds=CACHE_SECONDS)
async def root_cause(desk: Desk, scope: Scope, params: CauseParams) -> Sequence[Any]:
    """Entities of an incident, likeliest culprit first: {"entity", "score", "alert", "words", "parts"}."""
    await _incident(desk, scope, params.id)
    alerts = await desk.rows(scope, kind="alerts", incident=params.id, limit=ALERTS_MOST, sort="id")
    names = tuple(sorted({alert.entity for alert in alerts if alert.entity}))
    devices = await desk.rows(scope, kind="devices", ids=names[:ALERTS_MOST], limit=ALERTS_MOST) if names else []
    parents = {device.id: (device.parent,) for device in devices if device.parent}
    return [
        {
            "entity": suspect.entity,
            "score": suspect.score,
            "alert": suspect.alert,
            "words": words(suspect),
            "parts": suspect.parts,
        }
        for suspect in suspects_of(alerts, parents)[:SUSPECTS_MOST]
    ]


async def _incident(desk: Desk, scope: Scope, number: int) -> Incident:
    found = await desk.rows(scope, kind="incidents", ids=(str(number),), limit=1)
    if not found:
        raise Refused(f"incident {number} was not found", field="id", remedy="look it up in the list", status=404)
    incident: Incident = found[0]
    return incident


async def keep(desk: Desk, incident: Incident, items: dict[str, list[dict[str, Any]]]) -> None:
    """Have the line store it; while there is no room for it, it is only shown."""
    plain = to_builtins(items)
    data = ContextData(incident=incident.id, site=incident.site, items=plain)
    event = context_event(data, desk.clock.now())
    envelope = Envelope(kind=EnvelopeKind.EVENTS, tenant=incident.tenant, source="context", payload=[event])
    try:
        await desk.take(envelope)
    except Overloaded:
        return


async def enrich(desk: Desk, tenant: Any, number: IncidentId) -> None:
    """Gather and keep the context of an incident that has just opened."""
    scope = Scope(tenant=tenant, actor="engine", capabilities=CAPABILITIES)
    found = await desk.rows(scope, kind="incidents", ids=(str(number),), limit=1)
    if found:
        await keep(desk, found[0], await gather(desk, scope, found[0]))
