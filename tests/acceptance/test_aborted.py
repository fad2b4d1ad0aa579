"""Senders that go away in the middle: what they sent is taken, and nothing is logged about them."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from engine.api.server import serve
from engine.settings import ListenSettings, Settings
from tests.fakes.bodies import prometheus_alert
from tests.fakes.raw_http import request
from tests.fakes.service import FakeService, FakeTokens
from tests.fakes.waiting import PATIENCE

uvloop = pytest.importorskip("uvloop")
PIPELINED = 20


async def _abort(path: str) -> int:
    """Send requests without waiting, break the connection while the first is with the line → envelopes taken."""
    service = FakeService()
    service.hold = asyncio.Event()
    server = await serve(service, Settings(listen=ListenSettings(port=0)), FakeTokens())
    loop, at = asyncio.get_running_loop(), urlsplit(server.url)
    sender = socket.create_connection((at.hostname, at.port))
    sender.setblocking(False)
    # Closing is a reset then.
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await loop.sock_sendall(sender, request(server.url, path, json.dumps([prometheus_alert()]).encode()) * PIPELINED)
    connections = server._uvicorn.server_state.connections
    async with asyncio.timeout(PATIENCE):
        await service.entered.acquire()
        sender.close()
        while connections:
            await asyncio.sleep(0.001)
        service.hold.set()
        while server._uvicorn.server_state.tasks:
            await asyncio.sleep(0.001)
    await server.stop()
    return len(service.taken)


@pytest.mark.parametrize("path", ["/api/v2/alerts", "/ingest/events"])
def test_a_sender_that_breaks_off_among_its_requests_is_no_error(path: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), capture_logs() as logs:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(_abort(path)) == 1
    assert not caplog.records
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"}] == []
