"""A receiver of HTTP requests on this machine that answers with raw bytes and keeps what came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from msgspec import json

from tests.fakes.waiting import PATIENCE


class Seen(NamedTuple):
    """A request as it came; header names in lower case."""

    raw: bytes
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.decode(self.body)


#: A request → the bytes of the answer; None: no answer, until the sender gives up.
Handler = Callable[[Seen], bytes | None]


def plain(status: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Receiver:
    """`answer` may be replaced while it runs; `arrived` is set by every request."""

    def __init__(self, answer: Handler) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self.port = 0
        self.arrived = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def wait_for(self, count: int, seconds: float = PATIENCE) -> None:
        """Return when `count` requests have come; TimeoutError when they have not in time."""
        async with asyncio.timeout(seconds):
            while len(self.seen) < count:
                self.arrived.clear()
                await self.arrived.wait()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            seen = await _read(reader)
            self.seen.append(seen)
            self.arrived.set()
            answer = self.answer(seen)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = await reader.readuntil(b"\r\n\r\n")
    pairs = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:] if line]
    headers = {name.lower(): value for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Seen(head + body, headers, body)


async def receivers() -> AsyncIterator[Callable[[Handler], Awaitable[Receiver]]]:
    """A fixture that starts receivers, and stops them after the test."""
    servers = []

    async def start(answer: Handler) -> Receiver:
        receiver = Receiver(answer)
        server = await asyncio.start_server(receiver, "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        servers.append(server)
        return receiver

    yield start
    for server in servers:
        server.close()
