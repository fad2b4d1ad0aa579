"""The simulator: a seed in, events and the truth behind them out.

Owns the composition of the models. The same seed, scale, start and scenario, with the same acts at the same times, give
the same events byte for byte, whatever the speed at which they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from engine.simulator import inventory, world
from engine.simulator.causes import Models
from engine.simulator.devices import Devices
from engine.simulator.director import Director
from engine.simulator.distortions import Distortions
from engine.simulator.draws import Draws
from engine.simulator.fraud import Frauds
from engine.simulator.monitoring import Monitoring
from engine.simulator.nuisance import Nuisance
from engine.simulator.operation import Event, Operation
from engine.simulator.rhythm import HOUR
from engine.simulator.samples import Samples
from engine.simulator.scenarios import SCENARIOS, Scenario
from engine.simulator.staffing import Staffing
from engine.simulator.tickets import Helpdesk
from engine.simulator.tours import Activity, Tours
from engine.simulator.truth import Effect, Incident, Truth
from engine.simulator.work import Work

#: Inventory, the rota and the check-ins of shifts that run at the start come before it.
OPENING_HOURS = 9.0
#: A Monday.
DEFAULT_START = datetime(2026, 3, 2, tzinfo=UTC)


class Simulator:
    """An operation of 50 sites, 400 people and 1,500 devices (times `scale`), from `start` on.

    Without `routine` there are no heartbeats and no samples, which are most of the events; the rest is as it would be.
    `scenario` is a name of `SCENARIOS`; what it plans is counted from `planned_from` (default: `start`).

    >>> simulator = Simulator(seed=7, scale=0.1)
    >>> next(simulator.events(until=DEFAULT_START))["type"]
    'noc.client'

    Raises ValueError for an unknown scenario, a scale that is not above 0, or a start without a zone.
    """

    def __init__(
        self,
        seed: int = 1,
        scale: float = 1.0,
        start: datetime = DEFAULT_START,
        *,
        scenario: str = "normal",
        planned_from: datetime | None = None,
        routine: bool = True,
    ) -> None:
        if scenario not in SCENARIOS:
            raise ValueError(f"no scenario is called {scenario!r}; there are: {', '.join(SCENARIOS)}")
        if not 0 < scale <= 100:
            raise ValueError("scale must be above 0 and at most 100")
        if start.tzinfo is None:
            raise ValueError("start needs a time zone")
        self.seed, self.scale, self.scenario = seed, scale, scenario
        self._start = start.timestamp()
        draws = Draws(seed)
        self._operation = Operation(world.build(draws, scale), draws, self._start - OPENING_HOURS * HOUR)
        self._director = self._compose(SCENARIOS[scenario], (planned_from or start).timestamp(), routine)

    def _compose(self, plan: Scenario, planned_from: float, routine: bool) -> Director:
        operation, start = self._operation, self._start
        monitoring, helpdesk = Monitoring(operation), Helpdesk(operation, plan.tickets)
        devices = Devices(operation, helpdesk, monitoring, plan.faults)
        staffing = Staffing(operation, plan.absences)
        frauds = Frauds(operation, staffing, plan.frauds)
        tours, activity, work = Tours(operation, frauds), Activity(operation), Work(operation)
        staffing.on_planned.append(tours.planned)
        staffing.on_started.append(activity.started)
        models = self.models = Models(operation, helpdesk, monitoring, devices, staffing)
        director = Director(models, plan, self.scale)
        inventory.announce(operation)
        work.inventory()
        tours.open(start)
        activity.open(start)
        staffing.open(start)
        helpdesk.open_desks(start)
        devices.open(start, heartbeats=routine)
        work.open(start)
        if routine:
            Samples(operation, helpdesk, staffing).open(start)
        Distortions(operation, plan.distortions * self.scale).open(start)
        Nuisance(models, plan.alerts * self.scale, plan.flaps * self.scale).open(start)
        director.open(start, planned_from)
        return director

    @property
    def world(self) -> world.World:
        """The nouns, with the state that the models keep on them. To be read only."""
        return self._operation.world

    @property
    def truth(self) -> Truth:
        """What really happened, as far as it is certain; `standing` has what still goes on."""
        return self._operation.truth

    @property
    def now(self) -> datetime:
        """How far it has got."""
        return datetime.fromtimestamp(self._operation.now, UTC)

    @property
    def start(self) -> datetime:
        return datetime.fromtimestamp(self._start, UTC)

    def events(self, until: datetime) -> Iterator[Event]:
        """CloudEvents before `until`, in the order of their times; goes on where the last call stopped.

        `data` is one object or a list of them (`rows`); objects may be shared between events, so do not change them.
        """
        return self._operation.run(until.timestamp())

    def standing(self) -> list[Incident]:
        """The causes that have no record in the truth yet, because they go on or have only just ended."""
        return [cause.record() for cause in self._operation.causes.values()]

    def cause(self, kind: str) -> str:
        """Let a cause of this kind begin now → its id, "" when there was no place for it. Raises KeyError."""
        return self._director.cause(kind)

    def act(self, kind: str, target: str, at: datetime | None = None) -> Effect:
        """An intervention on an id: restart_service, rollback, dispatch, assign, configure, maintain, synchronise, call
        or fail_over.

        It happens now, or at `at` if that is still to come ("scheduled"; what it did is in the truth then).
        """
        due = self._operation.now if at is None else at.timestamp()
        if due > self._operation.now:
            self._operation.at(due, self._director.act, kind, target)
            return "scheduled"
        return self._director.act(kind, target)

    def knows(self, target: str) -> bool:
        """Whether a device, site, person, service, shift or open ticket has this id."""
        return self._director.knows(target)


def rows(event: Event) -> list[dict[str, Any]]:
    """The rows of an event's data, of which there may be one or many."""
    data = event["data"]
    return data if isinstance(data, list) else [data]
