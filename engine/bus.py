"""The bus: carries what was committed to whoever watches, and never waits for any of them.

Each watcher has a bounded queue. One that falls behind gets its changes coalesced per subject, and when even
that is too much a single Resync: read again, go on from there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from data.nouns import NOUNS
from data.records import Change
from data.scope import OWN, Scope
from engine.client import Resync, View
from engine.service import Published

#: Changes that one watcher may have waiting.
LIMIT = 500
#: First part of a subject → the capability that opens its changes.
_GUARDED = {noun.subject: noun.capability for noun in NOUNS.values() if noun.capability != "noc:view"}


def guard(change: Change) -> str | None:
    """The capability that this change takes beside noc:view, None for most."""
    return change.needs or (_GUARDED.get(change.subject.partition(":")[0]) if _GUARDED else None)


class Watcher:
    """One subscription; iterate it."""

    def __init__(self, bus: Bus, scope: Scope, view: View, limit: int = LIMIT) -> None:
        self._bus = bus
        self._scope = scope
        self.own = scope.origin == OWN
        self._kinds = frozenset(view.kinds)
        self._sites = frozenset(view.sites)
        self._whole = not view.kinds and not view.sites and scope.sites is None
        self._limit = limit
        self._queue: deque[Published | Resync] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()
        self._closed = False
        self._after = 0
        self.dropped = 0

    def begin_with(self, missed: Published | Resync) -> None:
        """Put what happened before this watcher joined in front; what it already got again is left out."""
        self._after = missed.seq if isinstance(missed, Resync) else missed.last
        first = missed if isinstance(missed, Resync) else self._filter(missed)
        newer = [item for item in self._queue if isinstance(item, Resync) or item.last > self._after]
        self._queue = deque(newer if first is None else [first, *newer])
        self._waiting = sum(len(item.changes) for item in self._queue if isinstance(item, Published))
        if self._queue:
            self._arrived.set()

    def offer(self, published: Published) -> None:
        """Take what this watcher may and wants to see; called by the bus after each commit."""
        if published.last <= self._after:
            return
        wanted = self._filter(published)
        if wanted is None:
            return
        if self._waiting + len(wanted.changes) > max(self._limit, len(wanted.changes)) and self._queue:
            wanted = self._overflow(wanted)
            if wanted is None:
                return
        self._queue.append(wanted)
        self._waiting += len(wanted.changes)
        self._arrived.set()

    def _filter(self, published: Published) -> Published | None:
        if self._whole and published.tenants == {self._scope.tenant} and not published.guarded:
            return published
        kept = [index for index, change in enumerate(published.changes) if self.sees(change)]
        if not kept:
            return None
        return Published(
            published.first,
            published.last,
            [published.changes[index] for index in kept],
            [published.encoded[index] for index in kept],
        )

    def sees(self, change: Change) -> bool:
        """Tenant, sites, capability and view of this watcher; the view first: most want few kinds."""
        if self._kinds and change.kind not in self._kinds:
            return False
        if change.tenant != self._scope.tenant or not self._scope.sees(change.site):
            return False
        if self._sites and change.site not in self._sites:
            return False
        needed = guard(change)
        return needed is None or self._scope.may(needed)

    def _overflow(self, newest: Published) -> Published | None:
        """Keep only the latest change of each subject; None after giving up with a Resync."""
        if any(isinstance(item, Resync) for item in self._queue):
            self._give_up(newest)
            return None
        latest: dict[str, tuple[Change, bytes]] = {}
        for item in (*self._queue, newest):
            if isinstance(item, Published):
                for change, encoded in zip(item.changes, item.encoded, strict=True):
                    latest.pop(change.subject, None)
                    latest[change.subject] = (change, encoded)
        self.dropped += self._waiting + len(newest.changes) - len(latest)
        self._queue.clear()
        self._waiting = 0
        if len(latest) > self._limit:
            self.dropped += len(latest)
            self._give_up(newest)
            return None
        changes = [change for change, _ in latest.values()]
        return Published(changes[0].seq, newest.last, changes, [encoded for _, encoded in latest.values()])

    def _give_up(self, newest: Published) -> None:
        """One Resync takes the place of everything that waits."""
        self._queue.clear()
        self._waiting = 0
        self._queue.append(Resync(seq=newest.last, reason="too slow: changes were dropped"))
        self._arrived.set()

    def lag(self) -> int:
        return self._waiting

    def close(self) -> None:
        self._closed = True
        self._bus.leave(self)
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[Published | Resync]:
        while True:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, Published):
                    self._waiting -= len(item.changes)
                yield item
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()


class Bus:
    """All watchers of one engine."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._watchers: dict[Watcher, None] = {}
        self.published = 0
        self._dropped_by_gone = 0

    def join(self, scope: Scope, view: View) -> Watcher:
        """A new watcher that sees everything from now on."""
        watcher = Watcher(self, scope, view, self._limit)
        self._watchers[watcher] = None
        return watcher

    def leave(self, watcher: Watcher) -> None:
        if watcher in self._watchers:
            del self._watchers[watcher]
            self._dropped_by_gone += watcher.dropped

    def publish(self, published: Published) -> None:
        """Offer to everyone; never waits."""
        self.published += len(published.changes)
        for watcher in list(self._watchers):
            watcher.offer(published)

    def close(self) -> None:
        for watcher in list(self._watchers):
            watcher.close()

    def __len__(self) -> int:
        """Watchers of others: the engine's own parts, which watch too, do not count."""
        return sum(not watcher.own for watcher in self._watchers)

    def dropped(self) -> int:
        """Changes that were coalesced or given up since the start, also for watchers that have gone."""
        return self._dropped_by_gone + sum(watcher.dropped for watcher in self._watchers)
