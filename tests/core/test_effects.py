"""The dispatcher on a real store: one lane waits, the others go on; tries end; nothing stays running for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from data.outbox import REPEATS
from data.ports import Select, StoreError
from data.queries import SqliteReader
from data.records import Effect, IncidentId
from data.store import SqliteStore
from engine.effects import LEASE_SECONDS, TRIES, Dispatcher, Later, Undoable, lane
from engine.ports import Plan
from engine.supervise import Supervisor
from tests.fakes.fault_store import FaultStore
from tests.fakes.still_clock import StillClock
from tests.fakes.stored import NOW, ZERO, commit, effect, scope
from tests.fakes.waiting import PATIENCE


class Scripted:
    """Does what the test put under the effect's lane: waits for an event, raises, or returns."""

    name = "notify"

    def __init__(self) -> None:
        self.script: dict[str, Any] = {}
        self.ran: list[str] = []
        self.began = asyncio.Event()

    async def plan(self, effect: Effect) -> Plan:
        return Plan(action=self.name, params=effect.params, targets=(), words="")

    async def run(self, effect: Effect) -> Mapping[str, Any]:
        self.ran.append(effect.key)
        self.began.set()
        step = self.script.get(lane(effect))
        if isinstance(step, Exception):
            raise step
        if isinstance(step, asyncio.Event):
            await step.wait()
        return {"sent": True}


class Repeatable(Scripted):
    repeatable = True


class Bench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = StillClock(NOW)
        self.store = FaultStore(SqliteStore(directory, reserve_bytes=0))
        self.supervisor = Supervisor(self.clock)
        self.action: Scripted = Scripted()
        self.epoch = 0

    def dispatcher(self, action: Scripted | None = None, **per_minute: int) -> Dispatcher:
        self.action = action or self.action
        return Dispatcher(
            store=self.store,
            clock=self.clock,
            known={"notify": self.action},
            partition=ZERO,
            spawn=self.supervisor.spawn,
            per_minute={f"notify/{name}": number for name, number in per_minute.items()},
        )

    async def add(self, *keys: str, incident: int | None = 1) -> None:
        found = [effect(key, incident=None if incident is None else IncidentId(incident)) for key in keys]
        await self.store.commit(commit(self.epoch, effects=found))

    async def states(self) -> dict[str, str]:
        return {found.key: found.state for found in await self.effects()}

    async def effects(self) -> list[Effect]:
        reader = SqliteReader(self.directory, limit_seconds=10.0)
        try:
            return (await reader.select(scope(), Select(kind="effects"), NOW)).items
        finally:
            await reader.close()

    async def round(self, dispatcher: Dispatcher) -> int:
        begun = await dispatcher.step()
        await dispatcher.settled()
        return begun


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    await found.store.open()
    epoch = await found.store.acquire(ZERO, "engine", NOW, 3600.0)
    assert epoch is not None
    found.epoch = epoch
    yield found
    await found.supervisor.stop_all()
    await found.store.close()


