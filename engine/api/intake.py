"""From a request's body to the line: admitted, read, parsed, taken, and only then answered.

Owns the order of the checks (open? rate? read, signature, parse, take) and the dead letters of what cannot be
taken. Never understands a body: formats do.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from data.records import Reject, Signal, TenantId
from engine.api.body import BodyReader
from engine.api.throttle import Throttle
from engine.api.wire import Receive, turn
from engine.domain.events import DomainEvent
from engine.formats.intake import IntakeSettings
from engine.inbox import Told
from engine.ports import Envelope, EnvelopeKind, Format, FormatError, Overloaded, Parsed, Receipt, Received
from engine.service import Service

#: Bytes of a body that is read also while the line is closed to most.
LANE_BYTES = 16_384
#: Bytes of a body that is parsed as soon as it is there.
AT_ONCE_BYTES = 2048
#: Bodies that may wait to be parsed.
UNPARSED = 32
#: So many of them are a crowd, in which nobody may take more than half.
PRESSED = 4
#: Bytes from which on a body is parsed in a thread: it would hold the loop for more than a moment.
BESIDE_BYTES = 262_144
#: What the body of an urgent delivery holds somewhere: a word for the worst severity or for an end, or an end's time.
_URGENT = re.compile(
    rb'"(?:endsAt|critical|crit|fatal|emergency|emerg|alert|panic|page|p1|s1|sev-?1|disaster|blocker|severe|5|sos'
    rb'|resolved?|ok|recover(?:ed|y)|closed?|up|normal|clear(?:ed)?|inactive)"',
    re.IGNORECASE,
)

_NO_HEADERS: Mapping[str, str] = {}

#: Characters kept of a body that could not be read at all.
LETTER_CHARS = 65_536

#: PagerDuty's credential travels in the body: it is not kept with it.
_ROUTING_KEY = re.compile(r'("routing_key"\s*:\s*")[^"]*')


class Sender(Struct, frozen=True):
    """Whose body it is: where it is booked, and how fast it may send (None = the default)."""

    tenant: TenantId
    source: str
    key: str
    rate: float | None = None
    #: Status for "too fast": senders that drop on 4xx get 503.
    status: int = 503

    def own(self, id: str) -> str:
        """The sender's key for a delivery, so that no other sender of the same source can use it up."""
        return f"{self.key}/{id}" if id and self.key != self.source else id


class TooFast(Overloaded):
    """The sender's own rate or share is used up; `status` is what it understands."""

    def __init__(self, cause: Overloaded, status: int) -> None:
        super().__init__(cause.retry_after, str(cause))
        self.status = status


class Taken(Struct, frozen=True):
    """What became of a body, all of it durable."""

    signals: Sequence[Signal]
    rejects: Sequence[Reject]
    receipt: Receipt | None = None
    events: int = 0


