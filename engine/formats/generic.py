"""Any JSON that describes alerts: one object, an array, or NDJSON, read through a source's field mapping.

Owns the guesses for sources without a mapping. Never evaluates anything: a mapping is a list of dotted paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from data.records import Reject, Signal, SignalStatus
from engine.formats import strict_json
from engine.formats.intake import FieldMapping, collect, reject, scoped_key, settings_of, text_of, within
from engine.masking.templates import Miner
from engine.ports import FormatError, Parsed, Received
from engine.stages.normalise import Given, Posted, signal
from engine.stages.times import parse_time

#: Where common senders keep what, in order of preference; a mapping's own paths come first.
GUESSES: dict[str, tuple[str, ...]] = {
    "title": ("title", "summary", "message", "subject", "text", "alert_title", "msg"),
    "name": ("alertname", "name", "event", "check", "rule", "ruleName", "alert_name"),
    "status": ("status", "state", "event_action", "alert_status"),
    "severity": ("severity", "priority", "level", "urgency"),
    "host": ("host", "hostname", "instance", "node", "device", "resource", "host_name", "source"),
    "site": ("site", "location", "datacenter", "dc", "cluster", "region"),
    "client": ("client", "customer", "tenant_name"),
    "service": ("service", "job", "app", "component"),
    "dedup_key": ("dedup_key", "dedupKey", "fingerprint", "alert_uid", "incident_key", "alert_id"),
    "correlation": ("correlation_id", "trace_id"),
    "time": ("startsAt", "starts_at", "timestamp", "time", "date", "created_at", "@timestamp"),
    "ends": ("endsAt", "ends_at"),
    "description": ("description", "details", "body"),
    "url": ("url", "link", "generatorURL", "ruleUrl"),
    "labels": ("labels", "tags"),
}

_STATUSES: dict[str, SignalStatus] = {
    word: status
    for status, words in {
        SignalStatus.FIRING: "firing alerting problem triggered trigger open active down critical new",
        SignalStatus.RESOLVED: "resolved resolve ok recovered recovery closed close up normal clear cleared inactive",
        SignalStatus.ACKNOWLEDGED: "acknowledged acknowledge ack acked",
    }.items()
    for word in words.split()
}

#: Fields that say where and what, written into the labels beside those the sender gave.
_LABELLED = (("name", "alertname"), ("host", "host"), ("site", "site"), ("client", "client"), ("service", "service"))

_ABSENT = object()
_TEMPLATE_CHARS = 200


class GenericJson:
    """Each row is rejected alone. Without a dedup key, an alert is its labels without the severity."""

    name = "generic"

    def parse(self, received: Received) -> Parsed:
        rows, rejects, place = rows_of(received)
        make = partial(signal_of, received=received)
        signals, refused = collect(received, self.name, rows, make, place)
        return Parsed(signals=signals, rejects=[*rejects, *refused])


def rows_of(received: Received) -> tuple[list[Any], list[Reject], str]:
    """→ the rows of the body, the lines that are no JSON, and how a row's place is written."""
    body, mapping = strict_json.body_of(received), settings_of(received).mapping
    if received.headers.get("content-type", "").partition(";")[0].strip() in _NDJSON:
        return (*_lines(received, body), "row {}")
    value = strict_json.decode(body)
    if mapping.items:
        value = find(value, (mapping.items,))
        if value is _ABSENT:
            raise FormatError(mapping.items, "the mapped list of alerts is missing", "correct `items` of the mapping")
    if isinstance(value, list):
        return value, [], "[{}]"
    return [value], [], ""


_NDJSON = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})


def _lines(received: Received, body: bytes) -> tuple[list[Any], list[Reject]]:
    rows: list[Any] = []
    rejects: list[Reject] = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            rows.append(strict_json.decode(line))
        except FormatError as error:
            rejects.append(
                reject(received, GenericJson.name, within(f"line {number}", error), line.decode(errors="replace"))
            )
    return rows, rejects


