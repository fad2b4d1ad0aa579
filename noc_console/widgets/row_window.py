"""Rows by key in a window: which are seen, where the cursor stands, and that it stays there when the order changes.

Owns order, cursor and scroll. Never draws a row: that is `line_table`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from textual.geometry import Region
from textual.scroll_view import ScrollView

from noc_console.desk import desk_of
from noc_console.widgets.drawn_lines import DrawnLines
from noc_console.widgets.row_order import RowOrder
from noc_console.widgets.scroll_size import set_lines

K = TypeVar("K")

#: After the first rows the cursor stays at the top for so long, unless a row is chosen.
SETTLING_SECONDS = 20.0


class RowWindow(DrawnLines, ScrollView, Generic[K]):
    """The first line is the header's, rows follow. A subclass says how a key sorts and what a moved cursor means."""

    def __init__(self, *, descending: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._order: RowOrder[K] = RowOrder(self._rank, descending=descending)
        self.cursor: K | None = None
        self.follow = False
        #: Cells of a row, the scrollbar's left out. Asking the widget costs more than drawing a row.
        self._cells = 0
        #: When the first rows came; whether the operator or a restored session chose a row since.
        self._begun_at, self._chosen = float("-inf"), False

    def reveal_below(self, rows: int) -> None:
        """Scroll until so many rows below the cursor's are seen with it, as far as they fit."""
        place = self._order.index.get(self.cursor) if self.cursor is not None else None
        last = min(len(self._order) - 1, (place or 0) + rows)
        if place is not None and last >= self.scroll_offset.y + self._page:
            self._scroll(min(place, last - self._page + 1))

    def _rank(self, key: K) -> Any:
        """What sorts."""
        raise NotImplementedError

    def _moved(self, key: K | None) -> None:
        """The cursor is on another key."""

    @property
    def keys(self) -> Sequence[K]:
        """Keys in the order shown, ghosts included."""
        return self._order.rows

    @property
    def fresh(self) -> Collection[K]:
        """Keys that came since the last reorder and have not found their place."""
        return self._order.fresh

    @property
    def descending(self) -> bool:
        return self._order.descending

    @property
    def _page(self) -> int:
        """Rows that are seen at once."""
        return max(1, self.size.height - 1)

    def _now(self) -> float:
        return desk_of(self).clock.monotonic()

    def _resize(self) -> None:
        """Make the scrollable height that of the rows and the header."""
        set_lines(self, len(self._order) + 1)

    def _seen(self) -> range:
        top = self.scroll_offset.y
        return range(top, min(top + self._page, len(self._order)))

    def _refresh_row(self, place: int) -> None:
        y = place - self.scroll_offset.y + 1
        if 1 <= y <= self._page:
            self.refresh(Region(0, y, self._cells, 1))  # the scrollbar's column is the scrollbar's

    def _shown(self) -> tuple[int, list[K]]:
        """The first row seen and the keys from there."""
        seen = self._seen()
        return seen.start, self._order.rows[seen.start : seen.stop]

    def _is_settling(self) -> bool:
        """While an operation is read for the first time nobody looks at a row yet: the cursor stays on the first."""
        return not self._chosen and self._now() - self._begun_at < SETTLING_SECONDS

    def _refresh_cursor(self) -> None:
        if self.cursor is not None and self.cursor in self._order.index:
            self._refresh_row(self._order.index[self.cursor])

    def _step(self, rows: int) -> None:
        if not self._order.rows:
            return
        self.follow, self._chosen = False, True
        self._order.moved(self._now())
        if self.virtual_size.height != len(self._order) + 1:
            self._resize()
        place = self._order.index[self.cursor] if self.cursor is not None else 0
        self._set_cursor(self._nearest(place + rows))
        self._reveal()

    def _nearest(self, place: int) -> K | None:
        rows = self._order.rows
        return rows[max(0, min(place, len(rows) - 1))] if rows else None

    def _set_cursor(self, key: K | None) -> None:
        if key == self.cursor:
            return
        self._refresh_cursor()
        self.cursor = key
        self._refresh_cursor()
        self._moved(key)

    def _line_of_cursor(self) -> int | None:
        if self.cursor is None or self.cursor not in self._order.index:
            return None
        line = self._order.index[self.cursor] - self.scroll_offset.y
        return line if 0 <= line < self._page else None

    def _reveal(self) -> None:
        """Scroll as little as it takes to show the cursor's row."""
        if self.cursor is None or self.cursor not in self._order.index or not self.size.height:
            return
        place, top = self._order.index[self.cursor], self.scroll_offset.y
        if place < top:
            self._scroll(place)
        elif place >= top + self._page:
            self._scroll(place - self._page + 1)

    def _scroll(self, top: int) -> None:
        self.scroll_to(y=max(0, top), animate=False)
