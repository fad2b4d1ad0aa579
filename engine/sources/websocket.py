"""Websocket source: connects out, takes CloudEvents and NDJSON frame by frame, and connects again when it is cut.

Owns the connection and its retries. Never understands an event: formats do. A frame is read on only when the one before
it is durable, so that a slow engine slows the sender down; after a cut nothing is counted twice, as events carry
(source, id). The address is checked as for every outgoing request: no redirects, no private addresses unless listed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import structlog

from data.records import Reject, TenantId
from engine.destinations import PORTS, Destination, Forbidden, as_http, denied, destination
from engine.formats.cloudevents import CloudEvents
from engine.formats.intake import IntakeSettings, reject
from engine.formats.ndjson import NdJson
from engine.ports import Clock, Emit, Envelope, EnvelopeKind, FormatError, Overloaded, Parsed, Received

log = structlog.get_logger("engine.sources.websocket")

FRAME_BYTES = 1024 * 1024
#: Characters kept of a frame that could not be read.
LETTER_CHARS = 65_536
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
OPEN_SECONDS = 10.0

Frames = AsyncIterator[bytes]
Connect = Callable[[], AbstractAsyncContextManager[Frames]]


class WebSocketSource:
    """Implements `engine.ports.Source`. `connect` stands in for the network in tests."""

    def __init__(  # noqa: PLR0913 - what a connection needs, by name
        self,
        name: str,
        url: str,
        *,
        tenant: TenantId,
        clock: Clock,
        settings: IntakeSettings,
        headers: Mapping[str, str] | None = None,
        allow_http: bool = False,
        allow_hosts: Iterable[str] = (),
        ports: Iterable[int] = PORTS,
        connect: Connect | None = None,
    ) -> None:
        self.name = name
        self.state = "starting"
        self._tenant, self._clock, self._settings = tenant, clock, settings
        self._headers = dict(headers or {})
        self._url = url
        self._to = partial(
            destination, as_http(url), allow_http=allow_http, allow_hosts=tuple(allow_hosts), ports=tuple(ports)
        )
        self._connect = connect or self._open

    async def run(self, emit: Emit) -> None:
        """Read until cancelled; waits longer after each failure, and starts over after a frame that came through."""
        wait = FIRST_WAIT_SECONDS
        while True:
            try:
                async with self._connect() as frames:
                    self.state = "connected"
                    async for frame in frames:
                        await self._take(frame, emit)
                        wait = FIRST_WAIT_SECONDS
                reason = "closed by the other side"
            except (OSError, TimeoutError, EOFError, Cut) as error:
                reason = f"{type(error).__name__}: {error}"[:200]
            except Forbidden as error:
                reason = f"{error.reason}; {error.remedy}"
                wait = LONGEST_WAIT_SECONDS
            if self.state != "waiting":
                log.warning("source_cut", source=self.name, reason=reason, again_in_seconds=wait)
            self.state = "waiting"
            await self._clock.sleep(wait)
            wait = min(LONGEST_WAIT_SECONDS, wait * 2)

    async def _take(self, frame: bytes, emit: Emit) -> None:
        received = Received(
            body=frame,
            headers={"content-type": "application/cloudevents-batch+json"},
            source=self.name,
            tenant=self._tenant,
            now=self._clock.now(),
            settings=self._settings,
        )
        try:
            parsed = _parse(received)
        except FormatError as error:
            text = frame[:LETTER_CHARS].decode("utf-8", "replace")
            parsed = Parsed(rejects=[reject(received, "ndjson", error, text)])
        for part in (parsed, *parsed.parts):
            for kind, rows, suffix in (
                (EnvelopeKind.SIGNALS, part.signals, ""),
                (EnvelopeKind.EVENTS, part.events, "#events"),
                (EnvelopeKind.REJECTS, part.rejects, "#rejects"),
            ):
                if rows:
                    await self._emit(emit, kind, list(rows), f"{part.id}{suffix}" if part.id else "")

    async def _emit(self, emit: Emit, kind: EnvelopeKind, rows: list[Any] | list[Reject], id: str) -> None:
        """Until it is durable: a full engine is waited for."""
        while True:
            try:
                await emit(Envelope(kind=kind, tenant=self._tenant, source=self.name, payload=rows, id=id))
                return
            except Overloaded as error:
                await self._clock.sleep(error.retry_after)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Frames]:
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        class Straight(connect):
            """Follows no redirect: its target was not checked."""

            def process_redirect(self, exc: Exception) -> Exception | str:
                return exc

        to = self._to()
        address = await _address(to)
        context = ssl.create_default_context() if to.scheme == "https" else None
        try:
            async with Straight(
                self._url,
                host=address,
                port=to.port,
                ssl=context,
                server_hostname=to.host if context is not None else None,
                additional_headers=self._headers,
                max_size=FRAME_BYTES,
                open_timeout=OPEN_SECONDS,
                proxy=None,
            ) as socket:
                yield _frames(socket)
        except WebSocketException as error:
            raise Cut(f"{to.origin}: {type(error).__name__}") from error


class Cut(Exception):
    """The connection could not be made, or was cut."""


async def _frames(socket: Any) -> Frames:
    async for frame in socket:
        yield frame.encode() if isinstance(frame, str) else frame


async def _address(to: Destination) -> str:
    """An address of the host, all of which are allowed. Raises Forbidden, or OSError when it has none."""
    loop = asyncio.get_running_loop()
    found = [str(address[0]) for *_, address in await loop.getaddrinfo(to.host, to.port, type=1)]
    if not found:
        raise OSError(f"{to.host} has no address")
    if not to.trusted and any(denied(address) for address in found):
        raise Forbidden(f"{to.host} leads to an address that is not public", "add it to notify.allow_hosts")
    return found[0]


def _parse(received: Received) -> Parsed:
    """An array is a batch of events, anything else lines of one event or alert each. Raises FormatError."""
    if received.body.lstrip()[:1] == b"[":
        return CloudEvents().parse(received)
    return NdJson().parse(received)
