"""PagerDuty Events API v2 → signals, replies, and never the credential."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from data.records import Severity, SignalStatus
from engine.formats import pagerduty, pagerduty_change
from engine.ports import FormatError
from tests.fakes.bodies import KEY, NOW, pagerduty_event, received


def parse(event: Any, **more: Any):
    return pagerduty.FORMAT.parse(received(event, **more))


def test_a_trigger() -> None:
    details = {"site": "Alpha", "free": 3}
    event = pagerduty_event(client="Nagios", client_url="http://nagios", links=[{"href": "http://x"}])
    event["payload"] |= {"class": "disk", "timestamp": "2026-05-01T11:59:00Z", "custom_details": details}
    parsed = parse(event)
    (taken,) = parsed.signals
    assert parsed.reply == (202, {"status": "success", "message": "Event processed", "dedup_key": "disk-1"})
    assert (taken.name, taken.title, taken.entity, taken.service) == ("disk", "disk full", "db-1", "postgres")
    assert (taken.severity, taken.site, taken.client, taken.url) == (Severity.CRITICAL, "Alpha", "", "http://nagios")
    assert msgspec.json.decode(taken.annotations["custom_details"]) == details


@pytest.mark.parametrize(
    ("action", "status"), [("acknowledge", SignalStatus.ACKNOWLEDGED), ("resolve", SignalStatus.RESOLVED)]
)
def test_the_other_actions_find_their_alert_by_key(action: str, status: SignalStatus) -> None:
    (taken,) = parse({"routing_key": KEY, "event_action": action, "dedup_key": "disk-1"}).signals
    assert taken.status is status
    assert taken.key == parse(pagerduty_event()).signals[0].key


def test_keys_are_scoped_to_the_routing_key() -> None:
    other = pagerduty_event(routing_key=KEY[::-1])
    assert parse(other).signals[0].key != parse(pagerduty_event()).signals[0].key


def test_a_missing_dedup_key_is_made_and_returned() -> None:
    event = {name: value for name, value in pagerduty_event().items() if name != "dedup_key"}
    first, again = parse(event), parse(event)
    later = parse(event, now=NOW.replace(hour=13))
    assert first.reply == again.reply
    assert first.reply != later.reply
    assert len(first.reply[1]["dedup_key"]) == 36
    made = pagerduty_event(event_action="resolve", dedup_key=first.reply[1]["dedup_key"])
    assert parse(made).signals[0].key == first.signals[0].key


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (pagerduty_event(routing_key="short"), "Length of 'routing_key' is incorrect (should be 32 characters)"),
        (pagerduty_event(routing_key=""), "'routing_key' is missing or blank"),
        (pagerduty_event(event_action="explode"), "'event_action' must be one of trigger, acknowledge, resolve"),
        (pagerduty_event(event_action=[]), "'event_action' must be one of trigger, acknowledge, resolve"),
        (pagerduty_event(event_action="resolve", dedup_key=None), "'dedup_key' is missing or blank"),
        (pagerduty_event(dedup_key="x" * 256), "Length of 'dedup_key' is too long (at most 255 characters)"),
        (pagerduty_event(payload=None), "'payload' is missing or blank"),
        (
            pagerduty_event(payload={"summary": "s", "source": "h", "severity": "p1"}),
            "'payload.severity' must be one of critical, error, warning, info",
        ),
        (
            pagerduty_event(payload={"summary": "s", "source": "h", "severity": "info", "timestamp": "x"}),
            "'payload.timestamp' not a time: 'x'",
        ),
        ([], "Event must be a JSON object"),
    ],
)
def test_a_bad_event_is_answered_in_pagerdutys_words_and_kept(event: Any, error: str) -> None:
    parsed = parse(event)
    status, body = parsed.reply
    assert (status, body["status"]) == (400, "invalid event")
    assert error in body["errors"]
    assert not parsed.signals
    assert parsed.rejects[0].reason


@pytest.mark.parametrize("format", [pagerduty, pagerduty_change])
@pytest.mark.parametrize(
    "body",
    [
        pagerduty_event(),
        pagerduty_event(event_action="?"),
        pagerduty_event(payload={}),
        pagerduty_event(payload={"summary": "s", "source": "h", "severity": "info", "timestamp": "x"}),
        b'{"routing_key":"' + KEY.encode() + b'",',
        b'{"routing_key":"' + KEY.encode() + b'","routing_key":"1"}',
        [{"routing_key": KEY}],
    ],
)
def test_the_routing_key_is_never_kept(format: Any, body: Any) -> None:
    parsed = format.FORMAT.parse(received(body))
    assert KEY.encode() not in msgspec.json.encode(parsed)


def test_the_transport_can_check_the_credential() -> None:
    assert pagerduty.routing_key(msgspec.json.encode(pagerduty_event())) == KEY
    assert (
        pagerduty.routing_key(b"{") == pagerduty.routing_key(b"[]") == pagerduty.routing_key(b'{"routing_key":5}') == ""
    )


def test_too_long_a_body() -> None:
    with pytest.raises(FormatError) as refused:
        parse(pagerduty_event(images=["x" * 512 * 1024]))
    assert refused.value.status == 413


def test_changes_are_refused_honestly() -> None:
    parsed = pagerduty_change.FORMAT.parse(received({"routing_key": KEY, "payload": {"summary": "deployed"}}))
    assert parsed.reply[0] == 422
    assert "not taken by this version" in parsed.reply[1]["errors"][0]
    assert "deployed" in parsed.rejects[0].body
