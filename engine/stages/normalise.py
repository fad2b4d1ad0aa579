"""First stage of the line: a source's statement about a condition → a Signal in the product's words.

Owns which label means what, the dedup key and the label limits. Pure: no clock, no I/O; the only state is
a memo of label shapes inside `IntakeRules`. Never changes a label's text and never drops a label that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

import msgspec
from msgspec import Struct, field

from data.records import Signal, SignalStatus
from engine.ports import FormatError
from engine.stages.severity_words import LEVELS, level
from engine.stages.times import SKEW, as_utc

TITLE_LENGTH = 300

#: Shapes of label sets remembered per IntakeRules; a sender of ever new label names must not fill the memory.
_SHAPES = 4096


class Posted(
    Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    rename={"starts_at": "startsAt", "ends_at": "endsAt", "url": "generatorURL"},
):
    """One statement as Alertmanager's API spells it; what every format is brought to first."""

    labels: dict[str, str]
    annotations: dict[str, str] | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    url: str | None = None


class Given(Struct, frozen=True, kw_only=True, gc=False):
    """What a format knows better than the labels say; empty = let the labels say it.

    `hold` replaces the resolve timeout for senders that do not repeat what still fires.
    """

    key: str = ""
    status: SignalStatus | None = None
    severity: str = ""
    title: str = ""
    correlation: str = ""
    by: str = ""
    hold: timedelta | None = None


class DedupRule(Struct, frozen=True, kw_only=True):
    """Alerts whose labels satisfy `applies` are one alert when their name and these labels agree."""

    name: str
    labels: tuple[str, ...]
    applies: Callable[[Mapping[str, str]], bool]


class LabelLimits(Struct, frozen=True, kw_only=True):
    """Largest label sets taken; lengths in characters."""

    labels: int = 128
    name_length: int = 1024
    value_length: int = 8192
    annotation_length: int = 65536


_ENTITY_LABELS: Mapping[str, str] = {
    "entity": "entity",
    "instance": "instance",
    "host": "host",
    "hostname": "host",
    "node": "node",
    "device": "device",
    "pod": "pod",
    "container": "container",
    "resource": "resource",
}


class Fields(Struct, frozen=True, kw_only=True):
    """Label names in order of preference for each field of a signal. `entity` maps the label to the entity's type."""

    name: tuple[str, ...] = ("alertname", "event", "type", "title")
    severity: tuple[str, ...] = ("severity", "priority", "level", "urgency")
    site: tuple[str, ...] = ("site", "location", "datacenter", "dc", "cluster", "region")
    service: tuple[str, ...] = ("service", "job", "app")
    client: tuple[str, ...] = ("client", "customer", "tenant_name")
    correlation: tuple[str, ...] = ("correlation_id", "trace_id", "incident_key")
    entity: Mapping[str, str] = field(default_factory=lambda: _ENTITY_LABELS)


class _Shape(Struct, frozen=True, gc=False):
    """Which of a label set's names hold which field ("" = none): worked out once per set of names."""

    name: str
    severity: str
    site: str
    entity: str
    entity_type: str
    service: str
    client: str
    correlation: str


class IntakeRules:
    """How statements become signals: built once from configuration, then only read.

    Shapes are remembered by the tuple of label names; the memo starts over when it is full.
    """

    def __init__(
        self,
        *,
        fields: Fields | None = None,
        dedup: tuple[DedupRule, ...] = (),
        limits: LabelLimits | None = None,
        resolve_timeout_seconds: float = 300.0,
    ) -> None:
        self.fields = fields or Fields()
        self.dedup = dedup
        self.limits = limits or LabelLimits()
        self.resolve_timeout = timedelta(seconds=resolve_timeout_seconds)
        #: Labels encoded in no more bytes than this cannot hold a name or a value over the limits.
        self.surely_short = min(512, self.limits.name_length, self.limits.value_length)
        self.shapes: dict[tuple[str, ...], _Shape] = {}

    def shape(self, names: tuple[str, ...]) -> _Shape:
        if len(self.shapes) >= _SHAPES:
            self.shapes.clear()
        fields, present = self.fields, frozenset(names)

        def first(wanted: Mapping[str, str] | tuple[str, ...]) -> str:
            return next((name for name in wanted if name in present), "")

        entity = first(fields.entity)
        shape = self.shapes[names] = _Shape(
            first(fields.name),
            first(fields.severity),
            first(fields.site),
            entity,
            fields.entity.get(entity, ""),
            first(fields.service),
            first(fields.client),
            first(fields.correlation),
        )
        return shape


_NOTHING = Given()
_encode = msgspec.json.Encoder(order="sorted").encode


