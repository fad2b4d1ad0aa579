"""Cluster: which alerts are about the same thing?

Owns the mechanics: the candidates and their index, the sliding gap by event time, the hard cap by alerts and hours with
a linked successor, what a cluster remembers of its members. How like an alert is to a candidate is the method's to say
(`engine.similarity`, chosen by `clustering.method`): the alert joins the best one at or above the method's threshold,
else it opens a cluster.
Candidates come from an index over the rarest features, so the cost per alert does not grow with the number of active
clusters; the vector of a cluster is settled after its first members.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from msgspec.structs import force_setattr, replace

from data.records import RANK, Alert, Cluster, ClusterId, IncidentId, Reason, TenantId
from data.restricted import ALERTS as RESTRICTED
from engine.book import Book, Draft, unique
from engine.reasons import ReasonCode
from engine.rules import Rules
from engine.similarity.features import Vector, add, features
from engine.similarity.method import Candidate, Facts, Ranking, Streaming

#: Tokens of a cluster by which it is found: type at site, type, site, entity, correlation, place of a rare alert.
_INDEXED = frozenset({"p:", "n:", "s:", "e:", "c:", "r:"})
#: Fields of an alert by which candidates are found beside "this type at this site", the prefix of their tokens, and
#: how many of the newest clusters each may bring.
_PROBES = (("correlation", "c:", 3), ("entity", "e:", 2), ("name", "n:", 2), ("site", "s:", 2))
_KEPT_PER_TOKEN = 8
_PAIRS_LIMIT = 256
#: After so many members a cluster's vector is settled: what it is about no longer moves.
_SETTLED = 24
SITES_KEPT = 50
NAMES_KEPT = 20


def gap_seconds(cluster: Cluster, at: datetime) -> float:
    """Time between `at` and the life of the cluster so far; 0 inside it."""
    if at > cluster.last_at:
        return (at - cluster.last_at).total_seconds()
    if at < cluster.opened_at:
        return (cluster.opened_at - at).total_seconds()
    return 0.0


def cluster(draft: Draft, alert: Alert) -> Alert:
    """Give the new alert, which nobody else has yet, its cluster and incident."""
    vector = features(alert)
    method = draft.rules.method
    if isinstance(method, Streaming):
        offered = candidates(draft, alert, vector.home, method.tokens(draft, alert))
        ranking = method.rank_in(draft, alert, vector, offered)
    else:
        ranking = method.rank(alert, vector, candidates(draft, alert, vector.home), draft.rules)
    best = ranking.best
    if best is not None and best.score >= ranking.join_at and not _full(draft.rules, best.cluster, alert):
        return _join(draft, alert, vector, ranking)
    return _open(draft, alert, vector, ranking)


def candidates(draft: Draft, alert: Alert, home: str, more: Iterable[tuple[str, int]] = ()) -> Iterator[Candidate]:
    """Open clusters inside the window that share a rare feature with the alert, each once, ten at most and those of
    `more` tokens: first the newest that already holds this type at this site, which is most often the one."""
    book, at, tenant = draft.book, alert.starts_at, alert.tenant
    window = draft.rules.window_seconds
    offered: list[ClusterId] = []
    numbers = book.candidates.get((tenant, home))
    if numbers:
        found = book.clusters.get(numbers[-1])
        taken = found is not None and not found.closed and _same_sort(alert, found)
        if found is not None and taken and (gap := gap_seconds(found, at)) <= window:
            offered.append(found.id)
            yield Candidate(found, gap, True)
    probes = ((prefix + value, most) for field, prefix, most in _PROBES if (value := getattr(alert, field)))
    for token, most in chain(probes, more):
        numbers = book.candidates.get((tenant, token))
        for number in numbers[: -most - 1 : -1] if numbers else ():
            found = book.clusters.get(number)
            if number in offered or found is None or found.closed or not _same_sort(alert, found):
                continue
            gap = gap_seconds(found, at)
            if gap <= window:
                offered.append(number)
                yield Candidate(found, gap, False)


def _same_sort(alert: Alert, found: Cluster) -> bool:
    """Alerts that take a capability of their own share clusters only with their like."""
    return (alert.name in RESTRICTED) is bool(found.names and found.names[0] in RESTRICTED)


def _full(rules: Rules, found: Cluster, alert: Alert) -> bool:
    if found.alerts >= rules.cap_alerts:
        return True
    latest = alert.starts_at if alert.starts_at > found.last_at else found.last_at
    return (latest - found.opened_at).total_seconds() >= rules.cap_seconds


def _join(draft: Draft, alert: Alert, vector: Vector, ranking: Ranking) -> Alert:
    best, second = ranking.best, ranking.second
    assert best is not None
    found = best.cluster
    worse = alert.severity is not found.severity and RANK[alert.severity] > RANK[found.severity]
    known_site = not alert.site or alert.site in found.sites
    # However alike: what happens to another device, person or host is another thing, and is not folded away.
    known_entity = not vector.entity or vector.entity in found.centroid
    suppressed = best.score > ranking.suppress_above and not worse and known_site and known_entity
    facts: Facts = {
        "cluster": found.id,
        "score": int(best.score * 1000) / 1000,
        "join_at": ranking.join_at,
        "gap_seconds": int(best.gap),
    }
    if ranking.facts:
        facts |= ranking.facts
    if second is not None:
        facts |= {"next_cluster": second.cluster.id, "next_score": round(second.score, 3)}
    code = ReasonCode.SUPPRESSED_SIMILAR if suppressed else ReasonCode.JOINED_SIMILAR
    _place(alert, found.id, found.incident, Reason(code=code, facts=facts))
    if suppressed:
        force_setattr(alert, "suppressed", True)
    _grow(draft, _marked(draft, found, ranking) if ranking.marks else found, alert, vector, worse)
    if draft.book.cluster_seen.get(found.id) is not draft.now:
        draft.set(draft.book.cluster_seen, found.id, draft.now)
    return alert


def _place(alert: Alert, number: ClusterId, incident: IncidentId, why: Reason) -> None:
    """Fill in where a new alert belongs: nobody else has it yet, and a copy of its forty fields is dear."""
    force_setattr(alert, "cluster", number)
    force_setattr(alert, "incident", incident)
    force_setattr(alert, "why", (*alert.why, why))


def _marked(draft: Draft, found: Cluster, ranking: Ranking) -> Cluster:
    """The cluster with what the method wants it to remember."""
    for token in ranking.marks:
        if token not in found.centroid:
            _index(draft, found.tenant, token, found.id)
    marked = replace(found, centroid={**found.centroid, **ranking.marks})
    draft.put_cluster(marked)
    return marked


def _grow(draft: Draft, found: Cluster, alert: Alert, vector: Vector, worse: bool) -> None:
    at, centroid = alert.starts_at, found.centroid
    grown = replace(
        found,
        alerts=found.alerts + 1,
        suppressed=found.suppressed + alert.suppressed,
        entities=found.entities + (vector.entity != "" and vector.entity not in centroid),
        opened_at=found.opened_at if found.opened_at < at else at,
        last_at=found.last_at if found.last_at > at else at,
    )
    if found.alerts >= _SETTLED and not worse and _is_known(found, alert, vector.home):
        draft.count_cluster(grown)
    else:
        _learn(draft, replace(grown, severity=alert.severity) if worse else grown, alert, vector)


def _is_known(found: Cluster, alert: Alert, home: str) -> bool:
    """Whether the cluster can be found by this alert's site, type and pair, or has no room to take them on."""
    return (
        (not alert.site or alert.site in found.sites or len(found.sites) >= SITES_KEPT)
        and (alert.name in found.names or len(found.names) >= NAMES_KEPT)
        and (home in found.centroid or len(found.centroid) >= _PAIRS_LIMIT)
    )


