"""Undo: take back a merge, a split, a resolve, a close or a silence for ten minutes."""

from __future__ import annotations

from datetime import timedelta
from uuid import NAMESPACE_OID, uuid5

from msgspec.structs import replace

from data.records import (
    ENDED,
    Alert,
    AlertId,
    AlertState,
    Cluster,
    ClusterId,
    Incident,
    IncidentId,
    IncidentState,
    Undo,
)
from engine.acts.acknowledge import NoParams
from engine.acts.registry import Acting, act
from engine.book import Draft
from engine.reasons import ReasonCode
from engine.stages import cluster as clusters
from engine.stages import mute, triage
from engine.stages.expire import set_incident_timers


def remember(
    acting: Acting,
    verb: str,
    *,
    incidents: tuple[Incident, ...] = (),
    clusters: tuple[Cluster, ...] = (),
    alerts: tuple[tuple[AlertId, ClusterId, IncidentId], ...] = (),
    silence: str = "",
) -> None:
    """Keep how things were before the act."""
    draft = acting.draft
    seed = f"{draft.tenant}/{acting.command.request}/{draft.now.isoformat()}/{verb}/{silence}"
    undo = Undo(
        id=str(uuid5(NAMESPACE_OID, seed)),
        tenant=draft.tenant,
        actor=acting.actor,
        verb=verb,
        subject=", ".join(f"I-{incident.id}" for incident in incidents) or silence,
        at=draft.now,
        expires_at=draft.now + timedelta(seconds=draft.rules.undo_seconds),
        incidents=incidents,
        clusters=clusters,
        alerts=alerts,
        silence=silence,
    )
    draft.put_undo(undo)
    draft.book.at(undo.expires_at, "forget_undo", undo.id)
    acting.undo = undo


@act("undo", capability="noc:ack", kinds="undo", params=NoParams)
def undo(acting: Acting, params: NoParams) -> None:
    """Take back a merge, split, resolve, close or silence of the last ten minutes."""
    for name in acting.names("undo"):
        found = acting.draft.book.undos.get(name)
        if found is None or not _may_see(acting, found) or found.expires_at <= acting.draft.now:
            acting.refuse(f"undo:{name}", "not found, or its ten minutes are over")
        elif found.used:
            acting.refuse(f"undo:{name}", "it was undone already")
        elif not acting.scope.may(_needs(found.verb)):
            acting.refuse(f"undo:{name}", f"it takes {_needs(found.verb)}")
        else:
            _BACK[found.verb](acting, found)
            if f"undo:{name}" not in acting.refused:
                acting.draft.put_undo(replace(found, used=True))


def _may_see(acting: Acting, found: Undo) -> bool:
    if found.silence and acting.scope.sites is not None:
        return found.actor == acting.actor and found.tenant == acting.scope.tenant
    return found.tenant == acting.scope.tenant and all(acting.sees(incident) for incident in found.incidents)


def _needs(verb: str) -> str:
    return "silence:write" if verb == "silence" else "noc:manage"


def _unmerge(acting: Acting, found: Undo) -> None:
    from engine.acts.membership import describe

    target, *others = found.incidents
    draft = acting.draft
    now = draft.book.incidents.get(target.id)
    if now is None or now.state is IncidentState.CLOSED:
        acting.refuse(f"undo:{found.id}", f"I-{target.id} is closed by now")
        return
    home = {cluster.id: cluster.incident for cluster in found.clusters}
    for other in others:
        _bring_back(acting, other, "merge_undone")
        # What its alerts have counted comes back with them.
        draft.set(draft.book.incidents, other.id, replace(draft.book.incidents[other.id], events=0))
    for cluster, incident in home.items():
        current = draft.book.clusters.get(cluster)
        if current is not None:
            draft.put_cluster(replace(current, incident=incident))
    _return_alerts(acting, found, home)
    gone = {number for other in others for number in other.clusters}
    left = tuple(number for number in now.clusters if number not in gone)
    restored = replace(draft.book.incidents[target.id], clusters=left, due_at=target.due_at)
    draft.put_incident(restored, ReasonCode.UNDONE)
    describe(draft, target.id)
    draft.record(target.id, "merge_undone", acting.actor)
    acting.change("incident", target.id)


def _bring_back(acting: Acting, before: Incident, kind: str) -> None:
    """An incident as it was before the act, under a version above all that went out, its timers set again."""
    draft = acting.draft
    now = draft.book.incidents.get(before.id)
    # What ended it raised the version by two at most.
    restored = replace(before, version=before.version + 3, notices=(now or before).notices)
    draft.put_incident(restored, ReasonCode.UNDONE)
    set_incident_timers(draft.book, restored, draft.rules)
    draft.record(before.id, kind, acting.actor)
    draft.dirty.setdefault(before.id, ReasonCode.UNDONE)
    acting.change("incident", before.id)


def _return_alerts(acting: Acting, found: Undo, home: dict[ClusterId, IncidentId]) -> None:
    """Alerts go back to where they were; those that came since go with their cluster."""
    draft = acting.draft
    back = {number: (cluster, incident) for number, cluster, incident in found.alerts}
    for alert in list(draft.members(found.incidents[0].id)):
        cluster, incident = back.get(alert.id, (alert.cluster, home.get(alert.cluster, alert.incident)))
        if (cluster, incident) != (alert.cluster, alert.incident):
            draft.put_alert(replace(alert, cluster=cluster, incident=incident))


