"""The stores that the contract suites run on: name → how to make a writer and a reader of one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from data.queries import SqliteReader
from data.store import SqliteStore


class StoreKind(Struct, frozen=True, kw_only=True):
    """`writer` and `reader` take the directory of the test; two writers of one directory are two engines."""

    name: str
    writer: Callable[[Path], Any]
    reader: Callable[[Path], Any]


def _sqlite_writer(directory: Path) -> SqliteStore:
    return SqliteStore(directory / "data", reserve_bytes=1 << 16, busy_seconds=0.05)


def _sqlite_reader(directory: Path) -> SqliteReader:
    return SqliteReader(directory / "data", limit_seconds=30.0)


STORES = [StoreKind(name="sqlite", writer=_sqlite_writer, reader=_sqlite_reader)]
