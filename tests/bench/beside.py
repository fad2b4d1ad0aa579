"""The engine under measurement, and what stands beside it: Debian's Alertmanager and a load generator.

The load generator and the Alertmanager starter live outside this project, in ../shared/bench. Where they or the
program are absent, a benchmark says so in its JSON line and ends well: nothing here is pass or fail.
CPU is always the kernel's clock of the measured processes, so other load on the machine does not count.
"""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "bench"
sys.path[:0] = [str(ROOT), str(SHARED)]

from tests.fakes.headless import Headless  # noqa: E402 - after the path


def _skip(reason: str) -> None:
    print(json.dumps({"skipped": reason}))
    sys.exit(0)


if not (SHARED / "_lib.py").exists():
    _skip("the load generator, shared/bench beside this project, is absent")
if not (shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")):
    _skip("Alertmanager is not installed (Debian: apt install prometheus-alertmanager)")

import _lib as load  # noqa: E402 - absent on other machines
from alertmanager import Alertmanager  # noqa: E402

__all__ = ["Alertmanager", "Headless", "load"]

ALERTS = "/api/v2/alerts"
#: Senders that post at the same time.
CONNECTIONS = 32
#: Alerts that shall stay open end so much later: without an end they would expire in the middle of a run.
HOURS = 3600.0 * 6
FILL_BATCH = 500


def note(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def engine(folder: Path, **settings: str) -> Iterator[Headless]:
    """`noc-console headless` on a fresh directory, as a user has it: compiled modules are kept."""
    started = Headless(folder, {"PYTHONDONTWRITEBYTECODE": "", **settings}).start()
    try:
        yield started
    finally:
        started.stop(60.0)


@contextmanager
def alertmanager(folder: Path, **settings: Any) -> Iterator[Any]:
    """Debian's Alertmanager, its state in memory and a snapshot at its end."""
    del folder
    with Alertmanager(**settings) as started:
        yield started


def bodies(count: int, batch: int, run: str, start: int = 0, ends: float = HOURS) -> list[bytes]:
    """`count` bodies of `batch` new alerts each, open for `ends` seconds."""
    now = time.time()
    return [
        load.dumps([load.am_alert(n, run, now, ends) for n in range(first, first + batch)])
        for first in range(start, start + count * batch, batch)
    ]


def fill(url: str, alerts: int, run: str = "fill") -> None:
    """Open so many alerts; waits and sends again where the engine says that it is full."""

    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    for body in bodies(alerts // FILL_BATCH, FILL_BATCH, run):
        while True:
            connection.request("POST", ALERTS, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read()
            if answer.status == 200:
                break
            assert answer.status == 503, (answer.status, said[:300])
            time.sleep(0.1)
    connection.close()


def get(url: str, path: str) -> Any:
    """The JSON of one GET."""
    status, body = load.post_once(url + path, b"", method="GET")
    assert status == 200, (path, status, body[:300])
    return json.loads(body)


def gauge(url: str, name: str) -> float:
    """One of the engine's own figures."""
    status, text = load.post_once(url + "/metrics", b"", method="GET")
    assert status == 200, status
    for line in text.decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise KeyError(name)


def rss_mib(pid: int) -> float:
    return float(load.rss_mb(load.tree(pid))[0])


def median(values: Sequence[float], digits: int = 2) -> float:
    return round(statistics.median(values), digits)


def percentile(values: Sequence[float], share: float) -> float:
    """In milliseconds, of seconds."""
    return round(1000 * load.pct(list(values), share), 2)


def fsync_ms(folder: Path, commits: int = 50) -> float:
    """Median of a bare one-row transaction with fsync on this disk: the least that an acknowledgement can cost."""
    connection = sqlite3.connect(folder / "fsync.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB)")
    times = []
    for _ in range(commits):
        start = time.perf_counter()
        connection.execute("INSERT INTO rows (body) VALUES (?)", [b"x" * 520])
        times.append(time.perf_counter() - start)
    connection.close()
    return percentile(times, 0.5)
