"""Keeps the mirror fed: read the pages, watch from there, start over when told, try again when nobody answers.

Owns the connection's life (backoff, resync, health polling). Never draws. Runs on the console's loop; where the engine
lives on another loop or machine is the client's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, cast

from msgspec.structs import replace

from data.records import Cluster, Incident
from engine.client import EngineClient, Query, Refused, Resync, Unreachable, View
from noc_console.clock import Clock
from noc_console.mirror import CLUSTER_CAP, INCIDENT_CAP, Link, Mirror
from noc_console.reading import problem_words
from noc_console.record_lists import RecordList

PAGE = 1_000
HEALTH_SECONDS = 2.0
#: Sites, people and clients whose names are read.
NAMES_CAP = 5_000
BACKOFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)


class EngineFailed(Unreachable):
    """The engine in this process could not start and will not: trying again is no use."""


class Feed:
    """`run` ends only when cancelled, or raises EngineFailed; call `ask` every `HEALTH_SECONDS`.

    `arrived` is called after each batch.
    """

    def __init__(self, client: EngineClient, mirror: Mirror, clock: Clock, arrived: Callable[[], None]) -> None:
        self._client, self._mirror, self._clock, self._arrived = client, mirror, clock, arrived
        self._failures = 0
        self._again = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                await self._follow(await self._load())
            except EngineFailed:
                raise
            except (Unreachable, Refused) as error:
                self._mirror.lost(str(error), self._clock.monotonic())
                self._arrived()
                await self._wait()

    async def ask(self) -> None:
        """Ask for the engine's health; when the feed is quiet a failure is noticed here first."""
        try:
            health = await self._client.health()
        except EngineFailed:
            raise
        except (Unreachable, Refused) as error:
            self._mirror.lost(str(error), self._clock.monotonic())
        else:
            self._mirror.heard(health, self._clock.monotonic())

    def retry(self) -> None:
        """Do not wait for the next attempt."""
        self._again.set()

    async def reload(self) -> None:
        """Read the pages again without losing the watch; raises nothing, the link's state says how it went."""
        try:
            await self._load()
        except (Unreachable, Refused) as error:
            self._mirror.lost(str(error), self._clock.monotonic())
        self._arrived()

    async def read_lists(self) -> None:
        """Read the lists that a page wants and that are not read; raises nothing, each list says how it went."""
        for found in self._mirror.lists.unread():
            try:
                await self._read_list(found)
            except Unreachable as error:
                self._mirror.list_failed(found.watch, problem_words(error), unknown=False)
        self._arrived()

    async def _read_list(self, found: RecordList) -> None:
        watch = found.watch
        query = Query(kind=watch.kind, q=watch.q, active=watch.active, limit=min(PAGE, watch.cap))
        try:
            rows, seq, more = await self._pages(query, watch.cap)
        except Refused as error:
            self._mirror.list_failed(watch, problem_words(error), unknown=error.field == "kind")
        else:
            self._mirror.load_list(watch, rows, seq, truncated=more)

    async def _load(self) -> int:
        query = Query(kind="incidents", active=True, sort="-priority", limit=PAGE)
        incidents, seq, more = await self._pages(query, INCIDENT_CAP)
        clusters = await self._clusters()
        self._mirror.load(cast("list[Incident]", incidents), clusters, seq, truncated=more)
        for found in self._mirror.lists.wanted():
            await self._read_list(found)
        self._mirror.heard(None, self._clock.monotonic())
        self._failures = 0
        self._arrived()
        return seq

    async def read_names(self) -> None:
        """Read what sites, people and clients are called; raises nothing: without it they are called by their ids."""
        found = []
        for kind in ("sites", "people", "clients"):
            try:
                rows, _, _ = await self._pages(Query(kind=kind, limit=PAGE), NAMES_CAP)
            except (Unreachable, Refused):
                rows = []
            found.append(rows)
        self._mirror.load_names(*found)

    async def follow_clusters(self) -> None:
        """Read the latest clusters again when incidents have changed; call it every few seconds."""
        if self._mirror.clusters_old and self._mirror.link is Link.UP:
            with suppress(Unreachable, Refused):
                self._mirror.load_clusters(await self._clusters())

    async def _clusters(self) -> list[Cluster]:
        page = await self._client.query(Query(kind="clusters", active=True, sort="-last_at", limit=CLUSTER_CAP))
        return cast("list[Cluster]", list(page.items))

    async def _pages(self, query: Query, cap: int) -> tuple[list[Any], int, bool]:
        """All pages up to `cap` rows, and the position of the first one: to be told something twice is harmless."""
        rows: list[Any] = []
        page = await self._client.query(query)
        seq = page.seq
        while True:
            rows.extend(page.items)
            if page.next is None or len(rows) >= cap:
                return rows[:cap], seq, page.next is not None
            page = await self._client.query(replace(query, after=page.next))

    async def _follow(self, seq: int) -> None:
        async with aclosing(cast("Any", self._client.watch(View(), since=seq))) as batches:
            async for batch in batches:
                if isinstance(batch, Resync):
                    return
                self._mirror.push(batch)
                self._mirror.heard(None, self._clock.monotonic())
                self._arrived()
                if self._mirror.overrun:
                    return
        raise Unreachable("the feed ended")

    async def _wait(self) -> None:
        """The next backoff step, or less when `retry` is called."""
        seconds = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._again.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()
