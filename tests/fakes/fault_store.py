"""A store that fails on purpose: everything is passed on to a real one, but for the calls that were marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from data.ports import Commit, Snapshot, Store, StoreError
from data.records import Effect, Partition, Token


class FaultStore:
    """`fail("commit", 3, StoreFull(…))` raises at the third call of commit, counted from 1 over the store's life.

    With `after=True` the call is carried out first: what was written is durable, but nobody is told.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults: dict[tuple[str, int], tuple[StoreError, bool]] = {}
        self.calls: dict[str, int] = {}

    def fail(self, method: str, call: int, error: StoreError, *, after: bool = False) -> None:
        self._faults[method, call] = (error, after)

    async def _pass_on(self, method: str, *values: Any, **named: Any) -> Any:
        call = self.calls[method] = self.calls.get(method, 0) + 1
        error, after = self._faults.get((method, call), (None, False))
        if error is not None and not after:
            raise error
        result = await getattr(self._store, method)(*values, **named)
        if error is not None:
            raise error
        return result

    async def open(self) -> None:
        await self._pass_on("open")

    async def acquire(self, partition: Partition, owner: str, now: datetime, ttl: float) -> int | None:
        epoch: int | None = await self._pass_on("acquire", partition, owner, now, ttl)
        return epoch

    async def renew(self, partition: Partition, epoch: int, now: datetime) -> None:
        await self._pass_on("renew", partition, epoch, now)

    async def release(self, partition: Partition, epoch: int) -> None:
        await self._pass_on("release", partition, epoch)

    async def load(self, partition: Partition, now: datetime, recent_seconds: float) -> Snapshot:
        snapshot: Snapshot = await self._pass_on("load", partition, now, recent_seconds)
        return snapshot

    async def commit(self, commit: Commit) -> None:
        await self._pass_on("commit", commit)

    async def claim(
        self, partition: Partition, now: datetime, limit: int, lease_seconds: float, **exceptions: Sequence[str]
    ) -> Sequence[Effect]:
        effects: Sequence[Effect] = await self._pass_on("claim", partition, now, limit, lease_seconds, **exceptions)
        return effects

    async def disown(self, partition: Partition, repeatable: Sequence[str] = ()) -> int:
        count: int = await self._pass_on("disown", partition, repeatable)
        return count

    async def settle(self, effect: Effect) -> None:
        await self._pass_on("settle", effect)

    async def prune(self, now: datetime, keep_days: Mapping[str, float]) -> int:
        deleted: int = await self._pass_on("prune", now, keep_days)
        return deleted

    async def save_token(self, token: Token) -> None:
        await self._pass_on("save_token", token)

    async def close(self) -> None:
        await self._pass_on("close")
