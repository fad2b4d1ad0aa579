"""Seal: a batch of kept drafts becomes one commit and the changes that the feed will carry.

Owns the order and the numbers of changes. Never does I/O.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Raw
from msgspec.json import Encoder

from data.ports import ClusterTouch, Commit, IncidentTouch, Touch
from data.records import Alert, AlertId, Change, Cluster, ClusterId, Incident, IncidentId, TenantId
from data.restricted import ALERTS, of_names, of_subject
from engine.book import Batch

_encode = Encoder().encode
_NO_RECORD = Raw(b"null")


def seal(batch: Batch, epoch: int, at: datetime, urgent: bool) -> tuple[Commit, list[bytes]]:
    """The commit of this batch and, in the same order as `commit.changes`, each change as JSON for the feed."""
    book = batch.book
    gone = batch.gone
    alerts = [book.alerts.get(number) or gone["alert", number] for number in batch.alerts]
    bodies = {alert.id: _encode(alert) for alert in alerts}
    changes, encoded, slim = _changes(batch, at, alerts, bodies)
    commit = Commit(
        partition=book.partition,
        epoch=epoch,
        at=at,
        alerts=alerts,
        bodies=list(bodies.values()),
        touches=[_touch(batch, number) for number in batch.touched if number not in batch.alerts],
        clusters=[book.clusters.get(number) or gone["cluster", number] for number in batch.clusters],
        cluster_touches=[_cluster_touch(batch, number) for number in batch.cluster_counts.keys() - batch.clusters],
        incidents=[book.incidents.get(number) or gone["incident", number] for number in batch.incidents],
        incident_touches=[_incident_touch(batch, number) for number in batch.incident_counts.keys() - batch.incidents],
        nouns=list(batch.nouns.values()),
        changes=changes,
        slim=slim,
        urgent=urgent,
        **batch.rows,
    )
    return commit, encoded


def _touch(batch: Batch, number: AlertId) -> Touch:
    alert: Alert = batch.book.alerts.get(number) or batch.gone["alert", number]
    return Touch(alert.id, alert.count, alert.last_at, alert.ends_at)


def _cluster_touch(batch: Batch, number: ClusterId) -> ClusterTouch:
    cluster: Cluster = batch.book.clusters.get(number) or batch.gone["cluster", number]
    return ClusterTouch(
        number, cluster.alerts, cluster.suppressed, cluster.entities, cluster.opened_at, cluster.last_at
    )


def _incident_touch(batch: Batch, number: IncidentId) -> IncidentTouch:
    incident: Incident = batch.book.incidents.get(number) or batch.gone["incident", number]
    return IncidentTouch(
        number,
        incident.alerts,
        incident.firing,
        incident.muted,
        incident.suppressed,
        incident.events,
        incident.last_at,
        incident.version,
    )


def _changes(
    batch: Batch, at: datetime, alerts: list[Alert], bodies: dict[AlertId, bytes]
) -> tuple[list[Change], list[bytes], list[bytes]]:
    """The changes without their records, each as JSON with its record for the feed, and each as JSON for the log.

    `bodies`: the written `alerts` as JSON.
    """
    seq, partition = batch.book.seq, batch.book.partition
    restricted = {alert.id: ALERTS[alert.name] for alert in alerts if alert.name in ALERTS}
    changes, encoded, slim = [], [], []
    for (kind, number, *_), event in batch.events.items():
        seq += 1
        record = bodies.get(number) if kind == "alert" else None
        if record is not None:
            needs = restricted.get(number, "")
        else:
            found = event.record or _record(batch, kind, number, event.tenant)
            record, needs = _encode(found), _needs(kind, number, found)
        # By position, in the order of the fields: it is made for every new alert.
        change = Change(
            event.kind, event.tenant, at, f"{kind}:{number}", event.site, event.reason, _NO_RECORD, seq, partition,
            needs,
        )  # fmt: skip
        head = _encode(change)
        full = b'%b,"record":%b}' % (head[:-1], record)
        by_reference = event.kind == "alert_created" or (kind == "incident" and number not in batch.incidents)
        changes.append(change)
        encoded.append(full)
        slim.append(head if by_reference else full)
    return changes, encoded, slim


def _needs(kind: str, number: int | str, record: Any) -> str:
    if record is None:
        return ""
    if kind == "alert":
        return of_names((record.name,))
    return of_names(record.names) if kind == "incident" else of_subject(f"{kind}:{number}") if kind == "ticket" else ""


def _record(batch: Batch, kind: str, number: int | str, tenant: TenantId) -> Any:
    book = batch.book
    if kind == "alert":
        return book.alerts.get(number) or batch.gone.get(("alert", number))  # type: ignore[call-overload, arg-type]
    if kind == "incident":
        return book.incidents.get(number)  # type: ignore[call-overload]
    if kind == "silence":
        return book.silences.get(tenant, {}).get(number)  # type: ignore[arg-type]
    return None
