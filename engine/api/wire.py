"""Request and reply as the handlers see them, and the problem document.

Owns the form of what goes over HTTP. Never knows a route or a rule.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from data.records import Token
from data.scope import Scope

AsgiScope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
HeaderList = tuple[tuple[bytes, bytes], ...]


class Grant(Struct, frozen=True):
    """Who asks, and the token that says so (None = trusted for being local)."""

    scope: Scope
    token: Token | None = None


JSON = b"application/json"
PROBLEM = b"application/problem+json"
TEXT = b"text/plain; charset=utf-8"

#: Bodies above this go out in slices, with a turn of the loop between two of them.
SLICE_BYTES = 256 * 1024


class ProblemDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457. `field` names what was wrong, `remedy` says what to do; `instance` finds the log line of a 500."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    field: str = ""
    remedy: str = ""
    instance: str = ""


class Problem(Exception):
    """Ends a request with a problem document. Nothing in it may come from a stack trace or a secret."""

    def __init__(
        self, status: int, title: str, detail: str = "", *, field: str = "", remedy: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(title)
        self.status, self.title, self.detail = status, title, detail
        self.field, self.remedy, self.retry_after = field, remedy, retry_after

    def document(self) -> ProblemDocument:
        return ProblemDocument(
            title=self.title, status=self.status, detail=self.detail, field=self.field, remedy=self.remedy
        )


def not_found() -> Problem:
    """One answer for what does not exist and for what the asker may not know of."""
    return Problem(404, "Not found", "There is no such thing here.", remedy="check the path and the id")


class Reply(Struct, frozen=True):
    """What a handler answers. The body is complete; large ones are sliced on the way out."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = JSON
    headers: HeaderList = ()


class Stream(Struct, frozen=True):
    """An answer of unknown length, in pieces of a few milliseconds of work each; between two of them others run."""

    pieces: Iterable[bytes]
    content_type: bytes = JSON
    status: int = 200


_encode = msgspec.json.Encoder().encode


def json_reply(value: Any, status: int = 200, headers: HeaderList = ()) -> Reply:
    return Reply(status, _encode(value), JSON, headers)


def problem_reply(problem: Problem) -> Reply:
    return Reply(problem.status, _encode(problem.document()), PROBLEM, retry_header(problem.retry_after))


def retry_header(seconds: float) -> HeaderList:
    """`Retry-After` in whole seconds, at least one; nothing for zero."""
    return ((b"retry-after", str(max(1, round(seconds))).encode()),) if seconds > 0 else ()


class Request:
    """One HTTP request, already admitted: who asks is in `who`. `body` is the decoded struct of the route."""

    __slots__ = ("_query", "asgi", "body", "grant", "headers", "params", "receive")

    def __init__(
        self,
        asgi: AsgiScope,
        headers: Mapping[bytes, bytes],
        receive: Receive,
        grant: Grant,
        params: Mapping[str, str],
    ) -> None:
        self.asgi, self.headers, self.receive, self.grant, self.params = asgi, headers, receive, grant, params
        self.body: Any = None
        self._query: dict[str, list[str]] | None = None

    @property
    def who(self) -> Scope:
        return self.grant.scope

    @property
    def query(self) -> dict[str, list[str]]:
        """Query parameters, every value in order, empty ones kept. Raises Problem on more than 100 of them."""
        if self._query is None:
            self._query = parse_query(self.asgi["query_string"])
        return self._query

    def first(self, name: str, default: str = "") -> str:
        values = self.query.get(name)
        return values[0] if values else default

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def media_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()


def parse_query(text: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(text.decode("latin-1"), keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise Problem(400, "Too many query parameters", remedy="send at most 100") from None


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Lets everything else that is ready run once."""
    yield


async def send_reply(send: Send, reply: Reply) -> None:
    """Send it; a large body in slices, so that one big answer does not hold the loop."""
    body = reply.body
    headers = [(b"content-type", reply.content_type), (b"content-length", str(len(body)).encode()), *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if len(body) <= SLICE_BYTES:
        await send({"type": "http.response.body", "body": body})
        return
    view = memoryview(body)
    for start in range(0, len(body), SLICE_BYTES):
        end = start + SLICE_BYTES
        await send({"type": "http.response.body", "body": bytes(view[start:end]), "more_body": end < len(body)})
        await turn()


async def send_stream(send: Send, stream: Stream) -> None:
    await send(
        {"type": "http.response.start", "status": stream.status, "headers": [(b"content-type", stream.content_type)]}
    )
    for piece in stream.pieces:
        if piece:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await turn()
    await send({"type": "http.response.body", "body": b""})
