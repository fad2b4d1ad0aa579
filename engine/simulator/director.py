"""Lets causes happen and acts take effect.

Owns when causes begin (by rate and by plan), what an act of an operator or a playbook does, and the record of it.
"""

from __future__ import annotations

from random import Random

from engine.simulator.causes import KINDS, Cause, Models
from engine.simulator.operation import text_of
from engine.simulator.places import SERVICES
from engine.simulator.rhythm import DAY
from engine.simulator.scenarios import Scenario
from engine.simulator.truth import Act, Effect

#: Words that other parts of the product use for the same act.
SAME_ACT = {
    "assign_resource": "assign",
    "replace_guard": "assign",
    "update_configuration": "configure",
    "roll_back": "rollback",
    "restart": "restart_service",
    "replace_battery": "maintain",
    "visit": "maintain",
    "lock": "configure",
    "stand_in": "assign",
}


class Director:
    def __init__(self, models: Models, scenario: Scenario, scale: float) -> None:
        self._models, self._operation = models, models.operation
        self._scenario, self._scale = scenario, scale
        self._numbers = 0

    def open(self, start: float, planned_from: float) -> None:
        for kind, per_day in self._scenario.causes.items():
            random = self._operation.draws.of("arrival", kind)
            rate = per_day * self._scale / DAY
            self._operation.at(start + random.expovariate(rate), self._arrive, kind, rate, random)
        for minutes, kind in self._scenario.planned:
            begins = planned_from + 60.0 * minutes
            if begins >= start:
                self._operation.at(begins, self.cause, kind)

    def _arrive(self, kind: str, rate: float, random: Random) -> None:
        self._operation.after(random.expovariate(rate), self._arrive, kind, rate, random)
        self.cause(kind)

    def cause(self, kind: str) -> str:
        """Let one begin → its id, "" when there was no place for it."""
        self._numbers += 1
        id = f"cause-{kind}-{self._numbers:04d}"
        cause = KINDS[kind](self._models, id, self._operation.draws.of("cause", id))
        self._operation.causes[id] = cause
        for _ in range(3):
            if cause.begin():
                return id
        del self._operation.causes[id]
        return ""

    def at_work(self) -> list[Cause]:
        return [cause for cause in self._operation.causes.values() if not cause.over]

    # -- acts

    def act(self, kind: str, target: str) -> Effect:
        """Do it now, and record what it did."""
        kind = SAME_ACT.get(kind, kind)
        healthy = self._is_well(kind, target)
        effect, cause = self._effect(kind, target)
        at = text_of(self._operation.now)
        self._operation.truth.add(Act(kind=kind, target=target, at=at, effect=effect, cause=cause, healthy=healthy))
        return effect

    def _is_well(self, kind: str, target: str) -> bool:
        """Whether there is nothing wrong with the target. A call, and a case that is taken up, can do no harm."""
        if kind in ("call", "assign"):
            shift = self._models.staffing.shifts.get(target)
            return shift is not None and shift.present
        if any(target in (*cause.entities, *cause.targets) for cause in self.at_work()):
            return False
        device = self._operation.world.device.get(target)
        return device is None or self._models.devices.is_well(device)

    def knows(self, target: str) -> bool:
        world, models = self._operation.world, self._models
        if target in world.device or target in SERVICES or target in models.staffing.shifts:
            return True
        return (
            target in models.helpdesk.open_tickets
            or any(site.id == target for site in world.sites)
            or any(person.id == target for person in world.people)
        )

    def _effect(self, kind: str, target: str) -> tuple[Effect, str]:
        for cause in self.at_work():
            effect = cause.acted(kind, target)
            if effect is not None:
                return effect, cause.id
        if kind == "assign":
            ticket = self._models.helpdesk.assign(target)
            return (ticket if ticket != "nothing" else self._models.staffing.assign(target)), ""
        if kind == "call":
            return self._models.staffing.call(target), ""
        device = self._operation.world.device.get(target)
        if kind == "synchronise" and device is not None:
            return self._models.devices.synchronise(device), ""
        if kind in ("restart_service", "maintain"):
            return self._on_device(kind, target), ""
        return "nothing", ""

    def _on_device(self, kind: str, target: str) -> Effect:
        """The right treatment ends a decline; a restart of what works is an outage of its own."""
        device = self._operation.world.device.get(target)
        if device is None:
            return self._on_service(target) if kind == "restart_service" else "nothing"
        if device.down:
            return self._models.devices.revive(device, kind)
        cures = {"restart_service": ("software",), "maintain": ("battery", "hardware")}[kind]
        ailing = device.decline is not None and device.decline.kind in cures
        if ailing:
            self._models.devices.heal(device, kind)
        if kind == "maintain":
            return "ended" if ailing else self._models.devices.visit(device)
        self._models.devices.bounce(device, 120.0)
        return "ended" if ailing else "harm"

    def _on_service(self, target: str) -> Effect:
        if target not in SERVICES:
            return "nothing"
        monitoring = self._models.monitoring
        title = f"{target} was restarted"
        key = monitoring.fire("metrics-monitor", "ServiceRestarted", title, "high", service=target)
        self._operation.after(180.0, monitoring.resolve, key)
        return "harm"
