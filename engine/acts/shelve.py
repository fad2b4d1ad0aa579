"""Shelve: put it aside until a time, with its return guaranteed."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.records import ENDED
from engine.acts.acknowledge import Minutes, Moment, NoParams
from engine.acts.registry import Acting, act
from engine.client import Refused
from engine.reasons import ReasonCode

LONGEST = timedelta(days=7)


class ShelveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For `minutes`, or `until` a moment; seven days at most."""

    minutes: Minutes = 0.0
    until: Moment | None = None
    note: Annotated[str, Meta(max_length=4096)] = ""


@act("shelve", capability="noc:ack", kinds="incident alert", params=ShelveParams)
def shelve(acting: Acting, params: ShelveParams) -> None:
    """Put aside until a time; it comes back by itself."""
    draft = acting.draft
    until = params.until or draft.now + timedelta(minutes=params.minutes)
    if not draft.now < until <= draft.now + LONGEST:
        raise Refused("the shelf needs an end within seven days", field="minutes", remedy="give minutes or until")
    for incident in acting.incidents():
        if incident.state in ENDED:
            acting.refuse(f"incident:{incident.id}", f"it is {incident.state}")
            continue
        draft.record(incident.id, "shelved", acting.actor, params.note or f"until {until:%Y-%m-%d %H:%M} UTC")
        draft.put_incident(
            replace(incident, shelved_until=until, version=incident.version + 1), ReasonCode.SHELVED
        )
        draft.book.at(until, "shelf", incident.id)
        acting.change("incident", incident.id)
    for alert in acting.alerts():
        if alert.ended_at is not None:
            acting.refuse(f"alert:{alert.id}", "it is over")
            continue
        draft.put_alert(replace(alert, shelved_until=until))
        draft.announce("alert", alert.id, "alert_updated", ReasonCode.SHELVED, alert.site)
        draft.book.at(until, "alert_shelf", alert.id)
        acting.change("alert", alert.id)


@act("unshelve", capability="noc:ack", kinds="incident alert", params=NoParams)
def unshelve(acting: Acting, params: NoParams) -> None:
    """Take it off the shelf now."""
    draft = acting.draft
    for incident in acting.incidents():
        if incident.shelved_until is None:
            acting.refuse(f"incident:{incident.id}", "it is not shelved")
            continue
        draft.record(incident.id, "unshelved", acting.actor)
        draft.put_incident(replace(incident, shelved_until=None, version=incident.version + 1), ReasonCode.SHELVED)
        acting.change("incident", incident.id)
    for alert in acting.alerts():
        if alert.shelved_until is None:
            acting.refuse(f"alert:{alert.id}", "it is not shelved")
            continue
        draft.put_alert(replace(alert, shelved_until=None))
        draft.announce("alert", alert.id, "alert_updated", ReasonCode.SHELVED, alert.site)
        acting.change("alert", alert.id)
