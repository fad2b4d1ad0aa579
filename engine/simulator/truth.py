"""What really happened: the records a measurement is compared with.

Owns their shape and their JSONL. Never seen by the engine: nothing of it travels in an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from msgspec import Struct

#: What an act did: ended the cause, made it shorter, nothing, or damage.
Effect = Literal["ended", "shortened", "nothing", "harm", "scheduled"]


class Incident(Struct, frozen=True, kw_only=True, tag="incident"):
    """A cause from its beginning to its end (None: it goes on). `events` are ids of the events it brought about, the
    first thousand; `remedy` is the act that ends it, on one of `targets`."""

    id: str
    kind: str
    start: str
    end: str | None
    entities: tuple[str, ...]
    sites: tuple[str, ...]
    events: tuple[str, ...]
    remediable: bool
    remedy: str = ""
    targets: tuple[str, ...] = ()
    ended_by: str = "itself"


class Anomaly(Struct, frozen=True, kw_only=True, tag="anomaly"):
    """A stretch of a series that is not as it should be: spike, level_shift, drift, missing, flat, seasonal_break."""

    series: str
    labels: dict[str, str]
    start: str
    end: str
    kind: str
    cause: str = ""


class Fraud(Struct, frozen=True, kw_only=True, tag="fraud"):
    """An event that lies. `event` is the CloudEvent id; for a ghost round each scan has a record of its own."""

    event: str
    person: str
    site: str
    pattern: str
    at: str


class Failure(Struct, frozen=True, kw_only=True, tag="failure"):
    """A device that went offline by a fault of its own. `since`: when it began to decline, None = without warning."""

    device: str
    at: str
    kind: str
    since: str | None


class Decline(Struct, frozen=True, kw_only=True, tag="decline"):
    """A decline that ended without a failure: by an act, or by itself."""

    device: str
    start: str
    end: str
    kind: str
    by: str


class Breach(Struct, frozen=True, kw_only=True, tag="breach"):
    """A ticket that was not resolved when it was due."""

    ticket: str
    at: str
    site: str
    priority: str
    cause: str = ""


class Gap(Struct, frozen=True, kw_only=True, tag="gap"):
    """A shift that nobody had taken up half an hour after its start. `at` is the start."""

    shift: str
    at: str
    site: str
    announced: bool


class Act(Struct, frozen=True, kw_only=True, tag="act"):
    """An intervention and what it did. `healthy`: there was nothing wrong with its target when it came."""

    kind: str
    target: str
    at: str
    effect: Effect
    cause: str = ""
    healthy: bool = False


Record = Incident | Anomaly | Fraud | Failure | Decline | Breach | Gap | Act

_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Record)


class Truth:
    """Collects records in the order in which they became certain."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self.counts: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        self._records.append(record)
        self.counts[type(record).__name__.lower()] += 1

    @property
    def records(self) -> tuple[Record, ...]:
        """What has not been taken yet."""
        return tuple(self._records)

    def take(self) -> list[Record]:
        """What was added since the last time; it is not kept any longer."""
        taken, self._records = self._records, []
        return taken


def lines(records: Iterable[Record]) -> Iterator[bytes]:
    """Each record as a line of JSON, its kind in `type`."""
    for record in records:
        yield _encode(record) + b"\n"


def read(text: Iterable[bytes]) -> Iterator[Any]:
    """The records of such lines. Raises msgspec.ValidationError."""
    for line in text:
        if line.strip():
            yield _decoder.decode(line)
