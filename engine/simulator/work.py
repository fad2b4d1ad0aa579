"""The other modules' everyday life: work orders, tasks, assets, and changes that do no harm."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from engine.simulator import rhythm
from engine.simulator.draws import around, between
from engine.simulator.operation import Operation, text_of
from engine.simulator.rhythm import DAY, HOUR
from engine.simulator.world import Site

_ORDERS = ("Replace reader", "Service the UPS", "Clean cameras", "Check fire doors", "Repair barrier", "Test panels")
_TASKS = ("Read meters", "Update key list", "Brief the relief", "Check first aid kit", "Walk with the client")
_ASSETS = ("vehicle", "radio", "key set", "defibrillator", "generator")
_CHANGES = (
    ("configuration", "camera retention set to 30 days"),
    ("configuration", "door schedule of {site} changed"),
    ("deployment", "reporting 4.{n}"),
    ("deployment", "client-portal 7.{n}"),
    ("schedule", "rota of {site} changed"),
    ("staff", "guard moved to {site}"),
)
#: Of its default share of a day: orders, tasks and changes of a site.
ORDERS, TASKS, CHANGES = 2.0, 9.0, 0.6


class Work:
    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._random = operation.draws.of("work")
        self._numbers = 0

    def open(self, start: float) -> None:
        kinds: tuple[tuple[float, Callable[[Site], None]], ...] = (
            (ORDERS, self._order),
            (TASKS, self._task),
            (CHANGES, self._change),
        )
        for site in self._operation.world.sites:
            random = self._operation.draws.of("work", site.id)
            for per_day, begin in kinds:
                self._operation.at(start + random.expovariate(per_day / DAY), self._again, site, random, per_day, begin)

    def inventory(self) -> None:
        """The assets, once."""
        rows = []
        for site in self._operation.world.sites:
            for number, kind in enumerate(_ASSETS[: 2 + int(site.size * 1.5)]):
                id = f"asset-{site.id}-{number + 1}"
                rows.append({"id": id, "name": f"{kind} of {site.name}", "site": site.id, "owner": site.supervisor})
        for n in range(0, len(rows), 100):
            self._operation.emit("noc.asset", rows[n : n + 100])

    def _again(self, site: Site, random: Random, per_day: float, begin: Callable[[Site], None]) -> None:
        """Thinned by the hour, as with tickets."""
        self._operation.after(random.expovariate(per_day * 2.2 / DAY), self._again, site, random, per_day, begin)
        if random.random() < 0.1 + 0.9 * rhythm.busy(site.city, self._operation.now):
            begin(site)

    def _order(self, site: Site) -> None:
        self._piece("noc.workorder", "WO", site, self._random.choice(_ORDERS), 20 * HOUR, 9 * HOUR)

    def _task(self, site: Site) -> None:
        self._piece("noc.task", "TASK", site, self._random.choice(_TASKS), 3 * HOUR, 1.1 * HOUR)

    def _piece(  # noqa: PLR0917 - what a piece of work consists of
        self, kind: str, prefix: str, site: Site, title: str, due: float, median: float
    ) -> None:
        self._numbers += 1
        random, now = self._random, self._operation.now
        id = f"{prefix}-{int(now) // 86_400 % 100_000}-{self._numbers:05d}"
        owner = random.choice(site.people).id
        data = {"id": id, "state": "open", "title": title, "site": site.id, "owner": owner}
        self._operation.emit(kind, data | {"due_at": text_of(now + due)})
        begins = between(random, 0.05, 0.4) * median
        done = begins + around(random, median, 0.7)
        self._operation.after(begins, self._operation.emit, kind, {"id": id, "state": "in_progress"})
        end = "done" if random.random() > 0.02 else "cancelled"
        self._operation.after(done, self._operation.emit, kind, {"id": id, "state": end})

    def _change(self, site: Site) -> None:
        random = self._random
        kind, what = random.choice(_CHANGES)
        words = what.format(site=site.name, n=random.randrange(10, 99))
        target = words.split(" ")[0] if kind == "deployment" else site.id
        self._operation.emit(
            "noc.change",
            {"kind": kind, "what": words, "who": random.choice(site.people).id, "target": target, "site": site.id},
        )
