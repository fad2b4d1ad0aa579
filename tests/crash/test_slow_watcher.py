"""One watcher of the feed is stopped: it is dropped, the others do not notice, and the engine does not grow."""

# Nothing else runs in the loop while the watcher starts.
# ruff: noqa: ASYNC220

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.fakes.headless import Headless, Starter
from tests.fakes.waiting import PATIENCE

#: All who watch; one of them is stopped. WATCHERS=50 for the long form.
WATCHERS = int(os.environ.get("WATCHERS", "10"))
BATCH, PER_SECOND = 50, 10
WARM_UP = 10_000
#: Long texts fill the buffers between the engine and a watcher that does not read.
TEXT = 1500
GROWS_AT_MOST_MIB = 5.0

_WATCHER = """
import socket, sys
from urllib.parse import urlsplit
host, port = sys.argv[1].removeprefix("http://").split(":")
link = socket.socket()
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
link.connect((host, int(port)))
link.sendall(
    b"GET /api/v1/feed HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
)
assert b" 101 " in link.recv(4096)
print("watching", flush=True)
try:
    while link.recv(1 << 16):
        pass
except ConnectionError:
    pass
print("cut off", flush=True)
"""


class Watchers:
    """Feeds of this process; `late` has, for each frame, the seconds from the commit to its arrival."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.frames = self.resyncs = 0

    async def watch(self, url: str) -> None:
        async with connect(f"{url.replace('http', 'ws')}/api/v1/feed", max_size=None, compression=None) as feed:
            async for message in feed:
                now = datetime.now(UTC)
                text = str(message)
                self.frames += 1
                self.resyncs += text.startswith('{"type":"resync"')
                _, found, rest = text.rpartition('"at":"')
                if found and text.startswith('{"type":"changes"'):
                    at = datetime.fromisoformat(rest.partition('"')[0])
                    self.late.append((now - at).total_seconds())

    def p99(self) -> float:
        late, self.late = sorted(self.late), []
        assert len(late) > 100, "too few frames to speak of a p99"
        return late[int(len(late) * 0.99)]


@asynccontextmanager
async def watching(url: str, count: int) -> AsyncIterator[Watchers]:
    watchers = Watchers()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watchers.watch(url)) for _ in range(count)]
        yield watchers
        for task in tasks:
            task.cancel()


class Load:
    """500 changes a second: the texts of the same alerts change, so that only watchers could make the engine grow."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http, self._round, self.sent = http, 0, 0

    async def fill(self) -> None:
        """As fast as it goes, until the engine's buffers and caches have the size that they keep."""
        for _ in range(WARM_UP // BATCH):
            await self._send()

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Returns the changes per second that were really sent."""
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), self.sent
        while loop.time() < began + seconds and not until():
            due = began + (self.sent - sent) / (BATCH * PER_SECOND)
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._send()
        return (self.sent - sent) / (loop.time() - began)

    async def _send(self) -> None:
        self._round += 1
        text = f"{self._round} " + "x" * TEXT
        rows = [
            {"labels": {"alertname": "Text", "host": f"h{number}"}, "annotations": {"description": text}}
            for number in range(BATCH)
        ]
        assert (await self._http.post("/api/v2/alerts", json=rows)).status_code == 200
        self.sent += BATCH


def gauge(text: str, name: str) -> float:
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(name)))


async def test_a_stopped_watcher_is_dropped_and_nobody_else_notices(
    headless: Starter, capsys: pytest.CaptureFixture[str]
) -> None:
    engine: Headless = headless()
    stopped = subprocess.Popen([sys.executable, "-c", _WATCHER, engine.url], stdout=subprocess.PIPE)
    assert stopped.stdout is not None
    async with AsyncExitStack() as stack:
        stack.callback(stopped.kill)
        assert stopped.stdout.readline() == b"watching\n"
        client = httpx.AsyncClient(base_url=engine.url, trust_env=False, timeout=PATIENCE)
        http = await stack.enter_async_context(client)
        others = await stack.enter_async_context(watching(engine.url, WATCHERS - 1))
        load = Load(http)
        await load.fill()
        others.late.clear()
        rate = await load.run(3.0)
        before, rss = others.p99(), engine.rss_mib()

        watchers = gauge((await http.get("/metrics")).text, "noc_watchers ")

        stopped.send_signal(signal.SIGSTOP)
        grown: list[float] = []

        def evicted() -> bool:
            grown.append(engine.rss_mib() - rss)
            return "feed_watcher_evicted" in engine.said()

        await load.run(PATIENCE, until=evicted)
        assert "feed_watcher_evicted" in engine.said()
        during = others.p99()
        metrics = (await http.get("/metrics")).text
        assert gauge(metrics, "noc_watchers ") == watchers - 1
        assert gauge(metrics, "noc_watcher_changes_dropped ") > 0
        assert others.resyncs == 0
        await _comes_back(stopped)
    with capsys.disabled():
        print(
            f"\n{WATCHERS} watchers, one stopped, {rate:.0f} changes/s: others' p99 {1000 * before:.1f} ms before, "
            f"{1000 * during:.1f} ms during, RSS {max(grown):+.1f} MiB, evicted after {len(grown) / PER_SECOND:.1f} s"
        )
    # Far above what is printed: only a writer that waits for the stopped one comes near it.
    assert during <= max(1.0, 10 * before)
    assert max(grown) <= GROWS_AT_MOST_MIB


async def _comes_back(stopped: subprocess.Popen[Any]) -> None:
    """Once it runs again it reads what was on its way, and sees that it was cut off."""
    stopped.send_signal(signal.SIGCONT)
    said, _ = await asyncio.to_thread(stopped.communicate, timeout=PATIENCE)
    assert said == b"cut off\n"
