"""Rounds and the signs of life of people on shift.

Each present guard walks rounds of the site's checkpoints in order, with dwell at each and movement between them. A
guard who is not there walks none; a ghost round is scanned at the desk, without a metre moved.
"""

from __future__ import annotations

from random import Random
from typing import Any

from engine.simulator.draws import around, between
from engine.simulator.fraud import Frauds
from engine.simulator.operation import Operation, text_of
from engine.simulator.staffing import Shift
from engine.simulator.world import Person

#: Kind of shift → hours into the shift at which a round's window opens.
ROUNDS = {"day": (2.0, 5.5), "evening": (1.0, 3.5, 6.0), "night": (0.75, 2.75, 4.75, 6.5)}
WINDOW_SECONDS = 5400.0


class Tours:
    """Only the first guard of a site's shift has rounds; `planned` tells what is due from the rota alone."""

    def __init__(self, operation: Operation, frauds: Frauds) -> None:
        self._operation, self._frauds = operation, frauds
        self._randoms = {site.id: operation.draws.of("tours", site.id) for site in operation.world.sites}
        self._start = 0.0

    def open(self, start: float) -> None:
        self._start = start

    def planned(self, shift: Shift) -> None:
        """The rounds of a shift that was published, if it has any."""
        if not shift.id.endswith("-1"):
            return
        for number, hours in enumerate(ROUNDS[shift.kind]):
            opens = shift.starts + 3600.0 * hours
            if opens > self._start:
                id = f"tour-{shift.id.removeprefix('shift-')}-{number + 1}"
                self._operation.at(max(self._start, shift.starts - 900.0), self._announce, id, shift, opens)

    def _announce(self, id: str, shift: Shift, opens: float) -> None:
        points = shift.site.checkpoints
        step = (WINDOW_SECONDS - 600.0) / len(points)
        due = [{"id": point[0], "due_at": text_of(opens + step * (n + 1))} for n, point in enumerate(points)]
        data = {
            "id": id,
            "action": "scheduled",
            "site": shift.site.id,
            "person": shift.person.id,
            "shift": shift.id,
            "starts_at": text_of(opens),
            "ends_at": text_of(opens + WINDOW_SECONDS),
            "checkpoints": due,
        }
        self._operation.emit("noc.tour", data)
        random = self._randoms[shift.site.id]
        self._operation.at(opens + between(random, 60.0, 1500.0), self._walk, id, shift, random)

    def _walk(self, id: str, shift: Shift, random: Random) -> None:
        if not shift.present and shift.relief is not None:
            shift = shift.relief
        if not shift.present or random.random() < 0.008:
            return
        ghost = self._frauds.ghosts(shift.person)
        self._operation.emit("noc.tour", self._row(id, "started", shift))
        pace = 0.25 if ghost else between(random, 0.8, 1.3)
        self._operation.after(between(random, 20.0, 90.0), self._scan, id, shift, random, 0, pace, ghost)

    def _scan(  # noqa: PLR0917 - where a round has got to
        self, id: str, shift: Shift, random: Random, number: int, pace: float, ghost: bool
    ) -> None:
        points = shift.site.checkpoints
        if number >= len(points):
            self._operation.emit("noc.tour", self._row(id, "finished", shift))
            return
        checkpoint, east, north = points[number]
        if ghost or random.random() > 0.012:
            self._scanned(id, shift, random, checkpoint, None if ghost else (east, north))
        if number + 1 < len(points):
            _, next_east, next_north = points[number + 1]
            metres = ((next_east - east) ** 2 + (next_north - north) ** 2) ** 0.5
        else:
            metres = 40.0
        seconds = between(random, 12.0, 40.0) if ghost else (metres / 1.1 + around(random, 60.0, 0.5)) * pace
        if not ghost:
            moved = {"person": shift.person.id, "kind": "movement", "site": shift.site.id}
            self._operation.emit("noc.activity", moved | {"metres": round(metres * between(random, 1.0, 1.4), 1)})
        self._operation.after(seconds, self._scan, id, shift, random, number + 1, pace, ghost)

    def _scanned(
        self, id: str, shift: Shift, random: Random, checkpoint: str, place: tuple[float, float] | None
    ) -> None:
        site, person = shift.site, shift.person
        east, north = place or (3.0, -2.0)
        noise = 4.0 + 25.0 * site.weather
        data = self._row(id, "scan", shift) | {
            "checkpoint": checkpoint,
            "dwell_s": round(around(random, 25.0, 0.5) if place else between(random, 1.0, 4.0), 1),
            "point": site.point(east + random.gauss(0, noise), north + random.gauss(0, noise))
            if place
            else site.point(east, north),
            "device": person.phone.id if person.phone else "",
        }
        event = self._operation.emit("noc.tour", data)
        if place is None:
            self._frauds.record(event, person, site, "ghost_rounds")

    def _row(self, id: str, action: str, shift: Shift) -> dict[str, Any]:
        return {"id": id, "action": action, "site": shift.site.id, "person": shift.person.id}


class Activity:
    """Phone, location, movement and tasks of everybody on shift, every ten to twenty minutes."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._randoms = {site.id: operation.draws.of("activity", site.id) for site in operation.world.sites}
        self._start = 0.0

    def open(self, start: float) -> None:
        self._start = start

    def started(self, shift: Shift) -> None:
        random = self._randoms[shift.site.id]
        first = max(self._start, self._operation.now) + between(random, 60.0, 900.0)
        self._operation.at(first, self._sign, shift, shift.person, random)

    def _sign(self, shift: Shift, person: Person, random: Random) -> None:
        if self._operation.now > shift.ends:
            return
        self._operation.after(between(random, 500.0, 1300.0), self._sign, shift, person, random)
        kind = random.choices(("phone", "location", "movement", "task"), (25, 35, 30, 10))[0]
        data: dict[str, Any] = {"person": person.id, "kind": kind, "site": shift.site.id}
        if kind == "phone":
            data["count"] = random.randrange(1, 5)
        elif kind == "movement":
            data["metres"] = round(around(random, 80.0, 0.8), 1)
        elif kind == "location":
            spread = 0.3 * shift.site.radius_m
            data["point"] = shift.site.point(random.gauss(0, spread), random.gauss(0, spread))
            data["accuracy_m"] = round(6.0 + 10.0 * random.random() + 80.0 * shift.site.weather * random.random(), 1)
        if person.phone is not None:
            data["device"] = person.phone.id
        self._operation.emit("noc.activity", data)