class Intake:
    """The way in, for every transport that is HTTP."""

    def __init__(self, service: Service, throttle: Throttle, bodies: BodyReader) -> None:
        self._service, self._throttle, self._bodies = service, throttle, bodies
        self._parsing = asyncio.Lock()
        self._unparsed = 0
        self._unparsed_bytes: Counter[str] = Counter()

    def _closed(self) -> float | None:
        """None while bodies of any kind are taken, else the seconds after which to try again."""
        return self._service.accepting() or (1.0 if self._unparsed >= UNPARSED else None)

    def _check_share(self, sender: Sender, size: int) -> None:
        """While many bodies wait to be parsed, at most half of their bytes are of one sender, if there are others."""
        mine, total = self._unparsed_bytes[sender.key], self._unparsed_bytes.total()
        if total > mine and self._unparsed >= PRESSED and (mine + size) * 2 > total + size:
            raise TooFast(Overloaded(1.0, "this sender's share is waiting to be read"), sender.status)

    def _turn(self, sender: Sender) -> None:
        try:
            self._throttle.admit(sender.key, sender.rate)
        except Overloaded as error:
            raise TooFast(error, sender.status) from error

    async def read(self, sender: Sender, receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
        """The body, if it is this sender's turn; it costs one row, so that bodies which do not parse are not free.

        While the line is closed only a small body is read, and goes on only if it looks as if there were a resolve or
        a critical alert in it: for those the inbox keeps room. Nothing else is parsed.
        """
        wait = self._closed()
        if wait is not None and not _is_small(headers):
            raise Overloaded(wait)
        self._turn(sender)
        self._check_share(sender, int(headers.get(b"content-length", b"0")))
        body = await self._bodies.read(receive, headers, limit)
        if wait is not None and not _URGENT.search(body):
            raise Overloaded(wait)
        self._throttle.charge(sender.key, 1)
        return body

    async def parse(
        self, sender: Sender, format: Format, settings: IntakeSettings, body: bytes, headers: Mapping[str, str]
    ) -> Parsed:
        """What the format makes of the body; a body it cannot read becomes a dead letter, and the error goes on."""
        received = Received(
            body=body,
            headers=headers,
            source=sender.source,
            tenant=sender.tenant,
            now=self._service.clock.now(),
            settings=settings,
        )
        try:
            return await self._parsed(sender, format, received)
        except FormatError as error:
            if error.status in (400, 422) and body:
                await self._bury(received, format.name, error)
            raise

    async def _parsed(self, sender: Sender, format: Format, received: Received) -> Parsed:
        """One body of some size in each turn of the loop, and very large ones beside it: whoever asks for little does
        not wait behind everybody who sends much."""
        if len(received.body) <= AT_ONCE_BYTES:
            return format.parse(received)
        self._unparsed += 1
        self._unparsed_bytes[sender.key] += len(received.body)
        try:
            async with self._parsing:
                await turn()
                wait = self._service.accepting()
                if wait is not None and not _URGENT.search(received.body, 0, LANE_BYTES):
                    raise Overloaded(wait)  # it closed while this body waited
                if len(received.body) > BESIDE_BYTES:
                    return await asyncio.to_thread(format.parse, received)
                return format.parse(received)
        finally:
            self._unparsed -= 1
            self._unparsed_bytes[sender.key] -= len(received.body)
            if not self._unparsed_bytes[sender.key]:
                del self._unparsed_bytes[sender.key]

    async def take(self, sender: Sender, parsed: Parsed, id: str) -> Taken:
        """Everything of a parsed body, durable on return. `id` names the delivery ("" = the format's own id)."""
        rows = _rows(parsed)
        if parsed.parts:
            rows += sum(map(_rows, parsed.parts))
        try:
            self._throttle.check_share(sender.key, rows)
        except Overloaded as error:
            raise TooFast(error, sender.status) from error
        self._throttle.charge(sender.key, max(0, rows - 1))
        self._throttle.enter(sender.key, rows)
        try:
            return await self._take(sender, parsed, sender.own(id) or parsed.id)
        finally:
            self._throttle.leave(sender.key, rows)

    def take_now(
        self, sender: Sender, format: Format, settings: IntakeSettings, body: bytes, told: Told
    ) -> bool:
        """As `read`, `parse` and `take`, of a body that is there, without a task; `told` is called when it is durable,
        or with why it is not.

        False = nothing was taken or booked: it is not this sender's turn, others wait to be parsed, or there is more
        to say about the body than that it was taken.
        """
        offer: Callable[[Envelope, Told], None] | None = getattr(self._service, "offer", None)
        if offer is None or self._unparsed or self._closed() is not None:
            return False
        received = Received(
            body=body,
            headers=_NO_HEADERS,
            source=sender.source,
            tenant=sender.tenant,
            now=self._service.clock.now(),
            settings=settings,
        )
        throttle, key = self._throttle, sender.key
        try:
            throttle.admit(key, sender.rate)
            parsed = format.parse(received)
            rows = len(parsed.signals)
            if not rows or parsed.rejects or parsed.parts or parsed.events:
                return False
            throttle.check_share(key, rows)

            def taken(receipt: Receipt | None, error: Exception | None) -> None:
                throttle.leave(key, rows)
                told(receipt, error)

            offer(_signals(sender, parsed.signals, parsed.id), taken)
        except (FormatError, Overloaded):
            return False
        throttle.charge(key, rows)
        throttle.enter(key, rows)
        return True

    async def _take(self, sender: Sender, parsed: Parsed, id: str) -> Taken:
        if parsed.signals and not parsed.rejects and not parsed.parts and not parsed.events:
            receipt = await self._service.take(_signals(sender, parsed.signals, id))
            return Taken(parsed.signals, (), receipt)
        parts = [parsed, *parsed.parts]
        envelopes: list[Envelope] = []
        for part, key in zip(parts, [id, *(part.id for part in parsed.parts)], strict=True):
            if part.signals:
                envelopes.append(_signals(sender, part.signals, key))
            if part.events:
                envelopes.append(_events(sender, part.events, key))
            if part.rejects:
                envelopes.append(_rejects(sender, part.rejects, key))
        receipts = await self._service.take_all(envelopes) if envelopes else []
        return Taken(
            [signal for part in parts for signal in part.signals],
            [reject for part in parts for reject in part.rejects],
            max(receipts, key=lambda receipt: receipt.seq, default=None),
            sum(len(part.events) for part in parts),
        )

    async def _bury(self, received: Received, format: str, error: FormatError) -> None:
        letter = Reject(
            tenant=received.tenant,
            source=received.source,
            format=format,
            at=received.now,
            field=error.field,
            reason=error.reason,
            remedy=error.remedy,
            body=_ROUTING_KEY.sub(r"\1removed", received.body[:LETTER_CHARS].decode("utf-8", "replace")),
        )
        await self._service.take(
            Envelope(kind=EnvelopeKind.REJECTS, tenant=received.tenant, source=received.source, payload=[letter])
        )


def _is_small(headers: Mapping[bytes, bytes]) -> bool:
    length = headers.get(b"content-length")
    return length is not None and int(length) <= LANE_BYTES and b"content-encoding" not in headers


def _signals(sender: Sender, signals: Sequence[Signal], id: str) -> Envelope:
    return Envelope(kind=EnvelopeKind.SIGNALS, tenant=sender.tenant, source=sender.source, payload=signals, id=id)


def _rows(parsed: Parsed) -> int:
    return len(parsed.signals) + len(parsed.rejects) + len(parsed.events)


def _events(sender: Sender, events: Sequence[DomainEvent], id: str) -> Envelope:
    # An id of its own: one delivery may carry signals as well.
    key = f"{id}#events" if id else ""
    return Envelope(kind=EnvelopeKind.EVENTS, tenant=sender.tenant, source=sender.source, payload=events, id=key)


def _rejects(sender: Sender, rejects: Sequence[Reject], id: str) -> Envelope:
    # An id of its own: under the signals' id it would pass for a repeat of them.
    key = f"{id}#rejects" if id else ""
    return Envelope(
        kind=EnvelopeKind.REJECTS, tenant=sender.tenant, source=sender.source, payload=list(rejects), id=key
    )
