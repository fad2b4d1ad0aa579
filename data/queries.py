"""Reads for the screen and the API: SQLAlchemy Core on aiosqlite, on connections that cannot write.

Owns the reading connections, their time limit and the way from rows to records. What is read, and by whom, is built
in `data.selects`. Never blocks the writer. Importing this module imports SQLAlchemy; the writer does not need it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from data import rollup_reads, tables
from data.connect import BUSY_SECONDS, address
from data.counting import Counting
from data.decode import Damaged, record_of, records_of
from data.event_log import EventLog
from data.files import check_file, corrupt, database_path, permanent, translate
from data.nouns import NOUNS
from data.ports import Rows, Select, StoreError
from data.query_sql import install_functions
from data.records import Change, Partition, Token
from data.restricted import effect_for
from data.rollups import Recent, Series, Stored
from data.scope import Scope
from data.selects import RECORDS, InvalidSelect, cursor, page, total

__all__ = ["InvalidSelect", "SqliteReader"]

LIMIT_SECONDS = 2.0
POOL = 3

#: How often, in steps of SQLite's machine, a running statement looks at the clock.
_STEPS = 20_000


class SqliteReader:
    """`data.ports.Reader` on the database of `directory`, which must exist when the first read is made.

    partition: whose feed position pages carry. limit_seconds: what one statement may take.
    Works on a read-only directory too.
    """

    def __init__(
        self,
        directory: Path,
        *,
        partition: Partition = Partition(0),  # noqa: B008 - a number
        limit_seconds: float = LIMIT_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
    ) -> None:
        self._path = database_path(directory)
        self._partition = partition
        self._limit_seconds = limit_seconds
        self._busy_seconds = busy_seconds
        self._deadlines: WeakKeyDictionary[Any, list[float]] = WeakKeyDictionary()
        self.engine: AsyncEngine = create_async_engine(
            "sqlite+aiosqlite://",
            async_creator=self._connect,
            poolclass=sa.AsyncAdaptedQueuePool,
            pool_size=POOL,
            max_overflow=0,
            pool_reset_on_return=None,
            isolation_level="AUTOCOMMIT",
        )
        self.counting = Counting(self._path, limit_seconds, busy_seconds)
        sa.event.listen(self.engine.sync_engine, "connect", lambda connection, _record: install_functions(connection))

    async def select(self, scope: Scope, select: Select, now: datetime) -> Rows:
        """One page. Raises InvalidSelect or QueryError for what was asked, StoreError for the store."""
        async with self._reading(f"a page of {select.kind}") as connection:
            # The position comes first: what is committed between the two is in the page and, harmlessly, in the feed.
            seq = await self._seq(connection)
            if select.kind == "events":
                items, following = await EventLog(connection, scope, self._partition).page(select, now)
                return Rows(items=items, next=following, seq=seq)
            rows = (await connection.execute(page(scope, select, now))).all()
            count = await connection.scalar(total(scope, select, now)) if select.total else None
            shown = rows[: select.limit]
            following = cursor(shown[-1].sort, shown[-1].key) if len(rows) > len(shown) > 0 else None
            items = _narrowed(scope, select.kind, records_of(RECORDS[select.kind], [row[2:] for row in shown]))
            return Rows(items=items, next=following, seq=seq, total=count)

    async def changes(self, scope: Scope, partition: Partition, after: int, limit: int) -> Sequence[Change] | None:
        async with self._reading("the change log") as connection:
            return await EventLog(connection, scope, partition).after(after, limit)

    async def tokens(self) -> Sequence[Token]:
        """All tokens of all tenants: a token is what says which tenant is asking."""
        async with self._reading("the tokens") as connection:
            found = sa.select(tables.tokens.c.body).execution_options(all_tenants="a token names its tenant")
            bodies = await connection.scalars(found)
            return [record_of(Token, body) for body in bodies]

    async def totals(self, scope: Scope, selects: Sequence[Select], now: datetime) -> list[int]:
        try:
            if not check_file(self._path):
                raise permanent(StoreError(f"there is no database at {self._path}"))
            return await asyncio.to_thread(self.counting.totals, scope, selects, now)
        except DBAPIError as error:
            raise self._translated(error, "the counts") from error
        except sqlite3.Error as error:
            raise translate(error, self._path) from error

    async def series(
        self, scope: Scope, *, id: str = "", name: str = "", text: str = "", after: str = "", limit: int = 200
    ) -> Sequence[Series]:
        async with self._reading("the series") as connection:
            found = rollup_reads.series(scope, id=id, name=name, text=text, after=after, limit=limit)
            return [rollup_reads.series_of(row) for row in await connection.execute(found)]

    async def buckets(self, scope: Scope, id: str, wanted: Mapping[int, Sequence[int]]) -> dict[int, dict[int, Stored]]:
        async with self._reading("a series") as connection:
            return rollup_reads.stored((await connection.execute(rollup_reads.buckets(scope, id, wanted))).all())

    async def latest(self, scope: Scope, ids: Sequence[str], starts: Sequence[int]) -> dict[str, Recent]:
        found: dict[str, Recent] = {}
        async with self._reading("the newest samples") as connection:
            for id, last, last_at, at, average in await connection.execute(rollup_reads.latest(scope, ids, starts)):
                of = found.setdefault(id, Recent(last=last, last_at=last_at, averages={}))
                if at is not None:
                    of.averages[at] = average
        return found

    async def close(self) -> None:
        await self.engine.dispose()
        if self.counting.opened:
            await asyncio.to_thread(self.counting.close)

    async def _connect(self) -> aiosqlite.Connection:
        if not check_file(self._path):
            raise permanent(StoreError(f"there is no database at {self._path}"))
        connection = aiosqlite.connect(
            address(self._path, "ro"), uri=True, isolation_level=None, timeout=self._busy_seconds
        )
        deadline = [0.0]
        try:
            await connection
            await connection.set_progress_handler(lambda: monotonic() > deadline[0], _STEPS)
            await connection.execute("PRAGMA query_only = ON")
            await connection.execute("PRAGMA cache_size = -16000")
        except BaseException:  # whoever asked was stopped in between: nobody else knows of this connection
            await asyncio.shield(connection.close())
            raise
        self._deadlines[connection] = deadline
        return connection

    @asynccontextmanager
    async def _reading(self, what: str) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements stop at the time limit, and whose errors are ours."""
        try:
            async with self.engine.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                self._deadlines[raw][0] = monotonic() + self._limit_seconds
                yield connection
        except DBAPIError as error:
            raise self._translated(error, what) from error
        except sqlite3.Error as error:
            raise translate(error, self._path) from error
        except Damaged as error:
            raise corrupt(self._path, str(error)) from error

    def _translated(self, error: DBAPIError, what: str) -> StoreError:
        origin = error.orig
        if not isinstance(origin, sqlite3.Error):
            return permanent(StoreError(f"{self._path}: {error}"))
        if origin.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            return StoreError(f"reading {what} took more than {self._limit_seconds:g} s: narrow the filter or the time")
        return translate(origin, self._path)

    async def _seq(self, connection: AsyncConnection) -> int:
        found = sa.select(tables.leases.c.seq).where(tables.leases.c.partition == self._partition)
        return int(await connection.scalar(found) or 0)


def _narrowed(scope: Scope, kind: str, items: list[Any]) -> list[Any]:
    """Rows that the scope sees, without what in them is not for it."""
    noun = NOUNS.get(kind)
    if noun is not None and noun.narrowed is not None and scope.sites is not None:
        return [noun.narrowed(item, scope.sites) for item in items]
    return [effect_for(scope, item) for item in items] if kind == "effects" else items
