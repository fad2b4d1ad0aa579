"""The last record of each row, so that a row that is gone stays readable until the table is sorted again."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST = 2_000


class LastKnown(Generic[K, V]):
    def __init__(self) -> None:
        self._kept: dict[K, V] = {}

    def keep(self, key: K, record: V | None) -> V | None:
        """`record`, or the last one that this key had."""
        if record is None:
            return self._kept.get(key)
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = record
        return record
