"""Alertmanager's and Grafana's webhooks → signals."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from data.records import SignalStatus
from engine.formats import alertmanager, grafana, webhook_v4
from tests.fakes.bodies import NOW, prometheus_alert, received, webhook_alert
from tests.fakes.bodies import webhook_v4 as group


def signals(format: Any, body: Any):
    parsed = format.FORMAT.parse(received(body))
    assert not parsed.rejects
    return parsed.signals


def test_a_firing_group() -> None:
    (taken,) = signals(webhook_v4, group(webhook_alert(), notification_reason="new alerts added", routeLabels={}))
    assert taken.status is SignalStatus.FIRING
    assert taken.ends_at == NOW + timedelta(days=7)
    assert taken.timeout
    assert taken.annotations["fingerprint"] == "9266ef3da838ad95"
    assert "fingerprint" not in taken.labels


def test_the_same_alert_by_api_and_by_webhook_is_one() -> None:
    (by_api,) = signals(alertmanager, [prometheus_alert()])
    (by_webhook,) = signals(webhook_v4, group(webhook_alert()))
    assert by_api.key == by_webhook.key


@pytest.mark.parametrize(
    ("status", "ends", "expected", "ends_at"),
    [
        ("resolved", "2026-05-01T11:59:00Z", SignalStatus.RESOLVED, NOW - timedelta(minutes=1)),
        ("resolved", "0001-01-01T00:00:00Z", SignalStatus.RESOLVED, NOW),
        ("resolved", "2026-05-01T12:30:00Z", SignalStatus.RESOLVED, NOW),
        ("firing", "2026-05-01T12:04:00Z", SignalStatus.FIRING, NOW + timedelta(minutes=4)),
        ("firing", "2026-05-01T11:59:00Z", SignalStatus.FIRING, NOW + timedelta(days=7)),
    ],
)
def test_the_status_decides(status: str, ends: str, expected: SignalStatus, ends_at: object) -> None:
    (taken,) = signals(webhook_v4, group(webhook_alert(status=status, endsAt=ends)))
    assert (taken.status, taken.ends_at) == (expected, ends_at)


def test_one_bad_alert_of_a_group_costs_only_itself() -> None:
    body = group(webhook_alert(), {"status": "firing"}, webhook_alert(labels={"a": 1}), webhook_alert(startsAt="x"), 7)
    parsed = webhook_v4.FORMAT.parse(received(body))
    assert len(parsed.signals) == 1
    assert [row.field for row in parsed.rejects] == [
        "alerts[1]",
        "alerts[2].labels[...]",
        "alerts[3].startsAt",
        "alerts[4]",
    ]


def test_a_body_of_the_senders_own_making_is_read_as_generic() -> None:
    (taken,) = signals(webhook_v4, {"title": "Disk full", "severity": "critical", "host": "db-1"})
    assert (taken.name, taken.entity) == ("Disk full", "db-1")


def unified(**more: Any) -> dict[str, Any]:
    alert = webhook_alert(
        panelURL="http://grafana/panel",
        generatorURL=None,
        values={"A": 1.5},
        valueString="[ var='A' value=1.5 ]",
        imageURL=None,
        orgId=1,
        **more,
    )
    return group(alert, version="1", orgId=1, title="[FIRING:1]", state="alerting", message="text")


def test_grafanas_fingerprint_is_the_key() -> None:
    (taken,) = signals(grafana, unified())
    assert taken.key == "9266ef3da838ad95"
    assert taken.url == "http://grafana/panel"
    assert taken.annotations["values"] == '{"A":1.5}'


def test_without_a_fingerprint_the_labels_are_the_key() -> None:
    (taken,) = signals(grafana, unified(fingerprint=""))
    (plain,) = signals(alertmanager, [prometheus_alert()])
    assert taken.key == plain.key
    (long,) = signals(grafana, unified(fingerprint="f" * 5000))
    assert len(long.key) == 16


@pytest.mark.parametrize(
    ("state", "status"),
    [("alerting", SignalStatus.FIRING), ("no_data", SignalStatus.FIRING), ("ok", SignalStatus.RESOLVED)],
)
def test_the_legacy_body(state: str, status: SignalStatus) -> None:
    body = {
        "title": "[Alerting] CPU",
        "ruleId": 7,
        "ruleName": "CPU",
        "state": state,
        "evalMatches": [{"value": 100, "metric": "cpu", "tags": None}],
        "message": "too high",
        "ruleUrl": "http://grafana/d/1",
        "tags": {"host": "web-1"},
        "orgId": 1,
        "dashboardId": 1,
        "panelId": 2,
    }
    (taken,) = signals(grafana, body)
    assert (taken.name, taken.entity, taken.status, taken.url) == ("CPU", "web-1", status, "http://grafana/d/1")
    (other,) = signals(grafana, body | {"state": "ok"})
    assert other.key == taken.key
