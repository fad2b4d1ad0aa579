"""Counting many lists at once: how many rows each of them has, asked in a few statements on a thread of its own.

Owns that connection and its time limit. Building and compiling a statement costs more than running it, so both are
done away from the event loop. What is counted, and for whom, is built in `data.selects`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

import sqlalchemy as sa

from data.connect import address
from data.ports import Select
from data.query_sql import install_functions
from data.scope import Scope
from data.selects import total

#: Lists that one statement counts: each statement has the whole time limit.
TOGETHER = 16
#: How often, in steps of SQLite's machine, a running statement looks at the clock.
_STEPS = 20_000


class Counting:
    """Call it from a thread; callers take turns."""

    def __init__(self, path: Path, limit_seconds: float, busy_seconds: float) -> None:
        self._path, self._limit_seconds, self._busy_seconds = path, limit_seconds, busy_seconds
        self._turn = Lock()
        self._deadline = 0.0
        #: Whether there is a connection to close.
        self.opened = False
        self.engine = sa.create_engine(
            "sqlite://", creator=self._connect, poolclass=sa.StaticPool, isolation_level="AUTOCOMMIT"
        )
        sa.event.listen(self.engine, "connect", lambda connection, _record: install_functions(connection))

    def totals(self, scope: Scope, selects: Sequence[Select], now: datetime) -> list[int]:
        """Rows of all pages of each. Raises InvalidSelect or QueryError for what was asked, DBAPIError for the
        database."""
        counts: list[int] = []
        with self._turn, self.engine.connect() as connection:
            for first in range(0, len(selects), TOGETHER):
                asked = [total(scope, select, now).scalar_subquery() for select in selects[first : first + TOGETHER]]
                self._deadline = monotonic() + self._limit_seconds
                counts += connection.execute(sa.select(*asked)).one()
        return counts

    def close(self) -> None:
        with self._turn:
            self.engine.dispose()

    def _connect(self) -> Any:
        connection = sqlite3.connect(
            address(self._path, "ro"),
            uri=True,
            isolation_level=None,
            timeout=self._busy_seconds,
            check_same_thread=False,
        )
        self.opened = True
        connection.set_progress_handler(lambda: monotonic() > self._deadline, _STEPS)
        connection.execute("PRAGMA query_only = ON")
        return connection
