"""The engine at the other end of a line: `EngineClient` over REST and the feed.

Owns addresses, errors and decoding. Keeps nothing between calls but its connections: whoever watches reconnects by
the last position it saw. The token goes into a header, over TLS or to this machine only.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import httpx
import msgspec
from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from data.nouns import NOUNS
from data.records import Alert, Audit, Change, Cluster, Effect, Incident, Reject, Silence, TimelineEntry
from engine.client import Command, CommandResult, Health, Page, Proof, Query, Refused, Resync, Unreachable, View

#: Seconds to wait for an answer; the engine cuts its own reads off sooner.
ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 5.0
#: Seconds without any message, heartbeats included, after which the line counts as dead.
SILENCE_SECONDS = 35.0
#: Bytes of one frame of the feed: a frame holds one change at least, and a change one alert.
FRAME_BYTES = 8 * 1024 * 1024

#: Closing codes of the feed that say "not allowed", so that trying again is of no use.
_NOT_ALLOWED = {4401: 401, 4403: 403, 1008: 422}

_RECORDS: dict[str, Any] = {
    "alerts": Alert,
    "incidents": Incident,
    "clusters": Cluster,
    "silences": Silence,
    "timeline": TimelineEntry,
    "rejects": Reject,
    "events": Change,
    "audits": Audit,
    "effects": Effect,
    **{noun.kind: noun.record for noun in NOUNS.values()},
}
_PATHS = {"audits": "audit"}

T = TypeVar("T")


class _Page(Struct, frozen=True, kw_only=True):
    """A page whose rows wait to be decoded as the kind that was asked for."""

    items: list[msgspec.Raw]
    seq: int
    next: str | None = None
    total: int | None = None


class _Message(Struct, frozen=True, kw_only=True):
    """Any message of the feed: snapshot, resync, changes, heartbeat."""

    type: str
    seq: int
    reason: str = ""
    changes: tuple[Change, ...] = ()


class _Problem(Struct, frozen=True, kw_only=True):
    title: str = ""
    detail: str = ""
    field: str = ""
    remedy: str = ""


_page = msgspec.json.Decoder(_Page)
_message = msgspec.json.Decoder(_Message)


class RemoteClient:
    """One engine at `url` (http or https). `token` is a bearer token; `ca_file` the certificate authority to
    trust instead of the system's. Certificates are always checked.

    Raises Refused when a token would go over a network in clear text, unless `insecure`.
    """

    def __init__(self, url: str, token: str = "", *, ca_file: str = "", insecure: bool = False) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(
                f"not an engine's address: {url:.200}", field="url", remedy="give http://host:port or https://…"
            )
        if parts.username or parts.password or parts.query:
            raise Refused("a secret does not belong into a URL", field="url", remedy="give the token as a file")
        if token and parts.scheme == "http" and not _local(parts.hostname) and not insecure:
            raise Refused("the token would go over the network in clear text", field="url", remedy="use https")
        self.url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._tls = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "https" else None
        self._compression = None if _local(parts.hostname) else "deflate"
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers=self._headers,
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            verify=self._tls if self._tls is not None else True,
            # Neither a proxy of the environment nor a redirect may see the token.
            trust_env=False,
            follow_redirects=False,
        )
        self._proof = ""
        self._feeds: set[ClientConnection] = set()

    async def query(self, query: Query) -> Page:
        body = await self._call("GET", _address(query), params=_params(query))
        record = _RECORDS.get(query.kind, dict[str, Any])
        page = _decoded(_page, body)
        rows = [_decoded(msgspec.json.Decoder(record), row) for row in page.items]
        return Page(items=[_own(row) for row in rows], seq=page.seq, next=page.next, total=page.total)

    async def command(self, command: Command) -> CommandResult:
        # A key of our own makes a lost answer harmless: the same act sent again happens once.
        key = command.request or uuid4().hex
        body = {"verb": command.verb, "targets": command.targets, "params": command.params, "request": key}
        headers = {"content-type": "application/json", "idempotency-key": key}
        if self._proof:
            headers["step-up"] = self._proof
        found = await self._call("POST", "/api/v1/commands", content=msgspec.json.encode(body), headers=headers)
        return _decoded(msgspec.json.Decoder(CommandResult), found)

    async def step_up(self, pin: str) -> float:
        body, headers = msgspec.json.encode({"pin": pin}), {"content-type": "application/json"}
        answer = await self._call("POST", "/api/v1/step-up", content=body, headers=headers)
        found = _decoded(msgspec.json.Decoder(Proof), answer)
        self._proof = found.proof
        return found.seconds

    async def health(self) -> Health:
        found = _decoded(msgspec.json.Decoder(Health), await self._call("GET", "/api/v1/health"))
        return msgspec.structs.replace(found, url=self.url)

    async def watch(self, view: View, since: int | None = None) -> AsyncIterator[Sequence[Change] | Resync]:
        """Changes as committed. Ends with Unreachable when the line breaks: watch again from the last seq seen."""
        connection = await self._connect(view, since)
        self._feeds.add(connection)
        try:
            while True:
                found = await self._receive(connection)
                if found is not None:
                    yield found
        finally:
            self._feeds.discard(connection)
            with suppress(OSError, ConnectionClosed):
                await connection.close()

    async def close(self) -> None:
        for connection in list(self._feeds):
            await connection.close()
        await self._http.aclose()

    async def _connect(self, view: View, since: int | None) -> ClientConnection:
        wanted = [("types", kind) for kind in view.kinds] + [("sites", site) for site in view.sites]
        query = urlencode(wanted + ([] if since is None else [("cursor", str(since))]))
        address = f"ws{self.url.removeprefix('http')}/api/v1/feed?{query}".rstrip("?")
        try:
            return await connect(
                address,
                additional_headers=self._headers,
                compression=self._compression,
                max_size=FRAME_BYTES,
                open_timeout=CONNECT_SECONDS,
                close_timeout=1.0,
                proxy=None,
                ssl=self._tls,
            )
        except InvalidStatus as error:
            found = _error(error.response.status_code, bytes(error.response.body or b""))
            busy = isinstance(found, Refused) and found.status >= 500
            raise (Unreachable(str(found)) if busy else found) from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise Unreachable(_why(error)) from error

    async def _receive(self, connection: ClientConnection) -> Sequence[Change] | Resync | None:
        """The next changes; None for a message that only says that the line lives."""
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                frame = await connection.recv(decode=False)
        except TimeoutError as error:
            raise Unreachable("the engine has been silent for too long") from error
        except ConnectionClosed as error:
            code = error.rcvd.code if error.rcvd else 1006
            reason = error.rcvd.reason if error.rcvd else ""
            if code in _NOT_ALLOWED:
                raise Refused(reason, field="token", remedy="use a valid token", status=_NOT_ALLOWED[code]) from error
            raise Unreachable(reason or "the connection was lost") from error
        message = _decoded(_message, frame)
        if message.type == "resync":
            return Resync(seq=message.seq, reason=message.reason)
        return [_own(change) for change in message.changes] if message.type == "changes" else None

    async def _call(self, method: str, path: str, **options: Any) -> bytes:
        try:
            reply = await self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Unreachable(_why(error)) from error
        if reply.is_success:
            return reply.content
        raise _error(reply.status_code, reply.content)


def _address(query: Query) -> str:
    """The path of a kind; the parameters that a report's path names are put into it."""
    path = _PATHS.get(query.kind, query.kind)
    for name, value in query.params.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    return f"/api/v1/{path}"


