"""Playbooks as the approvals page lists them: what the file says, how runs ended, and the runs of one of them.

Owns the asking. Never draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.client import EngineClient, Query
from noc_console.filter_words import quoted
from noc_console.reading import Reading

HISTORY_PAGE = 100


class Books:
    """`rows` by name are the file's row and the figures of its runs together; `histories` its runs, where asked for."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.histories: dict[str, Reading] = {}
        #: What says whether the list could be read.
        self.files = Reading(client, Query(kind="playbooks/files"))
        self._figures = Reading(client, Query(kind="playbooks/statistics"))

    async def read(self) -> None:
        await self.files.load()
        await self._figures.load()
        figures = {row["playbook"]: row for row in self._figures.rows}
        self.rows.clear()
        for row in self.files.rows:
            self.rows[row["name"]] = {**row, **figures.pop(row["name"], {"triggered": 0})}
        for name, row in figures.items():
            self.rows[name] = {**row, "description": "its file is gone"}

    async def read_history(self, name: str) -> None:
        read = Reading(self._client, Query(kind="executions", q=f"entity={quoted(name)}", limit=HISTORY_PAGE))
        await read.load()
        self.histories[name] = read
