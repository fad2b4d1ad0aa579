"""A plot with a cursor in time: left and right move it, what it stands on is told in words by whoever listens.

Owns the cursor and when the lines are made anew. Never asks for data.
"""

from __future__ import annotations

from textual import events
from textual.message import Message

from noc_console.actions import bindings_for
from noc_console.desk import desk_of
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.plot_canvas import GUTTER, Picture, Slot, columns_of, draw


class Plot(LineView):
    """Feed it with `set_picture`. Posts Moved when the cursor is on another column or has gone."""

    BINDINGS = bindings_for("table")

    class Moved(Message):
        def __init__(self, plot: Plot) -> None:
            super().__init__()
            self.plot = plot

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._picture: Picture | None = None
        self._cursor: int | None = None
        self._told: Line = ()
        self._drawn: tuple[object, ...] = ()

    @property
    def columns(self) -> int:
        """Cells of the plot itself."""
        return max(2, self.scrollable_content_region.width - GUTTER)

    @property
    def cursor(self) -> int | None:
        """The column chosen; None until a key has chosen one."""
        return self._cursor

    @property
    def slot(self) -> Slot | None:
        """What is under the cursor; None in a gap or without a cursor."""
        if self._picture is None or self._cursor is None:
            return None
        return columns_of(self._picture, self.columns)[self._cursor]

    @property
    def moment(self) -> float | None:
        """When the column under the cursor begins, seconds since 1970 UTC."""
        if self._picture is None or self._cursor is None:
            return None
        step = (self._picture.until - self._picture.since) / self.columns
        return self._picture.since + self._cursor * step

    def set_picture(self, picture: Picture | None) -> None:
        """Draw this; None draws nothing."""
        self._picture = picture
        self.draw()

    def tell(self, line: Line) -> None:
        """The line below the plot."""
        self._told = line
        self.draw()

    def point_at(self, moment: float) -> None:
        """The cursor on the column of that time, as far as it is in the picture."""
        if self._picture is not None and self._picture.since <= moment < self._picture.until:
            step = (self._picture.until - self._picture.since) / self.columns
            self._go(int((moment - self._picture.since) / step))

    def no_cursor(self) -> None:
        if self._cursor is not None:
            self._cursor = None
            self.draw()
            self.post_message(self.Moved(self))

    def draw(self) -> None:
        size = self.scrollable_content_region
        picture = self._picture.shape if self._picture is not None else None
        shape = (picture, size.width, size.height, self._cursor, self._told, desk_of(self).is_stale())
        if not size.width or not size.height or shape == self._drawn:
            return
        self._drawn = shape
        if self._picture is None:
            self.show([])
            return
        if self._cursor is not None:
            self._cursor = min(self._cursor, self.columns - 1)
        lines = draw(self._picture, size.width, size.height - 1, desk_of(self).glyphs, self._cursor)
        lines.append(self._told)
        if desk_of(self).is_stale():
            lines = [[Piece(piece.text, "stale") for piece in line] for line in lines]
        self.show(lines)

    # keys

    def do_table_left(self) -> None:
        self._step(-1)

    def do_table_right(self) -> None:
        self._step(1)

    def do_table_top(self) -> None:
        self._go(0)

    def do_table_bottom(self) -> None:
        self._go(self.columns - 1)

    def do_table_half_up(self) -> None:
        self._step(-max(1, self.columns // 8))

    def do_table_half_down(self) -> None:
        self._step(max(1, self.columns // 8))

    def do_table_page_up(self) -> None:
        self._step(-max(1, self.columns // 4))

    def do_table_page_down(self) -> None:
        self._step(max(1, self.columns // 4))

    def do_table_up(self) -> None:
        self._beside(-1)

    def do_table_down(self) -> None:
        self._beside(1)

    # events

    def on_resize(self) -> None:
        super().on_resize()
        self.call_after_refresh(self.draw)

    def on_click(self, event: events.Click) -> None:
        if event.x >= GUTTER:
            self._go(event.x - GUTTER)

    # inside

    def _step(self, columns: int) -> None:
        self._go((self.columns if self._cursor is None else self._cursor) + columns)

    def _beside(self, step: int) -> None:
        """To the next change between samples and a gap, as ctrl+arrow does in a sheet."""
        if self._picture is None:
            return
        there = [slot is not None for slot in columns_of(self._picture, self.columns)]
        at = self.columns - 1 if self._cursor is None else self._cursor
        begun = there[at]
        while 0 <= at + step < len(there):
            at += step
            if there[at] != begun:
                break
        self._go(at)

    def _go(self, column: int) -> None:
        column = max(0, min(column, self.columns - 1))
        if self._picture is None or column == self._cursor:
            return
        self._cursor = column
        self.draw()
        self.post_message(self.Moved(self))
