"""The busiest request without a task of its own: `POST /api/v2/alerts` from the parser to the inbox, and back.

Owns when that may be done: a request that came in one piece, from a program of this machine without a token, small
enough to be parsed at once, while nobody is in the way. Everything else, and everything that is refused before it is
taken, goes through the application, which alone decides what is refused and how.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from engine.api.alertmanager import sender_of
from engine.api.app import error_reply
from engine.api.context import Api
from engine.api.signatures import DELIVERIES
from engine.api.wire import JSON
from engine.ports import Receipt

URL = b"/api/v2/alerts"
#: Bytes of a body that is parsed within the turn in which it came.
MOST_BYTES = 8192

#: With one of these a request says more than the fast way understands.
_UNUSUAL = frozenset({b"content-encoding", b"transfer-encoding", b"authorization", b"expect", b"upgrade", *DELIVERIES})


class Exchange:
    """A request that is with the line, in the place of uvicorn's request cycle: the connection asks whether it is
    answered, and notes that its sender has gone. `answer` is called with itself and the rest of the answer's head and
    its body, but for the headers that all answers have."""

    __slots__ = ("_answer", "disconnected", "keep_alive", "response_complete", "status")

    def __init__(self, answer: Callable[[Exchange, bytes], None]) -> None:
        self._answer = answer
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.status = STATUS_LINE[200]

    @property
    def message_event(self) -> Exchange:
        return self

    def set(self) -> None:
        """What the connection does to a cycle's event when its sender goes: nobody waits here."""

    def told(self, receipt: Receipt | None, error: Exception | None) -> None:
        """The line's word on it."""
        del receipt
        if error is None:
            self._answer(self, b"content-length: 0\r\n\r\n")
            return
        reply = error_reply(error, face=True, path=URL.decode())
        self.status = STATUS_LINE[reply.status]
        headers = ((b"content-type", reply.content_type), *reply.headers, (b"content-length", b"%d" % len(reply.body)))
        self._answer(self, b"".join([*(b"%b: %b\r\n" % header for header in headers), b"\r\n", reply.body]))


class Prompt:
    """The fast way of one listener. `api` is what it serves now, `date` renews and returns the header of the date,
    `waiting` are the requests that are with the line."""

    def __init__(self, api: Api, date: Callable[[], bytes]) -> None:
        self.api = api
        self.date = date
        self.waiting: set[Exchange] = set()

    def may_take(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether a request with this head may go the fast way, once all of it is there."""
        length = b""
        for name, value in headers:
            if name in _UNUSUAL:
                return False
            if name == b"content-length":
                length = value
        return len(length) <= 4 and length.isdigit() and int(length) <= MOST_BYTES and self.api.gate.tokenless

    def take(self, asgi: dict[str, Any], body: bytes, exchange: Exchange) -> bool:
        """Hand the body to the line; False = nothing was taken, let the application have it."""
        api = self.api
        headers = dict(asgi["headers"])
        if headers.get(b"content-type") != JSON or len(body) > api.settings.limits.batch_body_max_bytes:
            return False
        try:
            grant = api.gate.intake(asgi, headers)
            if grant is None:
                return False
            return api.intake.take_now(sender_of(grant), api.alert_format, api.intake_settings, body, exchange.told)
        except Exception:  # noqa: BLE001 - nothing was taken: the application finds out the same, and says so
            return False
