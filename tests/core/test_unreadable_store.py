"""A store that cannot even be read: senders are refused in bounded time, and the worker goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from data.ports import StoreError
from data.records import DEFAULT_TENANT
from engine.board import CommittedBoard
from engine.bus import Bus
from engine.inbox import Inbox
from engine.ports import Envelope, EnvelopeKind, Overloaded
from engine.rules import Rules
from engine.telemetry import Telemetry
from engine.worker import RECALL_SECONDS, Worker
from tests.fakes.fault_store import FaultStore
from tests.fakes.line import signal
from tests.fakes.memory_store import MemoryStore
from tests.fakes.still_clock import StillClock

DOWN = StoreError("the disk does not answer")
DOWN.retryable = True


class YieldingClock(StillClock):
    """Sleeping takes time of the clock, and lets others have the loop."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def working(store: FaultStore) -> AsyncIterator[tuple[Worker, Inbox, YieldingClock]]:
    clock = YieldingClock()
    inbox = Inbox(clock, 1000)
    worker = Worker(
        store=store,
        inbox=inbox,
        bus=Bus(),
        board=CommittedBoard(),
        clock=clock,
        rules=Rules(),
        telemetry=Telemetry(),
        owner="test",
    )
    await worker.open()
    task = asyncio.create_task(worker.run())
    try:
        yield worker, inbox, clock
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def news(key: str) -> Envelope:
    return Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=[signal(key)])


def tick() -> Envelope:
    return Envelope(kind=EnvelopeKind.TICK, tenant=DEFAULT_TENANT, source="tick", payload=None)


async def test_senders_are_refused_while_the_store_cannot_be_read_and_taken_when_it_can() -> None:
    store = FaultStore(MemoryStore())
    store.fail("commit", 1, DOWN)
    for call in range(2, 40):
        store.fail("load", call, DOWN)
    async with working(store) as (worker, inbox, clock):
        began = clock.monotonic()
        with pytest.raises(Overloaded):
            await inbox.put(news("a"))
        assert RECALL_SECONDS <= clock.monotonic() - began <= RECALL_SECONDS + 2
        assert worker.state == "store_down"
        with pytest.raises(Overloaded):
            await inbox.put(news("b"))
        with pytest.raises(Overloaded):
            await inbox.put(tick())
        while store.calls["load"] < 40:
            await asyncio.sleep(0)
        await inbox.put(tick())
        assert worker.state == "live"
        await inbox.put(news("c"))
        assert [alert.key for alert in worker.book.alerts.values()] == ["c"]


async def test_a_store_that_comes_back_in_time_loses_no_sender() -> None:
    store = FaultStore(MemoryStore())
    store.fail("commit", 1, DOWN)
    store.fail("load", 2, DOWN)
    async with working(store) as (worker, inbox, _):
        await inbox.put(news("a"))
        assert (worker.state, len(worker.book.alerts)) == ("live", 1)
