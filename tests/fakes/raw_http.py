"""A HTTP client that costs next to nothing, so that what is measured is the other side."""

from __future__ import annotations

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    retry_after: str
    body: bytes


def request(url: str, path: str, body: bytes, media: str = "application/json", headers: str = "") -> bytes:
    """The bytes of one POST; `headers` are whole lines."""
    host = urlsplit(url).netloc
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}{headers}\r\n".encode() + body


class RawConnection:
    """One kept connection; requests one after the other."""

    def __init__(self, url: str) -> None:
        self._at = urlsplit(url)
        self._writer: asyncio.StreamWriter | None = None
        self._reader = asyncio.StreamReader()

    async def send(self, packet: bytes) -> Answer:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._at.hostname, self._at.port)
        self._writer.write(packet)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await self._reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection") == "close":
            self.close()
        return Answer(int(head.split(" ", 2)[1]), fields.get("retry-after", ""), body)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
