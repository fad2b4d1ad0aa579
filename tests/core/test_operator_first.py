"""An operator's command does not wait behind a storm: only for what is being worked on."""

from __future__ import annotations

import asyncio

from data.records import DEFAULT_TENANT
from engine.board import CommittedBoard
from engine.bus import Bus
from engine.client import Command
from engine.inbox import Inbox
from engine.ports import Envelope, EnvelopeKind, Receipt
from engine.rules import Rules
from engine.stages.apply import Asked
from engine.telemetry import Telemetry
from engine.worker import SLICE_SECONDS, Worker
from tests.fakes.line import ANA, signal
from tests.fakes.memory_store import MemoryStore
from tests.fakes.still_clock import StillClock


class Busy(StillClock):
    """Every look at it takes half a slice; a command comes in the first pause."""

    def __init__(self) -> None:
        super().__init__()
        self.inbox: Inbox
        self.command: asyncio.Task[Receipt] | None = None

    def monotonic(self) -> float:
        self.advance(SLICE_SECONDS / 2)
        return super().monotonic()

    async def sleep(self, seconds: float) -> None:
        if seconds == 0 and self.command is None:
            self.command = asyncio.create_task(self.inbox.put(ack()))
        await asyncio.sleep(0)


def ack() -> Envelope:
    asked = Asked(command=Command(verb="ack", targets=("incident:1",), params={}), scope=ANA)
    return Envelope(kind=EnvelopeKind.COMMAND, tenant=DEFAULT_TENANT, source="ana", payload=asked)


async def test_a_command_is_taken_between_the_envelopes_of_a_storm() -> None:
    clock, store = Busy(), MemoryStore()
    inbox = clock.inbox = Inbox(clock, 1000)
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
    storm = [
        Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="s", payload=[signal(f"k{number:02}")])
        for number in range(40)
    ]
    waits = [asyncio.create_task(inbox.put(envelope)) for envelope in storm]
    await asyncio.sleep(0)
    running = asyncio.create_task(worker.run())
    receipts = await asyncio.gather(*waits)
    assert clock.command is not None
    acked = await clock.command
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert acked.seq < receipts[10].seq
    assert [alert.key for alert in store.alerts.values()] == [f"k{number:02}" for number in range(40)]
    assert all(alert.count == 1 for alert in store.alerts.values())
    assert [receipt.seq for receipt in receipts] == sorted(receipt.seq for receipt in receipts)
    assert inbox.rows == 0
