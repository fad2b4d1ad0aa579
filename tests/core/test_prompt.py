"""The busiest request without a task: what goes that way, what does not, and how it is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from data.records import DEFAULT_TENANT, Partition
from engine.api.prompt import MOST_BYTES, Prompt
from engine.api.server import _Http, build_api
from engine.inbox import Inbox, Told
from engine.ports import Envelope, EnvelopeKind, Overloaded, Receipt
from engine.settings import Settings
from tests.fakes.service import FakeService, FakeTokens, HandClock

RECEIPT = Receipt(partition=Partition(0), seq=1)
ALERT = json.dumps([{"labels": {"alertname": "LinkDown", "instance": "sw-1"}}]).encode()


class Loop:
    """Counts the tasks that would have been started, and starts none."""

    def __init__(self) -> None:
        self.tasks = 0

    def call_later(self, seconds: float, call: Callable[..., None]) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(seconds, call, (), Quiet())  # type: ignore[arg-type]

    def create_task(self, work: Any) -> asyncio.Future[None]:
        work.close()
        self.tasks += 1
        return asyncio.Future(loop=asyncio.new_event_loop())


class Quiet:
    def get_debug(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Nothing is ever due."""


class Transport:
    def __init__(self) -> None:
        self.sent, self.closed = b"", False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 8099)}.get(name, default)

    def get_protocol(self) -> None:
        return None

    def write(self, data: bytes) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    resume_reading = pause_reading


class Offering(FakeService):
    """Takes without a task, and says so when the test does."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: list[tuple[Envelope, Told]] = []
        self.full = False

    def offer(self, envelope: Envelope, told: Told) -> None:
        if self.full:
            raise Overloaded(1.0)
        self.offered.append((envelope, told))


class Line:
    """One connection to a listener with the fast way."""

    def __init__(self) -> None:
        self.service, self.loop, self.transport = Offering(), Loop(), Transport()
        self.prompt = Prompt(build_api(self.service, Settings(), FakeTokens()), lambda: b"date: today\r\n")

        def app(*_: Any) -> None:
            """Nothing is ever run."""

        config = uvicorn.Config(app, log_config=None, lifespan="off", interface="asgi3", ws="none")
        config.load()
        self.http = type("Http", (_Http,), {"prompt": self.prompt})(config, ServerState(), {}, self.loop)
        self.http.connection_made(self.transport)

    def post(self, body: bytes = ALERT, *pieces: int, path: str = "/api/v2/alerts", **headers: str) -> None:
        fields = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
        data = f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body
        start = 0
        for end in (*pieces, len(data)):
            self.http.data_received(data[start:end])
            start = end

    def tell(self, error: Exception | None = None) -> None:
        _, told = self.service.offered.pop(0)
        told(None if error else RECEIPT, error)


def test_a_whole_request_is_taken_at_once_and_answered_when_it_is_durable() -> None:
    line = Line()
    for _ in range(3):
        line.transport.sent = b""
        line.post()
        assert [row.name for row in line.service.offered[0][0].payload] == ["LinkDown"]
        assert (line.loop.tasks, line.transport.sent, len(line.prompt.waiting)) == (0, b"", 1)
        line.tell()
        assert line.transport.sent == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 0\r\n\r\n"
    assert not line.transport.closed
    assert not line.prompt.waiting


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{", {}),
        (b"[]", {}),
        (b'[{"labels": {}}]', {}),
        (ALERT, {"Content_Encoding": "gzip"}),
        (ALERT, {"Authorization": "Bearer noc_x"}),
        (ALERT, {"Content_Type": "text/plain"}),
        (ALERT, {"Host": "evil.example"}),
        (ALERT, {"Origin": "http://evil.example"}),
        (ALERT, {"X_Forwarded_For": "10.0.0.1"}),
        (ALERT, {"Idempotency_Key": "one"}),
        (ALERT, {"Expect": "100-continue"}),
        (ALERT, {"Connection": "close"}),
        (ALERT, {"path": "/api/v2/alerts?x=1"}),
        (ALERT + b" " * MOST_BYTES, {}),
    ],
)
def test_what_is_unusual_goes_to_the_application(body: bytes, headers: dict[str, str]) -> None:
    line = Line()
    line.post(body, **headers)
    assert (line.loop.tasks, line.service.offered, line.transport.sent) == (1, [], b"")


def test_the_application_gets_all_of_a_body_that_it_is_left() -> None:
    line = Line()
    line.post(b"{" * 50)
    assert bytes(line.http.cycle.body) == b"{" * 50
    assert not line.http.cycle.more_body


def test_a_body_that_comes_in_pieces_goes_to_the_application_which_watches_the_time() -> None:
    line = Line()
    line.post(ALERT, 30, 150)
    assert (line.loop.tasks, line.service.offered) == (1, [])
    assert bytes(line.http.cycle.body) == ALERT


def test_a_closed_or_full_line_is_the_applications_to_explain() -> None:
    line = Line()
    line.service.wait = 5.0
    line.post()
    assert (line.loop.tasks, line.service.offered) == (1, [])
    line = Line()
    line.service.full = True
    line.post()
    assert (line.loop.tasks, line.service.offered) == (1, [])


def test_requests_behind_one_that_waits_are_answered_after_it() -> None:
    line = Line()
    line.post()
    line.post()
    assert (line.loop.tasks, len(line.service.offered)) == (0, 1)
    line.tell()
    assert line.transport.sent.count(b"200 OK") == 1
    assert line.loop.tasks == 1


def test_what_the_line_refuses_is_answered_as_the_application_would() -> None:
    line = Line()
    line.post()
    line.tell(Overloaded(2.0, "store cannot commit"))
    head, _, body = line.transport.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\ndate: today\r\n")
    assert b"\r\nretry-after: 2" in head
    assert b"store cannot commit" in body
    assert f"content-length: {len(body)}".encode() in head


def test_nobody_is_answered_who_has_gone() -> None:
    line = Line()
    line.post()
    line.http.connection_lost(ConnectionResetError())
    line.tell()
    assert line.transport.sent == b""
    assert not line.prompt.waiting


def test_a_connection_that_is_told_to_end_ends_after_its_answer() -> None:
    line = Line()
    line.post()
    line.http.shutdown()
    assert not line.transport.closed
    line.tell()
    assert b"connection: close\r\n" in line.transport.sent
    assert line.transport.closed


def test_the_share_of_a_sender_is_given_back() -> None:
    line = Line()
    throttle = line.prompt.api.intake._throttle
    line.post()
    assert throttle._total == 1
    line.tell(Overloaded(1.0))
    assert throttle._total == 0


def test_the_inbox_tells_once_and_outlives_a_listener_that_fails() -> None:
    told: list[Exception | None] = []

    def listen(receipt: Receipt | None, error: Exception | None) -> None:
        told.append(error)
        raise RuntimeError("nobody is there")

    inbox = Inbox(HandClock(), 10)
    rows = Envelope(kind=EnvelopeKind.REJECTS, tenant=DEFAULT_TENANT, source="s", payload=[None] * 8)
    inbox.offer(rows, listen)
    with pytest.raises(Overloaded):
        inbox.offer(rows, listen)
    (waiting,) = inbox.take(10, 10)
    assert not waiting.done.done()
    waiting.done.set_result(RECEIPT)
    waiting.done.set_exception(Overloaded(1.0))
    assert waiting.done.done()
    assert told == [None]