def signal(posted: Posted, source: str, now: datetime, rules: IntakeRules, given: Given = _NOTHING) -> Signal:
    """One statement, received at `now`, as a Signal. Raises FormatError whose field is relative to the statement.

    Long and straight on purpose: it runs for every alert, and each call saved is time on the line.
    """
    labels = posted.labels
    if "" in labels.values():
        labels = {name: value for name, value in labels.items() if value}
    if not labels:
        raise FormatError("labels", "at least one label pair required", "send at least one label with a value")
    encoded = _encode(labels)
    if len(encoded) > rules.surely_short or "" in labels or len(labels) > rules.limits.labels:
        check_labels(labels, rules.limits)
    names = tuple(labels)
    shape = rules.shapes.get(names) or rules.shape(names)
    get = labels.get
    name = get(shape.name) or "unnamed"
    entity = get(shape.entity, "")
    annotations = posted.annotations or {}
    if len(annotations) > rules.limits.labels:
        check_annotations(annotations, rules.limits)
    starts, ends, timeout, skewed = span(posted, now, given.hold or rules.resolve_timeout)
    word = given.severity or get(shape.severity, "")
    undated = skewed or posted.starts_at is None or posted.starts_at.year == 1
    # By position, in the order of the fields: by name it would take ten times as long.
    return Signal(
        source,
        given.key or _key(encoded, name, labels, rules.dedup),
        name,
        LEVELS.get(word) or level(word, shape.severity),
        given.status or (SignalStatus.RESOLVED if ends <= now else SignalStatus.FIRING),
        given.title or title_of(annotations, name, entity),
        get(shape.site, ""),
        entity,
        get("entity_type") or shape.entity_type,
        get(shape.service, ""),
        get(shape.client, ""),
        given.correlation or get(shape.correlation, ""),
        starts,
        ends,
        labels,
        annotations,
        posted.url or "",
        timeout,
        skewed,
        undated,
        given.by,
    )


def span(posted: Posted, now: datetime, resolve_timeout: timedelta) -> tuple[datetime, datetime, bool, bool]:
    """→ (starts, ends, timeout, skewed) by Alertmanager's rules. Raises FormatError when it ends before it starts."""
    starts = as_utc(posted.starts_at, "startsAt")
    ends = as_utc(posted.ends_at, "endsAt")
    if ends is not None and starts is not None and ends < starts:
        raise FormatError("endsAt", "start time must be before end time", "send endsAt at or after startsAt")
    if starts is None:
        starts = now if ends is None or ends > now else ends
    skewed = starts > now and starts - now > SKEW
    if skewed:
        starts = now
    if ends is None:
        return starts, _after(starts if starts > now else now, resolve_timeout), True, skewed
    return starts, ends, False, skewed


@lru_cache(maxsize=16)
def _after(at: datetime, hold: timedelta) -> datetime:
    """One object for all statements of a delivery: thousands of alerts that are open share it."""
    return at + hold


def title_of(annotations: Mapping[str, str], name: str, entity: str) -> str:
    """First line, at most 300 characters, of what the sender calls it; else the name and where it is."""
    get = annotations.get
    text = get("summary") or get("title") or get("message") or get("description") or ""
    if len(text) > TITLE_LENGTH or "\n" in text or text[:1].isspace():
        text = text.strip().split("\n", 1)[0].rstrip()[:TITLE_LENGTH]
    return text or (f"{name} on {entity}" if entity else name)[:TITLE_LENGTH]


def dedup_rule(name: str, labels: Mapping[str, str], rules: tuple[DedupRule, ...]) -> DedupRule | None:
    """The first rule that decides the key of these labels; its caller counts the hits."""
    for rule in rules:
        if rule.applies(labels):
            return rule
    return None


def dedup_key(name: str, labels: dict[str, str], rules: tuple[DedupRule, ...] = ()) -> str:
    """16 hex digits that two replicas which send the same labels share, whatever the source is called."""
    return _key(_encode(labels), name, labels, rules)


def _key(encoded: bytes, name: str, labels: dict[str, str], rules: tuple[DedupRule, ...]) -> str:
    if rules and (rule := dedup_rule(name, labels, rules)) is not None:
        encoded = _encode([rule.name, name, [labels.get(label, "") for label in rule.labels]])
    return blake2b(encoded, digest_size=8).hexdigest()


def check_labels(labels: Mapping[str, str], limits: LabelLimits) -> None:
    """Raises FormatError naming the label that has no name, is too long, or is one too many."""
    if len(labels) > limits.labels:
        raise FormatError("labels", f"{len(labels)} labels, at most {limits.labels} are taken", "send fewer labels")
    for name, value in labels.items():
        if not name:
            raise FormatError("labels", 'invalid label set: invalid name ""', "give the label a name", status=400)
        if len(name) > limits.name_length:
            raise _too_long("labels", name, "name", limits.name_length)
        if len(value) > limits.value_length:
            raise _too_long("labels", name, "value", limits.value_length)


def check_annotations(annotations: Mapping[str, str], limits: LabelLimits) -> None:
    """Raises FormatError naming the annotation that is too long, or is one too many."""
    if len(annotations) > limits.labels:
        reason = f"{len(annotations)} annotations, at most {limits.labels} are taken"
        raise FormatError("annotations", reason, "send fewer annotations")
    for name, value in annotations.items():
        if len(name) > limits.name_length:
            raise _too_long("annotations", name, "name", limits.name_length)
        if len(value) > limits.annotation_length:
            raise _too_long("annotations", name, "value", limits.annotation_length)


def _too_long(group: str, name: str, part: str, limit: int) -> FormatError:
    return FormatError(f"{group}.{name:.64}", f"{part} longer than {limit} characters", f"shorten the {part}")
