"""Settling: the root of an incident is the alert of its likeliest culprit, looked at again as alerts join.

Owns when that is done: by the clock, a bounded number of incidents each time, only those that grew. Devices are known
to depend on their parents. Never touches an incident that is over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from msgspec.structs import replace

from data.records import ENDED, Alert, Incident, IncidentId
from engine.book import Draft
from engine.reasons import ReasonCode
from engine.root_cause.evidence import of
from engine.root_cause.ranking import Suspect, rank

GREW = "root_cause.grew"
_STARTED = "root_cause.started"
EVERY_SECONDS = 5.0
#: Incidents that are looked at each time, and alerts of each.
INCIDENTS_MOST, ALERTS_MOST = 50, 200
#: Alerts that are looked at each time before the rest waits for the next: the line stands still meanwhile.
ALERTS_EACH_TIME = 200
_WAITING_MOST = 20_000


def grew(draft: Draft, incident: IncidentId) -> None:
    """Note that an alert joined."""
    waiting = draft.derived(GREW)
    if incident not in waiting and len(waiting) < _WAITING_MOST:
        draft.set(waiting, incident, None)


def settle(draft: Draft) -> None:
    """Look at the incidents that grew since the last time."""
    if _STARTED not in draft.book.derived:
        _all_that_are_open(draft)
    waiting = draft.derived(GREW)
    left = ALERTS_EACH_TIME
    for number in list(islice(waiting, INCIDENTS_MOST)):
        if left <= 0:
            break
        draft.discard(waiting, number)
        incident = draft.book.incidents.get(number)
        if incident is None or incident.state in ENDED or incident.alerts < 2:
            continue
        left -= min(incident.alerts, ALERTS_MOST)
        suspects = suspects_of(islice(draft.members(number), ALERTS_MOST), _parents(draft, incident))
        if suspects and suspects[0].alert != incident.root:
            draft.tenant = incident.tenant
            draft.put_incident(replace(incident, root=suspects[0].alert), ReasonCode.TEXT_CHANGED)


def _all_that_are_open(draft: Draft) -> None:
    """After a start it is not known which grew."""
    draft.derived(_STARTED)
    for incident in draft.book.incidents.values():
        if incident.state not in ENDED and incident.alerts > 1:
            grew(draft, incident.id)


def suspects_of(alerts: Iterable[Alert], depends_on: Mapping[str, Sequence[str]] | None = None) -> list[Suspect]:
    """The entities of these alerts, likeliest culprit first. What was folded away is evidence too."""
    return rank([of(alert) for alert in alerts], depends_on)


def _parents(draft: Draft, incident: Incident) -> dict[str, tuple[str, ...]]:
    held = draft.book.nouns.get("devices", {})
    found: dict[str, tuple[str, ...]] = {}
    for alert in islice(draft.members(incident.id), ALERTS_MOST):
        device = held.get((incident.tenant, alert.entity))
        if device is not None and device.parent:
            found[alert.entity] = (str(device.parent),)
    return found
