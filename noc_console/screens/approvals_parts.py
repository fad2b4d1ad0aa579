"""A part of the approvals page: a list, and what is told of the row under its cursor. Owns their panes and sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from noc_console.safe_text import Safe
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece

#: The list takes so much of the height at most, and never less than that many lines.
LIST_SHARE = 2 / 5
LIST_LINES = 4


class Part:
    def __init__(self, table: LineTable[str], told: LineView, titles: tuple[str, str]) -> None:
        self.table, self.told = table, told
        self.list = Pane(Safe(titles[0]), table, classes="approvals-list")
        self.peek = Pane(Safe(titles[1]), told, classes="approvals-told")

    def __iter__(self) -> Iterator[Pane]:
        yield self.list
        yield self.peek

    @property
    def cells(self) -> int:
        """The width of what is told; 0 before it has one."""
        return self.told.scrollable_content_region.width

    def settle(self, found: Any, rows: bool, empty: Sequence[str]) -> bool:
        """Whether there are rows to show; else the page that says why there are none."""
        self.peek.display = rows
        if rows:
            self.list.ready()
        elif found.problem and not found.loaded:
            why = [Piece(Safe("  Could not be read: ")), Piece(found.problem, "warn")]
            self.list.page(PaneState.ERROR, [[], why, [], [Piece(Safe("  ctrl+r tries again."), "dim")]])
        elif not found.loaded:
            self.list.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        else:
            self.list.page(PaneState.EMPTY, text_lines("", *empty))
        return rows

    def share(self, height: int | None) -> None:
        """Of so many lines few rows leave those that they do not need to what is told of them; None: both take all."""
        if height is None:
            self.list.styles.height = None
        else:
            most = max(LIST_LINES, int(height * LIST_SHARE))
            self.list.styles.height = max(LIST_LINES, min(len(self.table.keys) + 2, most))
