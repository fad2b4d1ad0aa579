"""The engine inside the console's process: in a thread and an event loop of its own.

The only module of the console that starts an engine. Textual's loop and the engine's never wait for each other: a
terminal that hangs must not stop the intake. What crosses is immutable. Nothing of the engine is imported before its
client is first asked, which the console does after its first frame.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from data.records import Change
from data.scope import Scope
from engine.client import Command, CommandResult, EngineClient, Health, Page, Query, Resync, Unreachable, View
from noc_console.feed import EngineFailed

if TYPE_CHECKING:
    from engine.app import Engine
    from engine.effects import Outside
    from engine.ports import Clock, Source
    from engine.settings import Settings

T = TypeVar("T")

#: Changes that may wait for a console that does not take them; beyond it reads the pages again.
HANDOVER_CAP = 20_000
#: The engine's own teardown has its limits; this one is for a thread that is stuck.
STOP_SECONDS = 20.0


class EngineThread:
    """A context. The engine starts when a client is first asked and drains at the end of the block.

    A start that fails ends the console; the block then raises what the start raised.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        inputs: Sequence[Source] = (),
        outside: Outside | None = None,
    ) -> None:
        self._settings, self._clock, self._inputs, self._outside = settings, clock, inputs, outside
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._engine: Engine | None = None
        self._started = False
        self._waiters: deque[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = deque()
        self.error: BaseException | None = None

    @property
    def url(self) -> str:
        """Base URL of the engine's listener; "" before it is up."""
        return self._engine.url if self._engine is not None and self._ready.is_set() else ""

    def client(self, scope: Scope) -> ThreadClient:
        """A client for the console's loop."""
        return ThreadClient(self, scope)

    def start(self) -> None:
        """Begin to start the engine; returns at once. Does nothing the second time."""
        if not self._started:
            self._started = True
            self._thread.start()

    def inner(self, scope: Scope) -> EngineClient | None:
        """The engine's own client, to be used on its loop only; None while it starts. Raises EngineFailed."""
        if self.error is not None:
            raise EngineFailed(str(self.error) or type(self.error).__name__) from self.error
        if not self._ready.is_set() or self._engine is None:
            return None
        return self._engine.client(scope)

    async def ready(self) -> None:
        """Wait, on the caller's loop, until the engine is up or has failed to start."""
        event = asyncio.Event()
        self._waiters.append((asyncio.get_running_loop(), event))
        if not self._ready.is_set():
            await event.wait()

    def submit(self, work: Coroutine[Any, Any, T]) -> asyncio.Future[T]:
        """Run on the engine's loop, await on the caller's. Raises Unreachable when the engine has ended."""
        if self._loop is None or self._loop.is_closed():
            work.close()
            raise Unreachable("the engine has stopped")
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def __enter__(self) -> Self:
        return self

    def stop(self) -> None:
        """Drain and end the engine; returns when it has. May be called from any thread, and twice."""
        if not self._started:
            return
        self._ready.wait(STOP_SECONDS)
        if self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_SECONDS)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        if self.error is not None and kind is None:
            raise self.error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (handed to the console's thread, which ends with it)
            self.error = error
        finally:
            self._is_ready()

    def _is_ready(self) -> None:
        self._ready.set()
        while self._waiters:
            loop, event = self._waiters.popleft()
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    async def _serve(self) -> None:
        from engine.app import build
        from engine.clock import SystemClock

        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._engine = build(self._settings, self._clock or SystemClock(), inputs=self._inputs, outside=self._outside)
        await self._engine.start()
        self._is_ready()
        try:
            await self._stop.wait()
        finally:
            await self._engine.stop()


class ThreadClient:
    """`engine.client.EngineClient` whose calls run on the engine's loop and are awaited on the console's."""

    def __init__(self, engine: EngineThread, scope: Scope) -> None:
        self._engine, self._scope = engine, scope
        self._inner: EngineClient | None = None

    async def query(self, query: Query) -> Page:
        inner = await self._client()
        return await self._engine.submit(inner.query(query))

    async def command(self, command: Command) -> CommandResult:
        inner = await self._client()
        return await self._engine.submit(inner.command(command))

    async def step_up(self, pin: str) -> float:
        inner = await self._client()
        return await self._engine.submit(inner.step_up(pin))

    async def health(self) -> Health:
        inner = await self._client()
        return await self._engine.submit(inner.health())

    async def watch(self, view: View, since: int | None = None) -> AsyncIterator[Sequence[Change] | Resync]:
        inner = await self._client()
        handover = Handover(asyncio.get_running_loop())
        carrying = self._engine.submit(_carry(inner, view, since, handover))
        try:
            while True:
                for batch in await handover.take():
                    yield batch
                if carrying.done() and not handover:
                    carrying.result()
                    return
        finally:
            carrying.cancel()

    async def close(self) -> None:
        if self._inner is not None:
            await self._engine.submit(self._inner.close())

    def stop_engine(self) -> None:
        """The console is being cut off: drain the engine now."""
        self._engine.stop()

    async def _client(self) -> EngineClient:
        """The engine's own client, as soon as it is up."""
        self._engine.start()
        if self._inner is None:
            await self._engine.ready()
            self._inner = self._engine.inner(self._scope)
        if self._inner is None:
            raise Unreachable("the engine has stopped")
        return self._inner


class Handover:
    """Batches from one thread to another loop: `put` there, `take` here. Bounded; beyond it becomes a Resync."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cap: int = HANDOVER_CAP) -> None:
        self._loop, self._cap = loop, cap
        self._batches: deque[Sequence[Change] | Resync] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._rung = False

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, batch: Sequence[Change] | Resync) -> None:
        """Called on the engine's loop; never waits."""
        if not isinstance(batch, Resync) and self._waiting + len(batch) > self._cap:
            self._batches.clear()
            self._waiting = 0
            batch = Resync(seq=batch[-1].seq, reason="the console did not take the changes in time")
        self._batches.append(batch)
        self._waiting += 0 if isinstance(batch, Resync) else len(batch)
        self.ring()

    def ring(self) -> None:
        """Wake the taker; one call over the threads for any number of batches."""
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake.set)

    async def take(self) -> list[Sequence[Change] | Resync]:
        """All that came; waits for the first."""
        await self._wake.wait()
        self._wake.clear()
        self._rung = False
        taken = []
        while self._batches:
            taken.append(self._batches.popleft())
        self._waiting = 0
        return taken


async def _carry(inner: EngineClient, view: View, since: int | None, handover: Handover) -> None:
    """On the engine's loop: the feed into the handover, until it ends or fails."""
    try:
        async for batch in inner.watch(view, since):
            handover.put(batch)
    finally:
        handover.ring()
