"""The order of a live table's rows, without unrest. Pure.

Rows keep their place between reorders: one that is new waits at the end, one that is gone stays as a ghost. A reorder
happens at most every `REORDER_SECONDS`, not while the cursor moves, and never while held. The cursor is a key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Generic, TypeVar

K = TypeVar("K")

REORDER_SECONDS = 5.0
QUIET_SECONDS = 2.0


class RowOrder(Generic[K]):
    """`rank(key)` gives what sorts; ties keep the order of keys. All times monotonic seconds."""

    def __init__(self, rank: Callable[[K], Any], *, descending: bool = False) -> None:
        self.rank, self.descending = rank, descending
        self.rows: list[K] = []
        self.index: dict[K, int] = {}
        self.fresh: set[K] = set()
        self.ghosts: set[K] = set()
        self.held = False
        self._unsorted = False
        self._sorted_at = float("-inf")
        self._moved_at = float("-inf")

    def __len__(self) -> int:
        return len(self.rows)

    def set_keys(self, keys: Collection[K]) -> None:
        """These are the rows now. The first set is sorted at once; later ones wait their turn."""
        wanted = keys if isinstance(keys, (set, frozenset, dict)) else set(keys)
        if not self.rows:
            self._place(wanted)
            return
        added = [key for key in wanted if key not in self.index]
        self.ghosts = {key for key in self.rows if key not in wanted}
        for key in added:
            self.index[key] = len(self.rows)
            self.rows.append(key)
        self.fresh.update(added)
        self.fresh -= self.ghosts
        self._unsorted = self._unsorted or bool(added or self.ghosts)

    def touch(self) -> None:
        """Something that sorts changed."""
        self._unsorted = True

    def moved(self, now: float) -> None:
        """The operator moved the cursor: rows stand still for a while."""
        self._moved_at = now

    def due(self, now: float) -> bool:
        if self.held or not self._unsorted:
            return False
        return now - self._sorted_at >= REORDER_SECONDS and now - self._moved_at >= QUIET_SECONDS

    def reorder(self, now: float) -> None:
        """Sort, drop ghosts; what was new is new no longer."""
        self._place([key for key in self.rows if key not in self.ghosts])
        self._sorted_at = now

    def _place(self, keys: Collection[K]) -> None:
        self.rows = sorted(keys, key=self.rank, reverse=self.descending)
        self.index = {key: place for place, key in enumerate(self.rows)}
        self.fresh.clear()
        self.ghosts.clear()
        self._unsorted = False
