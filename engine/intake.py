"""What intake needs of the configuration, and how a dead letter goes through it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from data.matchers import compile_matchers, parse_matchers
from data.records import Reject, Signal
from engine.domain.events import DATA, DomainEvent
from engine.formats import registry
from engine.formats.intake import IntakeSettings
from engine.ports import Clock, FormatError, Parsed, Received
from engine.settings import Settings
from engine.stages.normalise import DedupRule, IntakeRules, LabelLimits

Reparse = Callable[[Reject, str], Parsed]


def rules_of(settings: Settings) -> IntakeRules:
    """The compiled rules of intake: dedup keys, label limits, resolve timeout."""
    limits = settings.limits
    return IntakeRules(
        dedup=tuple(
            DedupRule(
                name=rule.name or rule.match,
                labels=tuple(rule.labels),
                applies=compile_matchers(parse_matchers(rule.match)),
            )
            for rule in settings.dedup.rules
        ),
        limits=LabelLimits(
            labels=limits.labels_max,
            name_length=limits.label_name_chars,
            value_length=limits.label_value_chars,
            annotation_length=limits.annotation_chars,
        ),
        resolve_timeout_seconds=settings.engine.resolve_timeout_seconds,
    )


def reparser(settings: Settings, rules: IntakeRules, clock: Clock) -> Reparse:
    """A function that puts the body of a dead letter through its format again. It raises FormatError."""

    def reparse(reject: Reject, body: str) -> Parsed:
        if reject.format == "noc.events":
            return Parsed(events=_events(body))
        if reject.format.startswith("noc."):
            return Parsed(signals=_signals(body))
        found = registry().get(reject.format)
        if found is None:
            raise FormatError("format", f"no format is called {reject.format!r}", "discard it")
        text = body.strip()
        if reject.format == "alertmanager" and text.startswith("{"):
            text = f"[{text}]"
        source = settings.sources.get(reject.source)
        mapped = IntakeSettings(rules=rules)
        if source is not None and source.mapping:
            from engine.api.sources import field_mapping

            mapped = IntakeSettings(rules=rules, mapping=field_mapping(source.mapping))
        return found.parse(
            Received(
                body=text.encode(),
                headers={"content-type": _media_type(reject.format)},
                source=reject.source,
                tenant=reject.tenant,
                now=clock.now(),
                settings=mapped,
            )
        )

    return reparse


def _media_type(format: str) -> str:
    return "application/cloudevents+json" if format == "cloudevents" else "application/json"


def _signals(body: str) -> list[Signal]:
    """Signals that had failed on the line, as they were written down."""
    try:
        return json.decode(body, type=list[Signal])
    except (DecodeError, ValidationError) as error:
        raise FormatError("body", str(error), "keep the shape of the signals") from error


class _Row(Struct, kw_only=True):
    """A domain event as it was written down: its data not yet read."""

    type: str
    source: str
    id: str
    at: datetime
    data: Raw
    row: int = 0


def _events(body: str) -> list[DomainEvent]:
    """Domain events that had failed on the line, as they were written down."""
    try:
        return [
            DomainEvent(
                type=row.type,
                source=row.source,
                id=row.id,
                at=row.at,
                data=json.decode(row.data, type=DATA[row.type]),
                row=row.row,
            )
            for row in json.decode(body, type=list[_Row])
        ]
    except (DecodeError, ValidationError, KeyError) as error:
        raise FormatError("body", str(error), "keep the shape of the events") from error
