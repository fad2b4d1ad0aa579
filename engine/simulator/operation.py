"""The running operation: one agenda of due steps, one door for events, the truth beside them.

Owns simulated time and the order of everything. A step happens at its time and may emit events of exactly that time;
so events come out in the order of their times, and what is emitted never depends on how fast it is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from engine.simulator.draws import Draws
from engine.simulator.truth import Truth
from engine.simulator.world import World

if TYPE_CHECKING:
    from engine.simulator.causes.cause import Cause

Event = dict[str, Any]

#: Ids of its events that a cause keeps.
EVENTS_KEPT = 1000

#: What of the operation's systems an event type comes from; alerts name their tool.
_SYSTEMS = {
    "noc.client": "inventory", "noc.site": "inventory", "noc.person": "inventory", "noc.asset": "inventory",
    "noc.device": "devices", "noc.sample": "metrics", "noc.attendance": "attendance", "noc.shift": "rota",
    "noc.tour": "tours", "noc.activity": "phones", "noc.ticket": "helpdesk", "noc.workorder": "maintenance",
    "noc.task": "tasks", "noc.change": "changes",
}  # fmt: skip


def text_of(at: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Operation:
    """What every model of a subject is given: the world, the time, the agenda, the door and the causes at work."""

    def __init__(self, world: World, draws: Draws, opens_at: float) -> None:
        self.world, self.draws, self.now = world, draws, opens_at
        self.truth = Truth()
        self.causes: dict[str, Cause] = {}
        self._agenda: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._steps = self._events = 0
        self._out: deque[Event] = deque()
        self._prefix = f"/simulator/{draws.seed}"

    # -- time

    def at(self, due: float, step: Callable[..., object], *arguments: Any) -> None:
        """Do it when `due` (epoch seconds) has come; what is due already, next."""
        self._steps += 1
        heappush(self._agenda, (max(due, self.now), self._steps, step, arguments))

    def after(self, seconds: float, step: Callable[..., object], *arguments: Any) -> None:
        self.at(self.now + seconds, step, *arguments)

    def run(self, until: float) -> Iterator[Event]:
        """The events before `until`. Whoever stops in the middle finds the rest the next time."""
        agenda, out = self._agenda, self._out
        while True:
            while out:
                yield out.popleft()
            if not agenda or agenda[0][0] >= until:
                break
            self.now, _, step, arguments = heappop(agenda)
            step(*arguments)
        self.now = max(self.now, until)

    # -- events

    def emit(self, kind: str, data: Any, cause: str = "", tool: str = "") -> str:
        """One CloudEvent now → its id. `cause` remembers it; `tool` is the monitoring tool behind an alert."""
        self._events += 1
        now = text_of(self.now)
        id = f"{int(self.now):x}-{self._events:x}"
        self._out.append(
            {
                "specversion": "1.0",
                "id": id,
                "source": f"{self._prefix}/{tool or _SYSTEMS[kind]}",
                "type": kind,
                "time": now,
                "data": data,
            }
        )
        if cause:
            known = self.causes.get(cause)
            if known is not None and len(known.events) < EVENTS_KEPT:
                known.events.append(id)
        return id
