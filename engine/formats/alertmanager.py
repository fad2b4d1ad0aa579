"""Body of `POST /api/v2/alerts`: what Prometheus and amtool send.

Owns the fast path of intake. A body of the wrong shape is refused whole, as Alertmanager does; a statement that
contradicts itself is rejected alone and the others are taken. Unknown fields are ignored. Beyond
Alertmanager it takes times in every form of `engine.stages.times` and any text as generatorURL.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from data.records import Reject, Signal
from engine.formats import strict_json
from engine.formats.intake import collect, reject, settings_of, within
from engine.ports import FormatError, Parsed, Received
from engine.stages.normalise import IntakeRules, Posted, check_annotations, signal
from engine.stages.times import parse_time

_decoder = msgspec.json.Decoder(list[Posted])


class AlertmanagerAlerts:
    """A JSON array of {labels, annotations, startsAt, endsAt, generatorURL}; `null` and `[]` hold no alert."""

    name = "alertmanager"

    def parse(self, received: Received) -> Parsed:
        body, rules = strict_json.body_of(received), settings_of(received).rules
        try:
            posted = _decoder.decode(body)
        except (ValueError, RecursionError):
            return _parse_slowly(received, body, rules)
        strict_json.check_depth(body, 2 * len(posted) + sum(row.annotations is not None for row in posted))
        signals, rejects = _collect(received, posted, rules, len(body) > rules.limits.annotation_length)
        return Parsed(signals=signals, rejects=rejects)


def _collect(
    received: Received, posted: list[Posted], rules: IntakeRules, long: bool
) -> tuple[list[Signal], list[Reject]]:
    """`intake.collect` written out: one call less for each alert.

    Only a `long` body, longer than the longest annotation, can hold one that is too long.
    """
    source, now = received.source, received.now
    signals: list[Signal] = []
    rejects: list[Reject] = []
    for index, row in enumerate(posted):
        try:
            if long:
                check_annotations(row.annotations or {}, rules.limits)
            signals.append(signal(row, source, now, rules))
        except FormatError as error:
            rejects.append(reject(received, AlertmanagerAlerts.name, within(f"[{index}]", error), row))
    return signals, rejects


def _parse_slowly(received: Received, body: bytes, rules: IntakeRules) -> Parsed:
    """Finds the field that the typed decoder stumbled over, or takes what only looked wrong to it."""
    rows = strict_json.decode(body)
    if not isinstance(rows, list | None):
        raise FormatError("body", f"expected an array of alerts, got {_kind(rows)}", "send a JSON array of alerts")
    checked = [_shaped(row, f"[{index}]") for index, row in enumerate(rows or ())]
    take = partial(_take, received=received, rules=rules)
    signals, rejects = collect(received, AlertmanagerAlerts.name, checked, take)
    return Parsed(signals=signals, rejects=rejects)


def signal_of(row: Any, received: Received) -> Signal:
    """One decoded alert in Alertmanager's spelling. Raises FormatError."""
    return _take(_shaped(row, ""), received, settings_of(received).rules)


def _shaped(row: Any, place: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise FormatError(place, f"expected an object, got {_kind(row)}", "send an alert with labels")
    if row.get("labels") is None:
        raise FormatError(_below(place, "labels"), "labels in body is required", "send at least one label")
    for group in ("labels", "annotations"):
        if row.get(group) is not None:
            _check_texts(row[group], _below(place, group))
    if not isinstance(row.get("generatorURL"), str | None):
        raise FormatError(_below(place, "generatorURL"), "expected a string", "send the URL as a string")
    return row


def _check_texts(texts: Any, place: str) -> None:
    if not isinstance(texts, dict):
        raise FormatError(place, f"expected an object, got {_kind(texts)}", "send names and values")
    for name, value in texts.items():
        if not isinstance(value, str | None):
            raise FormatError(f"{place}.{name:.64}", f"expected a string, got {_kind(value)}", "quote the value")


def _take(row: dict[str, Any], received: Received, rules: IntakeRules) -> Signal:
    posted = Posted(
        labels={name: value or "" for name, value in row["labels"].items()},
        annotations={name: value or "" for name, value in (row.get("annotations") or {}).items()},
        starts_at=parse_time(row.get("startsAt"), "startsAt"),
        ends_at=parse_time(row.get("endsAt"), "endsAt"),
        url=row.get("generatorURL"),
    )
    check_annotations(posted.annotations or {}, rules.limits)
    return signal(posted, received.source, received.now, rules)


def _below(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "a number"}
    return names.get(type(value), "null" if value is None else "a number")


FORMAT = AlertmanagerAlerts()
