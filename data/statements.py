"""SQL texts of the write path, built once per table from its form, and the loop that runs them in blocks.

Owns INSERT and upsert of whole rows in SQLite's dialect. Knows nothing of records or transactions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain

from data.codec import Form, Row

#: Rows per statement: many rows in one cost a fifth less per row than one after another through `executemany`, and
#: few sizes keep the texts and SQLite's prepared statements few.
_BLOCKS = (64, 16, 4, 1)

Sql = Callable[[Form, int], str]


@cache
def insert(form: Form, rows: int) -> str:
    """INSERT of `rows` rows that are known to be new."""
    one = "(" + ", ".join("?" * len(form.columns)) + ")"
    return f"INSERT INTO {form.table} ({', '.join(form.columns)}) VALUES " + ", ".join([one] * rows)


@cache
def upsert(form: Form, rows: int) -> str:
    """INSERT of `rows` rows, each of which replaces all columns of the row with the same key."""
    values = ", ".join(f"{column} = excluded.{column}" for column in form.columns if column not in form.key)
    return f"{insert(form, rows)} ON CONFLICT ({', '.join(form.key)}) DO UPDATE SET {values}"


@cache
def insert_once(form: Form, rows: int) -> str:
    """INSERT of `rows` rows, those whose key is there already being left as they are."""
    return f"{insert(form, rows)} ON CONFLICT ({', '.join(form.key)}) DO NOTHING"


def write(connection: sqlite3.Connection, sql: Sql, form: Form, rows: Sequence[Row]) -> None:
    """Run `sql` over the rows in as few statements as there are blocks."""
    start, left = 0, len(rows)
    for size in _BLOCKS:
        while left >= size:
            block = rows[start] if size == 1 else tuple(chain.from_iterable(rows[start : start + size]))
            connection.execute(sql(form, size), block)
            start, left = start + size, left - size
