"""Everything that can be wrong with the file, its directory and its disk: said in words, nothing lost or made up."""

# The blocking calls are what is tested, and nothing else runs in the loop.
# ruff: noqa: ASYNC220, ASYNC221, ASYNC240

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data.connect import APPLICATION_ID
from data.ports import Select, StoreCorrupt, StoreError, StoreFull, StoreReadOnly
from data.queries import SqliteReader
from data.reserve import NAME as RESERVE
from data.store import SqliteStore
from tests.fakes.stored import NOW, ZERO, alert, changes, commit, incident, scope

ALERTS = 300


async def _filled(directory: Path, **settings: Any) -> SqliteStore:
    store = SqliteStore(directory, **{"reserve_bytes": 0, **settings})
    await store.open()
    epoch = await store.acquire(ZERO, "one", NOW, 30.0)
    assert epoch is not None
    alerts = [alert(number) for number in range(1, ALERTS + 1)]
    await store.commit(commit(epoch, alerts=alerts, incidents=[incident(1)], changes=changes(1, ALERTS)))
    return store


async def _alerts(directory: Path) -> int:
    reader = SqliteReader(directory)
    try:
        return len((await reader.select(scope(), Select(kind="alerts", limit=10_000), NOW)).items)
    finally:
        await reader.close()


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A filled database that was closed in order."""
    store = await _filled(tmp_path / "data")
    await store.close()
    return tmp_path / "data" / "noc.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        pytest.skip("mounting a small file system needs root")
    if subprocess.run([mount, "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=False).returncode:
        pytest.skip("this machine does not let root mount")
    yield disk
    subprocess.run([umount, "-l", disk], check=True)


async def test_only_the_owner_can_read(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    store = await _filled(directory, reserve_bytes=4096)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [directory, *directory.iterdir()]}
    await store.close()
    assert modes.pop("data") == 0o700
    assert set(modes) == {"noc.db", "noc.db-wal", "noc.db-shm", RESERVE}
    assert set(modes.values()) == {0o600}


async def test_a_loose_directory_and_file_are_tightened(database: Path) -> None:
    database.parent.chmod(0o755)
    database.chmod(0o644)
    store = SqliteStore(database.parent, reserve_bytes=0)
    await store.open()
    await store.close()
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(database.stat().st_mode) == 0o600


async def test_a_symbolic_link_is_refused(database: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "noc.db").symlink_to(database)
    with pytest.raises(StoreError, match="symbolic link"):
        await SqliteStore(elsewhere).open()
    with pytest.raises(StoreError, match="symbolic link"):
        await _alerts(elsewhere)


def _text_file(path: Path) -> None:
    path.write_text("this is no database\n" * 500)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def _holed(path: Path) -> None:
    """The page after the schema's first is zeroed."""
    with path.open("r+b") as file:
        file.seek(4096 * 40)
        file.write(b"\0" * 4096 * 4)


@pytest.mark.parametrize("damage", [_text_file, _emptied, _halved, _holed])
async def test_a_damaged_file_is_refused_and_left_alone(database: Path, damage: Callable[[Path], None]) -> None:
    damage(database)
    before = database.read_bytes()
    store = SqliteStore(database.parent, reserve_bytes=0)
    with pytest.raises(StoreCorrupt, match="restore"):
        await store.open()
    with pytest.raises(StoreError, match="not open"):
        await store.load(ZERO, NOW, 0.0)
    assert database.read_bytes() == before


async def _outcome(directory: Path) -> str:
    """"damaged" if any part of the way to memory and screen says so, else "served"."""
    store = SqliteStore(directory, reserve_bytes=0)
    reader = SqliteReader(directory)
    try:
        await store.open()
        loaded = await store.load(ZERO, NOW, 0.0)
        feed = await reader.changes(scope(), ZERO, 0, 10_000)
        assert len(loaded.alerts) == await _alerts(directory) == ALERTS
        assert feed is None or list(feed) == list(changes(1, ALERTS))
    except StoreCorrupt:
        return "damaged"
    finally:
        await reader.close()
        await store.close()
    return "served"


