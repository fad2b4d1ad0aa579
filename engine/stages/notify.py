"""Notify: which receivers of notices hear of what happened to an incident in this draft.

The last stage of the line: it reads the timeline that the others wrote, and leaves effects for the outbox. One
notice per incident, event and receiver, never one per alert. While an incident is muted or shelved nothing goes out;
what was kept back goes out when it is heard again and still open. Whoever was told of an incident is told of its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import to_builtins
from msgspec.structs import replace

from data.records import ENDED, Effect, Incident, IncidentId, IncidentState, Told
from data.restricted import of_names
from engine.book import Draft
from engine.rules import Notice

ACTION = "webhook"
#: Kind of a timeline's entry → the event that receivers hear of.
EVENTS = {
    "opened": "opened",
    "severity_rose": "severity_rose",
    "acknowledged": "acknowledged",
    "returned": "returned",
    "resolved": "resolved",
    "merged": "resolved",
}
#: Events that end what a receiver was told; when the incident is open again, it is told anew.
_OVER = ("returned", "resolved")
_TITLE_CHARS = 1000
_LISTED = 20
_NOTHING = Told()


def notify(draft: Draft) -> None:
    """Append the effects of this draft; does nothing when nobody is to be told."""
    if not draft.rules.notices:
        return
    happened = _happened(draft)
    for number in draft.incidents:
        incident = draft.book.incidents.get(number)
        if incident is None or of_names(incident.names):
            continue  # what takes a capability of its own is told to nobody outside
        events = happened.get(number, {})
        if events or incident.notices:
            _tell(draft, incident, events)


def _happened(draft: Draft) -> dict[IncidentId, dict[str, None]]:
    """Events by incident, each once, in order."""
    found: dict[IncidentId, dict[str, None]] = {}
    for entry in draft.timeline:
        event = EVENTS.get(entry.kind)
        # A merge stands in both timelines; only the incident that was taken in is over.
        if event is not None and (entry.kind != "merged" or _merged(draft, entry.incident)):
            found.setdefault(entry.incident, {})[event] = None
    return found


def _merged(draft: Draft, number: IncidentId) -> bool:
    incident = draft.book.incidents.get(number)
    return incident is not None and incident.merged_into is not None


def _tell(draft: Draft, incident: Incident, events: Mapping[str, None]) -> None:
    notices = dict(incident.notices)
    for notice in draft.rules.notices:
        for event, told in _due(draft, notice, incident, events):
            notices[notice.name] = told
            if event:
                draft.effects.append(_effect(draft, notice, incident, event))
    if notices != incident.notices:
        draft.set(draft.book.incidents, incident.id, replace(incident, notices=notices))


def _due(
    draft: Draft, notice: Notice, incident: Incident, events: Mapping[str, None]
) -> Iterator[tuple[str, Told]]:
    """Events to tell of, "" for none, each with what the receiver knows from then on."""
    told = incident.notices.get(notice.name, _NOTHING)
    quiet = hushed(draft, incident)
    event = _loud(told, incident, events)
    if event in notice.on and notice.when(incident, draft.now):
        if quiet:
            told = Told(told.event, event)
            yield "", told
        else:
            told = Told(event)
            yield event, told
    for event in ("acknowledged", "returned", "resolved"):
        if event not in events or event not in notice.on or (quiet and event != "resolved"):
            continue
        if told.event or (not quiet and not told.withheld and notice.when(incident, draft.now)):
            told = Told(event)
            yield event, told


def _loud(told: Told, incident: Incident, events: Mapping[str, None]) -> str:
    """The event that calls for someone: a new one, one that was kept back, or an incident that is open again."""
    if "severity_rose" in events:
        return "severity_rose"
    if "opened" in events:
        return "opened"
    if incident.state is not IncidentState.OPEN:
        return ""
    return told.withheld or ("opened" if told.event in _OVER else "")


def hushed(draft: Draft, incident: Incident) -> bool:
    """Silenced, in maintenance or shelved: someone or something asked not to be told, or surprised."""
    shelved = incident.shelved_until is not None and incident.shelved_until > draft.now
    return shelved or 0 < incident.firing <= incident.muted


def _effect(draft: Draft, notice: Notice, incident: Incident, event: str) -> Effect:
    return Effect(
        key=f"{ACTION}/{notice.name}/{incident.id}/{event}/{incident.version}",
        tenant=incident.tenant,
        action=ACTION,
        params={"webhook": notice.name, "event": event, "incident": summary(incident)},
        created_at=draft.now,
        incident=incident.id,
    )


def summary(incident: Incident) -> dict[str, Any]:
    """What a receiver hears of an incident, as plain data; bounded, however long the incident's own texts are."""
    ack = incident.ack
    found = {
        "id": incident.id,
        "title": incident.title[:_TITLE_CHARS],
        "severity": incident.severity,
        "state": incident.state,
        "priority": incident.priority,
        "site": incident.site[:_TITLE_CHARS],
        "sites": [site[:_TITLE_CHARS] for site in incident.sites[:_LISTED]],
        "names": [name[:_TITLE_CHARS] for name in incident.names[:_LISTED]],
        "client": incident.client[:_TITLE_CHARS],
        "owner": incident.owner,
        "alerts": incident.alerts,
        "firing": incident.firing,
        "opened_at": incident.opened_at,
        "last_at": incident.last_at,
        "due_at": incident.due_at,
        "acknowledged_by": ack.by if ack is not None else "",
        "resolved_at": incident.resolved_at if incident.state in ENDED else None,
        "resolution": incident.resolution[:_TITLE_CHARS],
        "merged_into": incident.merged_into,
    }
    plain: dict[str, Any] = to_builtins(found)
    return plain
