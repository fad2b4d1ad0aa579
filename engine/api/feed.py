"""The feed: changes to one watcher over a websocket, as they are committed.

Owns one connection's life: who it is, the first message, frames, heartbeat, and its end when it is too slow,
too loud, or its token is. Never blocks the writer: what it cannot send waits in its own bounded subscription.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from engine.api.context import Api
from engine.api.frames import Frames, heartbeat, resync, snapshot
from engine.api.gate import RECHECK_SECONDS, bearer, require
from engine.api.wire import AsgiScope, Grant, Problem, Receive, Send, parse_query
from engine.client import Refused, Resync, View
from engine.service import Subscription

HEARTBEAT_SECONDS = 15.0
FRAME_BYTES = 256 * 1024
MESSAGES_PER_SECOND = 100
#: Seconds that an open connection is trusted without a check of its token.
TRUSTED_SECONDS = 60.0
#: Connections that have not said yet who they are.
STRANGERS = 256

# Codes of RFC 6455 and, from 4000 on, ours: the client knows by them whether to try again.
CLOSE_POLICY = 1008
CLOSE_TRY_LATER = 1013
CLOSE_UNAUTHENTICATED = 4401
CLOSE_FORBIDDEN = 4403
CLOSE_SLOW = 4408


class FeedLimits(Struct, frozen=True, kw_only=True):
    """How long a frame may take to leave, and a stranger to say who it is."""

    send_seconds: float = 5.0
    auth_seconds: float = 5.0


#: In a URL they end up in logs, histories and referrers.
_SECRET_PARAMETERS = frozenset({"token", "access_token", "api_key", "key", "bearer", "authorization"})

_log = structlog.get_logger("engine.api.feed")


class Ended(Exception):
    """The connection is over: `code` 0 = the other end is gone already."""

    def __init__(self, code: int = 0, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


class Hello(Struct, frozen=True, kw_only=True, tag_field="type", tag="auth", forbid_unknown_fields=True):
    """First message of a client that cannot set a header."""

    token: str


class Asked(Struct, frozen=True):
    """What the URL asks for."""

    view: View
    cursor: int | None


#: Open feeds of one engine: more consoles than a NOC has chairs.
WATCHERS = 128
#: Of these, by one token or, without one, from one address.
WATCHERS_EACH = 32


class Feed:
    """All connections. `frames` are shared: one batch is joined once for everybody who sees the same of it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.limits = FeedLimits()
        self._frames = Frames(FRAME_BYTES)
        self._strangers = 0
        self.watchers = 0
        self._each: Counter[str] = Counter()

    async def serve(self, asgi: AsgiScope, receive: Receive, send: Send) -> None:
        """One connection, from handshake to end. Raises Problem when the handshake is refused."""
        headers = dict(asgi["headers"])
        self._api.gate.check_origin("WEBSOCKET", headers)
        asked = read_url(asgi["query_string"])
        grant = await self._by_header(asgi, headers)
        if self.watchers >= WATCHERS or (grant is not None and self._each[_holder(grant, asgi)] >= WATCHERS_EACH):
            raise Problem(503, "Too many feeds", retry_after=10.0, remedy="close some")
        await receive()
        await send({"type": "websocket.accept"})
        try:
            grant = grant or await self._by_message(asgi, receive)
            with self._counted(_holder(grant, asgi)):
                await self._watch(grant, asked, asgi, receive, send)
        except Ended as end:
            await _close(asgi, send, end)

    @contextmanager
    def _counted(self, holder: str) -> Iterator[None]:
        """Raises Ended when there are too many by now: several may have come in while nobody was counted yet."""
        if self.watchers >= WATCHERS or self._each[holder] >= WATCHERS_EACH:
            raise Ended(CLOSE_TRY_LATER, "too many feeds")
        self.watchers += 1
        self._each[holder] += 1
        try:
            yield
        finally:
            self.watchers -= 1
            self._each[holder] -= 1
            if not self._each[holder]:
                del self._each[holder]

    async def _by_header(self, asgi: AsgiScope, headers: Mapping[bytes, bytes]) -> Grant | None:
        """Who asks, when the handshake says so; None = the first message has to."""
        if bearer(headers) or self._api.gate.tokenless:
            return await self._api.gate.admit(asgi, headers, "noc:view")
        if self._strangers >= STRANGERS:
            raise Problem(503, "Too many connections without a token", retry_after=self.limits.auth_seconds)
        return None

    async def _by_message(self, asgi: AsgiScope, receive: Receive) -> Grant:
        self._strangers += 1
        try:
            async with asyncio.timeout(self.limits.auth_seconds):
                message = await receive()
            hello = msgspec.json.decode(message.get("text") or "", type=Hello)
            grant = await self._api.gate.by_token(hello.token, asgi)
            require(grant.scope, "noc:view")
        except TimeoutError:
            raise Ended(CLOSE_UNAUTHENTICATED, "no token came in time") from None
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise Ended(CLOSE_UNAUTHENTICATED, "the first message must be the token") from None
        except Problem as problem:
            raise Ended(_close_code(problem), problem.title) from None
        finally:
            self._strangers -= 1
        return grant

    async def _watch(self, grant: Grant, asked: Asked, asgi: AsgiScope, receive: Receive, send: Send) -> None:
        since = asked.cursor
        if since is None:
            since = (await self._api.service.health(grant.scope)).seq
        try:
            subscription = await self._api.service.subscribe(grant.scope, asked.view, since)
        except Refused as refused:
            raise Ended(CLOSE_POLICY, refused.reason[:120]) from None
        line = _Line(asgi, send, since, self.limits.send_seconds)
        try:
            await line.send(snapshot(since))
            await _first_of(
                self._pump(subscription, line),
                self._beat(line),
                self._listen(receive),
                self._recheck(grant),
            )
        finally:
            subscription.close()

    async def _pump(self, subscription: Subscription, line: _Line) -> None:
        async for batch in subscription:
            if isinstance(batch, Resync):
                await line.send(resync(batch))
                line.seq = batch.seq
                continue
            for frame in self._frames.of(batch):
                await line.send(frame)
            line.seq = batch.last
        raise Ended(CLOSE_TRY_LATER, "the engine is stopping")

    async def _beat(self, line: _Line) -> None:
        while True:
            await self._api.service.clock.sleep(HEARTBEAT_SECONDS)
            await line.send(heartbeat(line.seq))

    async def _listen(self, receive: Receive) -> None:
        """The client has nothing to say but that it is gone; one that talks without end is cut off."""
        monotonic = self._api.service.clock.monotonic
        since, count = monotonic(), 0
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                raise Ended
            count += 1
            if count > MESSAGES_PER_SECOND:
                if monotonic() - since < 1.0:
                    raise Ended(CLOSE_POLICY, "too many messages")
                since, count = monotonic(), 0

    async def _recheck(self, grant: Grant) -> None:
        """A token that was revoked, or lost a capability or a site, ends what it opened."""
        failures = 0
        while True:
            await self._api.service.clock.sleep(RECHECK_SECONDS if grant.token else TRUSTED_SECONDS)
            try:
                now = await self._api.gate.renewed(grant)
            except Problem:
                # The store is down. What was open stays open for a minute: operators need to see just that.
                failures += 1
                if failures * RECHECK_SECONDS > TRUSTED_SECONDS:
                    raise Ended(CLOSE_TRY_LATER, "the token cannot be checked") from None
                continue
            failures = 0
            if now is None:
                raise Ended(CLOSE_UNAUTHENTICATED, "the token is not valid any more")
            if now.scope != grant.scope:
                raise Ended(CLOSE_FORBIDDEN, "what the token may see has changed")