async def test_flipped_bytes_never_serve_less_or_another_log(database: Path) -> None:
    chance = random.Random(3)
    whole = database.read_bytes()
    outcomes = []
    for _ in range(60):
        flipped = bytearray(whole)
        # Where the structure is: the header of a page and its first pointers.
        flipped[chance.randrange(len(whole) // 4096) * 4096 + chance.randrange(12)] ^= 1 << chance.randrange(8)
        database.write_bytes(flipped)
        for ending in ("-wal", "-shm"):
            Path(f"{database}{ending}").unlink(missing_ok=True)
        outcomes.append(await _outcome(database.parent))
    assert outcomes.count("damaged") > 20


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "noc.db")
    connection.execute("CREATE TABLE x (a)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        await SqliteStore(tmp_path).open()


async def test_a_newer_schema_is_refused_with_a_sentence(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    connection.close()
    with pytest.raises(StoreError, match=r"newer version \(schema 9999") as caught:
        await SqliteStore(database.parent).open()
    assert not caught.value.retryable


async def test_a_half_made_database_of_a_crash_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "noc.db.new").write_bytes(b"half of one")
    store = await _filled(tmp_path)
    await store.close()
    assert await _alerts(tmp_path) == ALERTS


async def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="not a directory"):
        await SqliteStore(tmp_path / "file").open()


_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[tuple[SqliteStore, Callable[[], None]]]:
    """A store that another process has locked, and what makes that process let go."""
    store = await _filled(tmp_path / "data", busy_seconds=0.05)
    process = subprocess.Popen(
        [sys.executable, "-c", _LOCKER, tmp_path / "data" / "noc.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    yield store, lambda: _let_go(process)
    _let_go(process)
    process.stdout.close()
    await store.close()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.write(b"\n")
        process.stdin.close()
    process.wait()


async def test_a_locked_database_can_be_tried_again(
    locked: tuple[SqliteStore, Callable[[], None]], tmp_path: Path
) -> None:
    store, let_go = locked
    batch = commit(1, alerts=[alert(ALERTS + 1)], changes=changes(ALERTS + 1, 1))
    with pytest.raises(StoreError, match="locked") as caught:
        await store.commit(batch)
    assert caught.value.retryable
    assert await _alerts(tmp_path / "data") == ALERTS
    let_go()
    await store.commit(batch)
    assert await _alerts(tmp_path / "data") == ALERTS + 1


async def test_a_full_disk_takes_nothing_but_urgent_commits(small_disk: Path) -> None:
    store = await _filled(small_disk, reserve_bytes=512 << 10)
    ballast = small_disk / "ballast"
    _fill(ballast)
    taken = ALERTS
    with pytest.raises(StoreFull) as caught:
        while True:
            await store.commit(commit(1, alerts=[alert(taken + 1)], changes=changes(taken + 1, 1)))
            taken += 1
    assert caught.value.retryable
    assert await _alerts(small_disk) == taken
    for number in range(20):
        await store.commit(commit(1, incidents=[incident(1, events=number)], urgent=True))
    with pytest.raises(StoreFull):
        await store.commit(commit(1, alerts=[alert(taken + 1)], changes=changes(taken + 1, 1)))
    snapshot = await store.load(ZERO, NOW, 0.0)
    assert (len(snapshot.alerts), snapshot.seq, snapshot.incidents[0].events) == (taken, taken, 19)
    ballast.unlink()
    await store.commit(commit(1, alerts=[alert(taken + 1)], changes=changes(taken + 1, 1)))
    assert (small_disk / RESERVE).stat().st_size == 512 << 10
    await store.close()
    assert await _alerts(small_disk) == taken + 1


async def test_an_engine_starts_on_a_full_disk(small_disk: Path) -> None:
    store = await _filled(small_disk, reserve_bytes=512 << 10)
    await store.close()
    _fill(small_disk / "ballast")
    store = SqliteStore(small_disk, reserve_bytes=512 << 10)
    await store.open()
    assert await store.acquire(ZERO, "two", NOW, 30.0) is None
    epoch = await store.acquire(ZERO, "one", NOW, 30.0)
    assert epoch == 2
    await store.commit(commit(epoch, incidents=[incident(1, events=5)], urgent=True))
    assert (await store.load(ZERO, NOW, 0.0)).incidents[0].events == 5
    await store.close()


def _fill(file: Path) -> None:
    """Take all space that is left."""
    with pytest.raises(OSError, match="No space"), file.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


async def test_a_read_only_disk_can_still_be_read(small_disk: Path) -> None:
    store = await _filled(small_disk / "data")
    await store.close()
    mount = shutil.which("mount")
    assert mount is not None
    subprocess.run([mount, "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StoreReadOnly, match="cannot be written") as caught:
        await SqliteStore(small_disk / "data").open()
    assert not caught.value.retryable
    with pytest.raises(StoreReadOnly):
        await SqliteStore(small_disk / "new").open()
    assert await _alerts(small_disk / "data") == ALERTS
