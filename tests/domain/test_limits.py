"""How large an event of the world may be, and which of them may use the room that is kept for what is urgent."""

from __future__ import annotations

from typing import Any

import pytest

from data.records import DEFAULT_TENANT
from engine.domain.events import ActivityData, DomainEvent, SampleData
from engine.formats.domain_rows import KEYS, NOTE_CHARS, PARTS, TEXT_CHARS, events_of
from engine.inbox import is_critical, row_count
from engine.ports import Envelope, EnvelopeKind, FormatError, Received
from tests.fakes.line import T0

RECEIVED = Received(body=b"", headers={}, source="test", tenant=DEFAULT_TENANT, now=T0)


def read(kind: str, **data: Any) -> list[DomainEvent]:
    return events_of({"type": kind, "source": "s", "id": "1"}, data, RECEIVED)


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("noc.site", {"id": "a", "name": "x" * (TEXT_CHARS + 1)}, "data.name"),
        ("noc.person", {"id": "a", "sites": ["x"] * (PARTS + 1)}, "data.sites"),
        ("noc.sample", {"name": "a", "value": 1, "labels": {str(n): "" for n in range(KEYS + 1)}}, "data.labels"),
        ("noc.sample", {"name": "a", "value": 1, "labels": {"k": "x" * 9000}}, "data.labels"),
        ("noc.ticket", {"id": "a", "note": "x" * (NOTE_CHARS + 1)}, "data.note"),
    ],
)
def test_what_is_too_large_is_refused_by_its_field(kind: str, data: dict[str, Any], field: str) -> None:
    with pytest.raises(FormatError) as refused:
        read(kind, **data)
    assert refused.value.field == field


def test_what_is_at_the_limit_is_taken() -> None:
    assert read("noc.site", id="a", name="x" * TEXT_CHARS)
    assert read("noc.ticket", id="a", note="x" * NOTE_CHARS)


def envelope(*rows: Any) -> Envelope:
    events = [DomainEvent(type="noc.x", source="s", id=str(at), at=T0, data=row) for at, row in enumerate(rows)]
    return Envelope(kind=EnvelopeKind.EVENTS, tenant=DEFAULT_TENANT, source="s", payload=events)


def test_samples_do_not_use_the_room_of_what_is_urgent() -> None:
    sample = SampleData(name="a", value=1.0)
    help_me = ActivityData(person="p", kind="sos")
    assert (row_count(envelope(sample, sample)), is_critical(envelope(sample, sample))) == (2, False)
    assert is_critical(envelope(sample, help_me))
    assert not is_critical(envelope(*[help_me] * 65))