def _params(query: Query) -> Mapping[str, str]:
    """What differs from the defaults, as query parameters."""
    found: dict[str, str] = {}
    defaults = Query(kind=query.kind)
    for name in query.__struct_fields__:
        value = getattr(query, name)
        if name in ("kind", "params") or value == getattr(defaults, name):
            continue
        if isinstance(value, bool):
            found[name] = str(value).lower()
        else:
            found[name] = value.isoformat() if isinstance(value, datetime) else str(value)
    for name, value in query.params.items():
        if f"{{{name}}}" not in query.kind and value is not None:
            found[name] = _text(value)
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _own(record: T) -> T:
    """The record without a hold on the whole answer that it came in."""
    if isinstance(record, Change):
        return msgspec.structs.replace(record, record=record.record.copy())
    return record


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreachable(f"the answer is not an engine's: {error}") from error


def _error(status: int, body: bytes) -> Refused | Unreachable:
    """A problem document as the error it means. An engine that says itself that it cannot now (503) refuses;
    what breaks on the way there, or in it, is Unreachable."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = _Problem()
    words = problem.detail or problem.title or f"status {status}"
    if status in (408, 426) or (status >= 500 and (status != 503 or not problem.title)):
        return Unreachable(words)
    return Refused(words, field=problem.field, remedy=problem.remedy, status=status)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__


def _local(host: str) -> bool:
    return host == "localhost" or host.startswith("127.") or host == "::1"
