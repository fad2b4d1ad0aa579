"""Idle rules: which silences, windows and rules of a stored engine took no effect for long. Never writes."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from data.ports import Select
from data.queries import SqliteReader
from data.records import TenantId
from data.scope import CAPABILITIES, Scope
from engine.stages.hits import idle

_MOST = 1000


def idle_rules(data_dir: Path, tenant: str, now: datetime) -> list[str]:
    """One line for each. Raises StoreError."""
    return asyncio.run(_read(data_dir, tenant, now))


async def _read(data_dir: Path, tenant: str, now: datetime) -> list[str]:
    reader = SqliteReader(data_dir)
    try:
        scope = Scope(tenant=TenantId(tenant), actor="doctor", capabilities=CAPABILITIES)
        page = await reader.select(scope, Select(kind="rules", limit=_MOST), now)
        return idle(page.items, now)
    finally:
        await reader.close()
