"""Bodies as senders write them, received at a fixed moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from data.records import DEFAULT_TENANT
from engine.ports import Received

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"


def received(body: Any, *, source: str = "test", now: datetime = NOW, settings: Any = None, **headers: str) -> Received:
    """`body` as it is when bytes, else as JSON. Header names: content_type → content-type."""
    return Received(
        body=body if isinstance(body, bytes) else msgspec.json.encode(body),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        source=source,
        tenant=DEFAULT_TENANT,
        now=now,
        settings=settings,
    )


def prometheus_alert(**labels: str) -> dict[str, Any]:
    return {
        "labels": {"alertname": "HighLatency", "severity": "critical", "instance": "web-1:9100", **labels},
        "annotations": {"summary": "p99 above 2 s"},
        "startsAt": "2026-05-01T11:55:00.123456789Z",
        "endsAt": "2026-05-01T12:04:00Z",
        "generatorURL": "http://prometheus/graph",
    }


def webhook_v4(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "status": "firing",
        "receiver": "noc",
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "truncatedAlerts": 0,
        "alerts": list(alerts),
        **more,
    }


def webhook_alert(**more: Any) -> dict[str, Any]:
    return {
        **prometheus_alert(),
        "status": "firing",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "9266ef3da838ad95",
        **more,
    }


def pagerduty_event(**more: Any) -> dict[str, Any]:
    return {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "disk-1",
        "payload": {"summary": "disk full", "source": "db-1", "severity": "critical", "component": "postgres"},
        **more,
    }


def cloud_event(data: Any, **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": "1", "source": "/sensors/7", "type": "noc.alert", "data": data, **more}
