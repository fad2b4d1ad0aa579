"""Which views were visited: `-` toggles between the last two, `[` and `]` walk. Pure."""

from __future__ import annotations

LONGEST = 100


class Trail:
    def __init__(self, view: str) -> None:
        self._visited = [view]
        self._place = 0
        self._before = view

    def visit(self, view: str) -> None:
        """A view was chosen: what was ahead of here is forgotten."""
        here = self._visited[self._place]
        if view == here:
            return
        self._before = here
        self._visited = [*self._visited[: self._place + 1], view][-LONGEST:]
        self._place = len(self._visited) - 1

    def last(self) -> str:
        return self._before

    def back(self) -> str:
        return self._go(-1)

    def forward(self) -> str:
        return self._go(1)

    def _go(self, step: int) -> str:
        place = max(0, min(self._place + step, len(self._visited) - 1))
        if place != self._place:
            self._before = self._visited[self._place]
            self._place = place
        return self._visited[self._place]
