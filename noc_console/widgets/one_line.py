"""A widget of one line, given as pieces; repaints only when they differ from what is drawn."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from noc_console.desk import desk_of
from noc_console.widgets.drawn_lines import DrawnLines
from noc_console.widgets.piece import Line, Piece, strip_of


class OneLine(DrawnLines, Widget):
    """`show` sets the pieces. `ground` is the style of what the pieces leave free."""

    DEFAULT_CSS = "OneLine { height: 1; width: 1fr; }"

    def __init__(self, ground: str = "text", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._ground = ground
        self._line: tuple[Piece, ...] = ()

    @property
    def line(self) -> tuple[Piece, ...]:
        return self._line

    def show(self, line: Line) -> None:
        pieces = tuple(line)
        if pieces != self._line:
            self._line = pieces
            self.refresh()

    def render_line(self, y: int) -> Strip:
        return strip_of(self._line if y == 0 else (), self.size.width, desk_of(self).palette, ground=self._ground)
