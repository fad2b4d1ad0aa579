"""The roles that plugins and the frame agree on: clock, source, format, action, enricher."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from data.records import Effect, Partition, Reject, Signal, TenantId
from engine.domain.events import DomainEvent


class Clock(Protocol):
    """The only door to time. Nothing else in the product asks the machine what time it is."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class EnvelopeKind(StrEnum):
    SIGNALS = "signals"
    COMMAND = "command"
    TICK = "tick"
    RESULT = "result"
    REJECTS = "rejects"
    RULES = "rules"
    EVENTS = "events"


class Envelope(Struct, frozen=True, kw_only=True):
    """Raw input of any kind; may carry many rows. `at` is stamped by the inbox when it is taken, unless a source of
    this process replays a past and says what time it was then.

    `id` is the sender's idempotency key ("" = none): (tenant, source, id) is taken once.
    `critical` keeps a lane open for critical alerts, resolves and operator commands under overload.
    """

    kind: EnvelopeKind
    tenant: TenantId
    source: str
    payload: Any
    id: str = ""
    critical: bool = False
    at: datetime | None = None


class Receipt(Struct, frozen=True, kw_only=True):
    """Durable: what was taken is committed at `(partition, seq)`. `result` answers a command."""

    partition: Partition
    seq: int
    result: Any = None


class Overloaded(Exception):
    """Nothing was taken. Try again after `retry_after` seconds."""

    def __init__(self, retry_after: float = 1.0, reason: str = "inbox full") -> None:
        super().__init__(reason)
        self.retry_after = retry_after


Emit = Callable[[Envelope], Awaitable[Receipt]]


class Source(Protocol):
    """Transport only: turns what arrives into envelopes. `emit` returns ⇒ durable; raises Overloaded.

    One that replays a past may have `behind`: while it is true there are no ticks, for a minute at most."""

    name: str

    async def run(self, emit: Emit) -> None: ...


class Parsed(Struct, frozen=True, kw_only=True):
    """What a format made of a body: signals and domain events that can be taken, rejects for rows that cannot.

    `id` is the delivery's idempotency key if the format carries one. `reply` is what the sender expects
    back (status, JSON) where the format defines it; None = the transport's own answer.
    `parts` are deliveries of their own inside one body (a batch of CloudEvents), each with its id; they are
    taken beside `signals` and `rejects`, and have no parts themselves.
    """

    signals: Sequence[Signal] = ()
    rejects: Sequence[Reject] = ()
    events: Sequence[DomainEvent] = ()
    id: str = ""
    reply: tuple[int, Any] | None = None
    parts: Sequence[Parsed] = ()


class Received(Struct, frozen=True, kw_only=True):
    """A body as it came in, with what the transport knows of it."""

    body: bytes
    headers: Mapping[str, str]
    source: str
    tenant: TenantId
    now: datetime
    settings: Any = None


class FormatError(Exception):
    """The body is not of this format. `field` names the place, `remedy` says what to send instead."""

    def __init__(self, field: str, reason: str, remedy: str, status: int = 422) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason, self.remedy, self.status = field, reason, remedy, status


class Format(Protocol):
    """Body → signals, pure. One file per payload in `engine/formats/`."""

    name: str

    def parse(self, received: Received) -> Parsed: ...


class Plan(Struct, frozen=True, kw_only=True):
    """Dry run of an action: resolved parameters, targets and blast radius, no side effect."""

    action: str
    params: Mapping[str, Any]
    targets: Sequence[str]
    words: str


class Action(Protocol):
    """Something done outside. Honours `effect.key` as idempotency key."""

    name: str

    async def plan(self, effect: Effect) -> Plan: ...
    async def run(self, effect: Effect) -> Mapping[str, Any]: ...