def _learn(draft: Draft, found: Cluster, alert: Alert, vector: Vector) -> None:
    """The first members make the cluster's vector; later ones only what it can be found by."""
    if found.alerts <= _SETTLED:
        centroid = add(found.centroid, vector)
    else:
        centroid = {**found.centroid, vector.home: 0.0}
    for token in (vector.home, *vector.tokens):
        if token not in found.centroid and token in centroid:
            _index(draft, alert.tenant, token, found.id)
    draft.put_cluster(
        replace(
            found,
            sites=unique(found.sites, (alert.site,), SITES_KEPT),
            names=unique(found.names, (alert.name,), NAMES_KEPT),
            centroid=centroid,
        )
    )


def _open(draft: Draft, alert: Alert, vector: Vector, ranking: Ranking) -> Alert:
    best = ranking.best
    number = ClusterId(draft.next_id("cluster"))
    incident = IncidentId(draft.next_id("incident"))
    predecessor = None
    code = ReasonCode.OPENED_NO_MATCH
    facts: Facts = {"tried": ranking.tried, "join_at": ranking.join_at, **ranking.facts}
    if best is not None:
        facts |= {"best_cluster": best.cluster.id, "best_score": round(best.score, 3)}
        if best.score >= ranking.join_at:
            code, predecessor = ReasonCode.OPENED_CAP, best.cluster.id
            facts |= {"cap_alerts": draft.rules.cap_alerts, "predecessor": predecessor}
            draft.put_cluster(replace(best.cluster, successor=number))
            close(draft, best.cluster.id)
    opened = Cluster(
        id=number,
        tenant=alert.tenant,
        incident=incident,
        title=alert.title,
        severity=alert.severity,
        site=alert.site,
        sites=(alert.site,) if alert.site else (),
        names=(alert.name,),
        entities=1 if alert.entity else 0,
        alerts=1,
        suppressed=0,
        opened_at=alert.starts_at,
        last_at=alert.starts_at,
        centroid={**add({}, vector), **ranking.marks},
        method=draft.rules.method.name,
        predecessor=predecessor,
    )
    draft.put_cluster(opened)
    draft.set(draft.book.cluster_seen, number, draft.now)
    draft.book.at(draft.now + timedelta(seconds=draft.rules.window_seconds), "cluster", number)
    for token in opened.centroid:
        _index(draft, alert.tenant, token, number)
    _place(alert, number, incident, Reason(code=code, facts=facts))
    return alert


