"""kill -9 while committing: what was acknowledged is stored, what is stored is whole."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from data.backup import check
from data.queries import SqliteReader
from data.store import SqliteStore
from tests.fakes.stored import NOW, ZERO, scope

KILLS = 25

#: Commits for ever; each line on stdout is a seq whose commit has returned.
_WRITER = """
import asyncio, sys
from pathlib import Path
from data.ports import Touch
from data.store import SqliteStore
from tests.fakes.stored import NOW, ZERO, alert, audit, changes, commit, entry, incident, later

async def main():
    store = SqliteStore(Path(sys.argv[1]), reserve_bytes=0)
    await store.open()
    epoch = await store.acquire(ZERO, "writer", NOW, 30.0)
    snapshot = await store.load(ZERO, NOW, 900.0)
    seq = snapshot.seq
    print("ready", flush=True)
    while True:
        await store.commit(commit(
            epoch, alerts=[alert(seq + 1), alert(seq + 2)], incidents=[incident(1, events=seq + 2)],
            timeline=[entry(seq + 1), entry(seq + 2)], audits=[audit("ack")],
            touches=[Touch(max(1, seq), 1000 + seq, later(seq), later(seq))], changes=changes(seq + 1, 2),
        ))
        seq += 2
        print(seq, flush=True)

asyncio.run(main())
"""


def _run_until_killed(directory: Path, seconds: float) -> int:
    """The last seq that the writer said was committed before it was killed, 0 if none."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(directory)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first == b"ready\n"
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().split(b"\n")
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    whole = [int(line) for line in lines[:-1]]
    return whole[-1] if whole else 0


def _stored(directory: Path) -> tuple[int, int, int, int]:
    """Last seq, alerts, timeline entries and audit rows, read by SQLite alone."""
    connection = sqlite3.connect(directory / "noc.db")
    try:
        return (
            connection.execute("SELECT max(seq) FROM leases").fetchone()[0],
            *(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("alerts", "timeline")),
            connection.execute("SELECT count(*) FROM audits").fetchone()[0],
        )
    finally:
        connection.close()


def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(7)
    directory = tmp_path / "data"
    for _ in range(KILLS):
        acknowledged = _run_until_killed(directory, chance.uniform(0.0, 0.15))
        seq, alerts, timeline, audits = _stored(directory)
        assert seq >= acknowledged
        assert (alerts, timeline, audits) == (seq, seq, seq // 2)
    found = check(directory)
    assert found.ok, found.findings
    assert seq > KILLS


async def _all_seqs(directory: Path) -> list[int]:
    reader = SqliteReader(directory, limit_seconds=30.0)
    try:
        changes = await reader.changes(scope(), ZERO, 0, 1_000_000)
        assert changes is not None
        return [change.seq for change in changes]
    finally:
        await reader.close()


async def _loads(directory: Path) -> tuple[int, int]:
    store = SqliteStore(directory, reserve_bytes=0)
    await store.open()
    snapshot = await store.load(ZERO, NOW, 900.0)
    await store.close()
    return len(snapshot.alerts), snapshot.seq


def test_after_a_kill_the_engine_and_the_feed_go_on(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    acknowledged = _run_until_killed(directory, 0.2)
    alerts, seq = asyncio.run(_loads(directory))
    assert alerts == seq >= acknowledged
    assert asyncio.run(_all_seqs(directory)) == list(range(1, seq + 1))
