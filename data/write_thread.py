"""The one thread that writes: work goes in from the event loop, its result comes back as a future.

Owns the hop between loop and thread, nothing else. `run_in_executor` costs 20 µs more per hop, because it wraps a
second kind of future; at one commit per alert that is a tenth of the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")

_Job = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class WriteThread:
    """Runs callables one after another on one thread of its own. `stop` ends it after what is queued."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], T]) -> T:
        """The result of `job`. A caller that is cancelled while it waits does not stop the job."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((job, loop, future))
        return await future

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, loop, future = entry
            result, error = None, None
            try:
                result = job()
            except BaseException as raised:  # noqa: BLE001 - handed to the waiting task, which raises it
                error = raised
            try:
                loop.call_soon_threadsafe(_answer, future, result, error)
            except RuntimeError:
                # The loop was closed while the job ran: nobody waits for the answer any more.
                continue
            finally:
                del entry, job, future, result, error


def _answer(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