def _index(draft: Draft, tenant: TenantId, token: str, number: ClusterId) -> None:
    if token[:2] in _INDEXED:
        key = (tenant, token)
        old = draft.book.candidates.get(key, ())
        draft.set(draft.book.candidates, key, tuple(sorted((*old, number)))[-_KEPT_PER_TOKEN:])


def rise(draft: Draft, alert: Alert) -> None:
    """A member became worse: so did its cluster, and the member is folded away no longer."""
    found = draft.book.clusters.get(alert.cluster)
    if found is not None and (alert.suppressed or RANK[alert.severity] > RANK[found.severity]):
        severity = max(found.severity, alert.severity, key=RANK.__getitem__)
        draft.put_cluster(replace(found, severity=severity, suppressed=found.suppressed - alert.suppressed))


def close(draft: Draft, number: ClusterId) -> None:
    """The cluster takes no more alerts and leaves memory and the index."""
    found = draft.book.clusters.get(number)
    if found is None:
        return
    if not found.closed:
        draft.put_cluster(replace(found, closed=True))
    unindex(draft, found)


def reopen(draft: Draft, before: Cluster) -> None:
    """A cluster that was closed with its incident takes alerts again."""
    opened = replace(draft.book.clusters.get(before.id, before), closed=False)
    draft.put_cluster(opened)
    members = (alert.received_at for alert in draft.members(opened.incident) if alert.cluster == opened.id)
    seen = max(members, default=draft.now)
    draft.set(draft.book.cluster_seen, opened.id, seen)
    draft.book.at(seen + timedelta(seconds=draft.rules.window_seconds), "cluster", opened.id)
    for token in opened.centroid:
        _index(draft, opened.tenant, token, opened.id)


def unindex(draft: Draft, found: Cluster) -> None:
    candidates = draft.book.candidates
    for token in found.centroid:
        key = (found.tenant, token)
        old = candidates.get(key)
        if old is not None and found.id in old:
            left = tuple(number for number in old if number != found.id)
            if left:
                draft.set(candidates, key, left)
            else:
                draft.discard(candidates, key)


def reindex(book: Book) -> None:
    """Rebuild the candidate index from the clusters, and when each was last joined from its alerts."""
    for alert in book.alerts.values():
        if alert.cluster in book.clusters:
            seen = book.cluster_seen.get(alert.cluster)
            book.cluster_seen[alert.cluster] = alert.received_at if seen is None else max(seen, alert.received_at)
    for number in sorted(book.clusters):
        found = book.clusters[number]
        book.cluster_seen.setdefault(number, found.last_at)
        if found.closed:
            continue
        for token in found.centroid:
            if token[:2] in _INDEXED:
                key = (found.tenant, token)
                book.candidates[key] = (*book.candidates.get(key, ())[1 - _KEPT_PER_TOKEN :], number)