def _holder(grant: Grant, asgi: AsgiScope) -> str:
    """Whose feeds are counted together."""
    if grant.token is not None:
        return f"token {grant.token.id}"
    client = asgi.get("client")
    return f"address {client[0] if client else '-'}"


class _Line:
    """The sending side. A frame that cannot be written for `seconds` ends the connection."""

    def __init__(self, asgi: AsgiScope, send: Send, seq: int, seconds: float) -> None:
        self._asgi, self._send, self.seq, self._seconds = asgi, send, seq, seconds

    async def send(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._send({"type": "websocket.send", "text": text})
        except TimeoutError:
            _log.warning("feed_watcher_evicted", client=self._asgi["client"], seq=self.seq)
            raise Ended(CLOSE_SLOW, "too slow") from None
        except OSError:
            raise Ended from None


async def _first_of(*parts: Any) -> None:
    """Runs them together until one ends the connection; the others are cancelled and waited for."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(part)
    except* Ended as group_of_ends:
        end = group_of_ends.exceptions[0]
        while isinstance(end, BaseExceptionGroup):
            end = end.exceptions[0]
        raise end from None


async def _close(asgi: AsgiScope, send: Send, end: Ended) -> None:
    if end.code == CLOSE_SLOW:
        # What is in its buffer will never be read: a close in good order would wait for that.
        asgi["state"]["abort"]()
    elif end.code:
        try:
            await send({"type": "websocket.close", "code": end.code, "reason": end.reason})
        except OSError:
            pass


def _close_code(problem: Problem) -> int:
    return {401: CLOSE_UNAUTHENTICATED, 403: CLOSE_FORBIDDEN}.get(problem.status, CLOSE_TRY_LATER)


def read_url(text: bytes) -> Asked:
    """`?cursor=&types=&sites=`. Raises Problem on anything else, a token above all."""
    query = parse_query(text)
    if _SECRET_PARAMETERS & query.keys():
        raise Problem(400, "A token does not belong into a URL", remedy="send Authorization: Bearer noc_…")
    unknown_names = query.keys() - {"cursor", "types", "sites"}
    if unknown_names:
        raise Problem(422, "Unknown parameter", field=sorted(unknown_names)[0], remedy="use cursor, types, sites")
    cursor = query.get("cursor", [""])[0]
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Problem(422, "Not a position", field="cursor", remedy="send the seq of the last message")
    # Names of kinds have no comma, names of sites may: a second site is a second `sites=`.
    kinds = tuple(word for value in query.get("types", ()) for word in value.split(",") if word)
    view = View(kinds=kinds, sites=tuple(site for site in query.get("sites", ()) if site))
    return Asked(view, int(cursor) if cursor else None)
