"""What a cause is: something that breaks several things at once, has an end, and may be ended by the right act."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from engine.simulator.devices import Devices
from engine.simulator.monitoring import Monitoring
from engine.simulator.operation import Operation, text_of
from engine.simulator.staffing import Staffing
from engine.simulator.tickets import Helpdesk
from engine.simulator.truth import Effect, Incident
from engine.simulator.world import Site

#: After its end a cause still collects what comes of it (recoveries, tickets that close) for so long.
AFTERMATH_SECONDS = 900.0


@dataclass(slots=True)
class Models:
    """What a cause works on."""

    operation: Operation
    helpdesk: Helpdesk
    monitoring: Monitoring
    devices: Devices
    staffing: Staffing


class Cause:
    """Subclasses give `begin`, which sets the trouble going, and `finish`, which takes it back.

    `remedy` on one of `targets` ends it; "" = nothing that an operator does will. `entities` are ids.
    """

    kind: ClassVar[str] = ""

    def __init__(self, models: Models, id: str, random: Random) -> None:
        self.models, self.id, self.random = models, id, random
        self.operation = models.operation
        self.sites: list[Site] = []
        self.entities: list[str] = []
        self.events: list[str] = []
        self.remedy = ""
        self.targets: tuple[str, ...] = ()
        self.start = models.operation.now
        self.ended_at: float | None = None
        self.ended_by = "itself"
        self._due = 0.0

    def begin(self) -> bool:
        """Set it going → False when there is nothing here that it could befall."""
        raise NotImplementedError

    def finish(self) -> None:
        """Take back what holds as long as the cause does."""

    def acted(self, act: str, target: str) -> Effect | None:
        """What an act does to this cause; None when it has nothing to do with it."""
        if target not in self.targets:
            return None
        if act != self.remedy:
            return None
        self.end(act)
        return "ended"

    @property
    def over(self) -> bool:
        return self.ended_at is not None

    def due_in(self, seconds: float) -> None:
        """Let it end by itself in so many seconds, unless it is told otherwise before."""
        self._due = self.operation.now + seconds
        self.operation.at(self._due, self._maybe_end, self._due)

    def shorten(self, seconds: float, by: str) -> Effect:
        """An end in so many seconds, if that is sooner than the one it would have had."""
        if self.operation.now + seconds < self._due:
            self.ended_by = by
            self.due_in(seconds)
            return "shortened"
        return "nothing"

    def end(self, by: str = "") -> None:
        if self.over:
            return
        self.ended_at = self.operation.now
        self.ended_by = by or self.ended_by
        self.finish()
        self.operation.after(AFTERMATH_SECONDS, self._settle)

    def record(self) -> Incident:
        """What is known of it by now."""
        return Incident(
            id=self.id,
            kind=self.kind,
            start=text_of(self.start),
            end=None if self.ended_at is None else text_of(self.ended_at),
            entities=tuple(self.entities),
            sites=tuple(site.id for site in self.sites),
            events=tuple(self.events),
            remediable=bool(self.remedy),
            remedy=self.remedy,
            targets=self.targets,
            ended_by=self.ended_by,
        )

    def _maybe_end(self, due: float) -> None:
        if due == self._due:
            self.end()

    def _settle(self) -> None:
        self.operation.truth.add(self.record())
        self.operation.causes.pop(self.id, None)
