"""A small deterministic operation for screens: incidents, clusters, alerts and a timeline, the same at every run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from data.records import (
    Ack,
    Alert,
    AlertId,
    AlertState,
    Cluster,
    ClusterId,
    Contribution,
    Incident,
    IncidentId,
    IncidentState,
    Reason,
    Severity,
    TenantId,
    TimelineEntry,
)

NOW = datetime(2026, 11, 20, 14, 3, 22, tzinfo=UTC)
TENANT = TenantId("default")

#: title, severity, site, client, priority, minutes ago, alerts, SLA minutes left, owner, acked
_CASES: tuple[tuple[str, Severity, str, str, float, int, int, int | None, str, bool], ...] = (
    ("power lost: panel, 6 cameras, tour", Severity.CRITICAL, "Harbour 2", "Portline", 97, 6, 12, 14, "ana", False),
    ("guard no-show, post uncovered", Severity.CRITICAL, "Depot 11", "Freight & Co", 88, 18, 4, 2, "", False),
    ("check-ins 40 km apart in 6 min", Severity.HIGH, "Tower 3", "Skyline", 81, 9, 3, 51, "", False),
    ("gateway flapping, 9 sensors stale", Severity.HIGH, "Clinic 7", "St. Mary", 74, 41, 5, 19, "bo", True),
    ("tour compliance 61 %", Severity.MEDIUM, "Mall 9", "Retail Union", 52, 120, 33, None, "", False),
    ("disk 91 % on recorder nvr-4", Severity.MEDIUM, "Harbour 2", "Portline", 47, 200, 2, 240, "", True),
    ("low battery: 4 readers", Severity.LOW, "Campus 1", "University", 33, 300, 4, None, "", False),
    ("device sync late", Severity.LOW, "Depot 11", "Freight & Co", 21, 700, 7, None, "", True),
    ("firmware update offered", Severity.INFO, "Tower 3", "Skyline", 8, 1500, 1, None, "", False),
)


def incident(number: int, case: int = 0, now: datetime = NOW) -> Incident:
    """Case `case` of the list as incident `number`."""
    title, severity, site, client, priority, minutes, alerts, sla, owner, acked = _CASES[case % len(_CASES)]
    opened = now - timedelta(minutes=minutes)
    return Incident(
        id=IncidentId(number),
        tenant=TENANT,
        title=title,
        severity=severity,
        state=IncidentState.ACKNOWLEDGED if acked else IncidentState.OPEN,
        priority=priority,
        site=site,
        sites=(site,),
        names=(title.split()[0],),
        clusters=(ClusterId(number),),
        alerts=alerts,
        firing=max(1, alerts - 1),
        muted=0,
        suppressed=alerts // 3,
        events=alerts * 3,
        opened_at=opened,
        last_at=now - timedelta(minutes=minutes / 4),
        root=AlertId(number * 100),
        client=client,
        owner=owner,
        ack=Ack(by=owner or "eva", at=opened, severity=severity) if acked else None,
        due_at=None if sla is None else now + timedelta(minutes=sla),
        contributions=(
            Contribution(feature="severity", value=5, points=priority * 0.5),
            Contribution(feature="sites", value=1, points=priority * 0.3),
            Contribution(feature="recurrence", value=0.2, points=priority * 0.2),
        ),
        why=(Reason(code="joined_similar", facts={"similarity": 0.91, "site": site}),),
    )


#: Escape sequences, C1, OSC 52, bidi, zero-width, markup, a pile of marks, and a lot of it.
EVIL = (
    "\x1b[2J\x1b]0;owned\x07\x9b31m\x1b]52;c;ZXZpbA==\x1b\\\u202egnp\u2066.exe\u200b\ufeff[/red][@click=app.quit]x[/]"
    "z\u0300\u0301\u0302\u0303\x00\x7f\r\n\t\U000e0041\u2028end "
)


def hostile(of: Incident) -> Incident:
    """The incident with every text as bad as it gets."""
    return replace(
        of,
        title=EVIL * 40,
        site=EVIL,
        sites=(EVIL, EVIL),
        names=(EVIL,),
        client=EVIL,
        owner=EVIL if of.owner else "",
        ack=replace(of.ack, by=EVIL, note=EVIL) if of.ack else None,
        why=(Reason(code=EVIL, facts={EVIL: EVIL}),),
        contributions=(Contribution(feature=EVIL, value=1, points=9),),
    )


def hostile_cluster(of: Cluster) -> Cluster:
    return replace(of, title=EVIL * 40, site=EVIL)


def cluster(number: int, case: int = 0, now: datetime = NOW) -> Cluster:
    of = incident(number, case, now)
    return Cluster(
        id=ClusterId(number),
        tenant=TENANT,
        incident=of.id,
        title=of.title,
        severity=of.severity,
        site=of.site,
        sites=of.sites,
        names=of.names,
        entities=of.alerts,
        alerts=of.alerts,
        suppressed=of.suppressed,
        opened_at=of.opened_at,
        last_at=of.last_at,
        centroid={},
    )


def alert(number: int, of: Incident, case: int = 0) -> Alert:
    return Alert(
        id=AlertId(number),
        tenant=TENANT,
        key=f"key-{number}",
        source="prometheus",
        name=of.names[0],
        severity=of.severity,
        state=AlertState.OPEN,
        title=f"{of.title} #{number % 100}",
        site=of.site,
        entity=f"device-{number}",
        entity_type="device",
        service="",
        client=of.client,
        correlation="",
        labels={"alertname": of.names[0], "site": of.site, "instance": f"device-{number}"},
        annotations={"summary": of.title},
        url="https://prometheus.example/graph",
        starts_at=of.opened_at,
        received_at=of.opened_at,
        last_at=of.last_at,
        ends_at=of.last_at + timedelta(minutes=4),
        timeout=False,
        count=3,
        cluster=of.clusters[0],
        incident=of.id,
        suppressed=number % 3 == 2,
        why=(Reason(code="joined_similar", facts={"similarity": 0.91}),),
    )


def timeline(of: Incident) -> list[TimelineEntry]:
    steps = (("opened", 0, "engine"), ("joined", 1, "engine"), ("severity_rose", 2, "engine"), ("noted", 3, "ana"))
    return [
        TimelineEntry(
            tenant=TENANT,
            incident=of.id,
            at=of.opened_at + timedelta(minutes=minutes),
            kind=kind,
            actor=actor,
            text=f"{kind} {of.title}",
        )
        for kind, minutes, actor in steps
    ]


def operation(count: int = 9, now: datetime = NOW) -> tuple[list[Incident], list[Cluster], list[Alert]]:
    """`count` incidents from I-4411 down, their clusters and alerts."""
    numbers = [4411 - n for n in range(count)]
    incidents = [incident(number, n, now) for n, number in enumerate(numbers)]
    clusters = [cluster(number, n, now) for n, number in enumerate(numbers)]
    alerts = [alert(i.id * 100 + n, i) for i in incidents[:50] for n in range(min(i.alerts, 12))]
    return incidents, clusters, alerts
