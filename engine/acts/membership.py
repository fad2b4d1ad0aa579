"""Merge and split: which alerts belong together, by hand. Both are kept for learning and can be undone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from msgspec.structs import replace

from data.records import (
    ENDED,
    RANK,
    Alert,
    AlertId,
    Cluster,
    ClusterId,
    Incident,
    IncidentId,
    IncidentState,
    Reason,
)
from data.restricted import of_names
from engine.acts.acknowledge import NoParams
from engine.acts.registry import Acting, act
from engine.acts.undo import remember
from engine.book import Draft, unique
from engine.client import Refused
from engine.reasons import ReasonCode
from engine.similarity.features import add, features
from engine.stages import cluster as clusters


@act("merge", capability="noc:manage", kinds="incident", params=NoParams)
def merge(acting: Acting, params: NoParams) -> None:
    """The first incident takes all the others; their ids go on leading to it."""
    found = [incident for incident in acting.incidents() if _mergeable(acting, incident)]
    if len(found) < 2:
        raise Refused("merging takes at least two open incidents", field="targets", remedy="mark two or more")
    target, *others = found
    book = acting.draft.book
    moved_clusters = tuple(
        book.clusters[number] for other in others for number in other.clusters if number in book.clusters
    )
    alerts = _membership(acting, others)
    remember(acting, "merge", incidents=(target, *others), clusters=moved_clusters, alerts=alerts)
    for other in others:
        _absorb(acting, target.id, other)
    target = book.incidents[target.id]
    joined = tuple(dict.fromkeys(number for incident in found for number in incident.clusters))
    due_at = min((incident.due_at for incident in found if incident.due_at is not None), default=None)
    acting.draft.put_incident(replace(target, clusters=joined, due_at=due_at), ReasonCode.MERGED)
    acting.change("incident", target.id)


def _mergeable(acting: Acting, incident: Incident) -> bool:
    if incident.state in ENDED:
        acting.refuse(f"incident:{incident.id}", f"it is {incident.state}")
        return False
    if of_names(incident.names):
        acting.refuse(f"incident:{incident.id}", "what takes a capability of its own is not merged")
        return False
    return True


def _membership(acting: Acting, incidents: Iterable[Incident]) -> tuple[tuple[AlertId, ClusterId, IncidentId], ...]:
    return tuple(
        (alert.id, alert.cluster, alert.incident)
        for incident in incidents
        for alert in acting.draft.members(incident.id)
    )


def _absorb(acting: Acting, target: IncidentId, other: Incident) -> None:
    draft = acting.draft
    reason = Reason(code=ReasonCode.MERGED, facts={"from": other.id, "by": acting.actor}, at=draft.now)
    for alert in draft.members(other.id):
        draft.put_alert(replace(alert, incident=target, why=(*alert.why[:8], reason)))
    for number in other.clusters:
        found = draft.book.clusters.get(number)
        if found is not None:
            draft.put_cluster(replace(found, incident=target))
    draft.dirty.pop(other.id, None)
    draft.discard(draft.book.repeats, other.id)  # its alerts brought what they had counted
    draft.record(target, "merged", acting.actor, f"took I-{other.id} with {other.alerts} alerts", reason)
    draft.record(other.id, "merged", acting.actor, f"into I-{target}", reason)
    gone = replace(
        other,
        state=IncidentState.CLOSED,
        closed_at=draft.now,
        merged_into=target,
        firing=0,
        muted=0,
        version=other.version + 1,
    )
    draft.put_incident(gone, ReasonCode.MERGED)
    draft.book.at(draft.now + timedelta(seconds=draft.rules.recent_seconds), "forget_incident", other.id)
    acting.change("incident", other.id)


@act("split", capability="noc:manage", kinds="alert cluster", params=NoParams)
def split(acting: Acting, params: NoParams) -> None:
    """Take alerts (or a whole cluster) out into an incident of their own."""
    chosen = {alert.id: alert for alert in _chosen(acting)}
    if not chosen:
        return
    origins = {alert.incident for alert in chosen.values()}
    if len(origins) != 1:
        raise Refused("a split takes alerts of one incident", field="targets", remedy="split one incident at a time")
    before = acting.draft.book.incidents.get(origins.pop())
    if before is None or before.state in ENDED:
        state = before.state if before is not None else "closed"
        raise Refused(f"the incident is {state}", field="targets", remedy="split an incident that is open")
    if len(chosen) >= len(acting.draft.book.members.get(before.id, ())):
        raise Refused("nothing would be left", field="targets", remedy="leave at least one alert in the incident")
    _split(acting, before, list(chosen.values()))


def _chosen(acting: Acting) -> list[Alert]:
    alerts = list(acting.alerts())
    for number in dict.fromkeys(acting.clusters()):
        found = acting.draft.book.clusters[number]
        alerts += [alert for alert in acting.draft.members(found.incident) if alert.cluster == number]
    return [alert for alert in alerts if alert.incident]


def _split(acting: Acting, before: Incident, chosen: list[Alert]) -> None:
    draft = acting.draft
    whole = _whole_clusters(acting, before, chosen)
    membership = tuple((alert.id, alert.cluster, alert.incident) for alert in chosen)
    remember(acting, "split", incidents=(before,), clusters=tuple(whole.values()), alerts=membership)
    incident = IncidentId(draft.next_id("incident"))
    for found in whole.values():
        draft.put_cluster(replace(found, incident=incident))
    parts = [alert for alert in chosen if alert.cluster not in whole]
    number = _open_cluster(acting, incident, parts) if parts else ClusterId(0)
    reason = Reason(code=ReasonCode.SPLIT, facts={"from": before.id, "by": acting.actor}, at=draft.now)
    for alert in chosen:
        cluster = alert.cluster if alert.cluster in whole else number
        draft.put_alert(replace(alert, cluster=cluster, incident=incident, why=(*alert.why[:8], reason)))
    left = tuple(number for number in before.clusters if number not in whole)
    draft.put_incident(replace(before, clusters=left), ReasonCode.SPLIT)
    describe(draft, before.id)
    recount(draft, {alert.cluster for alert in parts})
    draft.record(before.id, "split", acting.actor, f"{len(chosen)} alerts to I-{incident}", reason)
    draft.record(incident, "split", acting.actor, f"from I-{before.id}", reason)
    acting.change("incident", before.id)
    acting.change("incident", incident)
    acting.id = f"incident:{incident}"


def _whole_clusters(acting: Acting, before: Incident, chosen: list[Alert]) -> dict[ClusterId, Cluster]:
    """Clusters of which every alert was chosen: they go along, and what is like them goes on joining them."""
    ids = {alert.id for alert in chosen}
    parted = {alert.cluster for alert in acting.draft.members(before.id) if alert.id not in ids}
    clusters_of = acting.draft.book.clusters
    numbers = dict.fromkeys(alert.cluster for alert in chosen)
    return {number: clusters_of[number] for number in numbers if number not in parted and number in clusters_of}


def _open_cluster(acting: Acting, incident: IncidentId, chosen: list[Alert]) -> ClusterId:
    """A cluster of what was picked one by one. It takes no more: what is like it joins where it came from."""
    number = ClusterId(acting.draft.next_id("cluster"))
    first = chosen[0]
    centroid: dict[str, float] = {}
    for alert in chosen:
        centroid = add(centroid, features(alert))
    opened = Cluster(
        id=number,
        tenant=first.tenant,
        incident=incident,
        title=first.title,
        severity=max((alert.severity for alert in chosen), key=RANK.__getitem__),
        site=first.site,
        sites=unique((), (alert.site for alert in chosen), clusters.SITES_KEPT),
        names=unique((), (alert.name for alert in chosen), clusters.NAMES_KEPT),
        entities=len({alert.entity for alert in chosen if alert.entity}),
        alerts=len(chosen),
        suppressed=sum(alert.suppressed for alert in chosen),
        opened_at=min(alert.starts_at for alert in chosen),
        last_at=max(alert.starts_at for alert in chosen),
        centroid=centroid,
        closed=True,
        method="operator",
    )
    acting.draft.put_cluster(opened)
    return number


def describe(draft: Draft, number: IncidentId) -> None:
    """What an incident is about after alerts left it by hand: sites, names, last news and root of what it has now."""
    incident = draft.book.incidents[number]
    alerts = list(draft.members(number))
    if not alerts:
        return
    described = replace(
        incident,
        sites=unique((), (alert.site for alert in alerts), clusters.SITES_KEPT),
        names=unique((), (alert.name for alert in alerts), clusters.NAMES_KEPT),
        last_at=max(alert.last_at for alert in alerts),
    )
    if all(alert.id != incident.root for alert in alerts):
        root = alerts[0]
        described = replace(described, root=root.id, title=root.title, site=root.site, client=root.client)
    draft.put_incident(described, ReasonCode.SPLIT)


def recount(draft: Draft, numbers: Iterable[ClusterId]) -> None:
    """Set the counts of clusters whose alerts were moved by hand."""
    for number in numbers:
        found = draft.book.clusters.get(number)
        if found is not None:
            alerts = [alert for alert in draft.members(found.incident) if alert.cluster == number]
            suppressed = sum(alert.suppressed for alert in alerts)
            draft.put_cluster(replace(found, alerts=len(alerts), suppressed=suppressed))
            if alerts:
                joined_at = max(alert.received_at for alert in alerts)
                draft.set(draft.book.cluster_seen, number, joined_at)
