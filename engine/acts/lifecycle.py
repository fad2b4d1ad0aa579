"""Resolve and close: the operator's word that it is over.

A resolve ends the alerts that still fire: their source's repeats are counted and stay muted until it resolves
them and they begin anew.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from data.records import ENDED, Incident
from engine.acts.registry import Acting, act
from engine.acts.undo import remember
from engine.reasons import ReasonCode
from engine.stages import dedup, triage


class EndParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    note: Annotated[str, Meta(max_length=4096)] = ""


@act("resolve", capability="noc:manage", kinds="incident", params=EndParams)
def resolve(acting: Acting, params: EndParams) -> None:
    """It is over; what still fires is muted until its source resolves it. Can be undone for ten minutes."""
    open_ones = []
    for incident in acting.incidents():
        if incident.state in ENDED:
            acting.refuse(f"incident:{incident.id}", f"it is {incident.state} already")
        elif acting.sees_all(incident):
            open_ones.append(incident)
    _remember(acting, "resolve", open_ones)
    for incident in open_ones:
        triage.resolve(acting.draft, incident, ReasonCode.BY_OPERATOR, acting.actor, params.note)
        _end_alerts(acting, incident)
        acting.change("incident", incident.id)


@act("close", capability="noc:manage", kinds="incident", params=EndParams)
def close(acting: Acting, params: EndParams) -> None:
    """Put it away; can be undone for ten minutes."""
    open_ones = [incident for incident in acting.incidents() if acting.sees_all(incident)]
    _remember(acting, "close", open_ones)
    for incident in open_ones:
        triage.close(acting.draft, incident, ReasonCode.BY_OPERATOR, acting.actor, params.note)
        _end_alerts(acting, incident)
        acting.change("incident", incident.id)


def _remember(acting: Acting, verb: str, open_ones: list[Incident]) -> None:
    """Their state, the alerts that fire and the clusters that take alerts, as they are before the act."""
    if not open_ones:
        return
    firing = tuple(
        (alert.id, alert.cluster, alert.incident)
        for incident in open_ones
        for alert in acting.draft.members(incident.id)
        if alert.ended_at is None
    )
    books = acting.draft.book.clusters
    taking = tuple(
        books[number]
        for incident in open_ones
        for number in incident.clusters
        if number in books and not books[number].closed
    )
    remember(acting, verb, incidents=tuple(open_ones), clusters=taking, alerts=firing)


def _end_alerts(acting: Acting, incident: Incident) -> None:
    for alert in acting.draft.members(incident.id):
        if alert.ended_at is None:
            dedup.end(acting.draft, alert, acting.draft.now, ReasonCode.BY_OPERATOR)
