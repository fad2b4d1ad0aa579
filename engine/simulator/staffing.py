"""Shifts and attendance: who is due, who comes, when, and who does not.

A rota is published the day before at noon. Lateness and absence depend on the person, the weekday, holidays, weather
and illness, and on the strain a person is under, which builds up over several shifts and shows in lateness before it
shows in absence. Half of all absences are announced; most of those find a replacement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, Protocol

from engine.simulator import rhythm
from engine.simulator.draws import between
from engine.simulator.operation import Operation, text_of
from engine.simulator.rhythm import HOUR
from engine.simulator.truth import Effect, Gap
from engine.simulator.world import Device, Person, Site

#: Kind → local start and end; the night ends on the next day.
SHIFTS = {"day": (6.0, 14.0), "evening": (14.0, 22.0), "night": (22.0, 30.0)}
#: Somebody who is not there so long after the start is missing.
GAP_SECONDS = 1800.0
#: A shift is decided (who calls in sick, who is late) so long before it starts.
DECIDED_HOURS = 12.0


@dataclass(slots=True, eq=False)
class Shift:
    """`pattern` is the fraud that the check-in will be, "" for an honest one."""

    id: str
    site: Site
    person: Person
    kind: str
    starts: float
    ends: float
    random: Random
    state: str = "scheduled"
    arrives: float | None = None
    in_at: float | None = None
    announced: bool = False
    covered: bool = False
    relief: Shift | None = None
    pattern: str = ""

    @property
    def present(self) -> bool:
        """Really there, which after a colleague's check-in for somebody else is not the case."""
        return self.in_at is not None and self.pattern != "buddy_checkin"


class Impostor(Protocol):
    """Decides which check-ins lie, and makes them."""

    def plan(self, shift: Shift) -> str: ...
    def check_in(self, shift: Shift, data: dict[str, Any]) -> bool: ...


