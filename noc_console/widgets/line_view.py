"""Lines of text to read and scroll: peeks, details, help. Drawn line by line, no cursor."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from textual.geometry import Region
from textual.scroll_view import ScrollView
from textual.strip import Strip

from noc_console.actions import bindings_for
from noc_console.desk import desk_of
from noc_console.widgets.drawn_lines import DrawnLines
from noc_console.widgets.piece import Line, Piece, strip_of
from noc_console.widgets.scroll_size import set_lines


class LineView(DrawnLines, ScrollView, can_focus=True):
    """`show` replaces the lines and repaints those that changed; the scroll position stays unless `top` is set."""

    BINDINGS = bindings_for("table")

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[tuple[Piece, ...]] = []

    @property
    def lines(self) -> Sequence[tuple[Piece, ...]]:
        return self._lines

    def show(self, lines: Sequence[Line], *, top: bool = False) -> None:
        old, self._lines = self._lines, [tuple(line) for line in lines]
        set_lines(self, len(self._lines))
        self._refresh_changed(old)
        if top:
            self.scroll_to(y=0, animate=False)

    def render_line(self, y: int) -> Strip:
        place = self.scroll_offset.y + y
        line = self._lines[place] if place < len(self._lines) else ()
        return strip_of(line, self.scrollable_content_region.width, desk_of(self).palette)

    def on_mount(self) -> None:
        self.show_horizontal_scrollbar = False

    def on_resize(self) -> None:
        set_lines(self, len(self._lines))

    def do_table_down(self) -> None:
        self._scroll(1)

    def do_table_up(self) -> None:
        self._scroll(-1)

    def do_table_top(self) -> None:
        self._scroll(-len(self._lines))

    def do_table_bottom(self) -> None:
        self._scroll(len(self._lines))

    def do_table_half_down(self) -> None:
        self._scroll(max(1, self.size.height // 2))

    def do_table_half_up(self) -> None:
        self._scroll(-max(1, self.size.height // 2))

    def do_table_page_down(self) -> None:
        self._scroll(max(1, self.size.height - 1))

    def do_table_page_up(self) -> None:
        self._scroll(-max(1, self.size.height - 1))

    def _scroll(self, lines: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False)

    def _refresh_changed(self, old: Sequence[tuple[Piece, ...]]) -> None:
        top = self.scroll_offset.y
        pairs = list(zip_longest(old, self._lines))[top : top + self.size.height]
        for place, (before, now) in enumerate(pairs):
            if before != now:
                self.refresh(Region(0, place, self.scrollable_content_region.width, 1))
