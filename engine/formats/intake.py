"""What every format shares: the settings of a source, rows that fail alone, keys scoped to their sender.

Owns the way from a row's error to its dead letter. Never parses a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from data.records import Reject, Signal
from engine.masking.templates import Miner
from engine.ports import FormatError, Parsed, Received
from engine.stages.normalise import IntakeRules

T = TypeVar("T")


class FieldMapping(Struct, frozen=True, kw_only=True):
    """Where a source's JSON keeps what: dotted paths ("host.name", "tags.0"), the first one found wins.

    `items` is the path of the list of alerts inside the body ("" = the body itself). `fields` maps title,
    name, status, severity, host, site, client, service, dedup_key, correlation, time, ends, description, url,
    labels to paths. `severities` and `statuses` translate the source's own words before the usual ones apply.
    """

    items: str = ""
    fields: Mapping[str, tuple[str, ...]] = {}
    severities: Mapping[str, str] = {}
    statuses: Mapping[str, str] = {}


class IntakeSettings(Struct, frozen=True, kw_only=True):
    """Settings of one source. `hold_seconds`: how long a sender that does not repeat itself is believed.

    `text`: the templates of a source without stable labels, whose alerts are known by what their title says."""

    rules: IntakeRules
    mapping: FieldMapping = FieldMapping()
    hold_seconds: float = 7 * 86_400.0
    text: Miner | None = None

    @property
    def hold(self) -> timedelta:
        return timedelta(seconds=self.hold_seconds)


_DEFAULTS = IntakeSettings(rules=IntakeRules())


def settings_of(received: Received) -> IntakeSettings:
    """The source's settings, else the defaults."""
    return received.settings if isinstance(received.settings, IntakeSettings) else _DEFAULTS


def collect(
    received: Received, name: str, rows: Iterable[T], make: Callable[[T], Signal], place: str = "[{}]"
) -> tuple[list[Signal], list[Reject]]:
    """Every row as a signal or, alone, as a reject whose field starts with its place."""
    signals: list[Signal] = []
    rejects: list[Reject] = []
    for index, row in enumerate(rows):
        try:
            signals.append(make(row))
        except FormatError as error:
            rejects.append(reject(received, name, within(place.format(index), error), row))
    return signals, rejects


def within(place: str, error: FormatError) -> FormatError:
    """The same error, seen from outside: its field below `place`."""
    joint = "" if not place or not error.field or error.field.startswith("[") else "."
    return FormatError(f"{place}{joint}{error.field}" or "body", error.reason, error.remedy, error.status)


def reject(received: Received, name: str, error: FormatError, body: Any) -> Reject:
    """The dead letter of one row; `body` is the row as text or anything JSON can say."""
    return Reject(
        tenant=received.tenant,
        source=received.source,
        format=name,
        at=received.now,
        field=error.field,
        reason=error.reason,
        remedy=error.remedy,
        body=body if isinstance(body, str) else msgspec.json.encode(body).decode(),
    )


def scoped_key(*parts: str) -> str:
    """16 hex digits for a key that is only unique within its sender: the parts say which sender."""
    return blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()


def merged(parts: Sequence[Parsed]) -> Parsed:
    """Deliveries without an id of their own joined into one; those with an id stay parts."""
    return Parsed(
        signals=[signal for part in parts if not part.id for signal in part.signals],
        rejects=[row for part in parts if not part.id for row in part.rejects],
        events=[row for part in parts if not part.id for row in part.events],
        parts=[part for part in parts if part.id],
    )


def text_of(value: Any) -> str:
    """A JSON value as label or annotation text: strings as they are, the rest as JSON; null is empty."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()
