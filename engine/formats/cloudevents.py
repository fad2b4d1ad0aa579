"""CloudEvents 1.0 over HTTP: structured, binary and batch.

Owns the envelope: required attributes, the three modes and the identity (source, id). Event types that carry
alerts become signals; other types of this product's domain are rejected with the reason and kept for replay.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import msgspec

from data.records import Signal
from engine.domain.events import DATA
from engine.formats import alert_rows, domain_rows, strict_json
from engine.formats.intake import reject, within
from engine.ports import FormatError, Parsed, Received

_REQUIRED = ("id", "source", "specversion", "type")
_ALERT_TYPES = frozenset({"noc.alert", "noc.alerts"})
_DOMAIN = "noc."
_PREFIX = "ce-"
_STRUCTURED, _BATCH = "application/cloudevents", "application/cloudevents-batch"


class CloudEvents:
    """One part per event with its identity; in a batch a bad event costs only itself."""

    name = "cloudevents"

    def parse(self, received: Received) -> Parsed:
        media = received.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media.startswith(_BATCH):
            _check_json(media, _BATCH)
            return self._batch(received)
        if media.startswith(_STRUCTURED):
            _check_json(media, _STRUCTURED)
            return parse_event(strict_json.decode(strict_json.body_of(received)), received)
        if f"{_PREFIX}specversion" in received.headers:
            return parse_event(_binary(received), received)
        raise FormatError(
            "Content-Type",
            "not a CloudEvent",
            "send application/cloudevents+json, a batch of it, or ce- headers",
            status=415,
        )

    def _batch(self, received: Received) -> Parsed:
        events = strict_json.decode(strict_json.body_of(received))
        if not isinstance(events, list):
            raise FormatError("body", "expected an array of events", "send a JSON array, or one structured event")
        return Parsed(parts=[event_or_reject(event, received, f"[{i}]") for i, event in enumerate(events)])


def event_or_reject(event: Any, received: Received, place: str) -> Parsed:
    """One event of many: as parsed, or its reject with the place in front of the field."""
    try:
        return parse_event(event, received, place)
    except FormatError as error:
        return Parsed(rejects=[reject(received, CloudEvents.name, within(place, error), event)])


def parse_event(event: Any, received: Received, place: str = "") -> Parsed:
    """One event of any mode as a dict of attributes and `data`. Raises FormatError when it is no CloudEvent."""
    _check_attributes(event)
    try:
        if event["type"] in DATA:
            return Parsed(id=identity(event), events=domain_rows.events_of(event, _data_of(event), received))
        return Parsed(id=identity(event), signals=_signals_of(event, received))
    except FormatError as error:
        refused = reject(received, CloudEvents.name, within(place, error), event)
        return Parsed(id=identity(event), rejects=[refused])


def identity(event: dict[str, Any]) -> str:
    """(source, id) in 32 hex digits: the same event sent twice has it twice."""
    pair = msgspec.json.encode([event["source"], event["id"]])
    return blake2b(pair, digest_size=16).hexdigest()


def _check_json(media: str, prefix: str) -> None:
    if media != f"{prefix}+json":
        raise FormatError("Content-Type", f"{media:.60} is not taken", f"send {prefix}+json", status=415)


def _check_attributes(event: Any) -> None:
    if not isinstance(event, dict):
        raise FormatError("", "expected an object", "send a CloudEvent", status=400)
    for name in _REQUIRED:
        if not isinstance(event.get(name), str) or not event[name]:
            raise FormatError(name, "required attribute is missing or no text", f"send {name} as text", status=400)
    if event["specversion"] != "1.0":
        raise FormatError("specversion", f"{event['specversion']:.20} is not taken", 'send "1.0"', status=400)


def _binary(received: Received) -> dict[str, Any]:
    """Attributes from percent-encoded ce- headers, data from the body."""
    event: dict[str, Any] = {}
    for name, value in received.headers.items():
        if name.startswith(_PREFIX):
            try:
                event[name[len(_PREFIX) :]] = unquote(value, errors="strict")
            except UnicodeDecodeError as error:
                raise FormatError(name, "not percent-encoded UTF-8", "encode the header", status=400) from error
    body = strict_json.body_of(received)
    event["data"] = strict_json.decode(body) if body else None
    return event


def _signals_of(event: dict[str, Any], received: Received) -> list[Signal]:
    kind = event["type"]
    if kind.startswith(_DOMAIN) and kind not in _ALERT_TYPES:
        reason = f"event type {kind:.60} is not handled by this version"
        raise FormatError("type", reason, "replay it once a later version handles it")
    data = _data_of(event)
    rows = data if isinstance(data, list) else [data]
    return [_signal_of(row, event, received) for row in rows]


def _data_of(event: dict[str, Any]) -> Any:
    if "data_base64" not in event:
        return event.get("data")
    try:
        return strict_json.decode(base64.b64decode(event["data_base64"], validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise FormatError("data_base64", "not base64", "send base64 of JSON, or data", status=400) from error


def _signal_of(row: Any, event: dict[str, Any], received: Received) -> Signal:
    """The event's time and subject stand in where the data says nothing."""
    if not isinstance(row, dict):
        raise FormatError("data", "expected an alert as object", "send data with a title or labels")
    if "startsAt" not in row and event.get("time"):
        row = {"time": event["time"], **row}
    if "labels" not in row and event.get("subject"):
        row = {"resource": event["subject"], **row}
    try:
        return alert_rows.signal_of(row, received)
    except FormatError as error:
        raise within("data", error) from error


FORMAT = CloudEvents()
