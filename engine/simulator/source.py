"""The simulator as a source: the last hours at once, then each second what has happened since.

Owns the pace and what of the routine is left out when there is much to catch up with. Goes in by the same door as a
batch of CloudEvents that was posted: encoded, parsed by the format, taken by the inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct

from data.records import TenantId
from engine.formats.cloudevents import FORMAT
from engine.ports import Clock, Emit, Envelope, EnvelopeKind, Overloaded, Parsed, Received
from engine.simulator.operation import Event
from engine.simulator.simulator import Simulator, rows
from engine.simulator.truth import Effect, Record

#: Rows of one delivery, and deliveries that are under way together while catching up.
ROWS, TOGETHER = 200, 8
#: Events of a long time that are looked at together.
EVENTS = 500
EVERY_SECONDS = 1.0
#: Further behind than this, the routine is thinned: all of the last minutes, and before them one delivery an hour.
BEHIND = timedelta(minutes=10)
#: Real seconds of catching up after which the rest of the old routine is left out.
CATCH_UP_SECONDS = 2.0
_FIRST = frozenset({"noc.client", "noc.site", "noc.person"})
_HEADERS = {"content-type": "application/cloudevents-batch+json"}
_encode = msgspec.json.Encoder().encode


class Play(Struct, frozen=True, kw_only=True):
    """Which world is played. `history_hours` of it have happened when it begins."""

    seed: int = 1
    scale: float = 1.0
    scenario: str = "normal"
    history_hours: float = 4.0


class SimulatorSource:
    """Implements `engine.ports.Source`. `on_truth` is given what has become certain, in order."""

    name = "simulator"

    def __init__(
        self, play: Play, clock: Clock, tenant: TenantId, on_truth: Callable[[Sequence[Record]], None] | None = None
    ) -> None:
        self._play, self._clock, self._tenant, self._on_truth = play, clock, tenant, on_truth
        self._unsent: list[Envelope] = []
        self.simulator: Simulator | None = None
        #: Whether the history has been taken.
        self.live = False
        #: Whether the world stands still between two looks: only then may somebody act on it.
        self.at_rest = False

    async def run(self, emit: Emit) -> None:
        if self.simulator is None:
            self.simulator = await asyncio.to_thread(self._build, self._clock.now())
        while True:
            await self._catch_up(self.simulator, emit)
            self.live = self.at_rest = True
            await self._clock.sleep(EVERY_SECONDS)

    @property
    def behind(self) -> bool:
        """Whether the history is still being told, see `engine.ports.Source`."""
        return not self.live

    def act(self, kind: str, target: str) -> Effect:
        """An intervention in the simulated world, now. Nothing before it has begun."""
        return self.simulator.act(kind, target) if self.simulator is not None else "nothing"

    def knows(self, target: str) -> bool:
        """Whether there is anything of this id to act on."""
        return self.simulator is not None and self.simulator.knows(target)

    def standing(self) -> Sequence[Record]:
        """At the end: what became certain and was not told yet, then what still goes on."""
        if self.simulator is None:
            return ()
        return [*self.simulator.truth.take(), *self.simulator.standing()]

    def _build(self, now: datetime) -> Simulator:
        play = self._play
        start = now.replace(second=0, microsecond=0) - timedelta(hours=play.history_hours)
        return Simulator(play.seed, play.scale, start, scenario=play.scenario, planned_from=now)

    async def _catch_up(self, simulator: Simulator, emit: Emit) -> None:
        """Everything up to now. What was refused the last time goes first, so that nothing is lost or doubled."""
        await self._send(emit)
        now = self._clock.now()
        if now - simulator.now > BEHIND:
            await self._catch_up_with_much(simulator, emit, now)
        else:
            await self._deliver(list(simulator.events(now)), emit)
        certain = simulator.truth.take()
        if self._on_truth is not None:
            self._on_truth(certain)

    async def _catch_up_with_much(self, simulator: Simulator, emit: Emit, now: datetime) -> None:
        """Thinned, in time; when that takes long, the rest of the old routine is left out."""
        before = (now - BEHIND).isoformat()
        self.at_rest = False
        events = await asyncio.to_thread(thinned, simulator.events(now), before)
        began = self._clock.monotonic()
        for first in range(0, len(events), EVENTS):
            part = events[first : first + EVENTS]
            if self._clock.monotonic() - began > CATCH_UP_SECONDS:
                part = [event for event in part if event["time"] >= before or not _is_routine(event)]
            await self._deliver([event for event in part if event["type"] in _FIRST], emit)
            await self._deliver([event for event in part if event["type"] not in _FIRST], emit, past=True)

    async def _deliver(self, events: list[Event], emit: Emit, *, past: bool = False) -> None:
        """`past`: they are told with the time at which they happened, so that what follows from them has it too."""
        for deliveries in _groups(_deliveries(events), TOGETHER):
            for delivery in deliveries:
                at = datetime.fromisoformat(delivery[-1]["time"]) if past else None
                self._unsent += self._envelopes(delivery, at)
            await self._send(emit)

    def _envelopes(self, events: list[Event], at: datetime | None) -> list[Envelope]:
        now = at or self._clock.now()
        received = Received(body=_encode(events), headers=_HEADERS, source=self.name, tenant=self._tenant, now=now)
        parts: Sequence[Parsed] = FORMAT.parse(received).parts
        payloads: dict[EnvelopeKind, list[Any]] = {
            EnvelopeKind.EVENTS: [row for part in parts for row in part.events],
            EnvelopeKind.SIGNALS: [row for part in parts for row in part.signals],
            EnvelopeKind.REJECTS: [row for part in parts for row in part.rejects],
        }
        return [
            Envelope(kind=kind, tenant=self._tenant, source=self.name, payload=payload, at=at)
            for kind, payload in payloads.items()
            if payload
        ]

    async def _send(self, emit: Emit) -> None:
        while self._unsent:
            sent, wait = await _try(emit, self._unsent)
            self._unsent = [envelope for envelope, done in zip(self._unsent, sent, strict=True) if not done]
            if self._unsent:
                await self._clock.sleep(wait)
            else:
                # Lets the engine's other work have its turn between deliveries.
                await self._clock.sleep(0)


async def _try(emit: Emit, envelopes: Sequence[Envelope]) -> tuple[list[bool], float]:
    """Which were taken, and the seconds after which to offer the others again."""
    answers = await asyncio.gather(*(emit(envelope) for envelope in envelopes), return_exceptions=True)
    wait = 0.0
    for answer in answers:
        if isinstance(answer, Overloaded):
            wait = max(wait, answer.retry_after)
        elif isinstance(answer, BaseException):
            raise answer
    return [not isinstance(answer, Overloaded) for answer in answers], wait


def thinned(events: Iterator[Event], before: str) -> list[Event]:
    """What is worth knowing of a long time: without the heartbeats before that moment, and with one round of samples
    an hour. Clients, sites and people stand first, all else is in the order in which it happened."""
    first: list[Event] = []
    rest: list[Event] = []
    sampled: dict[str, str] = {}
    for event in events:
        fresh = event["time"] >= before
        if event["type"] in _FIRST:
            first.append(event)
        elif _is_heartbeat(event):
            if fresh:
                rest.append(event)
        elif fresh or event["type"] != "noc.sample":
            rest.append(event)
        else:
            site, hour = rows(event)[0]["labels"]["site"], event["time"][:13]
            if sampled.get(site) != hour:
                sampled[site] = hour
                rest.append(event)
    return first + rest


def _is_routine(event: Event) -> bool:
    kind = event["type"]
    return kind == "noc.sample" or (kind == "noc.activity" and bool(event["data"]["kind"] != "sos"))


def _is_heartbeat(event: Event) -> bool:
    """Only signs of life; inventory names the type."""
    return event["type"] == "noc.device" and all(row["status"] == "seen" and "type" not in row for row in rows(event))


def _deliveries(events: Sequence[Event]) -> Iterator[list[Event]]:
    """About `ROWS` rows each."""
    delivery: list[Event] = []
    size = 0
    for event in events:
        delivery.append(event)
        size += len(rows(event))
        if size >= ROWS:
            yield delivery
            delivery, size = [], 0
    if delivery:
        yield delivery


def _groups(deliveries: Iterator[list[Event]], size: int) -> Iterator[list[list[Event]]]:
    group: list[list[Event]] = []
    for delivery in deliveries:
        group.append(delivery)
        if len(group) >= size:
            yield group
            group = []
    if group:
        yield group
