"""Rows that a screen asks the engine for: page by page, with what went wrong kept as words.

What was read stays when a later reading fails. Never draws.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from engine.client import EngineClient, Query, Refused, Unreachable
from noc_console.safe_text import Safe, safe_text

#: Rows that one reading holds at most; what is beyond is named, not shown.
MOST_ROWS = 5_000


class Reading:
    """`rows` in the engine's order, `more` = there are further ones, `problem` = why the last reading failed."""

    def __init__(self, client: EngineClient, query: Query) -> None:
        self._client, self.query = client, query
        self.rows: list[Any] = []
        self.total: int | None = None
        self.loaded = False
        self.problem = Safe("")
        self._next: str | None = None
        self._pages = 1

    @property
    def more(self) -> bool:
        return self._next is not None and len(self.rows) < MOST_ROWS

    async def load(self) -> None:
        """Read again what was read, from the first page on."""
        rows: list[Any] = []
        after: str | None = ""
        for _ in range(self._pages):
            page = await self._page(after or "")
            if page is None:
                return
            rows.extend(page.items)
            after = page.next
            if after is None:
                break
        self.rows, self._next, self.loaded = rows, after, True

    async def extend(self) -> None:
        """Read one more page."""
        if self._next is None:
            return
        page = await self._page(self._next)
        if page is not None:
            self.rows.extend(page.items)
            self._next = page.next
            self._pages += 1

    async def _page(self, after: str) -> Any:
        try:
            page = await self._client.query(replace(self.query, after=after))
        except (Refused, Unreachable) as error:
            self.problem = problem_words(error)
            return None
        self.problem = Safe("")
        self.total = page.total if page.total is not None else self.total
        return page


def problem_words(error: Refused | Unreachable) -> Safe:
    """What went wrong and what to change, in one line."""
    if isinstance(error, Unreachable):
        return safe_text(f"no engine: {error}")
    field = f" [{error.field}]" if error.field else ""
    remedy = f"; {error.remedy}" if error.remedy else ""
    return safe_text(f"{error.reason}{field}{remedy}")