async def test_what_is_done_is_done_once(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1")
    assert [await bench.round(dispatcher) for _ in range(3)] == [1, 0, 0]
    assert bench.action.ran == ["notify/a/1"] and await bench.states() == {"notify/a/1": "done"}


async def test_a_slow_lane_holds_up_only_itself(bench: Bench) -> None:
    dispatcher, slow = bench.dispatcher(), asyncio.Event()
    bench.action.script["notify/slow"] = slow
    for number in range(40):
        await bench.add(f"notify/slow/{number}", incident=number)
    await bench.add("notify/fast/1", "notify/fast/2", incident=99)
    for _ in range(4):
        await dispatcher.step()
        while len([key for key in bench.action.ran if "fast" in key]) < 2 and await _settling(bench):
            pass
    assert bench.action.ran == ["notify/slow/0", "notify/fast/1", "notify/fast/2"]
    slow.set()
    await dispatcher.settled()
    assert await bench.round(dispatcher) == 1


async def _settling(bench: Bench) -> bool:
    """Let what was begun go on; False once the fast lane has nothing running."""
    await asyncio.sleep(0)
    running = [key for key, state in (await bench.states()).items() if state == "running" and "fast" in key]
    return bool(running)


async def test_the_notices_of_one_incident_keep_their_order_and_others_pass(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1/opened", "notify/a/1/resolved", incident=1)
    await bench.add("notify/a/2/opened", incident=2)
    bench.action.script["notify/a"] = Later("answered 503")
    await bench.round(dispatcher)
    del bench.action.script["notify/a"]
    assert bench.action.ran == ["notify/a/1/opened"]
    await bench.round(dispatcher)
    assert bench.action.ran[1:] == ["notify/a/2/opened"] and await bench.round(dispatcher) == 0
    bench.clock.advance(2.0)
    await bench.round(dispatcher)
    await bench.round(dispatcher)
    assert bench.action.ran[2:] == ["notify/a/1/opened", "notify/a/1/resolved"]


async def test_a_lane_gets_its_share_of_a_minute(bench: Bench) -> None:
    dispatcher = bench.dispatcher(a=2)
    for number in range(5):
        await bench.add(f"notify/a/{number}", incident=number)
    await bench.add("notify/b/1", incident=9)
    assert [await bench.round(dispatcher) for _ in range(4)] == [2, 1, 0, 0]
    bench.clock.advance(61.0)
    assert [await bench.round(dispatcher) for _ in range(3)] == [1, 1, 0]


async def test_pauses_grow_to_their_cap_and_the_last_try_is_kept_with_its_reason(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1")
    bench.action.script["notify/a"] = Later("answered 503")
    pauses = []
    for _ in range(TRIES):
        waited = 0
        while not await bench.round(dispatcher):
            bench.clock.advance(1.0)
            waited += 1
        pauses.append(waited)
    assert pauses[:9] == [0, 2, 4, 8, 16, 32, 64, 128, 256] and set(pauses[9:]) == {300}
    bench.clock.advance(10_000.0)
    assert await bench.round(dispatcher) == 0
    (kept,) = await bench.effects()
    assert (kept.state, kept.attempt) == ("failed", TRIES) and "answered 503" in kept.result
    assert dispatcher.failed == 1


async def test_a_target_may_ask_for_a_longer_pause(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1")
    bench.action.script["notify/a"] = Later("answered 429", 60.0)
    await bench.round(dispatcher)
    bench.clock.advance(59.0)
    assert await bench.round(dispatcher) == 0
    bench.clock.advance(1.0)
    assert await bench.round(dispatcher) == 1


@pytest.mark.parametrize("key", ["notify/a/1", "other/a/1"])
async def test_what_cannot_be_done_is_not_tried_again(bench: Bench, key: str) -> None:
    dispatcher = bench.dispatcher()
    found = effect(key, action=key.partition("/")[0])
    await bench.store.commit(commit(bench.epoch, effects=[found]))
    bench.action.script["notify/a"] = Undoable("answered 404")
    await bench.round(dispatcher)
    assert await bench.states() == {key: "failed"}


async def test_an_error_that_nobody_foresaw_is_kept_by_its_kind_alone(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1", "notify/b/1")
    bench.action.script["notify/a"] = ValueError("token=hunter2")
    assert await bench.round(dispatcher) == 2
    kept = {found.key: found for found in await bench.effects()}
    assert kept["notify/a/1"].state == "pending" and kept["notify/b/1"].state == "done"
    assert "ValueError" in kept["notify/a/1"].result and "hunter2" not in kept["notify/a/1"].result


async def _orphan(bench: Bench, action: Scripted) -> None:
    """An effect whose runner vanished in the middle."""
    dispatcher = bench.dispatcher(action)
    await bench.add("notify/a/1")
    action.script["notify/a"] = asyncio.Event()
    await dispatcher.step()
    await bench.supervisor.stop_all()
    action.script.clear()
    assert await bench.states() == {"notify/a/1": "running"}


async def test_an_orphan_comes_up_as_unknown_within_a_minute(bench: Bench) -> None:
    action = Scripted()
    await _orphan(bench, action)
    bench.clock.advance(LEASE_SECONDS + 1.0)
    assert LEASE_SECONDS + 1.0 < 60.0
    assert await bench.round(bench.dispatcher(action)) == 0
    assert await bench.states() == {"notify/a/1": "unknown"} and len(action.ran) <= 1


async def test_an_orphan_that_may_be_repeated_goes_out_again_under_its_key(bench: Bench) -> None:
    action = Repeatable()
    await _orphan(bench, action)
    assert await bench.round(bench.dispatcher(action)) == 0
    bench.clock.advance(LEASE_SECONDS + 1.0)
    assert await bench.round(bench.dispatcher(action)) == 1
    assert await bench.states() == {"notify/a/1": "done"} and action.ran[-1] == "notify/a/1"


@pytest.mark.parametrize(("action", "state"), [(Repeatable(), "done"), (Scripted(), "unknown")])
async def test_a_new_process_waits_for_no_lease_of_the_one_before(bench: Bench, action: Scripted, state: str) -> None:
    await _orphan(bench, action)
    dispatcher = bench.dispatcher(action)
    await dispatcher.begin()
    await bench.round(dispatcher)
    assert await bench.states() == {"notify/a/1": state}


async def test_a_store_that_cannot_disown_leaves_it_to_the_leases(bench: Bench) -> None:
    action = Repeatable()
    await _orphan(bench, action)
    dispatcher = bench.dispatcher(action)
    bench.store.fail("disown", 1, StoreError("full"))
    await dispatcher.begin()
    assert await bench.round(dispatcher) == 0
    bench.clock.advance(LEASE_SECONDS + 1.0)
    assert await bench.round(dispatcher) == 1


async def test_an_orphan_is_not_repeated_for_ever(bench: Bench) -> None:
    action = Repeatable()
    await bench.add("notify/a/1")
    for _ in range(REPEATS):
        (claimed,) = await bench.store.claim(ZERO, bench.clock.now(), 1, 30.0, repeatable=("notify",))
        bench.clock.advance(31.0)
    assert claimed.attempt == REPEATS
    assert await bench.round(bench.dispatcher(action)) == 0
    assert await bench.states() == {"notify/a/1": "unknown"}


async def test_a_store_that_fails_loses_nothing(bench: Bench) -> None:
    dispatcher = bench.dispatcher()
    await bench.add("notify/a/1")
    bench.store.fail("claim", 1, StoreError("busy"))
    bench.store.fail("settle", 1, StoreError("busy"))
    assert await bench.round(dispatcher) == 0
    assert await bench.round(dispatcher) == 1
    assert await bench.states() == {"notify/a/1": "done"} and bench.action.ran == ["notify/a/1"]


async def test_it_wakes_at_once_and_finishes_what_is_on_its_way(bench: Bench) -> None:
    dispatcher, slow = bench.dispatcher(), asyncio.Event()
    running = bench.supervisor.spawn("dispatcher", dispatcher.run(pause_seconds=3600.0))
    bench.action.script["notify/a"] = slow
    await bench.add("notify/a/1")
    dispatcher.wake()
    async with asyncio.timeout(PATIENCE):
        await bench.action.began.wait()
        bench.supervisor.spawn("release", _set(slow))
        await dispatcher.finish(5.0)
        await running
    assert await bench.states() == {"notify/a/1": "done"}


async def _set(event: asyncio.Event) -> None:
    event.set()
