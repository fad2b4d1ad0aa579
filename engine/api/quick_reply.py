"""One write for the one answer that is given thousands of times a second: 200 without a body; and whether anybody is
there to be answered.

The only place that reaches into uvicorn's request cycle; a test holds that what it touches is there. Where it is
not, or the connection is in an unusual state, it says so and the answer goes the ordinary way.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from engine.api.wire import Send


def reply_empty_ok(send: Send) -> bool:
    """Answer the request of `send` with 200 and no body. False = not done, answer it with `send`."""
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or cycle.response_started or not cycle.keep_alive:
        return False
    if cycle.disconnected or cycle.flow.write_paused or cycle.transport.is_closing():
        return False
    head = b"".join([b"%b: %b\r\n" % header for header in cycle.default_headers])
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"HTTP/1.1 200 OK\r\n%bcontent-length: 0\r\n\r\n" % head)
    cycle.message_event.set()
    cycle.on_response()
    return True


def is_gone(send: Send) -> bool:
    """Whether the connection of `send` is closed or closing. Its request learns of it: of several that came without
    waiting for answers uvicorn tells only the last, and some loops raise when the others are answered."""
    cycle: Any = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or not cycle.transport.is_closing():
        return False
    cycle.disconnected = True
    return True