def _unsplit(acting: Acting, found: Undo) -> None:
    from engine.acts.membership import describe, recount

    draft = acting.draft
    origin = found.incidents[0]
    now = draft.book.incidents.get(origin.id)
    moved = _split_off(acting, found)
    if now is None or now.state in ENDED or not moved:
        acting.refuse(f"undo:{found.id}", f"I-{origin.id} is over by now")
        return
    emptied = {alert.incident for alert in moved} - {origin.id}
    back = {number: cluster for number, cluster, _ in found.alerts}
    for before in found.clusters:
        draft.put_cluster(replace(draft.book.clusters.get(before.id, before), incident=origin.id))
    for alert in moved:
        draft.put_alert(replace(alert, cluster=back.get(alert.id, alert.cluster), incident=origin.id))
    for number in emptied:
        _retire(acting, number, origin.id)
    joined = tuple(dict.fromkeys((*now.clusters, *(cluster.id for cluster in found.clusters))))
    root = {"root": origin.root, "title": origin.title, "site": origin.site, "client": origin.client}
    draft.put_incident(replace(now, clusters=joined, **root), ReasonCode.UNDONE)
    describe(draft, origin.id)
    recount(draft, set(back.values()))
    draft.record(origin.id, "split_undone", acting.actor)
    acting.change("incident", origin.id)


def _split_off(acting: Acting, found: Undo) -> list[Alert]:
    """The alerts that were taken out, and those that joined a cluster that went along since."""
    draft = acting.draft
    taken = [draft.book.alerts[number] for number, _, _ in found.alerts if number in draft.book.alerts]
    along = {cluster.id for cluster in found.clusters}
    since = [
        alert
        for incident in {alert.incident: None for alert in taken}
        for alert in draft.members(incident)
        if alert.cluster in along
    ]
    return list({alert.id: alert for alert in (*taken, *since)}.values())


def _retire(acting: Acting, number: IncidentId, into: IncidentId) -> None:
    """The incident that a split made, when nothing is left in it."""
    draft = acting.draft
    incident = draft.book.incidents.get(number)
    if incident is None or draft.book.members.get(number):
        return
    draft.dirty.pop(number, None)
    draft.discard(draft.book.repeats, number)
    gone = replace(
        incident,
        state=IncidentState.CLOSED,
        closed_at=draft.now,
        merged_into=into,
        firing=0,
        muted=0,
        version=incident.version + 1,
    )
    draft.put_incident(gone, ReasonCode.UNDONE)
    draft.book.at(draft.now + timedelta(seconds=draft.rules.recent_seconds), "forget_incident", number)
    acting.change("incident", number)


def _unclose(acting: Acting, found: Undo) -> None:
    draft = acting.draft
    for before in found.incidents:
        now = draft.book.incidents.get(before.id)
        ended = ENDED if found.verb == "resolve" else {IncidentState.CLOSED}
        if now is not None and now.state not in ended:
            acting.refuse(f"undo:{found.id}", f"I-{before.id} is open already")
            return
    for before in found.incidents:
        _bring_back(acting, before, "reopened")
        if before.state not in ENDED:
            triage.remember(draft, before, found.at, -1)
    for cluster in found.clusters:
        clusters.reopen(draft, cluster)
    for number, _, _ in found.alerts:
        alert = draft.book.alerts.get(number)
        if alert is not None and _was_ended_by_operator(draft, alert):
            draft.put_alert(mute.silence(draft, _firing_again(draft, alert)))
            draft.announce("alert", alert.id, "alert_updated", ReasonCode.UNDONE, alert.site)


def _was_ended_by_operator(draft: Draft, alert: Alert) -> bool:
    """And has not begun anew as another episode since."""
    by_operator = alert.ended_at is not None and alert.why[-1].code == ReasonCode.BY_OPERATOR
    latest = draft.current(alert.key)
    return by_operator and latest is not None and latest.id == alert.id


def _firing_again(draft: Draft, alert: Alert) -> Alert:
    """As it was before the operator ended it; what lapsed meanwhile, or its source has ended, the next tick settles."""
    lapses = alert.ack.expires_at if alert.ack is not None else None
    for moment, kind in ((lapses, "alert_ack"), (alert.shelved_until, "alert_shelf")):
        if moment is not None:
            draft.book.at(moment, kind, alert.id)
    state = AlertState.ACKNOWLEDGED if alert.ack is not None else AlertState.OPEN
    return replace(alert, ended_at=None, state=state, why=alert.why[:-1])


def _unsilence(acting: Acting, found: Undo) -> None:
    draft = acting.draft
    silence = draft.book.silences.get(draft.tenant, {}).get(found.silence)
    if silence is None or silence.ends_at <= draft.now:
        acting.refuse(f"undo:{found.id}", "the silence is over already")
        return
    ended = replace(silence, ends_at=draft.now, updated_at=draft.now)
    draft.put_silence(ended, "silence_updated")
    mute.resilence(draft, (ended,))
    acting.change("silence", silence.id)


_BACK = {"merge": _unmerge, "split": _unsplit, "resolve": _unclose, "close": _unclose, "silence": _unsilence}
