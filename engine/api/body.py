"""Reading a request's body within its bounds.

Owns the size and time limits of reading. Never parses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from engine.api.wire import Problem, Receive

#: Seconds that a sender may take for its body, at least; at most twice as many.
BODY_SECONDS = 15.0


class Disconnected(Exception):
    """The sender went away before its body was complete. There is nobody to answer."""


class BodyReader:
    """Reads bodies, and ends those that dawdle.

    One timer watches all of them, and none runs while nobody sends: a deadline of its own for every body would
    cost a fifth of the whole request.
    """

    def __init__(self) -> None:
        self._reading: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._watching = False

    async def read(self, receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
        """The whole body, at most `limit` bytes as sent. Raises Problem 408, 413 and Disconnected."""
        length = headers.get(b"content-length")
        if length is not None and int(length) > limit:
            raise too_large(limit)
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        self._reading[task] = loop.time()
        if not self._watching:
            self._watching = True
            loop.call_later(BODY_SECONDS, self._sweep, loop)
        try:
            return await _read(receive, limit)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            task.uncancel()
            raise Problem(408, "Too slow", "The body did not arrive in time.", field="body") from None
        finally:
            del self._reading[task]
            self._late.discard(task)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = loop.time() - BODY_SECONDS
        for task, since in self._reading.items():
            if since <= latest:
                self._late.add(task)
                task.cancel()
        self._watching = bool(self._reading)
        if self._watching:
            loop.call_later(BODY_SECONDS, self._sweep, loop)


async def _read(receive: Receive, limit: int) -> bytes:
    message = await receive()
    if message["type"] == "http.request" and not message["more_body"]:
        body: bytes = message["body"]
        if len(body) > limit:
            raise too_large(limit)
        return body
    chunks: list[bytes] = []
    size = 0
    while message["type"] == "http.request":
        size += len(message["body"])
        if size > limit:
            raise too_large(limit)
        chunks.append(message["body"])
        if not message["more_body"]:
            return b"".join(chunks)
        message = await receive()
    raise Disconnected


def too_large(limit: int) -> Problem:
    return Problem(
        413, "Body too large", f"At most {limit} bytes are taken.", field="body", remedy="send smaller batches"
    )
