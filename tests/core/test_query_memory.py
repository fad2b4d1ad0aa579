"""What queries mean, as a table: one alert, one incident, one cluster, and the logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from data.query import Compare, Op, QueryError, parse
from data.query_memory import predicate
from data.records import (
    Ack,
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
    Reject,
    Severity,
    Silence,
    TenantId,
    TimelineEntry,
)

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
SOON, PAST = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
TENANT = TenantId("t")

ALERT = Alert(
    id=AlertId(12), tenant=TENANT, key="k1", source="prometheus", name="LinkDown", severity=Severity.HIGH,
    state=AlertState.OPEN, title="Link down on Core-1", site="LIS1", entity="core-1", entity_type="router",
    service="WAN", client="acme", correlation="", labels={"alertname": "LinkDown", "env": "Prod", "a b": "x"},
    annotations={"summary": "hidden"}, url="", starts_at=NOW - timedelta(hours=2), received_at=NOW,
    last_at=NOW - timedelta(minutes=10), ends_at=SOON, timeout=False, count=7, cluster=ClusterId(3),
    incident=IncidentId(5),
)  # fmt: skip

INCIDENT = Incident(
    id=IncidentId(5), tenant=TENANT, title="Links of Lisbon", severity=Severity.CRITICAL,
    state=IncidentState.RETURNED, priority=81.5, site="LIS1", sites=("LIS1", "POR"), names=("LinkDown", "BgpDown"),
    clusters=(ClusterId(3), ClusterId(4)), alerts=9, firing=2, muted=1, suppressed=0, events=40,
    opened_at=NOW - timedelta(hours=3), last_at=NOW, root=AlertId(12), client="acme", owner="ana",
)  # fmt: skip

CLUSTER = Cluster(
    id=ClusterId(3), tenant=TENANT, incident=IncidentId(5), title="Links", severity=Severity.LOW, site="LIS1",
    sites=(), names=("LinkDown",), entities=2, alerts=4, suppressed=1, opened_at=PAST, last_at=NOW, centroid={},
)  # fmt: skip

SILENCE = Silence(
    id="u", tenant=TENANT, matchers=(Matcher(name="env", value="prod.*", is_regex=True),), starts_at=PAST,
    ends_at=SOON, created_by="ana", comment="Planned work", updated_at=PAST, ticket="CHG-1",
)  # fmt: skip
ENTRY = TimelineEntry(tenant=TENANT, incident=IncidentId(5), at=PAST, kind="joined", actor="engine", text="Alert 12")
REJECT = Reject(
    tenant=TENANT, source="zabbix", format="json", at=PAST, field="severity", reason="Unknown word", remedy="fix",
    body="{}",
)  # fmt: skip
AUDIT = Audit(tenant=TENANT, at=PAST, actor="ana", origin="local", verb="ack", subject="incident:5", outcome="done")
EFFECT = Effect(key="e1", tenant=TENANT, action="send_notification", params={}, created_at=PAST, incident=IncidentId(5))
CHANGE = Change(kind="alert_created", tenant=TENANT, at=PAST, subject="alert:12", site="LIS1", reason="new")

ANSWERS: list[tuple[str, Any, bool]] = [
    ("severity>=high", ALERT, True),
    ("severity>high", ALERT, False),
    ("severity<=M", ALERT, False),
    ("severity<critical", ALERT, True),
    ("sev in (C, H)", ALERT, True),
    ("sev!=h", ALERT, False),
    ('severity=~"HIGH|critical"', ALERT, True),
    ("severity=HI*", ALERT, True),
    ("severity~IG", ALERT, True),
    ("state=OPEN", ALERT, True),
    ("state=returned", INCIDENT, True),
    ("state=open", CLUSTER, False),
    ("site=LIS*", ALERT, True),
    ("site=lis*", ALERT, False),
    ("site=*S1", ALERT, True),
    ("site!=LIS*", ALERT, False),
    ('site="LIS*"', ALERT, False),
    ("site~lis", ALERT, True),
    ('site=~"LIS."', ALERT, True),
    ('site=~"LIS"', ALERT, False),
    ("site=LIS1", INCIDENT, True),
    ("site=POR", INCIDENT, True),
    ("site!=POR", INCIDENT, False),
    ("site=LIS1", CLUSTER, True),
    ("name=BgpDown", INCIDENT, True),
    ("alertname=LinkDown", ALERT, True),
    ("type=LinkDown", CLUSTER, True),
    ('{alertname="LinkDown"}', ALERT, True),
    ('{alertname="BgpDown"}', INCIDENT, True),
    ('{alertname="X"}', INCIDENT, False),
    ("{env=Prod}", ALERT, True),
    ("env=prod", ALERT, False),
    ("env~prod", ALERT, True),
    ('{"a b"="x"}', ALERT, True),
    ("{site=LIS1}", ALERT, False),
    ('missing=""', ALERT, True),
    ("missing!=x", ALERT, True),
    ('missing=~".*"', ALERT, True),
    ('missing=~".+"', ALERT, False),
    ('instance=""', INCIDENT, True),
    ("instance=x", INCIDENT, False),
    ("link", ALERT, True),
    ("LINK down", ALERT, True),
    ("fred|core", ALERT, True),
    ("!core", ALERT, False),
    ("prod", ALERT, True),
    ("wan", ALERT, True),
    ("hidden", ALERT, False),
    ("acme", ALERT, False),
    ("router", ALERT, False),
    ("ANA", INCIDENT, True),
    ("por", INCIDENT, True),
    ("bgp", INCIDENT, True),
    ('"link down"', ALERT, True),
    ("owner=ana", INCIDENT, True),
    ('owner=""', ALERT, True),
    ("owner=ana", ALERT, False),
    ("owner!=ana", ALERT, True),
    ("client=acme", INCIDENT, True),
    ("entity_type=router", ALERT, True),
    ("key=k1", ALERT, True),
    ("service=WAN", ALERT, True),
    ("priority>80", INCIDENT, True),
    ("priority>81.5", INCIDENT, False),
    ("priority>=0", ALERT, False),
    ("priority<999", ALERT, False),
    ("priority!=1", ALERT, True),
    ("count=7", ALERT, True),
    ("n>=10", ALERT, False),
    ("count=9", INCIDENT, True),
    ("n=4", CLUSTER, True),
    ("id=#12", ALERT, True),
    ("incident=5", ALERT, True),
    ("incident=5", INCIDENT, True),
    ("cluster=4", INCIDENT, True),
    ("cluster in (1, 3)", CLUSTER, True),
    ("cluster=9", INCIDENT, False),
    ("incident=5", ENTRY, True),
    ("incident=5", EFFECT, True),
    ("age>=2h", ALERT, True),
    ("age>2h", ALERT, False),
    ("age<2h1ms", ALERT, True),
    ("age<3h", INCIDENT, False),
    ("last>=10m", ALERT, True),
    ("last<10m", ALERT, False),
    ("opened>=2026-11-20T12:00Z", ALERT, True),
    ("opened>2026-11-20T12:00Z", ALERT, False),
    ("last<1h", SILENCE, False),
    ("age>30m", SILENCE, True),
    ("age>30m", AUDIT, True),
    ("opened<2026-11-20T14:00Z", REJECT, True),
    ("acked=false", ALERT, True),
    ("flapping=true", ALERT, False),
    ("flapping=true", INCIDENT, False),
    ("flapping!=true", INCIDENT, True),
    ("muted=true", ALERT, False),
    ("muted=true", INCIDENT, False),
    ("suppressed=true", CLUSTER, True),
    ("suppressed=true", INCIDENT, False),
    ("env", SILENCE, True),
    ("planned", SILENCE, True),
    ("chg-1", SILENCE, True),
    ("created_by=ana", SILENCE, True),
    ("joined", ENTRY, True),
    ("kind=joined", ENTRY, True),
    ("source=zabbix", REJECT, True),
    ("unknown", REJECT, True),
    ("reason~WORD", REJECT, True),
    ("state=waiting", REJECT, True),
    ("actor=ana verb=ack", AUDIT, True),
    ("incident:5", AUDIT, True),
    ("verb=shelve", AUDIT, False),
    ("action=send_*", EFFECT, True),
    ("state=pending", EFFECT, True),
    ("kind=alert_*", CHANGE, True),
    ("site=LIS1", CHANGE, True),
    ("alert:12", CHANGE, True),
]


@pytest.mark.parametrize(("text", "record", "answer"), ANSWERS, ids=range(len(ANSWERS)))
def test_answers(text: str, record: Any, answer: bool) -> None:
    node = parse(text)
    assert predicate(node, NOW)(record) is answer
    assert predicate(parse(f"not ({text})"), NOW)(record) is not answer


def ack(expires_at: datetime | None) -> Ack:
    return Ack(by="ana", at=PAST, severity=Severity.HIGH, expires_at=expires_at)


@pytest.mark.parametrize(
    ("text", "changed", "answer"),
    [
        ("acked=true", {"ack": ack(None)}, True),
        ("acked=true", {"ack": ack(SOON)}, True),
        ("acked=true", {"ack": ack(NOW)}, False),
        ("acked=true", {"ack": ack(PAST)}, False),
        ("silenced=true", {"silenced_until": SOON}, True),
        ("silenced=true", {"silenced_until": NOW}, False),
        ("silenced=true", {"silenced_by": ("u",)}, False),
        ("shelved=true", {"shelved_until": SOON}, True),
        ("shelved=true", {"shelved_until": PAST}, False),
        ("inhibited=true", {"inhibited_by": (AlertId(1),)}, True),
        ("muted=true", {"inhibited_by": (AlertId(1),)}, True),
        ("muted=true", {"silenced_until": SOON}, True),
        ("muted=true", {"shelved_until": SOON}, True),
        ("muted=true", {"shelved_until": PAST, "silenced_until": PAST}, False),
        ("flapping=true", {"flapping": True}, True),
        ("suppressed=true", {"suppressed": True}, True),
    ],
)
def test_what_ends_by_time_has_ended_when_it_is_read(text: str, changed: dict[str, Any], answer: bool) -> None:
    assert predicate(parse(text), NOW)(replace(ALERT, **changed)) is answer


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({"muted": 2}, True),
        ({"muted": 0, "firing": 0}, False),
        ({"shelved_until": SOON}, True),
        ({"shelved_until": PAST}, False),
    ],
)
def test_an_incident_is_muted_when_nothing_of_it_speaks(changed: dict[str, Any], answer: bool) -> None:
    assert predicate(parse("muted=true"), NOW)(replace(INCIDENT, **changed)) is answer


def test_no_query_matches_everything() -> None:
    assert predicate(None, NOW)(ALERT) is True


def test_a_bad_tree_is_refused_before_any_record_is_read() -> None:
    with pytest.raises(QueryError):
        predicate(Compare(field="severity", op=Op.GT, value="hihg"), NOW)
