"""A table for feeds: draws only the rows that are seen, from cached strips, and keeps its cursor by key.

Owns marks, sort column and drawing; cursor and scroll are `row_window`'s. Never holds records: it asks its source for
the cells of a key. One changed row repaints one line; 100,000 rows cost what 50 do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Any, Protocol, TypeVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from noc_console.actions import bindings_for
from noc_console.desk import desk_of
from noc_console.widgets.columns import Column, Placed, column_at, lay_out
from noc_console.widgets.piece import Piece
from noc_console.widgets.row_painter import GUTTER, RowPainter
from noc_console.widgets.row_window import RowWindow

K = TypeVar("K")
K_contra = TypeVar("K_contra", contravariant=True)

CACHE_ROWS = 2_000
#: Rows whose records did not change are compared this often: their ages go on.
AGES_SECONDS = 5.0


class RowSource(Protocol[K_contra]):
    """Where a table's cells come from."""

    def cells(self, key: K_contra) -> Sequence[Piece]:
        """One piece per column, in the columns' order."""
        ...

    def rank(self, key: K_contra, column: str) -> Any:
        """What sorts by this column; values of one column compare with each other."""
        ...


class LineTable(RowWindow[K], can_focus=True):
    """Rows by key. Feed it with `set_keys`, call `live()` on each frame; posts Moved, Opened, Marked, Sorted."""

    BINDINGS = bindings_for("table")

    class Moved(Message):
        """The cursor is on another key (None: the table is empty)."""

        def __init__(self, table: LineTable[Any], key: Any) -> None:
            super().__init__()
            self.table, self.key = table, key

    class Opened(Message):
        def __init__(self, table: LineTable[Any], key: Any) -> None:
            super().__init__()
            self.table, self.key = table, key

    class Marked(Message):
        def __init__(self, table: LineTable[Any]) -> None:
            super().__init__()
            self.table = table

    class Sorted(Message):
        def __init__(self, table: LineTable[Any]) -> None:
            super().__init__()
            self.table = table

    def __init__(self, columns: Sequence[Column], source: RowSource[K], *, sort: str, id: str | None = None) -> None:
        self._columns, self._source = tuple(columns), source
        self.sort = sort
        super().__init__(descending=self._column(sort).descending, id=id)
        self.marks: set[K] = set()
        self.stale = False
        self._wished: tuple[Any, frozenset[Any]] | None = None
        self._placed: list[Placed] = []
        self._compared_at = float("-inf")
        self._drawn: dict[K, tuple[tuple[Piece, ...], str, Strip]] = {}

    # what a screen calls

    @property
    def columns(self) -> Sequence[Column]:
        """All columns, shown or not."""
        return self._columns

    @property
    def targets(self) -> list[K]:
        """What an act is for: the marked rows, else the row under the cursor."""
        if self.marks:
            return [key for key in self._order.rows if key in self.marks]
        return [] if self.cursor is None else [self.cursor]

    def set_keys(self, keys: Collection[K]) -> None:
        """These are the rows; new ones wait at the end until the order may change."""
        first, before = not self._order.rows, len(self._order)
        ghosts = set(self._order.ghosts)
        self._order.set_keys(keys)
        self._fade(ghosts ^ self._order.ghosts)
        self.marks &= set(self._order.index)
        if self.cursor not in self._order.index or (first and self.follow):
            self._set_cursor(self._order.rows[0] if self._order.rows else None)
        if self._wished is not None and self._order.rows:
            self._grant(*self._wished)
        if first:
            self._begun_at = self._now()
            self.refresh()
        if first or before < self.scroll_offset.y + self._page:
            self._resize()
            for place in range(before, min(len(self._order), self.scroll_offset.y + self._page)):
                self._refresh_row(place)

    def live(self, *, sorting_changed: bool = False, changed: Collection[K] | None = None) -> None:
        """One live frame: reorder when it is time, else repaint the seen rows whose cells changed.

        `changed`: the only keys whose records did. What changes by time alone follows within `AGES_SECONDS`.
        """
        now = self._now()
        if sorting_changed:
            self._order.touch()
        if self._order.due(now):
            self.reorder()
        if changed is None or now - self._compared_at >= AGES_SECONDS:
            self._compared_at = now
            self.repaint_changed()
        else:
            self._repaint(changed)

    def hold(self, held: bool) -> None:
        """No reorder while held (a dialog is open, the screen is frozen)."""
        self._order.held = held

    def reorder(self) -> None:
        """Sort now. The cursor keeps its key and, unless the table stands at its top, its line on the screen."""
        line, shown = self._line_of_cursor(), self._shown()
        before = self._order.index.get(self.cursor) if self.cursor is not None else None
        self._order.reorder(self._now())
        to_top = self.follow or self._is_settling()
        if (self.cursor is not None and self.cursor not in self._order.index) or to_top:
            self._set_cursor(self._nearest(0 if to_top else before or 0))
        self._resize()
        if line is not None and self.scroll_offset.y > 0 and self.cursor is not None:
            self._scroll(self._order.index[self.cursor] - line)
        self._reveal()
        self._refresh_moved(shown)

    def step_aside(self, gone: Collection[K]) -> None:
        """The operator sent these rows elsewhere: sort now; a cursor on one goes to the row that takes its place."""
        rows, place = self._order.rows, self._order.index.get(self.cursor) if self.cursor is not None else None
        if place is not None and self.cursor in gone:
            stay = (key for key in (*rows[place:], *reversed(rows[:place])) if key not in gone)
            self._set_cursor(next((key for key in stay if key not in self._order.ghosts), self.cursor))
        self.reorder()

    def repaint_changed(self) -> None:
        """Compare the seen rows' cells with what is drawn; repaint those that differ."""
        for place in self._seen():
            key = self._order.rows[place]
            drawn = self._drawn.get(key)
            if drawn is not None and drawn[0] != tuple(self._source.cells(key)):
                del self._drawn[key]
                self._refresh_row(place)

    def _repaint(self, changed: Collection[K]) -> None:
        """As `repaint_changed`, for these keys; what is not seen is drawn anew when it is."""
        seen = {self._order.rows[place] for place in self._seen()}
        for key in changed:
            drawn = self._drawn.get(key)
            if drawn is None:
                continue
            if key not in seen:
                del self._drawn[key]
            elif drawn[0] != tuple(self._source.cells(key)):
                del self._drawn[key]
                self._refresh_row(self._order.index[key])

    def redraw(self) -> None:
        self._drawn.clear()
        self.refresh()

    def select(self, key: K) -> bool:
        """Put the cursor on this key; false when it is not in the table."""
        if key not in self._order.index:
            return False
        self._chosen = True
        self._set_cursor(key)
        self._reveal()
        return True

    def wish(self, cursor: K | None, marks: Collection[K]) -> None:
        """Cursor and marks to take as soon as their keys are there (a restored session)."""
        self._wished = (cursor, frozenset(marks))

    def sort_by(self, column: str, descending: bool | None = None) -> None:
        self.sort = self._column(column).key
        self._order.descending = self._column(column).descending if descending is None else descending
        self.reorder()
        self.refresh()
        self.post_message(self.Sorted(self))

    # keys

    def do_table_down(self) -> None:
        self._step(1)

    def do_table_up(self) -> None:
        self._step(-1)

    def do_table_top(self) -> None:
        self._step(-len(self._order))

    def do_table_bottom(self) -> None:
        self._step(len(self._order))

    def do_table_half_down(self) -> None:
        self._step(max(1, self._page // 2))

    def do_table_half_up(self) -> None:
        self._step(-max(1, self._page // 2))

    def do_table_page_down(self) -> None:
        self._step(max(1, self._page - 1))

    def do_table_page_up(self) -> None:
        self._step(-max(1, self._page - 1))

    def do_table_open(self) -> None:
        if self.cursor is not None:
            self.post_message(self.Opened(self, self.cursor))

    def do_table_mark(self) -> None:
        if self.cursor is None:
            return
        self.marks ^= {self.cursor}
        self._drawn.pop(self.cursor, None)
        self._refresh_row(self._order.index[self.cursor])
        self.post_message(self.Marked(self))
        self._step(1)

    def do_table_unmark(self) -> None:
        self.marks.clear()
        self.redraw()
        self.post_message(self.Marked(self))

    def do_table_sort_left(self) -> None:
        self._sort_beside(-1)

    def do_table_sort_right(self) -> None:
        self._sort_beside(1)

    def do_table_invert(self) -> None:
        self.sort_by(self.sort, not self.descending)

    def do_table_follow(self) -> None:
        self.follow = not self.follow
        if self.follow and self._order.rows:
            self.select(self._order.rows[0])
        self.post_message(self.Sorted(self))

    # drawing

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._header()
        place = self.scroll_offset.y + y - 1
        if place >= len(self._order):
            return Strip([Segment(" " * self._cells, desk_of(self).palette("text"))], self._cells)
        return self._row(place)

    def _row(self, place: int) -> Strip:
        key = self._order.rows[place]
        ground = self._ground(key)
        drawn = self._drawn.get(key)
        if drawn is None or drawn[1] != ground:
            if len(self._drawn) > CACHE_ROWS:
                self._drawn.clear()
            cells = tuple(self._source.cells(key))
            drawn = self._drawn[key] = (cells, ground, self._draw(key, cells, ground))
        return drawn[2]

    def _ground(self, key: K) -> str:
        if key != self.cursor:
            return ""
        return "cursor" if self.has_focus else "blurred"

    def _draw(self, key: K, cells: Sequence[Piece], ground: str) -> Strip:
        faded = self.stale or key in self._order.ghosts
        return self._painter.row(cells, ground, marked=key in self.marks, faded=faded)

    def _header(self) -> Strip:
        return self._painter.header(self.sort, self.descending)

    @property
    def _painter(self) -> RowPainter:
        desk = desk_of(self)
        return RowPainter(self._placed, desk.palette, desk.glyphs, self._cells)

    # events

    def on_mount(self) -> None:
        self.show_horizontal_scrollbar = False

    def on_resize(self, event: events.Resize) -> None:
        self._cells = self.scrollable_content_region.width
        self._placed = lay_out(self._columns, max(1, self._cells - GUTTER))
        self.redraw()
        self._resize()
        self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn.clear()

    def on_focus(self) -> None:
        self._refresh_cursor()

    def on_blur(self) -> None:
        self._refresh_cursor()

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y - 1
        if event.y == 0:
            self._sort_at(event.x)
        elif place < len(self._order):
            self._chosen = True
            self._order.moved(self._now())
            self._set_cursor(self._order.rows[place])
            if event.chain == 2:
                self.do_table_open()

    # inside

    def _rank(self, key: K) -> Any:
        return self._source.rank(key, self.sort)

    def _moved(self, key: K | None) -> None:
        self.post_message(self.Moved(self, key))

    def _column(self, key: str) -> Column:
        return next((c for c in self._columns if c.key == key and c.sortable), self._columns[0])

    def _fade(self, keys: Collection[K]) -> None:
        """These rows became ghosts or came back."""
        for key in keys:
            if self._drawn.pop(key, None) is not None and key in self._order.index:
                self._refresh_row(self._order.index[key])

    def _refresh_moved(self, before: tuple[int, list[K]]) -> None:
        """After a reorder: repaint the lines that hold another key, or the header's too when the scroll moved."""
        top, keys = before
        now_top, now_keys = self._shown()
        if top != now_top:
            self.refresh()
            return
        for line, (old, new) in enumerate(zip_longest(keys, now_keys)):
            if old != new:
                self._refresh_row(top + line)
        self.repaint_changed()

    def _grant(self, cursor: Any, marks: frozenset[Any]) -> None:
        self._wished, self._chosen = None, True
        self.marks = {key for key in marks if key in self._order.index}
        if cursor in self._order.index:
            self._set_cursor(cursor)
            self.call_after_refresh(self._reveal)

    def _sort_beside(self, step: int) -> None:
        keys = [placed.column.key for placed in self._placed if placed.column.sortable]
        if keys:
            here = keys.index(self.sort) if self.sort in keys else 0
            self.sort_by(keys[(here + step) % len(keys)])

    def _sort_at(self, x: int) -> None:
        column = column_at(self._placed, x - GUTTER)
        if column is not None and column.sortable:
            self.sort_by(column.key, not self.descending if column.key == self.sort else None)
