"""PagerDuty Events API v2 `enqueue`, so that senders only change the URL.

Owns validation in PagerDuty's words and its replies. The routing key is a credential: it scopes keys as a
hash and never gets into a signal, a reject or a message.
"""

from __future__ import annotations

import re
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from data.records import Signal, SignalStatus
from engine.formats import strict_json
from engine.formats.intake import collect, reject, scoped_key, settings_of, text_of
from engine.ports import FormatError, Parsed, Received
from engine.stages.normalise import Given, Posted, signal
from engine.stages.times import parse_time

MAX_BODY = 512 * 1024

_KEY_LENGTH = 32
_DEDUP_KEY_LENGTH = 255
_SUMMARY_LENGTH = 1024
_STATUS = {
    "trigger": SignalStatus.FIRING,
    "acknowledge": SignalStatus.ACKNOWLEDGED,
    "resolve": SignalStatus.RESOLVED,
}
_SEVERITIES = ("critical", "error", "warning", "info")
_REMEDY = "send an event as the Events API v2 documents it"
#: What a routing key looks like inside a body that could not be read.
_CREDENTIAL = re.compile(r"[0-9A-Za-z]{32}")


class PagerDutyEvent:
    """One event. Answers 202 with the dedup key, or 400 with the list of errors and the event as reject.

    An acknowledge or resolve says nothing but its key; the line drops it when no such alert is open. Only
    a body that is too long or of an unknown coding raises: others would be kept with their credential.
    """

    name = "pagerduty"

    def parse(self, received: Received) -> Parsed:
        try:
            event = read_event(received)
        except FormatError as error:
            if error.status not in (400, 422):
                raise
            return refuse(received, self.name, received.body.decode(errors="replace"), [str(error)])
        errors = check(event)
        if errors:
            return refuse(received, self.name, event, errors)
        dedup_key = event.get("dedup_key") or _made_key(event, received)
        make = partial(_signal_of, dedup_key=dedup_key, received=received)
        signals, rejects = collect(received, self.name, [event], make, "")
        if rejects:
            return refuse(received, self.name, event, [f"'{row.field}' {row.reason}" for row in rejects])
        reply = {"status": "success", "message": "Event processed", "dedup_key": dedup_key}
        return Parsed(signals=signals, reply=(202, reply))


def read_event(received: Received) -> Any:
    """The decoded body. Raises FormatError: 413 over 512 KiB, 415, 400 for what is no JSON."""
    body = strict_json.body_of(received)
    if len(body) > MAX_BODY:
        raise FormatError("body", f"longer than {MAX_BODY} bytes", "send less detail", status=413)
    return strict_json.decode(body)


def routing_key(body: bytes) -> str:
    """The credential of a body that could be an event, for the transport to check; "" when there is none."""
    try:
        event = strict_json.decode(body)
    except FormatError:
        return ""
    key = event.get("routing_key") if isinstance(event, dict) else None
    return key if isinstance(key, str) else ""


def check(event: Any) -> list[str]:
    """What PagerDuty would find wrong with the event, in its words; empty = valid."""
    if not isinstance(event, dict):
        return ["Event must be a JSON object"]
    errors = [
        *_check_text(event, "routing_key", _KEY_LENGTH, exact=True),
        *_check_text(event, "dedup_key", _DEDUP_KEY_LENGTH, required=event.get("event_action") != "trigger"),
    ]
    if event.get("event_action") not in tuple(_STATUS):
        errors.append("'event_action' must be one of trigger, acknowledge, resolve")
    if event.get("event_action") == "trigger":
        errors += _check_payload(event.get("payload"))
    return errors


def _check_payload(payload: Any) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    errors = [*_check_text(payload, "summary", _SUMMARY_LENGTH), *_check_text(payload, "source", _SUMMARY_LENGTH)]
    if payload.get("severity") not in _SEVERITIES:
        errors.append("'payload.severity' must be one of critical, error, warning, info")
    return errors


def _check_text(
    event: dict[str, Any], name: str, length: int, *, exact: bool = False, required: bool = True
) -> list[str]:
    value = event.get(name)
    if value is None or value == "":
        return [f"'{name}' is missing or blank"] if required else []
    if not isinstance(value, str):
        return [f"'{name}' must be a string"]
    if exact and len(value) != length:
        return [f"Length of '{name}' is incorrect (should be {length} characters)"]
    return [f"Length of '{name}' is too long (at most {length} characters)"] if len(value) > length else []


def refuse(received: Received, name: str, event: Any, errors: list[str], status: int = 400) -> Parsed:
    """PagerDuty's answer to a bad event, and the event as dead letter without its credential."""
    if isinstance(event, dict):
        kept: Any = {**event, "routing_key": "removed"}
    else:
        kept = _CREDENTIAL.sub("removed", text_of(event))
    error = FormatError("event", "; ".join(errors), _REMEDY, status=status)
    reply = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
    return Parsed(rejects=[reject(received, name, error, kept)], reply=(status, reply))


def _made_key(event: dict[str, Any], received: Received) -> str:
    """A UUID for an event that brings no key: the same event at the same moment gets the same one."""
    return str(uuid5(NAMESPACE_URL, f"{received.now.isoformat()} {text_of(event)}"))


def _signal_of(event: dict[str, Any], dedup_key: str, received: Received) -> Signal:
    payload = event.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    status, settings = _STATUS[event["event_action"]], settings_of(received)
    resolved = status is SignalStatus.RESOLVED
    posted = Posted(
        labels=_labels(payload, dedup_key, settings.rules.fields.site + settings.rules.fields.client),
        annotations=_annotations(event, payload),
        starts_at=None if resolved else parse_time(payload.get("timestamp"), "payload.timestamp"),
        ends_at=received.now if resolved else None,
        url=_url(event),
    )
    sender = blake2b(event["routing_key"].encode(), digest_size=16).hexdigest()
    given = Given(
        key=scoped_key(PagerDutyEvent.name, sender, dedup_key),
        status=status,
        hold=settings.hold,
        by=text_of(event.get("client")) if status is SignalStatus.ACKNOWLEDGED else "",
    )
    return signal(posted, received.source, received.now, settings.rules, given)


def _labels(payload: dict[str, Any], dedup_key: str, lifted: tuple[str, ...]) -> dict[str, str]:
    details = payload.get("custom_details")
    details = details if isinstance(details, dict) else {}
    labels = {name: details[name] for name in lifted if isinstance(details.get(name), str)}
    labels |= {
        "alertname": text_of(payload.get("class")) or text_of(payload.get("summary")) or dedup_key,
        "severity": text_of(payload.get("severity")),
        "host": text_of(payload.get("source")),
        "service": text_of(payload.get("component")) or text_of(payload.get("group")),
        "component": text_of(payload.get("component")),
        "group": text_of(payload.get("group")),
        "class": text_of(payload.get("class")),
    }
    return labels


def _annotations(event: dict[str, Any], payload: dict[str, Any]) -> dict[str, str]:
    texts = {
        "summary": text_of(payload.get("summary")),
        "custom_details": text_of(payload.get("custom_details")),
        "client": text_of(event.get("client")),
        "links": text_of(event.get("links") or None),
        "images": text_of(event.get("images") or None),
    }
    return {name: text for name, text in texts.items() if text}


def _url(event: dict[str, Any]) -> str:
    links = event.get("links")
    first = links[0].get("href") if isinstance(links, list) and links and isinstance(links[0], dict) else ""
    return next((url for url in (event.get("client_url"), first) if isinstance(url, str) and url), "")


FORMAT = PagerDutyEvent()
