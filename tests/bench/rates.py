"""Alerts per CPU-second beside Alertmanager, in interleaved rounds of fresh processes.

The engine does its whole line, commits before it answers, and serves one subscriber of its feed meanwhile.
What either does shortly after the last answer is counted too, so work that was put off is not free.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.bench.beside import ALERTS, CONNECTIONS, alertmanager, engine, gauge, load, median, note
from tests.fakes.waiting import until

#: Requests of one round by batch, and in the quick form.
REQUESTS = {1: 4000, 10: 1500, 100: 300}
QUICK = {1: 1000, 10: 400, 100: 100}
POOL = 1000
#: Seconds after the last answer that still count.
SETTLE_SECONDS = 0.3

_WATCHER = """
import asyncio, sys
from websockets.asyncio.client import connect
async def main():
    async with connect(sys.argv[1], compression=None, max_size=None) as feed:
        async for _ in feed:
            pass
asyncio.run(main())
"""


@contextmanager
def subscriber(url: str) -> Iterator[None]:
    """One reader of the feed, in a process of its own so that its CPU is not the engine's."""
    feed = f"ws://{urlsplit(url).netloc}/ws"
    process = subprocess.Popen([sys.executable, "-c", _WATCHER, feed], stderr=subprocess.DEVNULL)
    try:
        until(lambda: gauge(url, "noc_watchers") >= 1, 10.0, "a subscriber on the feed")
        yield
    finally:
        process.terminate()
        process.wait(10)


def stream(url: str, pid: int, batch: int, mode: str, requests: int, run: str = "") -> dict[str, float]:
    """One closed loop: CPU seconds and wall seconds per alert, and errors."""
    made = load.bodies("am", requests, batch, mode, POOL, run or secrets.token_hex(4))
    raws = [load.request_bytes(url + ALERTS, body) for body in made]
    with load.Meter([pid]) as meter:
        began = time.perf_counter()
        times, errors = load.run_async(load.closed_loop(url, raws, CONNECTIONS))
        wall = time.perf_counter() - began
        time.sleep(SETTLE_SECONDS)
    alerts = requests * batch
    return {
        "cpu": meter.cpu / alerts,
        "wall": wall / alerts,
        "p99": load.pct(times, 0.99),
        "errors": errors,
        "foreign": meter.foreign,
    }


def _ours(folder: Path, batch: int, mode: str, requests: int) -> dict[str, float]:
    with engine(folder / secrets.token_hex(4)) as started, subscriber(started.url):
        stream(started.url, started.pid, batch, mode, max(30, 1500 // batch))
        found = stream(started.url, started.pid, batch, mode, requests)
        found["dropped"] = gauge(started.url, "noc_watcher_changes_dropped")
        return found


def _theirs(folder: Path, batch: int, mode: str, requests: int) -> dict[str, float]:
    with alertmanager(folder) as started:
        stream(started.url, started.pid, batch, mode, max(30, 1500 // batch))
        return stream(started.url, started.pid, batch, mode, requests)


def measure(folder: Path, rounds: int, quick: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("unique", "repeat"):
        for batch in (100, 10, 1):
            found |= _cell(folder, batch, mode, rounds, (QUICK if quick else REQUESTS)[batch])
    return found


def _cell(folder: Path, batch: int, mode: str, rounds: int, requests: int) -> dict[str, Any]:
    pairs = []
    for number in range(rounds):
        order = (_ours, _theirs) if number % 2 == 0 else (_theirs, _ours)
        results = {side: side(folder, batch, mode, requests) for side in order}
        pairs.append((results[_ours], results[_theirs]))
        mine, theirs = pairs[-1]
        note(
            f"{mode} b{batch}: ours {1e6 * mine['cpu']:.1f} us/alert, Alertmanager {1e6 * theirs['cpu']:.1f}, "
            f"ratio {theirs['cpu'] / mine['cpu']:.2f}, wall {theirs['wall'] / mine['wall']:.2f}, "
            f"others {mine['foreign']:.2f} and {theirs['foreign']:.2f} cores"
        )
    key = f"{'' if mode == 'unique' else 'repeat_'}%s_b{batch}"
    ratios = [theirs["cpu"] / mine["cpu"] for mine, theirs in pairs]
    return {
        key % "ratio": median(ratios),
        key % "ratio_range": [round(min(ratios), 2), round(max(ratios), 2)],
        key % "wall_ratio": median([theirs["wall"] / mine["wall"] for mine, theirs in pairs]),
        key % "cpu_us": median([1e6 * mine["cpu"] for mine, _ in pairs], 1),
        key % "alertmanager_cpu_us": median([1e6 * theirs["cpu"] for _, theirs in pairs], 1),
        key % "errors": sum(mine["errors"] + theirs["errors"] for mine, theirs in pairs),
        key % "feed_dropped": median([mine["dropped"] for mine, _ in pairs], 0),
    }
