"""A table one of whose columns is a stretch of time: the header carries its ticks, a cursor in time runs through it.

Owns the window of time, the cursor in it and the width of the lanes; who fills the rows draws each lane by `Window`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from noc_console.desk import desk_of
from noc_console.safe_text import Safe
from noc_console.widgets.columns import Column, Placed
from noc_console.widgets.line_table import LineTable, RowSource
from noc_console.widgets.row_painter import RowPainter
from noc_console.widgets.time_axis import WallClock, label_line, ticks

K = TypeVar("K")
#: The key of the column that holds the lanes.
LANE = "lane"


class Window(Struct, frozen=True):
    """[since, until) in seconds since 1970 UTC over `cells` cells; `cursor` is the moment that is looked at, `is_now`
    says that it goes with the clock."""

    since: float
    until: float
    cells: int
    cursor: float
    is_now: bool = True

    def cell(self, at: float) -> int:
        """The cell of a moment; below 0 and from `cells` on it is outside."""
        return int((at - self.since) // ((self.until - self.since) / max(1, self.cells)))

    def begins(self, cell: int) -> float:
        return self.since + cell * (self.until - self.since) / max(1, self.cells)


class LaneTable(LineTable[K]):
    """Feed it as a LineTable, and call `set_window` when time goes on. Posts Scrubbed when left or right is pressed."""

    class Scrubbed(Message):
        """`step` is -1 or 1."""

        def __init__(self, table: LaneTable[Any], step: int) -> None:
            super().__init__()
            self.table, self.step = table, step

    def __init__(
        self, columns: Sequence[Column], source: RowSource[K], *, sort: str, clock: WallClock, id: str | None = None
    ) -> None:
        super().__init__(columns, source, sort=sort, id=id)
        self.clock = clock
        self.window = Window(0.0, 1.0, 0, 0.0)

    def set_window(self, since: float, until: float, cursor: float, is_now: bool = True) -> None:
        """Rows are drawn anew where their lanes changed."""
        cells = next((placed.cells for placed in self._placed if placed.column.key == LANE), 0)
        window = Window(since, until, cells, cursor, is_now)
        if window != self.window:
            self.window = window
            self.repaint_changed()
            self.refresh(Region(0, 0, self.size.width, 1))  # the ticks move with the window

    def do_table_left(self) -> None:
        self.post_message(self.Scrubbed(self, -1))

    def do_table_right(self) -> None:
        self.post_message(self.Scrubbed(self, 1))

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        window = self.window
        self.set_window(window.since, window.until, window.cursor, window.is_now)

    def _header(self) -> Strip:
        desk = desk_of(self)
        placed = [self._with_ticks(one) if one.column.key == LANE else one for one in self._placed]
        return RowPainter(placed, desk.palette, desk.glyphs, self._cells).header(self.sort, self.descending)

    def _with_ticks(self, placed: Placed) -> Placed:
        marks = ticks(self.window.since, self.window.until, placed.cells, self.clock)
        return Placed(placed.index, replace(placed.column, title=label_line(marks, placed.cells)), placed.cells)


def overlay(cells: Sequence[str], window: Window, upright: str) -> Safe:
    """A lane with the cursor in time drawn where nothing else is."""
    line = list(cells)
    at = window.cell(window.cursor)
    if 0 <= at < len(line) and line[at] == " ":
        line[at] = upright
    return Safe("".join(line))
