"""How events arrive: some late, some twice. Pure: the same seed gives the same arrivals.

Owns nothing but the order. What it is given must be in the order of its times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush

from engine.simulator.draws import Draws
from engine.simulator.operation import Event


def disordered(
    events: Iterable[Event], seed: int, *, late: float = 0.02, repeated: float = 0.005, longest_seconds: float = 600.0
) -> Iterator[Event]:
    """The events as a receiver sees them: a share `late` by up to `longest_seconds`, a share `repeated` again within
    that time. Nothing is lost, and nothing changed."""
    random = Draws(seed).of("delivery")
    waiting: list[tuple[float, int, Event]] = []
    for number, event in enumerate(events):
        at = datetime.fromisoformat(event["time"]).timestamp()
        while waiting and waiting[0][0] <= at:
            yield heappop(waiting)[2]
        if random.random() < repeated:
            heappush(waiting, (at + longest_seconds * random.random(), 2 * number, event))
        if random.random() < late:
            heappush(waiting, (at + longest_seconds * random.random(), 2 * number + 1, event))
        else:
            yield event
    while waiting:
        yield heappop(waiting)[2]
