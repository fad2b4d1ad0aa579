"""Storage, reading and making of rollups, on real files.

    python -m tests.bench.metrics_storage [--interval SECONDS] [--series N]

One series of a sample every `--interval` seconds is written for two years into a database with the product's tables: as
five-minute rows all the way (the reference, with and without sketches), and as it is kept. Sizes are those of the files
after VACUUM, less an empty one's. Then two years of it are asked for through a whole engine (wall and CPU time, all of
the process's: with other work on the machine only the latter can be compared), and one hour of `--series`
series is rolled up in the slices that the engine's ticks use, on the writer's side of a commit. One JSON line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from math import sin, tau
from pathlib import Path
from random import Random
from typing import Any

from data import rollups
from data.migrate import head_sql
from data.records import DEFAULT_TENANT
from data.rollups import ROLL_SLICE, Bucket, Rolling, Sampled, merged
from data.scope import CAPABILITIES, Scope
from data.slots import DAY, FIVE_MINUTES, HOUR, KEEP_DAYS
from engine.app import build
from engine.client import Query
from engine.clock import SystemClock
from engine.settings import MetricsSettings, Settings, StoreSettings

YEARS_DAYS = 730
QUESTIONS = 40
Made = tuple[int, int, Bucket]


def value(random: Random, at: float) -> float:
    """A daily wave with noise and a rare spike, as of a latency in milliseconds."""
    return max(0.1, 80 + 40 * sin(at / DAY * tau) + random.gauss(0, 8)) * (6 if random.random() < 0.002 else 1)


def two_years(end: int, interval: int) -> Iterator[Made]:
    """(resolution, at, bucket) of all resolutions over two years up to `end`, made as the store makes them."""
    random = Random(7)
    for day in range(end - YEARS_DAYS * DAY, end, DAY):
        hours = []
        for hour in range(day, day + DAY, HOUR):
            fives = []
            for at in range(hour, hour + HOUR, FIVE_MINUTES):
                bucket = Bucket.of([value(random, second) for second in range(at, at + FIVE_MINUTES, interval)])
                yield FIVE_MINUTES, at, bucket
                fives.append(bucket)
            whole = merged(fives)
            assert whole is not None
            yield HOUR, hour, whole
            hours.append(whole)
        whole = merged(hours)
        assert whole is not None
        yield DAY, day, whole


def write(path: Path, rows: Iterable[tuple[Any, ...]] = ()) -> int:
    """A database with these rollups → bytes of its file."""
    connection = sqlite3.connect(path)
    connection.executescript(head_sql())
    connection.executemany("INSERT INTO metric_rollups VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.execute("VACUUM")
    connection.close()
    return path.stat().st_size


def row(resolution: int, at: int, bucket: Bucket, sketch: bytes) -> tuple[Any, ...]:
    return resolution, at, 1, bucket.count, bucket.sum, bucket.min, bucket.max, sketch


def storage(folder: Path, interval: int, end: int) -> dict[str, Any]:
    fine, bare, kept = [], [], []
    for resolution, at, bucket in two_years(end, interval):
        made = row(resolution, at, bucket, bucket.sketch.encode())
        if resolution == FIVE_MINUTES:
            fine.append(made)
            bare.append((*made[:-1], b""))
        if at >= end - KEEP_DAYS[resolution] * DAY:
            kept.append(made)
    empty = write(folder / "empty.db")
    sizes = [write(folder / f"{name}.db", rows) - empty for name, rows in (("fine", fine), ("bare", bare))]
    mine = write(folder / "kept.db", kept) - empty
    return {
        "storage_saved": round(1 - mine / sizes[0], 4),
        "storage_saved_beside_rows_without_sketch": round(1 - mine / sizes[1], 4),
        "bytes_per_series_2y": mine,
        "bytes_of_5_minute_rows_2y": sizes[0],
        "bytes_of_5_minute_rows_without_sketch_2y": sizes[1],
        "rows": len(kept),
        "sketch_bytes": _sketch_bytes(kept),
        "kll_bytes_rank_error_4_percent": _kll_bytes(interval),
    }


def _sketch_bytes(kept: list[tuple[Any, ...]]) -> dict[str, float]:
    found = {}
    for word, resolution in (("5m", FIVE_MINUTES), ("1h", HOUR), ("1d", DAY)):
        sizes = [len(made[-1]) for made in kept if made[0] == resolution]
        found[word] = round(sum(sizes) / len(sizes), 1)
    return found


def _kll_bytes(interval: int) -> dict[str, int]:
    """What the sketch of a library would take for the same buckets."""
    from datasketches import kll_floats_sketch

    random, found = Random(7), {}
    for word, seconds in (("5m", FIVE_MINUTES), ("1h", HOUR), ("1d", DAY)):
        sketch = kll_floats_sketch(64)
        for at in range(0, seconds, interval):
            sketch.update(value(random, at))
        found[word] = len(sketch.serialize())
    return found


async def reading(folder: Path, interval: int, end: int) -> dict[str, float]:
    """Questions for two years of one series, with three quantiles, through a client of an engine."""
    settings = Settings(store=StoreSettings(data_dir=str(folder), reserve_mib=0), metrics=MetricsSettings(own=False))
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    await engine.stop()
    with sqlite3.connect(folder / "noc.db") as connection:
        connection.execute(f"INSERT INTO metric_series VALUES (1, 'default', 'x', 'x', '', '{{}}', {end}, 1.0)")
        connection.execute(f"ATTACH '{folder / 'kept.db'}' AS kept")
        connection.execute("INSERT INTO metric_rollups SELECT * FROM kept.metric_rollups")
    connection.close()
    engine = build(settings, SystemClock(), listen=False)
    await engine.start()
    client = engine.client(Scope(tenant=DEFAULT_TENANT, actor="bench", capabilities=CAPABILITIES))
    times, spent, found = [], [], 0
    since = datetime.now(UTC) - timedelta(days=YEARS_DAYS)
    for number in range(QUESTIONS + 3):
        began, work = time.perf_counter(), time.process_time()
        page = await client.query(Query(kind="metrics/query", params={"series": "x", "from": since.isoformat()}))
        if number >= 3:
            times.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - work) * 1000)
        found = len(page.items[0]["points"])
    await engine.stop()
    times.sort()
    spent.sort()
    return {
        "query_p50_ms": round(times[len(times) // 2], 2),
        "query_p95_ms": round(times[int(len(times) * 0.95)], 2),
        "query_cpu_p50_ms": round(spent[len(spent) // 2], 2),
        "query_cpu_p95_ms": round(spent[int(len(spent) * 0.95)], 2),
        "query_points": found,
    }


def rolling(folder: Path, interval: int, series: int) -> dict[str, float]:
    """One hour of many series: taken in, then rolled up slice by slice, each slice a transaction."""
    connection = sqlite3.connect(folder / "rolling.db", isolation_level=None)
    connection.executescript(head_sql())
    connection.execute("PRAGMA journal_mode = WAL")
    random, end = Random(9), int(datetime(2026, 5, 4, 12, tzinfo=UTC).timestamp())
    taking, samples = 0.0, 0
    for at in range(end - HOUR, end, interval):
        rows = [
            Sampled(tenant="default", id=f"s{number}", name="s", labels={}, at=at, value=value(random, at))
            for number in range(series)
        ]
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        samples += rollups.take(connection, rows, at)
        connection.execute("COMMIT")
        taking += time.perf_counter() - began
    slices = []
    while True:
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        done = rollups.roll(connection, Rolling(now=end + 120.0))
        connection.execute("COMMIT")
        slices.append(time.perf_counter() - began)
        if done < ROLL_SLICE:
            break
    made = connection.execute("SELECT count(*) FROM metric_rollups WHERE resolution = 3600").fetchone()[0]
    connection.close()
    return {
        "rollup_s": round(sum(slices), 2),
        "rollup_series": made,
        "rollup_slice_max_ms": round(max(slices) * 1000, 1),
        "take_us_per_sample": round(taking / samples * 1e6, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interval", type=int, default=60, help="seconds between two samples")
    parser.add_argument("--series", type=int, default=10_000, help="series of the hour that is rolled up")
    given = parser.parse_args()
    now = int(time.time())
    end = now - now % DAY
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = storage(folder, given.interval, end)
        found |= asyncio.run(reading(folder, given.interval, end))
        found |= rolling(folder, given.interval, given.series)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
