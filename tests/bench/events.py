"""From a POST to the event at a subscriber, beside Alertmanager's webhook at group_wait 0s with a group per alert.

Open loop: latency counts from the moment a request was due. An event is recognised by a label value that is unique
to its alert. Both receivers run in a process of their own and note the time of arrival by the machine's clock.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.beside import ALERTS, CONNECTIONS, alertmanager, engine, gauge, load, median, note, percentile
from tests.fakes.waiting import free_port, until

RATES = (200, 1000)
BURST = 1000
#: How long the last events are waited for.
LATE_SECONDS = 15.0

#: argv: what to do, where, the file to write "<tag> <monotonic seconds>" lines to.
_RECEIVER = r"""
import asyncio, re, sys, time
TAG = re.compile(rb"svc-\d+-[0-9a-f]{7}-[0-9a-f]{8}")
what, where, path = sys.argv[1:]
seen, out = set(), open(path, "wb", buffering=0)
def arrived(data):
    now = time.perf_counter()
    fresh = [tag for tag in TAG.findall(data) if tag not in seen]
    seen.update(fresh)
    if fresh:
        out.write(b"".join(b"%b %.6f\n" % (tag, now) for tag in dict.fromkeys(fresh)))
async def feed():
    from websockets.asyncio.client import connect
    async with connect(where, compression=None, max_size=None) as connection:
        async for message in connection:
            arrived(message.encode())
class Sink(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.buffer = transport, b""
    def data_received(self, data):
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            size = end + 4 + int(head[at:].split(b"\r\n", 1)[0])
            if len(self.buffer) < size:
                return
            arrived(self.buffer[end:size])
            self.buffer = self.buffer[size:]
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
async def sink():
    await (await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", int(where))).serve_forever()
import uvloop
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(feed() if what == "feed" else sink())
"""


@contextmanager
def receiver(what: str, where: str, file: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _RECEIVER, what, where, str(file)])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def _alerts(count: int) -> list[dict[str, Any]]:
    run = secrets.token_hex(4)
    made = [load.am_alert(number, run, time.time()) for number in range(count)]
    for alert in made:
        alert["labels"]["pod"] += f"-{run}"
    return made


async def _steady(url: str, alerts: Sequence[dict[str, Any]], rate: float) -> tuple[dict[str, float], list[float]]:
    """When each was due, and the seconds from then to its 200."""
    raws = [load.request_bytes(url + ALERTS, load.dumps([alert])) for alert in alerts]
    began = time.perf_counter() + 0.05
    due = {alert["labels"]["pod"]: began + number / rate for number, alert in enumerate(alerts)}
    times, errors = await load.open_loop(url, raws, rate, CONNECTIONS)
    assert not errors, errors
    return due, times


async def _burst(url: str, alerts: Sequence[dict[str, Any]]) -> tuple[dict[str, float], list[float]]:
    connection = await load.connect(url)
    raw = load.request_bytes(url + ALERTS, load.dumps(list(alerts)))
    began = time.perf_counter()
    status, said = await connection.send(raw)
    assert status == 200, (status, said[:300])
    taken = time.perf_counter() - began
    connection.t.close()
    return {alert["labels"]["pod"]: began for alert in alerts}, [taken]


def _arrivals(file: Path) -> dict[str, float]:
    words = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: float(pair[1]) for pair in words if len(pair) == 2}


def _latencies(url: str, file: Path, rate: float, count: int) -> tuple[list[float], list[float]]:
    """Seconds to the event, for those that came, and to the 200."""
    alerts = _alerts(count)
    due, taken = load.run_async(_steady(url, alerts, rate) if rate else _burst(url, alerts))
    end = time.perf_counter() + LATE_SECONDS
    while time.perf_counter() < end and len(due.keys() & _arrivals(file).keys()) < count:
        time.sleep(0.05)
    arrived = _arrivals(file)
    return [arrived[tag] - moment for tag, moment in due.items() if tag in arrived], taken


def _ours(folder: Path, rate: float, count: int) -> tuple[list[float], list[float]]:
    home = folder / secrets.token_hex(4)
    with engine(home) as started:
        feed = f"ws://{urlsplit(started.url).netloc}/ws"
        with receiver("feed", feed, home / "seen"):
            until(lambda: gauge(started.url, "noc_watchers") >= 1, 10.0, "a subscriber on the feed")
            _latencies(started.url, home / "seen", 200, 100)
            return _latencies(started.url, home / "seen", rate, count)


def _theirs(folder: Path, rate: float, count: int) -> tuple[list[float], list[float]]:
    file, port = folder / secrets.token_hex(4), free_port()
    hook = f"http://127.0.0.1:{port}/"
    with (
        receiver("sink", str(port), file),
        alertmanager(folder, group_wait="0s", group_interval="1s", group_by="['...']", webhook=hook) as started,
    ):
        load.wait_port(port)
        _latencies(started.url, file, 200, 100)
        return _latencies(started.url, file, rate, count)


def measure(folder: Path, rounds: int, quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for rate in RATES:
        count = rate * (2 if quick else 4)
        found |= _row(folder, rounds, rate, count)
    return found | _row(folder, rounds, 0, BURST)


def _row(folder: Path, rounds: int, rate: float, count: int) -> dict[str, Any]:
    mine, theirs = [], []
    for number in range(rounds):
        for side in (_ours, _theirs) if number % 2 == 0 else (_theirs, _ours):
            (mine if side is _ours else theirs).append(side(folder, rate, count))
        ours99, theirs99 = percentile(mine[-1][0], 0.99), percentile(theirs[-1][0], 0.99)
        note(f"{rate or 'burst'}: ours p99 {ours99} ms, Alertmanager {theirs99}")
    if not rate:
        return _burst_row(mine, theirs, count)
    ours = [percentile(events, 0.99) for events, _ in mine]
    reference = [percentile(events, 0.99) for events, _ in theirs]
    return {
        f"event_p99_ms_{rate:g}": median(ours),
        f"event_p99_ratio_{rate:g}": median([a / b for a, b in zip(ours, reference, strict=True)]),
        f"event_p50_ms_{rate:g}": median([percentile(events, 0.5) for events, _ in mine]),
        f"taken_p99_ms_{rate:g}": median([percentile(taken, 0.99) for _, taken in mine]),
        f"alertmanager_event_p99_ms_{rate:g}": median(reference),
        f"alertmanager_event_p50_ms_{rate:g}": median([percentile(events, 0.5) for events, _ in theirs]),
        f"events_missing_{rate:g}": sum(count - len(events) for events, _ in mine),
    }


def _burst_row(mine: list[Any], theirs: list[Any], count: int) -> dict[str, Any]:
    last = [1000 * max(events) for events, _ in mine]
    reference = [1000 * max(events) for events, _ in theirs]
    return {
        "last_of_burst_1000_ms": median(last, 1),
        "last_of_burst_1000_ratio": median([a / b for a, b in zip(last, reference, strict=True)]),
        "burst_taken_ms": median([1000 * taken[0] for _, taken in mine], 1),
        "alertmanager_last_of_burst_1000_ms": median(reference, 1),
        "burst_events_missing": sum(count - len(events) for events, _ in mine),
        "alertmanager_burst_events_missing": sum(count - len(events) for events, _ in theirs),
    }
