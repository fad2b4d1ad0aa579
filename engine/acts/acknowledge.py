"""Ack and un-ack: "I have seen it and I am on it"."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.records import ENDED, Ack, Alert, AlertState, Incident, IncidentState, Severity
from engine.acts.registry import Acting, act
from engine.reasons import ReasonCode
from engine.stages import triage

#: Durations of acts: up to a year.
Minutes = Annotated[float, Meta(ge=0, le=525_600)]
#: A time with its offset; one without would mean another moment to everybody.
Moment = Annotated[datetime, Meta(tz=True)]


class AckParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`minutes` until it lapses (0 or absent = never); `sticky` holds even when severity rises."""

    minutes: Minutes = 0.0
    sticky: bool = False
    note: Annotated[str, Meta(max_length=4096)] = ""


class NoParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


@act("ack", capability="noc:ack", kinds="incident alert", params=AckParams)
def acknowledge(acting: Acting, params: AckParams) -> None:
    """Acknowledge; giving it again extends or changes it."""
    expires_at = acting.draft.now + timedelta(minutes=params.minutes) if params.minutes > 0 else None
    for incident in acting.incidents():
        _ack_incident(acting, incident, params, expires_at)
    for alert in acting.alerts():
        if alert.ended_at is not None:
            acting.refuse(f"alert:{alert.id}", "it is over")
            continue
        _ack_alert(acting, alert, _ack(acting, alert.severity, params, expires_at))
        acting.change("alert", alert.id)


def _ack(acting: Acting, severity: Severity, params: AckParams, expires_at: datetime | None) -> Ack:
    return Ack(
        by=acting.actor,
        at=acting.draft.now,
        severity=severity,
        expires_at=expires_at,
        sticky=params.sticky,
        note=params.note,
    )


def _ack_incident(acting: Acting, incident: Incident, params: AckParams, expires_at: datetime | None) -> None:
    draft = acting.draft
    if incident.state in ENDED:
        acting.refuse(f"incident:{incident.id}", f"it is {incident.state}")
        return
    ack = _ack(acting, incident.severity, params, expires_at)
    draft.record(incident.id, "acknowledged", acting.actor, params.note)
    acting.change("incident", incident.id)
    incident = replace(incident, acked_at=incident.acked_at or draft.now)
    if incident.state is IncidentState.RETURNED:
        triage.resolve(draft, replace(incident, ack=ack), ReasonCode.ALL_RESOLVED, acting.actor, params.note)
        return
    updated = replace(incident, ack=ack, state=IncidentState.ACKNOWLEDGED, version=incident.version + 1)
    draft.put_incident(updated, ReasonCode.BY_OPERATOR)
    for alert in draft.members(incident.id):
        if alert.ended_at is None:
            draft.put_alert(replace(alert, ack=ack, state=AlertState.ACKNOWLEDGED))
            if expires_at is not None:  # it may be split off before that
                draft.book.at(expires_at, "alert_ack", alert.id)
    if expires_at is not None:
        draft.book.at(expires_at, "ack", incident.id)


def _ack_alert(acting: Acting, alert: Alert, ack: Ack) -> None:
    draft = acting.draft
    draft.put_alert(replace(alert, ack=ack, state=AlertState.ACKNOWLEDGED))
    draft.announce("alert", alert.id, "alert_updated", ReasonCode.BY_OPERATOR, alert.site)
    if ack.expires_at is not None:
        draft.book.at(ack.expires_at, "alert_ack", alert.id)


@act("unack", capability="noc:ack", kinds="incident alert", params=NoParams)
def unacknowledge(acting: Acting, params: NoParams) -> None:
    """Take an acknowledgement back."""
    draft = acting.draft
    for incident in acting.incidents():
        if incident.ack is None or incident.state in ENDED:
            reason = f"it is {incident.state}" if incident.state in ENDED else "it is not acknowledged"
            acting.refuse(f"incident:{incident.id}", reason)
            continue
        state = IncidentState.OPEN if incident.state is IncidentState.ACKNOWLEDGED else incident.state
        draft.record(incident.id, "unacknowledged", acting.actor)
        draft.put_incident(
            replace(incident, ack=None, state=state, version=incident.version + 1), ReasonCode.BY_OPERATOR
        )
        acting.change("incident", incident.id)
        for alert in draft.members(incident.id):
            if alert.ack is not None:
                _unack_alert(acting, alert)
    for alert in acting.alerts():
        if alert.ack is None:
            acting.refuse(f"alert:{alert.id}", "it is not acknowledged")
            continue
        _unack_alert(acting, alert)
        acting.change("alert", alert.id)


def _unack_alert(acting: Acting, alert: Alert) -> None:
    state = AlertState.OPEN if alert.state is AlertState.ACKNOWLEDGED else alert.state
    acting.draft.put_alert(replace(alert, ack=None, state=state))
    acting.draft.announce("alert", alert.id, "alert_updated", ReasonCode.BY_OPERATOR, alert.site)
