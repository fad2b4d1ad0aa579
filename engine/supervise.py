"""Supervise: every background task has a name, an owner and an end.

A part that crashes is started again, three times in sixty seconds; after that it is degraded: the rest goes on
and health says so. The only place that makes tasks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from engine.ports import Clock

log = structlog.get_logger("engine.supervise")

RESTARTS = 3
WITHIN_SECONDS = 60.0


class Supervisor:
    """Runs named coroutines. `degraded` maps the name of a part that was given up to its last error."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self.degraded: dict[str, str] = {}
        self.on_degraded: Callable[[str], None] = lambda part: None

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Keep `run` running under `name` until it returns or is stopped."""
        self._tasks[name] = asyncio.get_running_loop().create_task(self._keep(name, run), name=name)

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task that ends by itself; whoever asked for it awaits it."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[f"{name}#{id(task)}"] = task
        task.add_done_callback(lambda done: self._tasks.pop(f"{name}#{id(done)}", None))
        return task

    async def stop(self, name: str, seconds: float = 5.0) -> None:
        """Cancel one part and wait for its end, at most `seconds`."""
        task = self._tasks.pop(name, None)
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task], timeout=seconds)

    async def stop_all(self, seconds: float = 5.0) -> None:
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        crashes: deque[float] = deque(maxlen=RESTARTS + 1)
        while True:
            try:
                await run()
                return
            except Exception as error:  # supervision boundary: one part must not take the others down
                crashes.append(self._clock.monotonic())
                log.error("part_crashed", part=name, error=f"{type(error).__name__}: {error}", exc_info=True)
            if len(crashes) > RESTARTS and crashes[-1] - crashes[0] <= WITHIN_SECONDS:
                self.degraded[name] = "gave up after repeated crashes"
                log.error("part_degraded", part=name)
                self.on_degraded(name)
                return
            await self._clock.sleep(min(5.0, 0.1 * 2 ** len(crashes)))
