"""Connections that take their time: a head that does not come, and more feeds than one may hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.api.feed import WATCHERS, WATCHERS_EACH, Ended, Feed, _holder
from engine.api.server import HEAD_SECONDS, _Http
from engine.api.wire import Grant

HEAD = b"POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"


class Timer:
    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due, self.call, self.cancelled = due, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Timers that the test runs; tasks are never started."""

    def __init__(self) -> None:
        self.now, self.timers = 0.0, []

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def create_task(self, work: Any) -> asyncio.Future[None]:
        work.close()
        return asyncio.Future(loop=asyncio.new_event_loop())

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        for timer in [timer for timer in self.timers if timer.due <= self.now and not timer.cancelled]:
            timer.cancel()
            timer.call()


class Transport:
    def __init__(self) -> None:
        self.protocol: Any = None
        self.aborted = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    close = abort


@pytest.fixture
def connection() -> tuple[_Http, Transport, Loop]:
    def app(*_: Any) -> None:
        """Nothing is ever run."""

    loop, transport = Loop(), Transport()
    config = uvicorn.Config(app, log_config=None, lifespan="off", interface="asgi3", ws="none")
    config.load()
    transport.protocol = _Http(config, ServerState(), {}, loop)  # type: ignore[arg-type]
    transport.protocol.connection_made(transport)
    return transport.protocol, transport, loop


@pytest.mark.parametrize("pieces", [[HEAD[:20]], [HEAD[:20], HEAD[20:30], HEAD[30:40]], [b"\r\n"], [b"\r\n", b"\r\n"]])
def test_a_head_that_does_not_arrive_ends_the_connection(
    connection: tuple[_Http, Transport, Loop], pieces: list[bytes]
) -> None:
    protocol, transport, loop = connection
    for piece in pieces:
        protocol.data_received(piece)
        loop.pass_by(2.0)
    assert not transport.aborted
    loop.pass_by(HEAD_SECONDS)
    assert transport.aborted


@pytest.mark.parametrize("pieces", [[HEAD], [HEAD[:20], HEAD[20:]]])
def test_a_head_in_time_leaves_the_body_its_own(connection: tuple[_Http, Transport, Loop], pieces: list[bytes]) -> None:
    protocol, transport, loop = connection
    for piece in pieces:
        protocol.data_received(piece)
        loop.pass_by(HEAD_SECONDS - 1)
    loop.pass_by(HEAD_SECONDS)
    assert not transport.aborted


def test_a_connection_that_became_another_protocol_is_left_alone(connection: tuple[_Http, Transport, Loop]) -> None:
    protocol, transport, loop = connection
    protocol.data_received(HEAD[:20])
    transport.protocol = object()
    loop.pass_by(HEAD_SECONDS)
    assert not transport.aborted


def test_nobody_holds_all_feeds() -> None:
    feed = Feed(None)  # type: ignore[arg-type]
    with ExitStack() as held:
        for _ in range(WATCHERS_EACH):
            held.enter_context(feed._counted("token a"))
        with pytest.raises(Ended, match="too many feeds"):
            held.enter_context(feed._counted("token a"))
        for number in range(WATCHERS - WATCHERS_EACH):
            held.enter_context(feed._counted(f"token {number}"))
        with pytest.raises(Ended, match="too many feeds"):
            held.enter_context(feed._counted("token z"))
    assert (feed.watchers, dict(feed._each)) == (0, {})
    with feed._counted("token a"):
        assert feed.watchers == 1


def test_without_a_token_feeds_are_counted_by_address() -> None:
    grant = Grant(Scope(tenant=DEFAULT_TENANT, actor="ana", capabilities=CAPABILITIES))
    assert _holder(grant, {"client": ("10.0.0.9", 41_000)}) == _holder(grant, {"client": ("10.0.0.9", 41_001)})
    assert _holder(grant, {"client": ("10.0.0.9", 41_000)}) != _holder(grant, {"client": ("10.0.0.8", 41_000)})
