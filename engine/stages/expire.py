"""Expire: what time alone brings about, looked at on every tick.

Ends of alerts, lapsing acknowledgements and shelves, silences that begin or end, incidents to close, and what
may leave memory. Every entry of the timer heap is only a hint: the stored times decide.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.records import ENDED, Alert, AlertId, AlertState, ClusterId, Incident, IncidentId, IncidentState, Silence
from engine.book import Book, Draft, acked
from engine.reasons import ReasonCode
from engine.rules import Rules
from engine.stages import cluster as clusters
from engine.stages import dedup, mute, triage
from engine.stages.maintenance import MAINTENANCE, maintain
from engine.stages.prioritise import score

#: A tick takes at most this many timers, so that it never holds the line for long; the rest wait for the next.
MOST_PER_TICK = 2000
_FLUSH_SECONDS = 5
_RESCORE_SECONDS = 60


def expire(draft: Draft, before: datetime | None = None) -> None:
    """Settle everything that is due at the draft's time. `before` is when the tick before this one was: what has its
    turn at a second in between has it now."""
    tenant = draft.tenant
    maintain(draft)
    _end_alerts(draft)
    _run_timers(draft)
    seconds = _passed(draft, before)
    if any(second % _FLUSH_SECONDS == 0 for second in seconds):
        _flush_repeats(draft)
    _rescore(draft, {second % _RESCORE_SECONDS for second in seconds})
    draft.tenant = tenant


def _passed(draft: Draft, before: datetime | None) -> range:
    """The seconds since the tick before, at most a round of them: later ones have the same turns."""
    now = int(draft.now.timestamp())
    then = int(before.timestamp()) if before is not None else now - 1
    return range(max(min(then, now - 1), now - _RESCORE_SECONDS) + 1, now + 1)


def _end_alerts(draft: Draft) -> None:
    book, now = draft.book, draft.now.timestamp()
    for _ in range(MOST_PER_TICK):
        if not book.ending or book.ending[0][0] > now:
            return
        _, number = heapq.heappop(book.ending)
        alert = book.alerts.get(number)
        if alert is None or alert.ended_at is not None:
            continue
        draft.tenant = alert.tenant
        if alert.ends_at <= draft.now:
            dedup.expire(draft, alert)
        else:
            draft.watch_end(alert)


def _run_timers(draft: Draft) -> None:
    timers, now = draft.book.timers, draft.now.timestamp()
    for _ in range(MOST_PER_TICK):
        if not timers or timers[0][0] > now:
            return
        _, kind, subject = heapq.heappop(timers)
        try:
            _TIMERS[kind](draft, subject)
        except OverflowError:  # a stored time at the end of the calendar: one odd record must not stop the clock
            continue


def _ack(draft: Draft, number: IncidentId) -> None:
    incident = draft.book.incidents.get(number)
    if incident is None or incident.state in ENDED or incident.ack is None or acked(incident, draft.now):
        return
    draft.tenant = incident.tenant
    state = IncidentState.OPEN if incident.state is IncidentState.ACKNOWLEDGED else incident.state
    draft.record(number, "ack_expired", text=f"by {incident.ack.by}")
    draft.put_incident(replace(incident, ack=None, state=state, version=incident.version + 1), ReasonCode.ACK_EXPIRED)
    for alert in draft.members(number):
        if alert.ended_at is None and alert.ack is not None and not acked(alert, draft.now):
            draft.put_alert(replace(alert, ack=None, state=AlertState.OPEN))


def _alert_ack(draft: Draft, number: AlertId) -> None:
    alert = draft.book.alerts.get(number)
    if alert is None or alert.ended_at is not None or alert.ack is None or acked(alert, draft.now):
        return
    draft.tenant = alert.tenant
    draft.put_alert(replace(alert, ack=None, state=AlertState.OPEN))
    draft.announce("alert", alert.id, "alert_updated", ReasonCode.ACK_EXPIRED, alert.site)


def _shelf(draft: Draft, number: IncidentId) -> None:
    incident = draft.book.incidents.get(number)
    if incident is None or incident.state in ENDED:
        return
    if incident.shelved_until is None or incident.shelved_until > draft.now:
        return
    draft.tenant = incident.tenant
    draft.record(number, "unshelved", text="time is up")
    draft.put_incident(replace(incident, shelved_until=None, version=incident.version + 1), ReasonCode.SHELVED)


def _alert_shelf(draft: Draft, number: AlertId) -> None:
    alert = draft.book.alerts.get(number)
    if alert is None or alert.ended_at is not None or alert.shelved_until is None or alert.shelved_until > draft.now:
        return
    draft.tenant = alert.tenant
    draft.put_alert(replace(alert, shelved_until=None))
    draft.announce("alert", alert.id, "alert_updated", ReasonCode.SHELVED, alert.site)


def _silence(draft: Draft, name: str) -> None:
    for tenant, silences in draft.book.silences.items():
        found = silences.get(name)
        if found is None:
            continue
        draft.tenant = tenant
        mute.resilence(draft, (found,))
        kept_until = _kept_until(found, draft.rules)
        if kept_until <= draft.now:
            draft.discard(silences, name)
        elif found.ends_at <= draft.now:
            draft.announce("silence", name, "silence_updated", ReasonCode.EXPIRED, "")
            draft.book.at(kept_until, "silence", name)


def _kept_until(silence: Silence, rules: Rules) -> datetime:
    """When a silence leaves memory. One of a maintenance window stays until the window is over, also when somebody
    ended it early: else the window would begin again."""
    if silence.created_by == MAINTENANCE:
        return max(silence.ends_at, silence.starts_at + timedelta(days=2))
    return silence.ends_at + timedelta(seconds=rules.undo_seconds)


def _inhibition(draft: Draft, number: AlertId) -> None:
    """What mutes it has changed while the engine was down, or by a new configuration."""
    alert = draft.book.alerts.get(number)
    if alert is not None and alert.ended_at is None:
        draft.tenant = alert.tenant
        mute.reinhibit(draft, alert)


def _forget_stub(draft: Draft, number: AlertId) -> None:
    """An end whose beginning did not come."""
    alert = draft.book.alerts.get(number)
    if alert is not None and not alert.incident:
        draft.tenant = alert.tenant
        draft.forget_alert(alert)


def _close(draft: Draft, number: IncidentId) -> None:
    incident = draft.book.incidents.get(number)
    if incident is None or incident.state is not IncidentState.RESOLVED or incident.resolved_at is None:
        return
    if incident.resolved_at <= draft.now - timedelta(seconds=draft.rules.close_after_seconds):
        draft.tenant = incident.tenant
        triage.close(draft, incident, ReasonCode.ALL_RESOLVED)


def _forget_incident(draft: Draft, number: IncidentId) -> None:
    book = draft.book
    incident = book.incidents.get(number)
    if incident is None or incident.state is not IncidentState.CLOSED:
        return
    _forget_alerts(draft, number)
    draft.forget("incident", book.incidents, number)
    for table in (book.members, book.tallies, book.repeats):
        draft.discard(table, number)


def _forget_alerts(draft: Draft, number: IncidentId) -> None:
    """What an ended incident was made of leaves memory; the incident stays until it is closed."""
    incident = draft.book.incidents.get(number)
    if incident is None or incident.state not in ENDED:
        return
    for alert in list(draft.members(number)):
        _forget_alert(draft, alert.id)
    draft.discard(draft.book.members, number)
    for cluster in incident.clusters:
        found = draft.book.clusters.get(cluster)
        if found is not None and found.incident == number:  # a merged incident's clusters went with its alerts
            draft.forget("cluster", draft.book.clusters, cluster)
            draft.discard(draft.book.cluster_seen, cluster)


def _forget_alert(draft: Draft, number: AlertId) -> None:
    """An alert that has ended, unless it ended only now, or its incident lives."""
    alert = draft.book.alerts.get(number)
    if alert is None or alert.ended_at is None:
        return
    incident = draft.book.incidents.get(alert.incident)
    forget_at = alert.ended_at + timedelta(seconds=draft.rules.recent_seconds)
    if forget_at > draft.now:
        draft.book.at(forget_at, "forget_alert", number)
    elif incident is None or incident.state in ENDED:
        draft.tenant = alert.tenant
        draft.forget_alert(alert)


def _cluster(draft: Draft, number: ClusterId) -> None:
    """A cluster that no alert has joined for the window and the lateness leaves the index."""
    book = draft.book
    seen = book.cluster_seen.get(number)
    found = book.clusters.get(number)
    if seen is None or found is None or found.closed:
        return
    limit = seen + timedelta(seconds=draft.rules.window_seconds + draft.rules.lateness_seconds)
    if limit > draft.now:
        book.at(limit, "cluster", number)
        return
    draft.tenant = found.tenant
    clusters.close(draft, number)


def _forget_undo(draft: Draft, name: str) -> None:
    draft.discard(draft.book.undos, name)


_TIMERS: dict[str, Callable[[Draft, Any], None]] = {
    "ack": _ack,
    "alert_ack": _alert_ack,
    "shelf": _shelf,
    "alert_shelf": _alert_shelf,
    "silence": _silence,
    "close": _close,
    "cluster": _cluster,
    "forget_alert": _forget_alert,
    "forget_alerts": _forget_alerts,
    "forget_incident": _forget_incident,
    "forget_undo": _forget_undo,
    "forget_stub": _forget_stub,
    "inhibition": _inhibition,
}


def _flush_repeats(draft: Draft) -> None:
    """Add the plain repeats since the last flush to the incidents, every five seconds at most."""
    book = draft.book
    for number, repeats in list(book.repeats.items()):
        draft.discard(book.repeats, number)
        incident = book.incidents.get(number)
        if repeats and incident is not None and incident.state not in ENDED:
            draft.tenant = incident.tenant
            counted = replace(incident, events=incident.events + repeats, last_at=draft.now)
            draft.count_incident(counted, ReasonCode.REPEAT)


def _rescore(draft: Draft, slots: set[int]) -> None:
    """Time moves the SLA share and the business hours: every open incident is scored again once a minute."""
    for number, incident in list(draft.book.incidents.items()):
        if number % _RESCORE_SECONDS in slots and incident.state not in ENDED:
            scored = score(draft, incident, itself_changed=False)
            if abs(scored.priority - incident.priority) >= 1.0:
                draft.tenant = incident.tenant
                draft.put_incident(scored, ReasonCode.SCORED_FORMULA)


def set_timers(book: Book, rules: Rules) -> None:
    """Timers of everything in a Book that was just loaded. What fell due meanwhile comes up on the first tick."""
    for incident in book.incidents.values():
        set_incident_timers(book, incident, rules)
    for alert in book.alerts.values():
        _set_alert_timers(book, alert, rules)
    for silences in book.silences.values():
        for silence in silences.values():
            book.at(silence.starts_at, "silence", silence.id)
            book.at(silence.ends_at, "silence", silence.id)
    for number, seen in book.cluster_seen.items():
        book.at(seen + timedelta(seconds=rules.window_seconds), "cluster", number)
    for undo in book.undos.values():
        book.at(undo.expires_at, "forget_undo", undo.id)


def _set_alert_timers(book: Book, alert: Alert, rules: Rules) -> None:
    if alert.ack is not None and alert.ack.expires_at is not None:
        book.at(alert.ack.expires_at, "alert_ack", alert.id)
    if alert.shelved_until is not None:
        book.at(alert.shelved_until, "alert_shelf", alert.id)
    if not alert.incident:
        book.at(alert.received_at + timedelta(seconds=rules.lateness_seconds), "forget_stub", alert.id)
    elif alert.ended_at is not None and alert.incident not in book.incidents:
        book.at(alert.ended_at + timedelta(seconds=rules.recent_seconds), "forget_alert", alert.id)


def set_incident_timers(book: Book, incident: Incident, rules: Rules) -> None:
    """Timers of an incident that was loaded, or brought back as it had been."""
    if incident.ack is not None and incident.ack.expires_at is not None:
        book.at(incident.ack.expires_at, "ack", incident.id)
    if incident.shelved_until is not None:
        book.at(incident.shelved_until, "shelf", incident.id)
    if incident.resolved_at is not None:
        book.at(incident.resolved_at + timedelta(seconds=rules.recent_seconds), "forget_alerts", incident.id)
        book.at(incident.resolved_at + timedelta(seconds=rules.close_after_seconds), "close", incident.id)
    if incident.closed_at is not None:
        book.at(incident.closed_at + timedelta(seconds=rules.recent_seconds), "forget_incident", incident.id)
