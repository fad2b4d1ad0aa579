"""Triage: the life of an incident, derived from its alerts and from what operators did.

    open ──ack──▶ acknowledged ──all alerts over──▶ resolved ──time or operator──▶ closed
      └──all alerts over──▶ returned ("returned to normal, not acknowledged") ──ack──▶ resolved
    returned ──fires again──▶ open.      Severities that need no ack go from open to resolved.

A resolved or closed incident takes no new alert. Merged incidents are closed and point to where they went. An incident
begins when the first of its alerts did (`stages.times`) and is over when the last of them ended or somebody says so:
what is told late, or replayed, has the times at which it happened.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from data.records import (
    ENDED,
    RANK,
    Alert,
    ClusterId,
    Incident,
    IncidentId,
    IncidentState,
    Pattern,
    Reason,
    Severity,
)
from engine.book import Draft, Tally, acked, unique
from engine.reasons import ReasonCode
from engine.rules import Rules
from engine.stages import cluster as clusters
from engine.stages.times import began_at

_NO_TALLY = Tally()


def triage(draft: Draft) -> None:
    """Bring every incident that this draft touched up to date with its alerts."""
    draft.unsettled = False
    while draft.dirty:
        number, reason = draft.dirty.popitem()
        incident = draft.book.incidents.get(number)
        tally = draft.book.tallies.get(number) or _NO_TALLY
        joined = draft.joined.pop(number, [])
        if joined:
            tally = tally.plus_all(joined)
            draft.set(draft.book.tallies, number, tally)
        if incident is None:
            if joined:
                _open(draft, number, joined, tally)
        elif incident.state in ENDED:
            _recount(draft, incident, tally, reason)
        else:
            _update(draft, incident, joined, tally, reason)


def _open(draft: Draft, number: IncidentId, joined: list[Alert], tally: Tally) -> None:
    root = joined[0]
    severity = tally.worst() or max((alert.severity for alert in joined), key=RANK.__getitem__)
    predecessor = _linked(draft, number, root)
    opened_at = min(_began_at(draft, alert) for alert in joined)
    incident = Incident(
        id=number,
        tenant=root.tenant,
        title=root.title,
        severity=severity,
        state=IncidentState.OPEN,
        priority=0.0,
        site=root.site,
        sites=unique((), (alert.site for alert in joined), clusters.SITES_KEPT),
        names=unique((), (alert.name for alert in joined), clusters.NAMES_KEPT),
        clusters=tuple(dict.fromkeys(alert.cluster for alert in joined)),
        alerts=tally.alerts,
        firing=sum(tally.firing),
        muted=tally.muted,
        suppressed=tally.suppressed,
        events=sum(alert.count for alert in joined),
        opened_at=opened_at,
        last_at=max(alert.last_at for alert in joined),
        root=root.id,
        client=root.client,
        due_at=due_at(opened_at, severity, draft.rules),
        notes=len(root.notes),
        predecessor=predecessor,
        why=root.why[-1:],
    )
    draft.record(number, "opened", text=root.title, reason=root.why[-1] if root.why else None)
    for note in root.notes:
        draft.record(number, "note", actor=note.by, text=note.text)
    draft.put_incident(incident, ReasonCode.NEW)
    if not incident.firing:
        _settle(draft, incident, ReasonCode.LATE)


def _began_at(draft: Draft, alert: Alert) -> datetime:
    """When this episode began: not before the end of the one before, whatever its source still says."""
    at = began_at(alert)
    before = draft.book.alerts.get(alert.previous) if alert.previous is not None else None
    if before is None or before.ended_at is None:
        return at
    return min(max(at, before.ended_at), alert.received_at)


def _linked(draft: Draft, number: IncidentId, root: Alert) -> IncidentId | None:
    """The incident whose cluster was full, told that this one goes on."""
    found = draft.book.clusters.get(root.cluster)
    full = draft.book.clusters.get(found.predecessor) if found is not None and found.predecessor else None
    before = draft.book.incidents.get(full.incident) if full is not None else None
    if before is None:
        return None
    draft.record(before.id, "continued", text=f"I-{number}")
    draft.put_incident(replace(before, successor=number, version=before.version + 1), ReasonCode.OPENED_CAP)
    return before.id


def due_at(now: datetime, severity: Severity, rules: Rules) -> datetime | None:
    """When an incident of this severity opened at `now` should be resolved."""
    minutes = rules.sla_minutes.get(severity)
    return None if minutes is None else now + timedelta(minutes=minutes)


def _update(draft: Draft, incident: Incident, joined: list[Alert], tally: Tally, reason: ReasonCode) -> None:
    worst = tally.worst()
    severity = worst or peak(draft, incident)
    events, last_at, opened_at = incident.events, incident.last_at, incident.opened_at
    earlier = False
    for alert in joined:
        events += alert.count
        # Alerts that were moved by hand bring the time of their newest news with them.
        last_at = max(last_at, alert.last_at)
        earlier = earlier or alert.starts_at < opened_at or alert.received_at < opened_at
    counted = replace(
        incident,
        alerts=tally.alerts,
        firing=sum(tally.firing),
        muted=tally.muted,
        suppressed=tally.suppressed,
        events=events,
        last_at=last_at,
        version=incident.version + 1,
    )
    if earlier:
        counted = _begun(draft, counted, min(_began_at(draft, alert) for alert in joined))
    updated = _described(counted, joined, severity)
    if updated is counted and counted.opened_at == incident.opened_at and _as_quiet(incident, counted):
        draft.count_incident(counted, reason)
        return
    if worst is not None and RANK[worst] > RANK[incident.severity]:
        updated = _risen(draft, updated, incident.severity)
    updated = _woken(draft, incident, updated, joined)
    draft.put_incident(updated, reason)
    _settle(draft, updated, reason)


def _begun(draft: Draft, incident: Incident, at: datetime) -> Incident:
    """`incident`, which began at `at` already: its SLA clock ran from then on."""
    if at >= incident.opened_at:
        return incident
    due = due_at(at, incident.severity, draft.rules)
    if due is not None and incident.due_at is not None:
        due = min(due, incident.due_at)
    return replace(incident, opened_at=at, due_at=due)


def began_earlier(draft: Draft, alert: Alert) -> None:
    """Late news: this member began before what was known of it."""
    incident = draft.book.incidents.get(alert.incident)
    if incident is None or incident.state in ENDED:
        return
    begun = _begun(draft, incident, _began_at(draft, alert))
    if begun is not incident:
        draft.put_incident(replace(begun, version=incident.version + 1), ReasonCode.LATE)


def peak(draft: Draft, incident: Incident) -> Severity:
    """The worst of its alerts, also of those that are over: what is over is judged as a whole, not by what ended
    last."""
    severities = (alert.severity for alert in draft.members(incident.id))
    return max(severities, key=RANK.__getitem__, default=incident.severity)


def _as_quiet(before: Incident, after: Incident) -> bool:
    """Whether it fires, and whether all that fires is muted, is as it was: state and priority stay."""
    if (before.firing == 0) is not (after.firing == 0) or after.state is IncidentState.RETURNED:
        return False
    return (before.muted >= before.firing) is (after.muted >= after.firing)


def _described(incident: Incident, joined: list[Alert], severity: Severity) -> Incident:
    """`incident` with the severity, sites, names and clusters that it has now; itself when they are as they were."""
    if severity is incident.severity and _are_known(incident, joined):
        return incident
    sites = unique(incident.sites, (alert.site for alert in joined), clusters.SITES_KEPT)
    names = unique(incident.names, (alert.name for alert in joined), clusters.NAMES_KEPT)
    members = _with_clusters(incident, joined)
    return replace(incident, severity=severity, sites=sites, names=names, clusters=members)


def _are_known(incident: Incident, joined: list[Alert]) -> bool:
    sites, names, members = incident.sites, incident.names, incident.clusters
    more_sites, more_names = len(sites) < clusters.SITES_KEPT, len(names) < clusters.NAMES_KEPT
    for alert in joined:
        if more_sites and alert.site and alert.site not in sites:
            return False
        if (more_names and alert.name not in names) or alert.cluster not in members:
            return False
    return True


def _recount(draft: Draft, incident: Incident, tally: Tally, reason: ReasonCode) -> None:
    """An ended incident only learns how many of its alerts still fire."""
    firing = sum(tally.firing)
    if (firing, tally.muted) != (incident.firing, incident.muted):
        draft.put_incident(replace(incident, firing=firing, muted=tally.muted), reason)


def _with_clusters(incident: Incident, joined: list[Alert]) -> tuple[ClusterId, ...]:
    added = dict.fromkeys(alert.cluster for alert in joined if alert.cluster not in incident.clusters)
    return (*incident.clusters, *added) if added else incident.clusters


def _woken(draft: Draft, before: Incident, incident: Incident, joined: list[Alert]) -> Incident:
    """A kind of alert that the incident did not have, as bad as what was acknowledged: nobody has seen that yet."""
    ack = incident.ack
    if ack is None or ack.sticky:
        return incident
    for alert in joined:
        unseen = alert.name not in before.names and alert.ended_at is None and not alert.suppressed
        if unseen and RANK[alert.severity] >= RANK[ack.severity]:
            draft.record(incident.id, "ack_broken", text=f"new here: {alert.name}")
            state = IncidentState.OPEN if incident.state is IncidentState.ACKNOWLEDGED else incident.state
            return replace(incident, ack=None, state=state)
    return incident


def _risen(draft: Draft, incident: Incident, before: Severity) -> Incident:
    """Severity went up: the clock is set to the shorter time, and an ack given for less does not hold."""
    draft.record(incident.id, "severity_rose", text=f"{before} → {incident.severity}")
    due = due_at(incident.opened_at, incident.severity, draft.rules)
    if due is not None and incident.due_at is not None:
        incident = replace(incident, due_at=min(due, incident.due_at))
    ack = incident.ack
    if ack is None or ack.sticky or RANK[incident.severity] <= RANK[ack.severity]:
        return incident
    draft.record(incident.id, "ack_broken", text=f"acknowledged at {ack.severity}, now {incident.severity}")
    state = IncidentState.OPEN if incident.state is IncidentState.ACKNOWLEDGED else incident.state
    return replace(incident, ack=None, state=state)


def _settle(draft: Draft, incident: Incident, reason: ReasonCode) -> None:
    """Move the state to where its alerts say it is."""
    if incident.state in ENDED or not incident.alerts:
        return
    if incident.firing == 0 and incident.state in (IncidentState.OPEN, IncidentState.ACKNOWLEDGED):
        over_at = _over_at(draft, incident)
        incident = replace(incident, last_at=min(incident.last_at, over_at))
        if acked(incident, draft.now) or incident.severity not in draft.rules.needs_ack:
            resolve(draft, incident, ReasonCode.ALL_RESOLVED, at=over_at)
        else:
            draft.record(incident.id, "returned")
            returned = replace(incident, state=IncidentState.RETURNED, returned_at=over_at)
            draft.put_incident(returned, ReasonCode.RETURNED)
    elif incident.firing and incident.state is IncidentState.RETURNED:
        draft.record(incident.id, "fired_again", reason=Reason(code=reason))
        opened = replace(incident, state=IncidentState.OPEN, returned_at=None)
        draft.put_incident(opened, ReasonCode.REFIRED)


def _over_at(draft: Draft, incident: Incident) -> datetime:
    """When the last of its alerts ended: not before it began, not after now."""
    ends = [alert.ended_at for alert in draft.members(incident.id) if alert.ended_at is not None]
    return max(incident.opened_at, min(draft.now, max(ends, default=draft.now)))


def resolve(
    draft: Draft,
    incident: Incident,
    reason: ReasonCode,
    actor: str = "",
    note: str = "",
    *,
    at: datetime | None = None,
) -> Incident:
    """The incident is over, since `at` (None = now): it takes no new alert, and its name's record is kept for the next
    one."""
    resolved_at = at or draft.now
    resolved = replace(
        incident,
        state=IncidentState.RESOLVED,
        resolved_at=resolved_at,
        resolution=note or incident.resolution,
        version=incident.version + 1,
    )
    draft.record(incident.id, "resolved", actor=actor, text=note, reason=Reason(code=reason))
    draft.put_incident(resolved, reason)
    remember(draft, resolved, resolved_at)
    for number in resolved.clusters:
        clusters.close(draft, number)
    keep = draft.now + timedelta(seconds=draft.rules.recent_seconds)
    draft.book.at(keep, "forget_alerts", resolved.id)
    draft.book.at(draft.now + timedelta(seconds=draft.rules.close_after_seconds), "close", resolved.id)
    return resolved


def remember(draft: Draft, incident: Incident, ended_at: datetime, sign: int = 1) -> None:
    """Keep what this name's incidents come to; `sign` -1 takes one back that was not over after all."""
    name = incident.names[0] if incident.names else ""
    old = draft.book.patterns.get((incident.tenant, name))
    if old is None and sign < 0:
        return
    seconds = max(0.0, (ended_at - incident.opened_at).total_seconds())
    draft.put_pattern(
        Pattern(
            tenant=incident.tenant,
            name=name,
            incidents=max(0, (old.incidents if old else 0) + sign),
            alerts=max(0, (old.alerts if old else 0) + sign * incident.alerts),
            resolution_seconds=max(0.0, (old.resolution_seconds if old else 0.0) + sign * seconds),
            last_at=draft.now,
        )
    )


def close(draft: Draft, incident: Incident, reason: ReasonCode, actor: str = "", note: str = "") -> Incident:
    """Put it away. Its clusters take no more alerts."""
    if incident.state is not IncidentState.RESOLVED:
        incident = resolve(draft, incident, reason, actor, note)
    closed = replace(incident, state=IncidentState.CLOSED, closed_at=draft.now, version=incident.version + 1)
    draft.record(incident.id, "closed", actor=actor, text=note, reason=Reason(code=reason))
    draft.put_incident(closed, reason)
    keep = timedelta(seconds=draft.rules.recent_seconds)
    draft.book.at(draft.now + keep, "forget_incident", closed.id)
    return closed
