"""Which engine a command talks to: the one at --url, the one that runs here, or one started for this command.

Owns the choice and the tidy end. Commands see only an EngineClient.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from noc_console.commands.outcome import STORE, USAGE, Failure
from noc_console.commands.start import Start

if TYPE_CHECKING:
    from data.scope import Scope
    from engine.app import Engine
    from engine.client import EngineClient
    from engine.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_TOKEN_MAX_BYTES = 4096


def url_option(function: F) -> F:
    function = click.option(
        "--token-file", metavar="FILE", help="File with the token for --url; else the variable NOC_TOKEN."
    )(function)
    return click.option("--url", metavar="URL", help="A running engine, instead of the one of this machine.")(function)


def token_of(token_file: str | None, start: Start) -> str:
    """The token to send, "" for none. It never comes from the command line, where other users could read it."""
    if token_file is None:
        return start.environ().get("NOC_TOKEN", "")
    with Path(token_file).expanduser().open("rb") as file:
        text = file.read(_TOKEN_MAX_BYTES).decode("utf-8", "replace").strip()
    if not text or not text.isascii() or any(letter.isspace() for letter in text):
        raise Failure(f"{token_file} does not hold a token; write the text that `token create` printed into it", USAGE)
    return text


def checked_url(url: str) -> str:
    """The URL without a slash at its end. Raises Failure when it is not http(s)://host…"""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failure(f"{url!r} is not an engine's address; write one like http://127.0.0.1:8099", USAGE)
    if parts.username or parts.password:
        raise Failure("a URL must not carry a password; use --token-file", USAGE)
    return url.rstrip("/")


def own_url(settings: Settings) -> str:
    """Where this configuration's engine listens."""
    listen = settings.listen
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)
    bracketed = f"[{host}]" if ":" in host else host
    return f"{'https' if listen.tls_cert else 'http'}://{bracketed}:{listen.port}"


def local_scope(settings: Settings) -> Scope:
    """Whoever can read the database of this machine may do everything with it."""
    from data.records import TenantId
    from data.scope import CAPABILITIES, Scope
    from engine.login import login_name

    return Scope(tenant=TenantId(settings.engine.tenant), actor=login_name(), capabilities=CAPABILITIES)


def ask(start: Start, url: str | None, token_file: str | None, act: Callable[[EngineClient], Awaitable[T]]) -> T:
    """Run `act` on the engine that the options mean, and close what was opened."""
    import asyncio

    async def session() -> T:
        async with connected(start, url, token_file) as client:
            return await act(client)

    return asyncio.run(session())


@asynccontextmanager
async def connected(start: Start, url: str | None, token_file: str | None) -> AsyncIterator[EngineClient]:
    settings = start.settings()
    at = checked_url(url) if url else running_url(settings)
    if at is None:
        async with own_engine(settings) as engine:
            yield engine.client(local_scope(settings))
        return
    from engine.remote import RemoteClient

    client = RemoteClient(at, token_of(token_file, start))
    try:
        yield client
    finally:
        await client.close()


def running_url(settings: Settings) -> str | None:
    """Where the engine on this configuration's directory answers; None when none runs."""
    from engine.config import data_dir
    from engine.presence import running_card

    card = running_card(data_dir(settings))
    return None if card is None else card.url


@asynccontextmanager
async def own_engine(settings: Settings, *, listen: bool = False) -> AsyncIterator[Engine]:
    """An engine on the data directory for as long as the command runs; it listens at most on a port of its own."""
    import logging

    from engine.app import build
    from engine.clock import SystemClock
    from engine.config import data_dir
    from engine.logs import configure

    if not listen and not (data_dir(settings) / "noc.db").exists():
        raise Failure(f"no engine runs on {data_dir(settings)}, and it holds no database; start noc-console", STORE)
    configure(sys.stderr, logging.ERROR)
    engine = build(alone(settings), SystemClock(), listen=listen)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def alone(settings: Settings) -> Settings:
    """The same settings on a free port of loopback."""
    from msgspec.structs import replace

    listen = replace(settings.listen, host="127.0.0.1", port=0, tls_cert="", tls_key="", insecure=False)
    return replace(settings, listen=listen)
