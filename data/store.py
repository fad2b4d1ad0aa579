"""The store on SQLite: the one door through which state is written.

Owns the writer's connection and thread, the lease and the commit. Never reads for the screen (`data.queries`) and
never decides what is written. A commit is one transaction, one hop between threads and one fsync.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from data import outbox, retention
from data.codec import TOKENS, micros, token_row
from data.commit import Tail, write_commit
from data.connect import BUSY_SECONDS, open_writer
from data.decode import Damaged
from data.files import corrupt, database_path, permanent, translate
from data.load import last_seq, load
from data.ports import Commit, Fenced, Snapshot, StoreError, StoreFull
from data.records import Effect, Partition, Token
from data.reserve import Reserve
from data.statements import upsert, write
from data.write_thread import WriteThread

T = TypeVar("T")

RESERVE_BYTES = 64 << 20

_LEASE = "SELECT owner, epoch, expires_at FROM leases WHERE partition = ?"
_TAKE = (
    "INSERT INTO leases (partition, owner, epoch, expires_at, seq) VALUES (?, ?, ?, ?, 0) ON CONFLICT (partition)"
    " DO UPDATE SET owner = excluded.owner, epoch = excluded.epoch, expires_at = excluded.expires_at"
)
_RENEW = "UPDATE leases SET expires_at = ? WHERE partition = ? AND epoch = ?"
_ADVANCE = "UPDATE leases SET expires_at = ?, seq = ? WHERE partition = ? AND epoch = ? AND seq = ?"


class SqliteStore:
    """`data.ports.Store` on one file in `directory`.

    reserve_bytes: disk space kept for urgent commits, 0 = none. busy_seconds: how long a lock of another process is
    waited for. synchronous: FULL, or NORMAL, which may lose the last commits in a power cut.
    """

    def __init__(
        self,
        directory: Path,
        *,
        reserve_bytes: int = RESERVE_BYTES,
        busy_seconds: float = BUSY_SECONDS,
        synchronous: str = "FULL",
    ) -> None:
        self._directory = directory
        self._path = database_path(directory)
        self._busy_seconds = busy_seconds
        self._synchronous = synchronous
        self._reserve = Reserve(directory, reserve_bytes)
        self._thread: WriteThread | None = None
        self._connection: sqlite3.Connection | None = None
        self._tail = Tail()
        self._leases: dict[int, tuple[int, float]] = {}

    async def open(self) -> None:
        self._thread = WriteThread("store-writer")
        try:
            await self._thread.run(self._open)
        except BaseException:
            self._thread.stop()
            self._thread = None
            raise

    async def acquire(self, partition: Partition, owner: str, now: datetime, ttl: float) -> int | None:
        def take(connection: sqlite3.Connection) -> int | None:
            row = connection.execute(_LEASE, (partition,)).fetchone()
            if row is not None and row[0] != owner and row[2] > micros(now):
                return None
            epoch = 1 if row is None else int(row[1]) + 1
            connection.execute(_TAKE, (partition, owner, epoch, _until(now, ttl)))
            return epoch

        epoch = await self._run(take, urgent=True)
        if epoch is not None:
            self._leases[partition] = (epoch, ttl)
            self._tail = await self._run(Tail.read, urgent=True)
        return epoch

    async def renew(self, partition: Partition, epoch: int, now: datetime) -> None:
        """Extend the lease while there is nothing to commit. Raises Fenced when it was lost."""
        values = (_until(now, self._ttl(partition)), partition, epoch)

        def extend(connection: sqlite3.Connection) -> None:
            if connection.execute(_RENEW, values).rowcount != 1:
                raise _fenced(partition, epoch)

        await self._run(extend, urgent=True)

    async def release(self, partition: Partition, epoch: int) -> None:
        def let_go(connection: sqlite3.Connection) -> None:
            connection.execute(_RENEW, (0, partition, epoch))

        await self._run(let_go, urgent=True)
        self._leases.pop(partition, None)

    async def load(self, partition: Partition, now: datetime, recent_seconds: float) -> Snapshot:
        return await self._read(lambda connection: load(connection, partition, now, recent_seconds))

    async def commit(self, commit: Commit) -> None:
        await self._run(lambda connection: self._commit(connection, commit), urgent=commit.urgent)

    async def claim(
        self,
        partition: Partition,
        now: datetime,
        limit: int,
        lease_seconds: float,
        *,
        held: Sequence[str] = (),
        repeatable: Sequence[str] = (),
    ) -> Sequence[Effect]:
        if not await self._read(lambda connection: outbox.waiting(connection, now, held)):
            return ()

        def take(connection: sqlite3.Connection) -> Sequence[Effect]:
            self._check_lease(connection, partition)
            outbox.take_back(connection, now, repeatable)
            return outbox.claim(connection, now, limit, lease_seconds, held)

        return await self._run(take, urgent=True)

    async def disown(self, partition: Partition, repeatable: Sequence[str] = ()) -> int:
        def take(connection: sqlite3.Connection) -> int:
            self._check_lease(connection, partition)
            return outbox.disown(connection, repeatable)

        return await self._run(take, urgent=True)

    async def settle(self, effect: Effect) -> None:
        await self._run(lambda connection: outbox.settle(connection, effect), urgent=True)

    async def prune(self, now: datetime, keep_days: Mapping[str, float]) -> int:
        """Forget what is older than `keep_days` (by kind, see `retention.KEEP_DAYS`) → rows deleted."""
        deleted = 0
        for kind, cutoff in retention.cutoffs(now, keep_days).items():
            while count := await self._run(_slice(kind, cutoff), urgent=True):
                deleted += count
        return deleted

    async def save_token(self, token: Token) -> None:
        await self._run(lambda connection: write(connection, upsert, TOKENS, [token_row(token)]), urgent=True)

    async def close(self) -> None:
        """Fold the log into the database and close it. Closing twice does nothing."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        await thread.run(self._close)
        thread.stop()

    def _open(self) -> None:
        try:
            self._connection = open_writer(self._directory, self._busy_seconds, self._synchronous)
        except StoreFull:
            if not self._reserve.release():
                raise
            self._connection = open_writer(self._directory, self._busy_seconds, self._synchronous)
        self._reserve.open()
        self._tail = Tail.read(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _run(self, work: Callable[[sqlite3.Connection], T], urgent: bool) -> T:
        """Run `work` on the writer's thread in a transaction of its own."""
        return await self._live().run(lambda: self._in_transaction(work, urgent))

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await self._live().run(lambda: self._translated(work))

    def _live(self) -> WriteThread:
        if self._thread is None:
            raise permanent(StoreError(f"{self._path} is not open"))
        return self._thread

    def _in_transaction(self, work: Callable[[sqlite3.Connection], T], urgent: bool) -> T:
        try:
            return self._with_room(work, urgent)
        except OSError as error:  # the directory itself went away, or its disk did
            raise StoreError(f"{self._directory} cannot be used: {error.strerror}") from error

    def _with_room(self, work: Callable[[sqlite3.Connection], T], urgent: bool) -> T:
        if not self._reserve.held and not self._reserve.fill() and not urgent:
            raise StoreFull(f"no space left for {self._path}: free some space on its disk")
        try:
            return self._translated(lambda connection: _transaction(connection, work))
        except StoreFull:
            if not (urgent and self._reserve.release()):
                raise
            return self._translated(lambda connection: _transaction(connection, work))

    def _translated(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            raise permanent(StoreError(f"{self._path} is not open"))
        try:
            return work(self._connection)
        except sqlite3.Error as error:
            raise translate(error, self._path) from error
        except Damaged as error:
            raise corrupt(self._path, str(error)) from error

    def _commit(self, connection: sqlite3.Connection, commit: Commit) -> None:
        self._advance(connection, commit)
        write_commit(connection, commit, self._tail)

    def _advance(self, connection: sqlite3.Connection, commit: Commit) -> None:
        """Check the epoch, extend the lease and move the seq. Raises Fenced, or StoreError on a gap in the seqs."""
        until = _until(commit.at, self._ttl(commit.partition))
        if not commit.changes:
            moved = connection.execute(_RENEW, (until, commit.partition, commit.epoch)).rowcount
        else:
            first, last = commit.changes[0].seq, commit.changes[-1].seq
            if last - first + 1 != len(commit.changes):
                raise permanent(StoreError(f"the seqs {first} to {last} of {len(commit.changes)} changes have a gap"))
            values = (until, last, commit.partition, commit.epoch, first - 1)
            moved = connection.execute(_ADVANCE, values).rowcount
        if moved != 1:
            raise self._why_not(connection, commit)

    def _why_not(self, connection: sqlite3.Connection, commit: Commit) -> StoreError:
        row = connection.execute(_LEASE, (commit.partition,)).fetchone()
        if row is None or row[1] != commit.epoch:
            return _fenced(commit.partition, commit.epoch)
        expected = last_seq(connection, commit.partition) + 1
        return permanent(StoreError(f"the first seq is {commit.changes[0].seq} where {expected} follows"))

    def _ttl(self, partition: Partition) -> float:
        return self._leases.get(partition, (0, 0.0))[1]

    def _check_lease(self, connection: sqlite3.Connection, partition: Partition) -> None:
        epoch = self._leases.get(partition, (0, 0.0))[0]
        row = connection.execute(_LEASE, (partition,)).fetchone()
        if row is None or row[1] != epoch:
            raise _fenced(partition, epoch)


def _transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _until(now: datetime, ttl: float) -> int:
    return micros(now + timedelta(seconds=ttl))


def _fenced(partition: Partition, epoch: int) -> Fenced:
    return Fenced(f"the lease of partition {partition} with epoch {epoch} was lost to another engine")


def _slice(kind: str, cutoff: int) -> Callable[[sqlite3.Connection], int]:
    return lambda connection: retention.FORGETS[kind](connection, cutoff)
