"""Alertmanager's webhook notification, version 4.

Owns the group body and its alerts. Fields it does not know are ignored, and a body without the list of
alerts (senders may template it freely) is read as generic JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from data.records import Signal, SignalStatus
from engine.formats import generic, strict_json
from engine.formats.intake import collect, settings_of
from engine.ports import Parsed, Received
from engine.stages.normalise import Given, Posted, signal
from engine.stages.times import parse_time


class WebhookAlert(Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One alert of a group. An `ends_at` of the year 1 says that it still fires."""

    labels: dict[str, str]
    status: str = "firing"
    annotations: dict[str, str] | None = None
    starts_at: str | int | float | None = None
    ends_at: str | int | float | None = None
    generator_url: str | None = msgspec.field(default=None, name="generatorURL")
    fingerprint: str | None = None


class WebhookV4:
    """The sender's fingerprint is kept as annotation; the key is that of the labels, so that an alert that
    also comes by the API stays one alert."""

    name = "webhook_v4"

    def parse(self, received: Received) -> Parsed:
        body = strict_json.decode(strict_json.body_of(received))
        if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
            return generic.FORMAT.parse(received)
        group_url = body.get("externalURL")
        make = partial(_signal_of, received=received, group_url=group_url if isinstance(group_url, str) else "")
        signals, rejects = collect(received, self.name, body["alerts"], make, "alerts[{}]")
        return Parsed(signals=signals, rejects=rejects)


def _signal_of(row: Any, received: Received, group_url: str) -> Signal:
    alert = strict_json.convert(row, WebhookAlert)
    extra = {"fingerprint": alert.fingerprint or ""}
    posted = posted_of(alert, received, extra, group_url)
    settings = settings_of(received)
    return signal(posted, received.source, received.now, settings.rules, given_of(alert, received))


def posted_of(alert: WebhookAlert, received: Received, extra: Mapping[str, str], url: str = "") -> Posted:
    """The alert with `extra` annotations (empty ones left out). Its status decides over its end."""
    ends = parse_time(alert.ends_at, "endsAt")
    starts = parse_time(alert.starts_at, "startsAt")
    if alert.status == "resolved":
        ends = min(ends or received.now, received.now)
        starts = min(starts, ends) if starts and alert.ends_at is None else starts
    elif ends is not None and ends <= received.now:
        ends = None
    return Posted(
        labels=alert.labels,
        annotations={**(alert.annotations or {}), **{name: text for name, text in extra.items() if text}},
        starts_at=starts,
        ends_at=ends,
        url=alert.generator_url or url,
    )


def given_of(alert: WebhookAlert, received: Received, key: str = "") -> Given:
    """A webhook says once that an alert fires, not every minute: it is held until it says otherwise."""
    status = SignalStatus.RESOLVED if alert.status == "resolved" else SignalStatus.FIRING
    return Given(key=key, status=status, hold=settings_of(received).hold)


FORMAT = WebhookV4()
