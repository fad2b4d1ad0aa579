"""A simulated operation in front of the line, with the shipped playbooks behind it: whole days in seconds.

Everything between an event of the simulator and an act on it is the product's: format, line, runner, actions. The clock
is the simulator's, so that the same seed gives the same runs. Without the routine (heartbeats and samples) nobody is
taken for silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from data.nouns.playbooks import Approval, Execution
from data.records import Incident, Partition, TenantId
from engine.clock import SystemClock
from engine.effects import around
from engine.formats.cloudevents import FORMAT
from engine.playbooks.library import open_library
from engine.playbooks.runner import StepRunner
from engine.playbooks.steps import ACTION
from engine.ports import Envelope, EnvelopeKind, Parsed, Receipt, Received
from engine.rules import compile_rules
from engine.settings import Settings
from engine.simulator import DEFAULT_START, Simulator, truth
from engine.simulator.operation import Event
from engine.simulator.outside import outside_of, settings_for
from engine.simulator.places import PARK
from engine.simulator.source import Play, SimulatorSource
from tests.fakes.line import Line

_HEADERS = {"content-type": "application/cloudevents-batch+json"}
_FOREVER_MINUTES = 100_000.0
_encode = msgspec.json.Encoder().encode


class LineClock:
    """The line's time; nobody waits."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def now(self) -> datetime:
        return self._line.now

    def monotonic(self) -> float:
        return self._line.now.timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class SimulatedWorld:
    """`records` are the truth so far. `chosen` are the shipped playbooks that are on, all by default."""

    def __init__(
        self, seed: int, scale: float = 0.1, *, scenario: str = "quiet", chosen: Sequence[str] = ("all",)
    ) -> None:
        self.source = SimulatorSource(Play(seed=seed, scale=scale, scenario=scenario), SystemClock(), TenantId("main"))
        self.simulator = Simulator(seed, scale, scenario=scenario, routine=False)
        self.source.simulator, self.source.at_rest = self.simulator, True
        audit = replace(Settings().audit, silence_minutes={kind: _FOREVER_MINUTES for kind in (*PARK, "other")})
        settings = Settings(playbooks=replace(settings_for(scale), shipped=tuple(chosen)), audit=audit)
        library = open_library(around(settings, SystemClock(), outside_of(self.source)))
        assert not library.troubles, library.troubles
        self.line = Line(rules=replace(compile_rules(settings), playbooks=library))
        self.line.now = DEFAULT_START
        self.records: list[truth.Record] = []
        self._begun: set[str] = set()
        self._tasks: list[asyncio.Task[Any]] = []
        self._runner = StepRunner(
            take=self._take, actions=lambda: library.actions, clock=LineClock(self.line), spawn=self._spawn
        )

    # -- driving

    async def run(self, hours: float, step_seconds: float = 10.0) -> SimulatedWorld:
        end = self.line.now + timedelta(hours=hours)
        while self.line.now < end:
            await self.step(step_seconds)
        return self

    async def step(self, seconds: float) -> None:
        """What has happened since, a tick, and what playbooks do about it."""
        before = self.line.now
        self.line.now = before + timedelta(seconds=seconds)
        self._deliver(list(self.simulator.events(self.line.now)))
        self.line.put(self.line.envelope(EnvelopeKind.TICK, before))
        while due := self._due():
            for key in due:
                self._begun.add(key)
                await self._runner.run(self.line.store.effects[key])
            while self._tasks:
                await asyncio.gather(*[self._tasks.pop() for _ in list(self._tasks)])
        self.records += self.simulator.truth.take()

    def _deliver(self, events: list[Event]) -> None:
        for first in range(0, len(events), 200):
            received = Received(
                body=_encode(events[first : first + 200]),
                headers=_HEADERS,
                source="simulator",
                tenant=self.line.tenant,
                now=self.line.now,
            )
            parts: Sequence[Parsed] = FORMAT.parse(received).parts
            for part in parts:
                assert not part.rejects
                for kind, rows in ((EnvelopeKind.EVENTS, part.events), (EnvelopeKind.SIGNALS, part.signals)):
                    if rows:
                        self.line.put(self.line.envelope(kind, rows))

    def _due(self) -> list[str]:
        return [
            effect.key
            for effect in self.line.store.effects.values()
            if effect.action == ACTION
            and effect.key not in self._begun
            and (effect.due_at is None or effect.due_at <= self.line.now)
        ]

    async def _take(self, envelope: Envelope) -> Receipt:
        (result,) = self.line.put(replace(envelope, at=self.line.now))
        return Receipt(partition=Partition(0), seq=self.line.book.seq, result=result)

    def _spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        self._tasks.append(asyncio.get_running_loop().create_task(work))
        return self._tasks[-1]

    # -- looking

    def nouns(self, kind: str) -> list[Any]:
        return [found for (name, *_), found in self.line.store.nouns.items() if name == kind]

    def runs(self, playbook: str = "") -> list[Execution]:
        return [run for run in self.nouns("executions") if not playbook or run.playbook == playbook]

    def approvals(self, state: str = "open") -> list[Approval]:
        return [one for one in self.nouns("approvals") if one.state == state]

    def incidents(self) -> list[Incident]:
        return list(self.line.store.incidents.values())

    def acts(self) -> list[truth.Act]:
        return [record for record in self.records if isinstance(record, truth.Act)]

    def harmful(self) -> list[truth.Act]:
        """Acts that did damage, or that were done to what was well."""
        return [act for act in self.acts() if act.effect == "harm" or act.healthy]