def signal_of(row: Any, received: Received) -> Signal:
    """One described alert. Raises FormatError when it has no title, name or label to be known by."""
    if not isinstance(row, dict):
        raise FormatError("", f"expected an object, got {type(row).__name__}", "send an object with a title")
    settings = settings_of(received)
    mapping = settings.mapping

    def get(field: str) -> Any:
        found = find(row, (*mapping.fields.get(field, ()), *GUESSES[field]))
        return None if found is _ABSENT else found

    labels = _labels(get)
    if not labels:
        raise FormatError("title", "nothing names the alert", "send a title, or map the field that holds it")
    told = _template(get, labels, settings.text)
    status = status_of(text_of(get("status")), mapping)
    posted = _posted(get, labels, status, received)
    return signal(posted, received.source, received.now, settings.rules, _given(get, labels, status, received, told))


def _template(get: Any, labels: dict[str, str], known: Miner | None) -> str:
    """What makes the text of this alert the same as another's, "" where the source has labels for that. A template
    names the type of an alert that has no name."""
    if known is None:
        return ""
    found = known.add(text_of(get("title")) or text_of(get("description")))
    if not text_of(get("name")):
        labels["alertname"] = found.text()[:_TEMPLATE_CHARS]
    return found.key


def find(row: Any, paths: tuple[str, ...]) -> Any:
    """The first path that leads to something other than null or empty text; `_ABSENT` when none does."""
    flat: dict[str, Any] | None = row if isinstance(row, dict) else None
    for path in paths:
        found = _ABSENT if flat is None else flat.get(path, _ABSENT)
        if found is _ABSENT and (flat is None or "." in path):
            found = _follow(row, path)
        if found is not _ABSENT and found is not None and found != "":
            return found
    return _ABSENT


def status_of(word: str, mapping: FieldMapping) -> SignalStatus:
    """A sender's status word; unknown or absent means that it fires."""
    word = word.strip().lower()
    return _STATUSES.get(mapping.statuses.get(word, word), SignalStatus.FIRING)


def _follow(row: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(row, dict) and step in row:
            row = row[step]
        elif isinstance(row, list) and step.isdecimal() and step.isascii() and int(step[:9]) < len(row):
            row = row[int(step[:9])]
        else:
            return _ABSENT
    return row


def _labels(get: Any) -> dict[str, str]:
    labels = _given_labels(get("labels"))
    if not labels.get("alertname"):
        labels["alertname"] = text_of(get("name")) or text_of(get("title"))
    for field, label in _LABELLED:
        labels.setdefault(label, text_of(get(field)))
    return {name: value for name, value in labels.items() if name and value}


def _given_labels(given: Any) -> dict[str, str]:
    """Labels as an object, or tags as a list of words, "name:value" texts or {tag, value} objects."""
    if isinstance(given, dict):
        return {name: text_of(value) for name, value in given.items()}
    labels: dict[str, str] = {}
    for tag in given if isinstance(given, list) else ():
        if isinstance(tag, dict):
            labels[text_of(tag.get("tag") or tag.get("name"))] = text_of(tag.get("value")) or "true"
        elif isinstance(tag, str):
            name, _, value = tag.partition(":")
            labels[name] = value or "true"
    return labels


def _posted(get: Any, labels: dict[str, str], status: SignalStatus, received: Received) -> Posted:
    starts, ends = parse_time(get("time"), "time"), parse_time(get("ends"), "ends")
    if status is SignalStatus.RESOLVED:
        starts, ends = (starts, ends) if ends else (None, starts)
        ends = min(ends or received.now, received.now)
    elif ends is not None and ends <= received.now:
        ends = None
    texts = {"summary": text_of(get("title")), "description": text_of(get("description"))}
    annotations = {name: text for name, text in texts.items() if text}
    return Posted(labels=labels, annotations=annotations, starts_at=starts, ends_at=ends, url=text_of(get("url")))


def _given(get: Any, labels: Mapping[str, str], status: SignalStatus, received: Received, told: str) -> Given:
    settings = settings_of(received)
    word = text_of(get("severity"))
    return Given(
        key=_key(text_of(get("dedup_key")), labels, received, told),
        status=status,
        severity=settings.mapping.severities.get(word, word),
        correlation=text_of(get("correlation")),
        hold=settings.hold,
    )


def _key(own: str, labels: Mapping[str, str], received: Received, told: str) -> str:
    if own:
        return scoped_key(GenericJson.name, received.source, own)
    if settings_of(received).rules.dedup:
        return ""
    if told:
        return scoped_key("text", received.source, labels.get("host", ""), labels.get("site", ""), told)
    return scoped_key("labels", *(f"{n}={labels[n]}" for n in sorted(labels) if n not in ("severity", "priority")))


FORMAT = GenericJson()
