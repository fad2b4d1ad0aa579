"""Backup, restore, check and migration: a copy is whole or there is none, and nothing is replaced unasked."""

# The blocking calls are what is tested, and nothing else runs in the loop.
# ruff: noqa: ASYNC240

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from data import migrate
from data.audit import verify_audit
from data.backup import backup, check, restore
from data.codec import FORMS
from data.connect import APPLICATION_ID
from data.ports import StoreCorrupt, StoreError
from data.store import SqliteStore
from data.tables import metadata
from tests.fakes.stored import NOW, ZERO, alert, audit, changes, commit, later


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A running store with 50 alerts, ten changes and four acts."""
    opened = SqliteStore(tmp_path / "data", reserve_bytes=0)
    await opened.open()
    epoch = await opened.acquire(ZERO, "one", NOW, 30.0)
    assert epoch is not None
    acts = [audit(verb) for verb in ("ack", "note", "close", "reopen")]
    alerts = [alert(number) for number in range(1, 51)]
    await opened.commit(commit(epoch, alerts=alerts, audits=acts, changes=changes(1, 10)))
    yield opened
    await opened.close()


@pytest.fixture
async def directory(store: SqliteStore, tmp_path: Path) -> Path:
    """Its directory, closed."""
    await store.close()
    return tmp_path / "data"


def _change(directory: Path, sql: str) -> None:
    connection = sqlite3.connect(directory / "noc.db")
    connection.execute(sql)
    connection.commit()
    connection.close()


async def _loaded(directory: Path) -> tuple[int, int]:
    store = SqliteStore(directory, reserve_bytes=0)
    await store.open()
    snapshot = await store.load(ZERO, NOW, 0.0)
    await store.close()
    return len(snapshot.alerts), snapshot.seq


async def test_a_backup_is_taken_while_the_engine_writes(store: SqliteStore, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    copy = backup(tmp_path / "data", file)
    await store.commit(commit(1, alerts=[alert(51)], changes=changes(11, 1)))
    assert (copy.seq, copy.rows["alerts"], copy.rows["audits"], copy.bytes) == (10, 50, 4, file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.db", "data"]


async def test_a_restored_backup_is_the_state_of_then(store: SqliteStore, tmp_path: Path) -> None:
    backup(tmp_path / "data", tmp_path / "copy.db")
    restored = restore(tmp_path / "copy.db", tmp_path / "new")
    assert (restored.seq, restored.file) == (10, tmp_path / "new" / "noc.db")
    assert await _loaded(tmp_path / "new") == (50, 10)
    assert check(tmp_path / "new").ok


async def test_no_lease_is_alive_after_a_restore(store: SqliteStore, tmp_path: Path) -> None:
    backup(tmp_path / "data", tmp_path / "copy.db")
    restore(tmp_path / "copy.db", tmp_path / "new")
    other = SqliteStore(tmp_path / "new", reserve_bytes=0)
    await other.open()
    assert await other.acquire(ZERO, "two", later(1), 30.0) == 2
    await other.close()


async def test_restore_replaces_only_when_asked_and_keeps_what_was(directory: Path, tmp_path: Path) -> None:
    backup(directory, tmp_path / "copy.db")
    _change(directory, "DELETE FROM alerts")
    with pytest.raises(StoreError, match="--force"):
        restore(tmp_path / "copy.db", directory)
    assert await _loaded(directory) == (0, 10)
    restore(tmp_path / "copy.db", directory, force=True)
    assert await _loaded(directory) == (50, 10)
    former = sqlite3.connect(directory / "noc.db.before-restore")
    assert former.execute("SELECT count(*) FROM alerts").fetchone() == (0,)
    former.close()


async def test_restore_does_not_pull_the_file_from_under_an_engine(store: SqliteStore, tmp_path: Path) -> None:
    backup(tmp_path / "data", tmp_path / "copy.db")
    with pytest.raises(StoreError, match="running"):
        restore(tmp_path / "copy.db", tmp_path / "data", force=True)
    await store.commit(commit(1, alerts=[alert(51)], changes=changes(11, 1)))
    assert len((await store.load(ZERO, NOW, 0.0)).alerts) == 51


async def test_restore_heals_a_damaged_database(directory: Path, tmp_path: Path) -> None:
    backup(directory, tmp_path / "copy.db")
    (directory / "noc.db").write_bytes(b"rubbish" * 1000)
    restore(tmp_path / "copy.db", directory, force=True)
    assert await _loaded(directory) == (50, 10)


def _cut(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2 // 4096 * 4096)


def _text(file: Path) -> None:
    file.write_text("no database\n" * 1000)


@pytest.mark.parametrize("damage", [_cut, _text])
async def test_a_damaged_backup_is_not_restored(
    directory: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    backup(directory, tmp_path / "copy.db")
    damage(tmp_path / "copy.db")
    with pytest.raises(StoreCorrupt):
        restore(tmp_path / "copy.db", directory, force=True)
    assert await _loaded(directory) == (50, 10)
    assert not list(directory.glob("*.new"))


async def test_a_failed_backup_leaves_the_older_one(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "copy.db"
    backup(directory, file)
    before = file.read_bytes()
    _cut(directory / "noc.db")
    with pytest.raises(StoreCorrupt):
        backup(directory, file)
    assert file.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


async def test_a_backup_is_not_written_over_the_database(directory: Path) -> None:
    with pytest.raises(StoreError, match="itself"):
        backup(directory, directory / "noc.db")


def test_nothing_to_back_up(tmp_path: Path) -> None:
    for act in (lambda: backup(tmp_path, tmp_path / "b"), lambda: check(tmp_path), lambda: verify_audit(tmp_path)):
        with pytest.raises(StoreError, match="no database"):
            act()


async def test_a_sound_database_has_no_findings(directory: Path) -> None:
    found = check(directory)
    assert (found.ok, found.version, found.rows["alerts"]) == (True, migrate.HEAD, 50)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("UPDATE changes SET body = replace(CAST(body AS TEXT), 'site-1', 'site-2')", "change 1"),
        ("UPDATE audits SET actor = 'eve' WHERE seq = 2", "audit was changed at 2"),
    ],
)
async def test_check_finds_what_was_changed_by_hand(directory: Path, sql: str, words: str) -> None:
    _change(directory, sql)
    assert any(words in finding for finding in check(directory).findings)


@pytest.mark.parametrize(
    ("sql", "bad"),
    [
        ("SELECT 1", None),
        ("UPDATE audits SET actor = 'eve' WHERE seq = 3", 3),
        ("UPDATE audits SET body = replace(body, 'ana', 'eve') WHERE seq = 2", 2),
        ("UPDATE audits SET body = x'00' WHERE seq = 2", 2),
        ("DELETE FROM audits WHERE seq = 2", 3),
        ("DELETE FROM audits WHERE seq = 1", 2),
        ("UPDATE audits SET hash = 'x' WHERE seq = 4", 4),
        ("INSERT INTO audits SELECT tenant, 5, at, 'eve', verb, '', '', prev, hash, body FROM audits LIMIT 1", 5),
    ],
)
async def test_the_audit_shows_where_it_was_changed(directory: Path, sql: str, bad: int | None) -> None:
    _change(directory, sql)
    assert verify_audit(directory) == bad


def test_head_is_what_the_tables_say() -> None:
    # After a change of `data.tables`: write `migrate.render_head()` to migrations/head.sql and add a revision.
    assert migrate.head_sql() == migrate.render_head()


def test_rows_are_written_in_the_columns_of_the_tables() -> None:
    assert {form.table for form in FORMS.values()} == set(metadata.tables)
    for name, form in FORMS.items():
        assert sorted(form.columns) == sorted(column.name for column in metadata.tables[name].columns)
        assert set(form.key) == {column.name for column in metadata.tables[name].primary_key}


def _bare(directory: Path) -> Path:
    """An empty database of ours, as old as can be."""
    directory.mkdir(mode=0o700)
    connection = sqlite3.connect(directory / "noc.db")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    return directory


def _schema(file: Path | str) -> dict[str, str]:
    connection = sqlite3.connect(file)
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.replace('"', "").split())) for name, sql in rows}


def test_the_revisions_lead_to_head_and_back(tmp_path: Path) -> None:
    directory = _bare(tmp_path / "data")
    assert migrate.current(directory) is None
    assert migrate.upgrade(directory) == migrate.HEAD
    fresh = tmp_path / "fresh.db"
    connection = sqlite3.connect(fresh)
    connection.executescript(migrate.head_sql())
    connection.close()
    assert _schema(directory / "noc.db") == _schema(fresh)
    assert migrate.downgrade(directory, "base") is None
    assert set(_schema(directory / "noc.db")) == {"alembic_version"}
    assert migrate.upgrade(directory) == migrate.HEAD


async def test_an_older_database_is_migrated_when_it_is_opened(tmp_path: Path) -> None:
    assert await _loaded(_bare(tmp_path / "data")) == (0, 0)
    assert migrate.current(tmp_path / "data") == migrate.HEAD


def test_there_is_no_version_of_nothing(tmp_path: Path) -> None:
    assert migrate.current(tmp_path) is None


def test_writing_needs_neither_sqlalchemy_nor_alembic() -> None:
    words = "import sys, data.store; print([name for name in ('sqlalchemy', 'alembic') if name in sys.modules])"
    root = Path(__file__).parents[2]
    found: Any = subprocess.run([sys.executable, "-c", words], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
