"""The dispatcher: from a request to its handler, and from whatever went wrong to an answer.

Owns the order (route, gate, body, handler) and the form of every error. No stack trace and no secret gets out:
what nobody expected is logged once under an id, and the id is the answer.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping

import msgspec
import structlog

from data.ports import StoreError
from engine.alertmanager_view import FaceError
from engine.api.alertmanager import post_alerts
from engine.api.body import Disconnected
from engine.api.context import Api
from engine.api.feed import Feed
from engine.api.intake import TooFast
from engine.api.quick_reply import is_gone, reply_empty_ok
from engine.api.reads import bad_shape
from engine.api.routes import PUBLIC, Route
from engine.api.wire import (
    JSON,
    AsgiScope,
    Grant,
    Problem,
    ProblemDocument,
    Receive,
    Reply,
    Request,
    Send,
    Stream,
    json_reply,
    not_found,
    problem_reply,
    retry_header,
    send_reply,
    send_stream,
)
from engine.client import Refused
from engine.formats import strict_json
from engine.ports import FormatError, Overloaded

_log = structlog.get_logger("engine.api")

_ALERTS = "/api/v2/alerts"
_TAKEN_HEADERS = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_TAKEN_BODY = {"type": "http.response.body", "body": b""}


class App:
    """The ASGI application."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.feed = Feed(api)

    async def __call__(self, asgi: AsgiScope, receive: Receive, send: Send) -> None:
        if asgi["type"] == "websocket":
            await self._websocket(asgi, receive, send)
            return
        path: str = asgi["path"]
        face = path.startswith("/api/v2/")
        started = False

        async def note(message: Mapping[str, object]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if path == _ALERTS and asgi["method"] == "POST":
                await self._alerts(asgi, receive, send)
                return
            reply = await self._reply(asgi, receive)
            if isinstance(reply, Stream):
                await send_stream(note, reply)
            else:
                await send_reply(note, reply)
        except Disconnected:
            return
        except Exception as error:
            gone = is_gone(send)
            if gone and isinstance(error, RuntimeError):
                return  # the transport's: nobody is there to be answered
            if started and not gone:
                raise
            reply = error_reply(error, face=face, path=path)
            if not gone:
                await send_reply(send, reply)

    async def _alerts(self, asgi: AsgiScope, receive: Receive, send: Send) -> None:
        """The busiest route, without the table: same gate, same handler."""
        headers = dict(asgi["headers"])
        gate = self._api.gate
        grant = gate.intake(asgi, headers) or await gate.admit(asgi, headers, "ingest:write", face=True)
        await post_alerts(self._api, Request(asgi, headers, receive, grant, {}))
        if not reply_empty_ok(send):
            await send(_TAKEN_HEADERS)
            await send(_TAKEN_BODY)

    async def _reply(self, asgi: AsgiScope, receive: Receive) -> Reply | Stream:
        found = self._api.routes.find(asgi["path"])
        if found is None:
            raise not_found()
        methods, params = found
        route = methods.get(asgi["method"])
        if route is None or route.handler is None:
            return _wrong_method(methods)
        headers = dict(asgi["headers"])
        request = Request(asgi, headers, receive, await self._grant(route, asgi, headers), params)
        if route.body is not None:
            request.body = await self._body(route, request)
        return await route.handler(self._api, request)

    async def _grant(self, route: Route, asgi: AsgiScope, headers: Mapping[bytes, bytes]) -> Grant:
        if route.capability == PUBLIC or route.by_source:
            return self._api.gate.nobody
        return await self._api.gate.admit(asgi, headers, route.capability, face=route.face, also=route.also)

    async def _body(self, route: Route, request: Request) -> object:
        """The route's struct, from JSON; an empty body is an empty object. Raises Problem 400, 413, 415, 422."""
        body = await self._api.bodies.read(request.receive, request.headers, self._api.settings.limits.body_max_bytes)
        if body and request.media_type != "application/json":
            raise Problem(415, "Media type not taken", field="Content-Type", remedy="send application/json")
        try:
            found = msgspec.json.decode(body or b"{}", type=route.body)
        except msgspec.ValidationError as error:
            raise bad_shape(error) from None
        except RecursionError:
            raise Problem(422, "Nested too deeply", field="body", remedy="send flatter JSON") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Problem(400, "Not JSON", field="body", remedy="send valid UTF-8 JSON") from None
        if body:
            strict_json.decode(body)  # a key that is given twice, too many of them, too deep
        return found

    async def _websocket(self, asgi: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            found = self._api.routes.find(asgi["path"])
            if found is None or "WEBSOCKET" not in found[0]:
                raise not_found()
            await self.feed.serve(asgi, receive, send)
        except OSError:
            return
        except Problem as problem:
            await _refuse_handshake(send, problem_reply(problem))
        except Exception as error:  # noqa: BLE001 - as above, for a connection instead of a request
            _log.error("feed_failed", trace=_trace(error))
            await send({"type": "websocket.close", "code": 1011, "reason": "internal error"})


def error_reply(error: Exception, *, face: bool, path: str = "") -> Reply:
    """What the sender is told: Alertmanager's form on its API, a problem document elsewhere."""
    if isinstance(error, FaceError):
        return Reply(error.status, error.json(), JSON)
    problem = _problem(error)
    if problem is None:
        id = secrets.token_hex(8)
        _log.error("request_failed", id=id, path=path, trace=_trace(error))
        document = ProblemDocument(
            title="Internal error", status=500, detail="It was logged.", instance=f"urn:noc:{id}"
        )
        return Reply(500, msgspec.json.encode(document), b"application/problem+json")
    return _face_reply(problem) if face else problem_reply(problem)


def _problem(error: Exception) -> Problem | None:
    """The problem that a known error is; None = nobody expected it."""
    match error:
        case Problem():
            return error
        case FormatError():
            return Problem(error.status, error.reason, field=error.field, remedy=error.remedy)
        case Refused():
            known = Problem(error.status, error.reason, field=error.field, remedy=error.remedy)
            return not_found() if error.status == 404 else known
        case TooFast():
            return Problem(error.status, str(error), remedy=_again(error), retry_after=error.retry_after)
        case Overloaded():
            return Problem(503, str(error), remedy=_again(error), retry_after=error.retry_after)
        case StoreError():
            return Problem(503, "Store unavailable", remedy="try again", retry_after=1.0)
    return None


def _trace(error: Exception) -> str:
    """Where it happened, without the values of variables: headers with tokens are among them."""
    return "".join(traceback.format_exception(error))


def _again(error: Overloaded) -> str:
    return f"try again in {error.retry_after:g} s"


def _face_reply(problem: Problem) -> Reply:
    """A bare JSON string, or {code, message} where Alertmanager's own server writes that."""
    # These senders drop what gets a 4xx, and come again after a 503.
    status = 503 if problem.status == 429 else problem.status
    text = ": ".join(part for part in (problem.field, problem.title, problem.detail) if part)
    body: object = text
    if status in (404, 405, 413, 415, 422):
        body = {"code": status, "message": text}
    return json_reply(body, status, retry_header(problem.retry_after))


def _wrong_method(methods: Mapping[str, Route]) -> Reply:
    allowed = ", ".join(sorted(method for method in methods if method != "WEBSOCKET"))
    if not allowed:
        problem = Problem(426, "A websocket", "This path is the feed.", remedy="connect with ws:// or wss://")
        return problem_reply(problem)
    reply = problem_reply(Problem(405, "Method not allowed", f"This path takes {allowed}."))
    return msgspec.structs.replace(reply, headers=((b"allow", allowed.encode()),))


async def _refuse_handshake(send: Send, reply: Reply) -> None:
    headers = [(b"content-type", reply.content_type), *reply.headers]
    await send({"type": "websocket.http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": reply.body})
