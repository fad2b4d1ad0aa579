"""Topology: which entity hangs on which, and how far apart two of them are.

Owns bounded distance look-ups in a graph of links. Pure and immutable; unknown entities are far from everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

#: Entities with more links are hubs: a path through one says nothing about a common cause.
HUB = 64
#: Farther than this is not looked at.
FAR = 3


class Topology:
    """`links`: pairs of entity and parent; the direction does not count for distances.

    >>> lab = Topology([("port 1", "switch"), ("port 2", "switch"), ("switch", "router")])
    >>> lab.distance("port 1", ("port 2",)), lab.distance("port 1", ("router", "switch"))
    (2, 1)
    >>> lab.distance("port 1", ("unknown",))
    4
    """

    def __init__(self, links: Iterable[tuple[str, str]] = ()) -> None:
        found: dict[str, dict[str, None]] = {}
        for one, other in links:
            if one and other and one != other:
                found.setdefault(one, {})[other] = None
                found.setdefault(other, {})[one] = None
        self._near: Mapping[str, tuple[str, ...]] = {entity: tuple(others) for entity, others in found.items()}
        self._around = lru_cache(maxsize=4096)(self._walk)

    def __bool__(self) -> bool:
        return bool(self._near)

    def neighbours(self, entity: str) -> tuple[str, ...]:
        """Entities with a link to this one; () for a hub."""
        near = self._near.get(entity, ())
        return near if len(near) <= HUB else ()

    def distance(self, entity: str, others: Iterable[str]) -> int:
        """Links between `entity` and the nearest of `others`, 0 for itself; FAR + 1 = farther, or not known."""
        around = self._around(entity)
        return min((around.get(other, FAR + 1) for other in others), default=FAR + 1)

    def around(self, entity: str) -> Mapping[str, int]:
        """Entities within FAR links and how far they are."""
        return self._around(entity)

    def _walk(self, entity: str) -> Mapping[str, int]:
        found = {entity: 0}
        edge = [entity]
        for steps in range(1, FAR + 1):
            edge = [near for at in edge for near in self.neighbours(at) if near not in found]
            for near in edge:
                found.setdefault(near, steps)
        return found
