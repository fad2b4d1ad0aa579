"""The listener: uvicorn inside the engine's own loop.

Owns the socket, its refusal to open where it would not be safe, and the ordered stop. Installs no signal handlers
and runs no timer of its own: an idle server costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

import structlog
import uvicorn
from msgspec.structs import replace
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from data.records import TenantId
from engine.alertmanager_view import AlertBoard
from engine.api.app import App
from engine.api.body import BodyReader
from engine.api.context import Api
from engine.api.gate import Gate, TokenSource
from engine.api.intake import Intake
from engine.api.peers import PeerOwners, is_loopback
from engine.api.prompt import URL, Exchange, Prompt
from engine.api.routes import Routes
from engine.api.sources import build_sources
from engine.api.table import build_table
from engine.api.throttle import Throttle
from engine.api.warming import Warming
from engine.formats import registry
from engine.formats.intake import IntakeSettings
from engine.inbox import RESERVED
from engine.service import Service
from engine.settings import Settings
from engine.stages.normalise import IntakeRules
from engine.supervise import Supervisor
from engine.version import VERSION

#: Seconds that an idle connection is kept; senders come back every minute or less.
KEEP_ALIVE_SECONDS = 75
#: Seconds that a new connection may be silent.
FIRST_BYTE_SECONDS = 10.0
#: Seconds from the first byte of a request to the end of its head.
HEAD_SECONDS = 10.0
CONNECTIONS = 10_000
#: Bytes of a request's line and headers.
HEAD_BYTES = 65_536
#: Bytes of one message of a feed's client: it has nothing to say but who it is.
MESSAGE_BYTES = 1024 * 1024

_log = structlog.get_logger("engine.api")


class ListenRefused(Exception):
    """The listener is not opened: the message says what would not be safe, and the remedy."""


class _Http(HttpToolsProtocol):
    """Drops connections that never say anything, or say it too slowly."""

    _head_bytes = 0
    _in_head = False
    _head_timer: asyncio.TimerHandle | None = None
    #: The fast way of the listener, if it has one, and the body of a request that may go it.
    prompt: Prompt | None = None
    _whole: bytes | None = None

    def data_received(self, data: bytes) -> None:
        """Cuts a connection whose request head grows without an end, or does not come to one in time."""
        super().data_received(data)
        if self._whole is not None:
            self._go_ordinary()  # the rest of its body is not there yet
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.abort()
        # Most heads come in one piece: then there is a request by now, and no timer is needed.
        cycle: Any = self.cycle
        if self._head_timer is None and (self._in_head or cycle is None or cycle.response_complete):
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        # A connection that has become a websocket is not this protocol's any more.
        if self.transport.get_protocol() is self and not self.transport.is_closing():
            self.transport.abort()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_head_timer()
        if self.url == URL and self._may_be_prompt():
            self._whole = b""
        else:
            super().on_headers_complete()

    def _may_be_prompt(self) -> bool:
        cycle: Any = self.cycle
        return (
            self.prompt is not None
            and (cycle is None or cycle.response_complete)
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.flow.write_paused
            and len(self.connections) < CONNECTIONS
            and self.prompt.may_take(self.headers)
        )

    def on_body(self, body: bytes) -> None:
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole += body

    def on_message_complete(self) -> None:
        body = self._whole
        if body is None:
            super().on_message_complete()
            return
        assert self.prompt is not None
        exchange = Exchange(self._answered)
        if self.prompt.take(self.scope, body, exchange):  # type: ignore[arg-type]
            self._whole = None
            self.cycle = exchange  # type: ignore[assignment]
            self.prompt.waiting.add(exchange)
        else:
            self._go_ordinary()
            super().on_message_complete()

    def _go_ordinary(self) -> None:
        """To the application, with what is there of the body."""
        body, self._whole = self._whole, None
        super().on_headers_complete()
        if body:
            super().on_body(body)

    def _answered(self, exchange: Exchange, rest: bytes) -> None:
        assert self.prompt is not None
        self.prompt.waiting.discard(exchange)
        exchange.response_complete = True
        if exchange.disconnected or self.transport.is_closing():
            return
        close = b"" if exchange.keep_alive else b"connection: close\r\n"
        self.transport.write(b"".join((exchange.status, self.prompt.date(), close, rest)))
        if close:
            self.transport.close()
        self.on_response_complete()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self.timeout_keep_alive_task = self.loop.call_later(FIRST_BYTE_SECONDS, self.timeout_keep_alive_handler)


class _Websocket(WebSocketsSansIOProtocol):
    """Hands the application a way to drop a connection whose buffer nobody empties."""

    async def run_asgi(self) -> None:
        self.scope["state"]["abort"] = self.transport.abort
        await super().run_asgi()


class _Uvicorn(uvicorn.Server):
    """Started and stopped from outside; the Date header is renewed when a request comes, not by a timer."""

    def __init__(self, config: uvicorn.Config, now: Callable[[], datetime]) -> None:
        super().__init__(config)
        self._now = now
        self._date_until = 0.0
        self.date = b""

    def renew_date(self, monotonic: float) -> None:
        if monotonic >= self._date_until:
            self._date_until = monotonic + 1.0
            date = format_datetime(self._now(), usegmt=True).encode()
            self.server_state.default_headers[:] = [(b"date", date)]
            self.date = b"date: %b\r\n" % date


class HttpServer:
    """One open listener. `url` is where it answers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.app = App(api)
        listen = api.settings.listen
        self._prompt = Prompt(api, self._date)
        self._config = uvicorn.Config(
            self._entry,
            host=listen.host,
            port=listen.port,
            http=type("_Http", (_Http,), {"prompt": self._prompt}),
            ws=_Websocket,
            ws_max_size=MESSAGE_BYTES,
            ws_ping_interval=30.0,
            ws_ping_timeout=30.0,
            # On loopback compression only costs; over a network a console may sit behind a thin line.
            ws_per_message_deflate=not is_loopback(listen.host),
            interface="asgi3",
            lifespan="off",
            loop="none",
            log_config=None,
            # Its warnings are about senders that speak no HTTP: anybody could fill the log with them.
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            ssl_certfile=listen.tls_cert or None,
            ssl_keyfile=listen.tls_key or None,
        )
        self._uvicorn = _Uvicorn(self._config, api.service.clock.now)
        self._parts = Supervisor(api.service.clock)
        self.url = ""

    def _date(self) -> bytes:
        self._uvicorn.renew_date(self._api.service.clock.monotonic())
        return self._uvicorn.date

    async def _entry(self, asgi: Any, receive: Any, send: Any) -> None:
        self._uvicorn.renew_date(self._api.service.clock.monotonic())
        await self.app(asgi, receive, send)

    def reload(self, settings: Settings, rules: IntakeRules) -> None:
        """From the next request on: these sources and these rules of intake."""
        sources = build_sources(settings, self._api.formats, rules)
        self._api = replace(
            self._api, settings=settings, sources=sources, intake_settings=IntakeSettings(rules=rules)
        )
        self.app = App(self._api)
        self._prompt.api = self._api

    async def start(self) -> None:
        """Opens the listener. Raises ListenRefused where that would not be safe, OSError when the port is taken."""
        check_listen(self._api.settings)
        if not self._config.loaded:
            self._config.load()
        if self._config.ssl is not None:
            self._config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        self._uvicorn.lifespan = self._config.lifespan_class(self._config)
        try:
            await self._uvicorn.startup()
        except SystemExit as error:
            # The server ends the process when it cannot bind; here that is an error like any other.
            listen, cause = self._api.settings.listen, error.__context__
            number = (cause.errno if isinstance(cause, OSError) else None) or errno.EADDRINUSE
            why = os.strerror(number).lower()
            raise OSError(number, f"cannot listen on {listen.host}:{listen.port}: {why}") from error
        self.url = self._address()
        api = self._api
        tenant = TenantId(api.settings.engine.tenant)
        self._parts.start("warming", Warming(api.service.clock, api.service.board, tenant, api.board).run)
        _log.info("listening", url=self.url)

    def _address(self) -> str:
        host, port = self._uvicorn.servers[0].sockets[0].getsockname()[:2]
        scheme = "https" if self._config.is_ssl else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def stop(self, seconds: float = 5.0) -> None:
        """Takes nothing new, lets what runs end for `seconds`, then cuts it off."""
        server = self._uvicorn
        if not server.started:
            return
        await self._parts.stop_all(1.0)
        for listener in server.servers:
            listener.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        tasks = list(server.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._prompt.waiting:
                    await self._api.service.clock.sleep(0.01)
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        for listener in server.servers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await listener.wait_closed()
        server.started = False


def check_listen(settings: Settings) -> None:
    """Raises ListenRefused for an address beyond this machine without TLS, unless that was asked for."""
    listen = settings.listen
    if is_loopback(listen.host) or listen.insecure or (listen.tls_cert and listen.tls_key):
        return
    raise ListenRefused(
        f"listen.host: {listen.host} is reachable from other machines and would send tokens in clear text; "
        "set listen.tls_cert and listen.tls_key, or listen.insecure = true"
    )


def build_api(
    service: Service,
    settings: Settings,
    tokens: TokenSource,
    *,
    rules: IntakeRules | None = None,
    metrics: Callable[[], bytes] = bytes,
    owners: PeerOwners | None = None,
) -> Api:
    """The parts, put together; nothing is opened."""
    limits, clock, bodies = settings.limits, service.clock, BodyReader()
    rules = rules or IntakeRules()
    formats: Mapping[str, Any] = registry()
    bulk = int(settings.engine.inbox_max * (1 - RESERVED))
    throttle = Throttle(clock.monotonic, limits.source_rate, limits.source_burst, bulk)
    return Api(
        service=service,
        settings=settings,
        gate=Gate(
            settings.listen,
            TenantId(settings.engine.tenant),
            clock,
            tokens,
            owners=owners,
            requests=Throttle(clock.monotonic, limits.token_rate, limits.token_burst, settings.engine.inbox_max),
        ),
        intake=Intake(service, throttle, bodies),
        bodies=bodies,
        routes=Routes(build_table()),
        sources=build_sources(settings, formats, rules),
        formats=formats,
        alert_format=formats["alertmanager"],
        intake_settings=IntakeSettings(rules=rules),
        metrics=metrics,
        version=VERSION,
        started_at=clock.now(),
        board=AlertBoard(),
    )


async def serve(
    service: Service,
    settings: Settings,
    tokens: TokenSource,
    *,
    rules: IntakeRules | None = None,
    metrics: Callable[[], bytes] = bytes,
) -> HttpServer:
    """Opens the listener of `settings.listen` in the running loop and returns it; `await server.stop()` closes it.

    `tokens` is the store's reader, `rules` what intake was configured with, `metrics` renders the engine's counters.
    Raises ListenRefused, OSError.
    """
    server = HttpServer(build_api(service, settings, tokens, rules=rules, metrics=metrics))
    await server.start()
    return server
