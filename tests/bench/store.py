"""What the store costs: CPU per row of a commit, load and pages at 100,000 open alerts. Prints one JSON line.

The reference of each write is a bare sqlite3 `executemany` of (id, 520 bytes) in batches of 100 with the same fsync,
measured in the same run; cost = CPU of the process, median of three rounds.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[2]))

from data.ports import Commit, Select, Touch
from data.queries import SqliteReader
from data.records import Change
from data.store import SqliteStore
from tests.fakes.stored import NOW, TENANT, ZERO, alert, commit, later, scope

OPEN = 100_000
_SIZES = (1, 10, 100)
_COMMITS = {1: 300, 10: 150, 100: 60}


def _reference(directory: Path) -> float:
    """Microseconds of CPU per row."""
    connection = sqlite3.connect(directory / "reference.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
    start = process_time()
    for first in range(0, 6000, 100):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO rows VALUES (?, ?)", [(first + n, b"x" * 520) for n in range(100)])
        connection.execute("COMMIT")
    spent = process_time() - start
    connection.close()
    return spent / 6000 * 1e6


class _Run:
    """Commits to one store and counts up its ids and seqs."""

    def __init__(self, store: SqliteStore, epoch: int) -> None:
        self.store, self.epoch, self.alerts, self.seq, self.touched = store, epoch, 0, 0, 0

    def new(self, rows: int) -> Commit:
        return commit(self.epoch, alerts=self._alerts(rows))

    def logged(self, rows: int) -> Commit:
        """The same with its change log, as the engine commits it."""
        alerts = self._alerts(rows)
        changes = [
            Change(
                kind="alert_created",
                tenant=TENANT,
                at=NOW,
                subject=f"alert:{found.id}",
                record=msgspec.Raw(msgspec.json.encode(found)),
                seq=self.seq + number,
            )
            for number, found in enumerate(alerts, 1)
        ]
        self.seq += rows
        return commit(self.epoch, alerts=alerts, changes=changes)

    def touch(self, rows: int) -> Commit:
        self.touched += rows
        ids = [1 + number * 7919 % 1000 for number in range(self.touched - rows, self.touched)]
        return commit(self.epoch, touches=[Touch(number, 5, later(60), later(300)) for number in ids])

    def _alerts(self, rows: int) -> list[Any]:
        first = self.alerts + 1
        self.alerts += rows
        return [alert(number, labels=_LABELS, annotations=_ANNOTATIONS) for number in range(first, self.alerts + 1)]

    async def cost(self, make: Callable[[int], Commit], rows: int) -> float:
        """Microseconds of CPU per row."""
        batches = [make(rows) for _ in range(_COMMITS[rows])]
        start = process_time()
        for batch in batches:
            await self.store.commit(batch)
        return (process_time() - start) / len(batches) / rows * 1e6


_LABELS = {f"label{number}": f"value-{number}" for number in range(8)}
_ANNOTATIONS = {name: "p99 of this service has been above its limit for long" for name in ("summary", "text", "url")}


async def _page_ms(reader: SqliteReader, sort: str) -> float:
    times: list[float] = []
    for _ in range(20):
        start = perf_counter()
        await reader.select(scope(), Select(kind="alerts", sort=sort, active=True), NOW)
        times.append(perf_counter() - start)
    return sorted(times)[18] * 1e3


async def measure(directory: Path) -> dict[str, Any]:
    store = SqliteStore(directory / "data")
    await store.open()
    epoch = await store.acquire(ZERO, "bench", NOW, 30.0)
    assert epoch is not None
    run = _Run(store, epoch)
    found: dict[str, Any] = {"reference_us": round(_reference(directory), 1)}
    for name, make in (("new", run.new), ("new_logged", run.logged), ("touch", run.touch)):
        for rows in _SIZES:
            costs = [await run.cost(make, rows) for _ in range(3)]
            found[f"{name}_b{rows}_us"] = round(statistics.median(costs), 1)
    while run.alerts < OPEN:
        await store.commit(run.logged(1000))
    wall, cpu = perf_counter(), process_time()
    loaded = len((await store.load(ZERO, NOW, 900.0)).alerts)
    found |= {"loaded": loaded, "load_s": round(perf_counter() - wall, 2), "load_cpu_s": round(process_time() - cpu, 2)}
    reader = SqliteReader(directory / "data", limit_seconds=30.0)
    for sort in ("-id", "-priority", "-last_at", "-severity", "-opened_at", "-count"):
        found[f"page_p95_ms{sort}"] = round(await _page_ms(reader, sort), 1)
    await reader.close()
    await store.close()
    return found


def main(arguments: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(dir=arguments[0] if arguments else None) as directory:
        print(json.dumps(asyncio.run(measure(Path(directory)))))


if __name__ == "__main__":
    main(sys.argv[1:])
