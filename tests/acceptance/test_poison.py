"""What cannot go through the line costs only itself: it becomes a dead letter, and everything else is committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec import Struct, json

from data.ports import Commit, StoreError
from data.records import DEFAULT_TENANT, Signal
from engine.board import CommittedBoard
from engine.bus import Bus
from engine.client import Refused
from engine.inbox import Inbox
from engine.ports import Envelope, EnvelopeKind, Overloaded, Receipt
from engine.rules import Rules
from engine.supervise import Supervisor
from engine.telemetry import Telemetry
from engine.worker import Worker
from tests.fakes.line import ANA, at, like, signal, unlike
from tests.fakes.memory_store import MemoryStore, picture
from tests.fakes.still_clock import StillClock


class Choosy(MemoryStore):
    """A store that is well and will never take what bears the title `never`; `down` commits fail before."""

    def __init__(self) -> None:
        super().__init__()
        self.down = 0

    def write(self, commit: Commit) -> None:
        if self.down:
            self.down -= 1
            raise StoreError("locked")
        if any(alert.title == "never" for alert in commit.alerts):
            error = StoreError("a value is out of range")
            error.retryable = False
            raise error
        super().write(commit)


class Endless(str):
    """A text that never lets go of the line: reading a part of it makes hours pass."""

    clock: StillClock

    def __getitem__(self, part: Any) -> str:
        while True:
            self.clock.advance(1.0)


class Running(Struct):
    store: Choosy
    inbox: Inbox
    worker: Worker
    clock: StillClock
    telemetry: Telemetry

    async def take(self, *rows: Signal, id: str = "") -> Receipt:
        return await self.inbox.put(self.envelope(rows, id))

    def envelope(self, rows: Any, id: str = "") -> Envelope:
        return Envelope(kind=EnvelopeKind.SIGNALS, tenant=DEFAULT_TENANT, source="test", payload=list(rows), id=id)


Start = Callable[[], Awaitable[Running]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    supervisors: list[Supervisor] = []

    async def run() -> Running:
        clock = StillClock(at(0))
        store, inbox, telemetry = Choosy(), Inbox(clock, 100_000), Telemetry()
        worker = Worker(
            store=store,
            inbox=inbox,
            bus=Bus(),
            board=CommittedBoard(),
            clock=clock,
            rules=Rules(),
            telemetry=telemetry,
            owner="test",
        )
        await worker.open()
        supervisors.append(Supervisor(clock))
        supervisors[-1].start("worker", worker.run)
        return Running(store, inbox, worker, clock, telemetry)

    yield run
    for supervisor in supervisors:
        await supervisor.stop_all()


def raising(key: str) -> Signal:
    return unlike(key, title=None)


def unwritable(key: str) -> Signal:
    """Half a character, which no encoding takes: only the commit finds out."""
    return unlike(key, title="half \ud800")


def refused_by_store(key: str) -> Signal:
    return unlike(key, title="never")


def keys(store: MemoryStore) -> list[str]:
    return sorted(alert.key for alert in store.alerts.values())


@pytest.mark.parametrize("poison", [raising, unwritable, refused_by_store])
async def test_one_row_of_many_is_lost_to_the_dead_letters(start: Start, poison: Callable[[str], Signal]) -> None:
    engine = await start()
    await engine.take(unlike("a"), poison("b"), unlike("c"), id="one")
    assert keys(engine.store) == ["a", "c"]
    (reject,) = engine.store.rejects
    assert (reject.source, reject.format, reject.attempts) == ("test", "noc.signals", 3)
    assert reject.reason.startswith("failed on the line: ")
    assert "b" in reject.body
    assert engine.telemetry.counters["noc_poison_total"] == 1
    assert any(change.kind == "rejected" for change in engine.store.changes)


@pytest.mark.parametrize("poison", [raising, unwritable, refused_by_store])
async def test_neighbours_in_the_batch_are_committed_and_answered(
    start: Start, poison: Callable[[str], Signal]
) -> None:
    engine = await start()
    rows = [(unlike("a"),), (poison("b"),), (unlike("c"),)]
    receipts = await asyncio.gather(*(engine.take(*row) for row in rows))
    assert [receipt.seq > 0 for receipt in receipts] == [True, True, True]
    assert keys(engine.store) == ["a", "c"]
    assert engine.worker.state == "live"
    assert (await engine.take(unlike("d"))).seq == engine.store.seq


@pytest.mark.parametrize("poison", [raising, unwritable, refused_by_store])
async def test_a_delivery_with_poison_that_is_sent_again_counts_once(
    start: Start, poison: Callable[[str], Signal]
) -> None:
    engine = await start()
    for _ in range(3):
        await engine.take(unlike("a"), poison("b"), id="one")
        await engine.take(poison("c"), id="two")
    assert engine.worker.book.alerts[1].count == 1
    assert len(engine.store.rejects) == 2


@pytest.mark.parametrize("poison", [raising, refused_by_store])
async def test_replaying_the_fixed_body_twice_makes_one_alert(start: Start, poison: Callable[[str], Signal]) -> None:
    engine = await start()
    await engine.take(poison("b"))
    (reject,) = engine.store.rejects
    body = json.decode(reject.body)
    body[0]["title"] = "mended"
    fixed = json.decode(json.encode(body), type=list[Signal])
    for _ in range(2):
        await engine.take(*fixed, id="reject-1-0")
    assert [(alert.title, alert.count) for alert in engine.store.alerts.values()] == [("mended", 1)]


async def test_a_row_that_never_ends_is_cut(start: Start) -> None:
    engine = await start()
    title = Endless("endless")
    title.clock = engine.clock
    await engine.take(unlike("a"), unlike("b", title=title), unlike("c"), id="one")
    assert keys(engine.store) == ["a", "c"]
    (reject,) = engine.store.rejects
    assert reject.reason == "failed on the line: took too long"


async def test_an_act_that_cannot_be_written_is_refused_and_changes_nothing(start: Start) -> None:
    from engine.client import Command
    from engine.stages.apply import Asked

    engine = await start()
    await engine.take(unlike("a"))
    before = picture(engine.store)
    command = Command(verb="note", targets=("incident:1",), params={"text": "half \ud800"})
    receipt = await engine.inbox.put(
        Envelope(
            kind=EnvelopeKind.COMMAND, tenant=DEFAULT_TENANT, source="ana", payload=Asked(command=command, scope=ANA)
        )
    )
    assert isinstance(receipt.result, Refused)
    assert receipt.result.status == 500
    assert picture(engine.store) == before


async def test_a_tick_that_fails_loses_no_timer(start: Start) -> None:
    engine = await start()
    await engine.take(signal("a", ends_at=at(10)))
    engine.worker.book.timers.insert(0, (0.0, "no such timer", 1))
    tick = Envelope(kind=EnvelopeKind.TICK, tenant=DEFAULT_TENANT, source="tick", payload=None)
    engine.clock.advance(11.0)
    await engine.inbox.put(tick)
    await engine.inbox.put(tick)
    assert engine.store.alerts[1].ended_at == at(10)  # type: ignore[index]


async def test_trouble_of_the_store_is_nobodys_poison(start: Start) -> None:
    engine = await start()
    engine.store.down = 2
    await engine.take(unlike("a"))
    assert (keys(engine.store), engine.store.rejects, engine.worker.state) == (["a"], [], "live")
    engine.store.down = 3
    with pytest.raises(Overloaded):
        await engine.take(unlike("b"))
    assert (keys(engine.store), engine.store.rejects) == (["a"], [])


async def test_twelve_in_ten_thousand_leave_everything_else_as_it_is(start: Start) -> None:
    rows = [signal(f"{number % 400}", 0, entity=f"{number % 400}", name=f"N{number % 7}") for number in range(10_000)]
    bad = {833 * number + 5 for number in range(12)}
    poisons = [raising, unwritable, refused_by_store]

    async def fed(poisonous: bool) -> Choosy:
        engine = await start()
        for begin in range(0, 10_000, 100):
            part = [
                like(rows[number], title=poisons[number % 3]("x").title, key=f"bad{number}")
                if number in bad
                else rows[number]
                for number in range(begin, begin + 100)
                if poisonous or number not in bad
            ]
            await engine.take(*part, id=f"{begin}")
        return engine.store

    clean, poisoned = picture(await fed(False)), picture(await fed(True))
    assert len(poisoned.pop("rejects")) == 12
    assert clean.pop("rejects") == []
    for found in (*clean["incidents"], *poisoned["incidents"]):
        found.pop("version")
    assert poisoned == clean
