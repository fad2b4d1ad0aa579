"""Attendance that lies: who does it, how it looks, and the record of each such event.

A few people are prone to one pattern and fall back on it; others do it once in a while. Patterns: device_sharing,
badge_sharing, buddy_checkin, impossible_travel, geofence_edge, late_with_fix, and ghost_rounds (made by the tours).
"""

from __future__ import annotations

from math import cos, pi, sin
from typing import Any

from engine.simulator.draws import between
from engine.simulator.operation import Operation, text_of
from engine.simulator.staffing import Shift, Staffing
from engine.simulator.truth import Fraud
from engine.simulator.world import METRES_PER_DEGREE, Person, Site

PATTERNS = (
    "device_sharing", "badge_sharing", "buddy_checkin", "impossible_travel", "geofence_edge", "late_with_fix",
    "ghost_rounds",
)  # fmt: skip
#: Of all people so many are prone; they do it on a quarter of their shifts, the others on three in a thousand.
PRONE_SHARE, PRONE_RATE, OTHERS_RATE = 0.09, 0.25, 0.003


class Frauds:
    """`rate` multiplies both rates; at 1 about one attendance event in a hundred is fraud."""

    def __init__(self, operation: Operation, staffing: Staffing, rate: float) -> None:
        self._operation, self._staffing, self._rate = operation, staffing, rate
        self._random = operation.draws.of("fraud")
        choice = operation.draws.of("prone")
        for person in operation.world.people:
            if choice.random() < PRONE_SHARE:
                person.prone = choice.choice(PATTERNS)
        staffing.impostor = self

    def record(self, event: str, person: Person, site: Site, pattern: str) -> None:
        at = text_of(self._operation.now)
        self._operation.truth.add(Fraud(event=event, person=person.id, site=site.id, pattern=pattern, at=at))

    def ghosts(self, person: Person) -> bool:
        """Whether a round of this person is walked on paper only."""
        share = PRONE_RATE if person.prone == "ghost_rounds" else OTHERS_RATE
        return self._random.random() < share * self._rate

    # -- the check-ins

    def plan(self, shift: Shift) -> str:
        """The pattern of this check-in, "" for an honest one."""
        random, person = self._random, shift.person
        share = PRONE_RATE if person.prone not in ("", "ghost_rounds") else OTHERS_RATE
        if random.random() >= share * self._rate:
            return ""
        return person.prone if person.prone not in ("", "ghost_rounds") else random.choice(PATTERNS[:-1])

    def check_in(self, shift: Shift, data: dict[str, Any]) -> bool:
        """Change what the check-in says → whether it is dealt with here (else it goes on as changed)."""
        getattr(self, f"_{shift.pattern}")(shift, data)
        return True

    def _begin(self, shift: Shift, data: dict[str, Any]) -> None:
        self.record(self._staffing.begin(shift, data), shift.person, shift.site, shift.pattern)

    def _device_sharing(self, shift: Shift, data: dict[str, Any]) -> None:
        """On a colleague's phone, always the same one."""
        colleague = _colleague(shift.person)
        data.update(device=colleague.phone.id if colleague.phone else "", method="face")
        data["biometric"] = round(between(self._random, 0.62, 0.88), 3)
        self._begin(shift, data)

    def _badge_sharing(self, shift: Shift, data: dict[str, Any]) -> None:
        """The badge comes, the face does not."""
        data.update(device=self._random.choice(shift.site.of_type("reader")).id, method="badge")
        data.pop("biometric", None)
        self._begin(shift, data)

    def _buddy_checkin(self, shift: Shift, data: dict[str, Any]) -> None:
        """A colleague checks in for both, within minutes on one phone; the face does not fit."""
        mates = [
            other
            for other in self._staffing.shifts.values()
            if other.site is shift.site and other.starts == shift.starts and other.person is not shift.person
        ]
        arrivals = [(mate.in_at or mate.arrives or 0.0, mate) for mate in mates if mate.arrives is not None]
        if not arrivals:
            shift.pattern = "device_sharing"
            self._device_sharing(shift, data)
            return
        arrives, buddy = max(arrivals, key=lambda arrival: arrival[0])
        data.update(device=buddy.person.phone.id if buddy.person.phone else "", method="face")
        data["biometric"] = round(between(self._random, 0.28, 0.66), 3)
        self._operation.at(arrives + between(self._random, 30.0, 240.0), self._begin, shift, data)

    def _impossible_travel(self, shift: Shift, data: dict[str, Any]) -> None:
        """Here, and minutes later far away: the second check-in is the lie."""
        self._staffing.begin(shift, data)
        self._operation.after(between(self._random, 240.0, 1200.0), self._elsewhere, shift, data)

    def _elsewhere(self, shift: Shift, data: dict[str, Any]) -> None:
        far = [site for site in self._operation.world.sites if _distance_km(site, shift.site) > 60.0]
        if not far:
            return
        site = self._random.choice(far)
        lie = {**data, "site": site.id, "shift": "", "point": site.point(self._random.gauss(0, 20), 5.0)}
        lie["biometric"] = round(between(self._random, 0.6, 0.93), 3)
        self.record(self._operation.emit("noc.attendance", lie), shift.person, site, shift.pattern)

    def _geofence_edge(self, shift: Shift, data: dict[str, Any]) -> None:
        """Always from the same side, right at the fence, with a fix that is too good."""
        bearing = self._operation.draws.of("edge", shift.person.id).random() * 2 * pi
        distance = shift.site.radius_m * between(self._random, 0.96, 1.25)
        data["point"] = shift.site.point(distance * sin(bearing), distance * cos(bearing))
        data["accuracy_m"] = round(between(self._random, 3.0, 5.0), 1)
        self._begin(shift, data)

    def _late_with_fix(self, shift: Shift, data: dict[str, Any]) -> None:
        """Late, entered by hand, and then the supervisor moves the start of the shift."""
        data.update(method="manual", device="")
        data.pop("biometric", None)
        self._begin(shift, data)
        self._operation.after(between(self._random, 300.0, 1800.0), self._fix, shift, self._operation.now)

    def _fix(self, shift: Shift, arrived: float) -> None:
        what = f"start of {shift.id} moved to the arrival"
        change = {"kind": "schedule", "what": what, "who": shift.site.supervisor, "target": shift.id}
        self._operation.emit("noc.change", change | {"site": shift.site.id})
        moved = {"id": shift.id, "site": shift.site.id, "person": shift.person.id, "post": shift.kind}
        times = {"starts_at": text_of(arrived + 60.0), "ends_at": text_of(shift.ends)}
        self._operation.emit("noc.shift", moved | times | {"state": "scheduled"})


def _colleague(person: Person) -> Person:
    others = [other for other in person.site.people if other is not person]
    return others[person.rota % len(others)]


def _distance_km(one: Site, other: Site) -> float:
    """Flat-earth distance, good enough to tell far from near."""
    east = (one.lon - other.lon) * cos((one.lat + other.lat) / 360.0 * pi)
    return float(((one.lat - other.lat) ** 2 + east**2) ** 0.5 * METRES_PER_DEGREE / 1000.0)