class Staffing:
    """`absences` multiplies everybody's rate. `present` counts the people who are there by site."""

    def __init__(self, operation: Operation, absences: float) -> None:
        self._operation, self._absences = operation, absences
        self.present: Counter[str] = Counter()
        self.shifts: dict[str, Shift] = {}
        self.impostor: Impostor | None = None
        #: Called with each shift that is published, and with each that somebody has really begun.
        self.on_planned: list[Callable[[Shift], None]] = []
        self.on_started: list[Callable[[Shift], None]] = []

    def open(self, start: float) -> None:
        """From now (before `start`) on: what is running at `start` has its check-ins already."""
        for site in self._operation.world.sites:
            random = self._operation.draws.of("staffing", site.id)
            today = rhythm.local_date(site.city, start)
            for days in (-1, 0, 1):
                self._plan(site, today + timedelta(days=days), random)
            self._operation.at(rhythm.moment(site.city, today + timedelta(days=1), 12.0), self._daily, site, random)

    def _daily(self, site: Site, random: Random) -> None:
        today = rhythm.local_date(site.city, self._operation.now)
        self._plan(site, today + timedelta(days=1), random)
        self._operation.at(rhythm.moment(site.city, today + timedelta(days=1), 12.0), self._daily, site, random)

    # -- the rota

    def _plan(self, site: Site, day: date, random: Random) -> None:
        guards = [person for person in site.people if person.role == "guard"]
        on = [person for person in guards if (day.toordinal() + person.rota) % 7 < 5]
        turn = day.toordinal() // 7
        people = iter(sorted(on, key=lambda person: ((person.rota + turn) % len(guards), person.id)))
        for kind, number in site.posts.items():
            for post in range(number):
                person = next(people, None)
                if person is not None:
                    self._schedule(site, day, kind, post + 1, person, random)

    def _schedule(  # noqa: PLR0917 - what a shift consists of
        self, site: Site, day: date, kind: str, post: int, person: Person, random: Random
    ) -> None:
        starts, ends = (rhythm.moment(site.city, day, hour) for hour in SHIFTS[kind])
        if starts <= self._operation.now:
            return
        shift = Shift(f"shift-{day:%y%m%d}-{site.id}-{kind}-{post}", site, person, kind, starts, ends, random)
        self._publish(shift)
        self._operation.at(starts - DECIDED_HOURS * HOUR, self._decide, shift)

    def _publish(self, shift: Shift) -> None:
        self.shifts[shift.id] = shift
        self._tell(shift)
        for told in self.on_planned:
            told(shift)
        self._operation.at(shift.starts + GAP_SECONDS, self._check_gap, shift)
        self._operation.at(shift.ends + 4 * HOUR, self._forget, shift)

    def _tell(self, shift: Shift) -> None:
        data = {
            "id": shift.id,
            "site": shift.site.id,
            "person": shift.person.id,
            "post": shift.kind,
            "starts_at": text_of(shift.starts),
            "ends_at": text_of(shift.ends),
            "state": shift.state,
        }
        self._operation.emit("noc.shift", data)

    def _forget(self, shift: Shift) -> None:
        self.shifts.pop(shift.id, None)

    # -- what will come of it

    def _decide(self, shift: Shift) -> None:
        person, random = shift.person, shift.random
        self._strain(person, random)
        if random.random() < self.absence_rate(shift):
            if random.random() < 0.5:
                soon = max(shift.starts - between(random, 1.0, 11.0) * HOUR, self._operation.now)
                self._operation.at(soon, self._call_in_sick, shift)
            return
        weekday = 2.0 if rhythm.local_date(shift.site.city, shift.starts).weekday() == 0 else 0.0
        late = random.gauss(person.lateness + 14.0 * person.strain + weekday, person.spread * (1 + person.strain))
        if self.impostor is not None:
            shift.pattern = self.impostor.plan(shift)
        if shift.pattern == "late_with_fix":
            late = between(random, 12.0, 35.0)
        shift.arrives = shift.starts + 60.0 * min(75.0, max(-25.0, late))
        self._operation.at(shift.arrives, self._leave_home, shift)

    def _strain(self, person: Person, random: Random) -> None:
        """A strained time begins by chance, grows over some shifts and is over after the absence or by itself."""
        if person.straining:
            person.strain += between(random, 0.1, 0.3)
            if person.strain > 1.0:
                person.strain, person.straining = 0.0, False
        elif random.random() < 0.025:
            person.straining = True

    def absence_rate(self, shift: Shift) -> float:
        """The probability that the person does not come to this shift."""
        person, day = shift.person, rhythm.local_date(shift.site.city, shift.starts)
        rate = person.absence * self._absences * (1.0 + 0.6 * (day.weekday() >= 5))
        if rhythm.is_holiday(shift.site.city.country, day.month, day.day):
            rate *= 2.0
        return min(0.95, rate + 0.3 * person.strain**2 + 0.45 * shift.site.illness)

    def _call_in_sick(self, shift: Shift) -> None:
        shift.state, shift.announced = "absent", True
        self._tell(shift)
        if shift.random.random() < 0.55 * (1.0 - shift.site.illness):
            self._operation.after(between(shift.random, 600.0, 5400.0), self._replace, shift, 0.0)

    # -- coming and going

    def _leave_home(self, shift: Shift) -> None:
        """Weather holds people up on the way; this is when they would have been there."""
        delay = 60.0 * shift.site.weather * between(shift.random, 4.0, 30.0)
        self._operation.after(delay, self._check_in, shift)

    def _check_in(self, shift: Shift) -> None:
        if shift.in_at is not None or shift.covered:
            return
        data = self._attendance(shift, "in")
        if self.impostor is not None and shift.pattern and self.impostor.check_in(shift, data):
            return
        self.begin(shift, data)

    def begin(self, shift: Shift, data: dict[str, Any]) -> str:
        """The check-in happens → the id of its event."""
        shift.in_at = self._operation.now
        id = self._operation.emit("noc.attendance", data)
        if shift.present:
            self.present[shift.site.id] += 1
            for told in self.on_started:
                told(shift)
        leaves = shift.ends + 60.0 * shift.random.gauss(4.0, 4.0)
        self._operation.at(max(leaves, self._operation.now + 600.0), self._check_out, shift)
        return id

    def _check_out(self, shift: Shift) -> None:
        if shift.present:
            self.present[shift.site.id] -= 1
        if shift.random.random() > 0.01:
            self._operation.emit("noc.attendance", self._attendance(shift, "out"))

    def _attendance(self, shift: Shift, kind: str) -> dict[str, Any]:
        site, person, random = shift.site, shift.person, shift.random
        accuracy = 5.0 + 9.0 * random.random() + 90.0 * site.weather * random.random()
        if random.random() < 0.02:
            accuracy += 60.0 * random.random()
        spread = 0.18 * site.radius_m + 0.4 * accuracy
        device, method = self._terminal(person, random)
        data: dict[str, Any] = {
            "person": person.id,
            "site": site.id,
            "kind": kind,
            "shift": shift.id,
            "point": site.point(random.gauss(0.0, spread), random.gauss(0.0, spread)),
            "accuracy_m": round(accuracy, 1),
            "device": device.id if device is not None else "",
            "method": method,
        }
        if method in ("face", "finger"):
            score = random.gauss(person.face, 0.025) - 0.1 * site.weather * random.random()
            data["biometric"] = round(min(1.0, max(0.0, score)), 3)
        return data

    def _terminal(self, person: Person, random: Random) -> tuple[Device | None, str]:
        """The own phone mostly, else a reader of the site, else by hand when neither is online."""
        phone, wants_reader = person.phone, random.random() < 0.25
        reader = random.choice(person.site.of_type("reader"))
        if phone is not None and not phone.down and not wants_reader:
            return phone, "face"
        if not reader.down:
            return reader, "finger" if random.random() < 0.7 else "badge"
        if phone is not None and not phone.down:
            return phone, "face"
        return None, "manual"

    # -- gaps

    def _check_gap(self, shift: Shift) -> None:
        if shift.present or shift.covered:
            return
        at = text_of(shift.starts)
        gap = Gap(shift=shift.id, at=at, site=shift.site.id, announced=shift.announced)
        self._operation.truth.add(gap)
        if shift.random.random() < 0.4 and shift.in_at is None:
            self._operation.after(between(shift.random, 900.0, 5400.0), self._replace, shift, 1200.0)

    def _replace(self, shift: Shift, travel: float) -> Effect:
        """Somebody who is free takes it over, and is there `travel` seconds from now or at the start."""
        if shift.present or shift.covered:
            return "nothing"
        taken = {other.person.id for other in self.shifts.values() if abs(other.starts - shift.starts) < 14 * HOUR}
        free = [person for person in shift.site.people if person.role == "guard" and person.id not in taken]
        if not free:
            return "nothing"
        shift.covered = True
        person = shift.random.choice(free)
        relief = Shift(f"{shift.id}-relief", shift.site, person, shift.kind, shift.starts, shift.ends, shift.random)
        shift.relief = self.shifts[relief.id] = relief
        self._tell(relief)
        relief.arrives = max(shift.starts - 120.0, self._operation.now + travel)
        self._operation.at(relief.arrives, self._check_in, relief)
        self._operation.at(relief.ends + 4 * HOUR, self._forget, relief)
        return "ended"

    def assign(self, id: str) -> Effect:
        """Send a replacement guard to a shift: there in twenty to forty minutes."""
        shift = self.shifts.get(id)
        if shift is None:
            return "nothing"
        effect = self._replace(shift, between(shift.random, 1200.0, 2400.0))
        if effect == "ended":
            # The rota has somebody else for it now: whoever was due is excused.
            shift.state = "absent"
            self._tell(shift)
        return effect

    def call(self, id: str) -> Effect:
        """Telephone somebody: whoever is there takes the call, which is a sign of life."""
        on = [shift for shift in self.shifts.values() if shift.person.id == id and shift.present]
        if not any(shift.starts <= self._operation.now <= shift.ends for shift in on):
            return "nothing"
        data = {"person": id, "kind": "phone", "site": on[0].site.id, "count": 1}
        self._operation.after(20.0, self._operation.emit, "noc.activity", data)
        return "ended"
