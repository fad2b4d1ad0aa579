"""The inbox: bounded, and durable on return.

`put` hands an envelope to the worker and returns its receipt once it is committed. When it is full nothing is
taken: bulk input is refused first, a fifth of the room is kept for critical alerts, resolves and commands.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from data.records import Severity, Signal, SignalStatus
from engine.ports import Clock, Envelope, EnvelopeKind, Overloaded, Receipt

_log = structlog.get_logger("engine.inbox")

#: Share of the inbox that only critical input may use.
RESERVED = 0.2
#: Kinds whose payload is a list, each entry of which takes room.
_LISTS = frozenset({EnvelopeKind.SIGNALS, EnvelopeKind.EVENTS, EnvelopeKind.REJECTS})


#: What an envelope came to: its receipt, or why it was not taken.
Told = Callable[[Receipt | None, Exception | None], None]


class Outcome(Protocol):
    """Where the worker writes what an envelope came to; a future is one."""

    def done(self) -> bool: ...
    def set_result(self, receipt: Receipt, /) -> None: ...
    def set_exception(self, error: Exception, /) -> None: ...


class Call:
    """An outcome that is told at once, instead of waking a task up: thousands of times a second that is dear."""

    __slots__ = ("_told",)

    def __init__(self, told: Told) -> None:
        self._told: Told | None = told

    def done(self) -> bool:
        return self._told is None

    def set_result(self, receipt: Receipt) -> None:
        self._tell(receipt, None)

    def set_exception(self, error: Exception) -> None:
        self._tell(None, error)

    def _tell(self, receipt: Receipt | None, error: Exception | None) -> None:
        told, self._told = self._told, None
        if told is None:
            return
        try:
            told(receipt, error)
        except Exception as failure:  # noqa: BLE001 - one sender's trouble must not be that of the worker
            _log.error("answer_failed", error=f"{type(failure).__name__}: {failure}", exc_info=failure)


class Waiting(NamedTuple):
    """An envelope in the queue with what its sender waits on. `more`: the next one is of the same delivery, and goes
    into the same commit."""

    envelope: Envelope
    rows: int
    since: float
    done: Outcome
    more: bool = False


class Inbox:
    """Holds at most `most` rows (signals, events, rejects; a command counts as one)."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._queue: deque[Waiting] = deque()
        self._commands: deque[Waiting] = deque()
        self._rows = 0
        self._arrived = asyncio.Event()
        self._closed = False
        #: Seconds for senders to wait while the store cannot commit; None = it can.
        self.store_down: float | None = None

    @property
    def rows(self) -> int:
        return self._rows

    def accepting(self) -> float | None:
        """None while bulk input is taken, else the seconds after which to try again."""
        if self._closed:
            return 5.0
        if self.store_down is not None:
            return self.store_down
        return 1.0 if self._rows >= self._most * (1 - RESERVED) else None

    def oldest_seconds(self) -> float:
        """Age of the oldest input that is not committed."""
        first = [queue[0].since for queue in (self._queue, self._commands) if queue]
        return self._clock.monotonic() - min(first) if first else 0.0

    async def put(self, envelope: Envelope) -> Receipt:
        """Take the envelope or raise Overloaded; the receipt means it is committed."""
        rows = row_count(envelope)
        critical = envelope.critical or is_critical(envelope)
        self._check_room(rows, critical)
        return await self._enter(envelope, rows, critical)

    def offer(self, envelope: Envelope, told: Told) -> None:
        """As `put` without a task: `told` is called as soon as it is committed or refused, and must not wait. Raises
        Overloaded when nothing was taken."""
        rows = row_count(envelope)
        critical = envelope.critical or is_critical(envelope)
        self._check_room(rows, critical)
        self._append(envelope, rows, critical, Call(told), False)

    async def put_all(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Take all parts of one delivery, in one commit, or none of them and raise Overloaded."""
        critical = any(envelope.critical or is_critical(envelope) for envelope in envelopes)
        rows = [row_count(envelope) for envelope in envelopes]
        self._check_room(sum(rows), critical)
        last = len(rows) - 1
        waits = [
            self._enter(envelope, count, critical, number < last)
            for number, (envelope, count) in enumerate(zip(envelopes, rows, strict=True))
        ]
        return await asyncio.gather(*waits)

    def _check_room(self, rows: int, critical: bool) -> None:
        limit = self._most if critical else self._most * (1 - RESERVED)
        if self._closed or (self._rows and self._rows + rows > limit) or (self.store_down and not critical):
            raise Overloaded(self.store_down or (5.0 if self._closed else 1.0), self._why())

    def _enter(self, envelope: Envelope, rows: int, critical: bool, more: bool = False) -> asyncio.Future[Receipt]:
        done: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._append(envelope, rows, critical, done, more)
        return done

    def _append(self, envelope: Envelope, rows: int, critical: bool, done: Outcome, more: bool) -> None:
        stamped = replace(envelope, at=envelope.at or self._clock.now(), critical=critical)
        queue = self._commands if envelope.kind is EnvelopeKind.COMMAND else self._queue
        queue.append(Waiting(stamped, rows, self._clock.monotonic(), done, more))
        self._rows += rows
        self._arrived.set()

    def _why(self) -> str:
        if self._closed:
            return "shutting down"
        return "store cannot commit" if self.store_down else "inbox full"

    @property
    def waiting(self) -> int:
        """Envelopes in the queue."""
        return len(self._queue) + len(self._commands)

    async def arrived(self) -> None:
        """Return when there is something to take."""
        while self.empty():
            self._arrived.clear()
            await self._arrived.wait()

    def take(self, envelopes: int, rows: int) -> list[Waiting]:
        """At most so many envelopes and about so many rows, in order of arrival.

        Commands go first and by themselves: an operator does not wait behind a storm. What the command is about was
        committed before it could be seen.
        """
        taken: list[Waiting] = []
        queue = self._commands or self._queue
        more = False
        while queue and (more or (len(taken) < envelopes and rows > 0)):
            waiting = queue.popleft()
            more = waiting.more
            rows -= waiting.rows
            self._rows -= waiting.rows
            taken.append(waiting)
        return taken

    @property
    def command_waits(self) -> bool:
        return bool(self._commands)

    def put_back(self, taken: Sequence[Waiting]) -> None:
        """What was taken and not begun goes first again, in its order."""
        for waiting in reversed(taken):
            self._queue.appendleft(waiting)
            self._rows += waiting.rows

    def close(self) -> None:
        """Take nothing more; what is inside is still worked off."""
        self._closed = True

    def abandon(self) -> None:
        """Nobody works here any more: take nothing, and let nobody wait."""
        self._closed = True
        for queue in (self._queue, self._commands):
            while queue:
                waiting = queue.popleft()
                if not waiting.done.done():
                    waiting.done.set_exception(Overloaded(5.0, "the engine's worker was given up"))
        self._rows = 0

    def empty(self) -> bool:
        return not self._queue and not self._commands


def row_count(envelope: Envelope) -> int:
    kind = envelope.kind
    return len(envelope.payload) if kind in _LISTS else 1


def is_critical(envelope: Envelope) -> bool:
    """Commands, ticks, and small deliveries that hold a critical alert, a resolve or a call for help."""
    if envelope.kind not in _LISTS:
        return True
    if envelope.kind is EnvelopeKind.REJECTS or len(envelope.payload) > 64:
        return False
    if envelope.kind is EnvelopeKind.EVENTS:
        return any(getattr(event.data, "kind", "") == "sos" for event in envelope.payload)
    rows: list[Signal] = envelope.payload
    return any(row.severity is Severity.CRITICAL or row.status is SignalStatus.RESOLVED for row in rows)
