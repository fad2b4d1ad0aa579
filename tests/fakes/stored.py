"""Records to fill a store with: each builder takes what matters to the test and invents the rest, always the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from data.ports import Commit
from data.records import (
    Alert,
    AlertId,
    AlertState,
    Audit,
    Change,
    Cluster,
    ClusterId,
    Effect,
    Incident,
    IncidentId,
    IncidentState,
    Matcher,
    Partition,
    Reason,
    Reject,
    Severity,
    Silence,
    TenantId,
    TimelineEntry,
)
from data.scope import CAPABILITIES, Scope

NOW = datetime(2026, 11, 20, 14, 3, 22, 123456, tzinfo=UTC)
TENANT = TenantId("default")
ZERO = Partition(0)
_SEVERITIES = tuple(Severity)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def scope(tenant: str = TENANT, sites: frozenset[str] | None = None) -> Scope:
    return Scope(tenant=TenantId(tenant), actor="ana", capabilities=CAPABILITIES, sites=sites)


def alert(number: int, **fields: Any) -> Alert:
    values: dict[str, Any] = {
        "id": AlertId(number),
        "tenant": TENANT,
        "key": f"key-{number}",
        "source": "prometheus",
        "name": f"Name{number % 3}",
        "severity": _SEVERITIES[number % 5],
        "state": AlertState.OPEN,
        "title": f"alert {number} 'quoted' \x1b[31m ünï",
        "site": f"site-{number % 4}",
        "entity": f"host-{number}",
        "entity_type": "host",
        "service": "web",
        "client": "acme",
        "correlation": "",
        "labels": {"alertname": "Name", "instance": f"host-{number}"},
        "annotations": {"summary": "x"},
        "url": "",
        "starts_at": later(number),
        "received_at": later(number),
        "last_at": later(number % 7),
        "ends_at": later(number + 240),
        "timeout": False,
        "count": 1 + number % 4,
        "cluster": ClusterId(1 + number % 2),
        "incident": IncidentId(1 + number % 2),
        "why": (Reason(code="new", facts={"similarity": 0.5}),),
    }
    return Alert(**{**values, **fields})


def ended(number: int, at: datetime = NOW, **fields: Any) -> Alert:
    return alert(number, state=AlertState.RESOLVED, ended_at=at, **fields)


def cluster(number: int, **fields: Any) -> Cluster:
    values: dict[str, Any] = {
        "id": ClusterId(number),
        "tenant": TENANT,
        "incident": IncidentId(number),
        "title": f"cluster {number}",
        "severity": Severity.HIGH,
        "site": f"site-{number % 4}",
        "sites": (f"site-{number % 4}", "site-9"),
        "names": ("Name",),
        "entities": 2,
        "alerts": 3,
        "suppressed": 0,
        "opened_at": later(number),
        "last_at": later(number % 3),
        "centroid": {"name:Name": 1.5},
    }
    return Cluster(**{**values, **fields})


def incident(number: int, **fields: Any) -> Incident:
    values: dict[str, Any] = {
        "id": IncidentId(number),
        "tenant": TENANT,
        "title": f"incident {number}",
        "severity": Severity.HIGH,
        "state": IncidentState.OPEN,
        "priority": float(number % 5) * 10.5,
        "site": f"site-{number % 4}",
        "sites": (f"site-{number % 4}", "site-9"),
        "names": ("Name",),
        "clusters": (ClusterId(number),),
        "alerts": 3,
        "firing": 2,
        "muted": 0,
        "suppressed": 0,
        "events": 9,
        "opened_at": later(number),
        "last_at": later(number % 3),
        "root": AlertId(1),
    }
    return Incident(**{**values, **fields})


def silence(name: str, **fields: Any) -> Silence:
    values: dict[str, Any] = {
        "id": name,
        "tenant": TENANT,
        "matchers": (Matcher(name="site", value="site-1"),),
        "starts_at": NOW,
        "ends_at": later(3600),
        "created_by": "ana",
        "comment": "works",
        "updated_at": NOW,
    }
    return Silence(**{**values, **fields})


def entry(number: int, **fields: Any) -> TimelineEntry:
    values: dict[str, Any] = {"tenant": TENANT, "incident": IncidentId(number), "at": NOW, "kind": "opened"}
    return TimelineEntry(**{**values, **fields})


def reject(**fields: Any) -> Reject:
    values: dict[str, Any] = {
        "tenant": TENANT,
        "source": "hook",
        "format": "generic",
        "at": NOW,
        "field": "severity",
        "reason": "unknown",
        "remedy": "send one of five",
        "body": '{"severity": "odd"}',
    }
    return Reject(**{**values, **fields})


def effect(key: str, **fields: Any) -> Effect:
    values: dict[str, Any] = {
        "key": key,
        "tenant": TENANT,
        "action": "notify",
        "params": {"to": "ops"},
        "created_at": NOW,
        "incident": IncidentId(1),
    }
    return Effect(**{**values, **fields})


def audit(verb: str, **fields: Any) -> Audit:
    values: dict[str, Any] = {
        "tenant": TENANT,
        "at": NOW,
        "actor": "ana",
        "origin": "local",
        "verb": verb,
        "subject": "incident:1",
        "outcome": "done",
        "detail": {"minutes": 30},
    }
    return Audit(**{**values, **fields})


def changes(first: int, count: int, **fields: Any) -> tuple[Change, ...]:
    """`count` changes with the seqs from `first`."""
    values: dict[str, Any] = {"kind": "alert_created", "tenant": TENANT, "at": NOW, "site": "site-1"}
    return tuple(
        Change(
            **{
                **values,
                "subject": f"alert:{seq}",
                "record": msgspec.Raw(msgspec.json.encode({"id": seq})),
                "seq": seq,
                **fields,
            }
        )
        for seq in range(first, first + count)
    )


def commit(epoch: int, parts: dict[str, Sequence[Any]] | None = None, **fields: Any) -> Commit:
    values: dict[str, Any] = {"partition": ZERO, "epoch": epoch, "at": NOW, **(parts or {})}
    return Commit(**{**values, **fields})
