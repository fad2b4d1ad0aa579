"""Grafana's webhook: unified alerting (version "1") and the legacy body of one rule.

Owns both shapes. The fingerprint is Grafana's own and becomes the key: labels it hides would change it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from data.records import Signal, SignalStatus
from engine.formats import generic, strict_json
from engine.formats.intake import collect, scoped_key, settings_of, text_of
from engine.formats.webhook_v4 import WebhookAlert, given_of, posted_of
from engine.ports import Parsed, Received
from engine.stages.normalise import Given, Posted, signal

_FINGERPRINT_LENGTH = 64


class GrafanaAlert(WebhookAlert, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Alertmanager's alert with Grafana's links and values."""

    dashboard_url: str | None = msgspec.field(default=None, name="dashboardURL")
    panel_url: str | None = msgspec.field(default=None, name="panelURL")
    silence_url: str | None = msgspec.field(default=None, name="silenceURL")
    image_url: str | None = msgspec.field(default=None, name="imageURL")
    value_string: str | None = None
    values: Any = None


class LegacyRule(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The body before unified alerting: one rule, one state."""

    rule_id: int
    state: str
    title: str = ""
    rule_name: str = ""
    message: str | None = None
    rule_url: str | None = None
    image_url: str | None = None
    org_id: int = 0
    tags: dict[str, str] | None = None
    eval_matches: list[Any] | None = None


class Grafana:
    """A body that is neither of both shapes is read as generic JSON."""

    name = "grafana"

    def parse(self, received: Received) -> Parsed:
        body = strict_json.decode(strict_json.body_of(received))
        if isinstance(body, dict) and isinstance(body.get("alerts"), list):
            rows, place, make = body["alerts"], "alerts[{}]", partial(_signal_of, received=received)
        elif isinstance(body, dict) and "ruleId" in body:
            rows, place, make = [body], "", partial(_legacy_signal_of, received=received)
        else:
            return generic.FORMAT.parse(received)
        signals, rejects = collect(received, self.name, rows, make, place)
        return Parsed(signals=signals, rejects=rejects)


def _signal_of(row: Any, received: Received) -> Signal:
    alert = strict_json.convert(row, GrafanaAlert)
    extra = {
        "fingerprint": alert.fingerprint or "",
        "dashboard_url": alert.dashboard_url or "",
        "panel_url": alert.panel_url or "",
        "silence_url": alert.silence_url or "",
        "image_url": alert.image_url or "",
        "value_string": alert.value_string or "",
        "values": text_of(alert.values),
    }
    key = alert.fingerprint or ""
    if len(key) > _FINGERPRINT_LENGTH:
        key = scoped_key("grafana", key)
    posted = posted_of(alert, received, extra, alert.panel_url or "")
    return signal(posted, received.source, received.now, settings_of(received).rules, given_of(alert, received, key))


def _legacy_signal_of(row: Any, received: Received) -> Signal:
    rule = strict_json.convert(row, LegacyRule)
    resolved = rule.state in ("ok", "paused")
    texts = {
        "summary": rule.title or rule.rule_name,
        "description": rule.message or "",
        "image_url": rule.image_url or "",
        "values": text_of(rule.eval_matches or None),
        "state": rule.state,
    }
    posted = Posted(
        labels={**(rule.tags or {}), "alertname": rule.rule_name or rule.title or f"rule {rule.rule_id}"},
        annotations={name: text for name, text in texts.items() if text},
        ends_at=received.now if resolved else None,
        url=rule.rule_url,
    )
    given = Given(
        key=scoped_key("grafana", received.source, str(rule.org_id), str(rule.rule_id)),
        status=SignalStatus.RESOLVED if resolved else SignalStatus.FIRING,
        hold=settings_of(received).hold,
    )
    return signal(posted, received.source, received.now, settings_of(received).rules, given)


FORMAT = Grafana()
