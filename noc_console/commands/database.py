"""Tokens straight from the store's file: they can be made before any engine runs, and beside a running one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.config import data_dir

if TYPE_CHECKING:
    from data.records import Token
    from engine.settings import Settings


def save_token(settings: Settings, token: Token) -> None:
    """Write one token; makes the database when there is none."""
    from data.store import SqliteStore

    async def save() -> None:
        store = SqliteStore(data_dir(settings), reserve_bytes=0)
        await store.open()
        try:
            await store.save_token(token)
        finally:
            await store.close()

    asyncio.run(save())


def tokens(settings: Settings) -> Sequence[Token]:
    """All tokens, the newest first; none when there is no database yet."""
    from data.files import database_path
    from data.queries import SqliteReader

    async def read() -> Sequence[Token]:
        reader = SqliteReader(data_dir(settings))
        try:
            return await reader.tokens()
        finally:
            await reader.close()

    if not database_path(data_dir(settings)).exists():
        return ()
    return sorted(asyncio.run(read()), key=lambda token: token.created_at, reverse=True)
