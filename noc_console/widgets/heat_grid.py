"""A heatmap: one row per key, one column per time, the worst value of each cell as a digit on a ramp of colours.

Owns cursor, scrolling and drawing; only the rows that are seen are drawn, each from a cached strip. It reads without
colour: a digit is tenths of the worst value, a dot stands for events of which none is worth a digit, a blank for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from msgspec import Struct
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from noc_console.actions import bindings_for
from noc_console.desk import desk_of
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, fit
from noc_console.widgets.drawn_lines import DrawnLines
from noc_console.widgets.piece import Line, Piece, strip_of

#: From this value on a cell takes this style; values are 0..1.
RAMP = ((0.9, "heat-4"), (0.8, "heat-3"), (0.5, "heat-2"), (0.2, "heat-1"))
LABEL_LEAST, LABEL_MOST = 10, 24
CELL_MOST = 4
#: The numbers behind a row: flagged of all.
TAIL = 13


class HeatCell(Struct, frozen=True):
    """`worst` is 0..1; `flagged` of the `events` are worth an alert."""

    worst: float
    events: int
    flagged: int


class HeatRow(Struct, frozen=True):
    """`cells` by column key; a column that is not in it had no events."""

    key: str
    label: Safe
    cells: Mapping[str, HeatCell]
    worst: float = 0.0
    events: int = 0
    flagged: int = 0


class HeatColumn(Struct, frozen=True):
    """`label` has two letters at most."""

    key: str
    label: Safe


def style_of(worst: float) -> str:
    """The style of a value on the ramp."""
    for least, style in RAMP:
        if worst >= least:
            return style
    return "dim"


def digit(cell: HeatCell | None, glyphs: Glyphs) -> Safe:
    """One character: tenths, a dot below one tenth, a blank for no events."""
    if cell is None:
        return Safe(" ")
    tenths = min(9, _percent(cell.worst) // 10)
    return Safe(str(tenths)) if tenths else glyphs.dot


@lru_cache(maxsize=32)
def _ramp(cells: int, dot: Safe) -> tuple[Piece, ...]:
    """The piece of each whole percent, made once for a width."""
    left = min(cells // 2 if cells > 2 else 1, cells - 1)
    pad, rest = " " * left, " " * (cells - 1 - left)
    return tuple(
        Piece(Safe(f"{pad}{min(9, percent // 10) or dot}{rest}"), style_of(percent / 100)) for percent in range(101)
    )


def _percent(worst: float) -> int:
    """Whole percent, so that 0.8 is 80 whatever its last bit; held between 0 and 100."""
    return max(0, min(100, int(worst * 100 + 1e-9)))


def _pieces(row: HeatRow, columns: Sequence[HeatColumn], cells: int, glyphs: Glyphs) -> list[Piece]:
    """A piece per column."""
    ramp, blank, found = _ramp(cells, glyphs.dot), Piece(Safe(" " * cells)), row.cells
    return [ramp[_percent(found[column.key].worst)] if column.key in found else blank for column in columns]


def joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Neighbours of one style in one piece: fewer bytes on the line."""
    return [
        Piece(Safe("".join(piece.text for piece in group)), style)
        for style, group in groupby(pieces, key=attrgetter("style"))
    ]


class HeatGrid(DrawnLines, ScrollView, can_focus=True):
    """Feed it with `set_map`. Posts Moved when the cursor is on another cell, Opened on enter."""

    BINDINGS = bindings_for("table")

    class Moved(Message):
        """The cursor's row and column; None where there is none."""

        def __init__(self, grid: HeatGrid) -> None:
            super().__init__()
            self.grid = grid

    class Opened(Message):
        def __init__(self, grid: HeatGrid) -> None:
            super().__init__()
            self.grid = grid

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns: tuple[HeatColumn, ...] = ()
        self._rows: tuple[HeatRow, ...] = ()
        self._places: dict[str, int] = {}
        self._row = self._column = 0
        self._strips: dict[int, tuple[Any, Strip]] = {}
        self._laid: tuple[int, tuple[int, int, int]] | None = None
        #: Width of a line. Asking the widget costs more than drawing the line.
        self._cells = 0

    @property
    def row(self) -> HeatRow | None:
        """The row under the cursor."""
        return self._rows[self._row] if self._row < len(self._rows) else None

    @property
    def column(self) -> HeatColumn | None:
        """The column under the cursor."""
        return self._columns[self._column] if self._column < len(self._columns) else None

    @property
    def cell(self) -> HeatCell | None:
        """What is under the cursor; None where nothing happened."""
        row, column = self.row, self.column
        return row.cells.get(column.key) if row is not None and column is not None else None

    def set_map(self, columns: Sequence[HeatColumn], rows: Sequence[HeatRow]) -> None:
        """Draw these. The cursor keeps its row and column; at first it goes to the worst cell."""
        row, column = self.row, self.column
        self._columns, self._rows = tuple(columns), tuple(rows)
        self._places = {found.key: place for place, found in enumerate(self._rows)}
        self._laid = None
        if row is None or column is None:
            self._go_worst()
        else:
            self._row = self._places.get(row.key, min(self._row, max(0, len(self._rows) - 1)))
            keys = [found.key for found in self._columns]
            self._column = keys.index(column.key) if column.key in keys else self._worst_column()
        self._strips.clear()
        self._resize()
        self.refresh()
        self.post_message(self.Moved(self))

    def select(self, key: str) -> bool:
        """Put the cursor on the worst cell of this row; false when there is no such row."""
        if key not in self._places:
            return False
        self._move(self._places[key], self._column)
        self._move(self._row, self._worst_column())
        return True

    # keys

    def do_table_down(self) -> None:
        self._move(self._row + 1, self._column)

    def do_table_up(self) -> None:
        self._move(self._row - 1, self._column)

    def do_table_left(self) -> None:
        self._move(self._row, self._column - 1)

    def do_table_right(self) -> None:
        self._move(self._row, self._column + 1)

    def do_table_top(self) -> None:
        self._move(0, self._column)

    def do_table_bottom(self) -> None:
        self._move(len(self._rows), self._column)

    def do_table_half_down(self) -> None:
        self._move(self._row + max(1, self._page // 2), self._column)

    def do_table_half_up(self) -> None:
        self._move(self._row - max(1, self._page // 2), self._column)

    def do_table_page_down(self) -> None:
        self._move(self._row + max(1, self._page - 1), self._column)

    def do_table_page_up(self) -> None:
        self._move(self._row - max(1, self._page - 1), self._column)

    def do_table_open(self) -> None:
        if self.row is not None:
            self.post_message(self.Opened(self))

    # drawing

    def render_line(self, y: int) -> Strip:
        if y == 0:
            return self._header()
        place = self.scroll_offset.y + y - 1
        if place >= len(self._rows):
            return strip_of((), self._cells, desk_of(self).palette)
        here = place == self._row and (self._column, self.has_focus)
        look = (self._cells, here, desk_of(self).is_stale())
        drawn = self._strips.get(place)
        if drawn is None or drawn[0] != look:
            drawn = self._strips[place] = (look, self._draw(place))
        return drawn[1]

    def _draw(self, place: int) -> Strip:
        desk, row, here = desk_of(self), self._rows[place], place == self._row
        label, cell, first = self._layout()
        head = Piece(
            Safe((desk.glyphs.cursor if here else " ") + fit(row.label, label, ellipsis=desk.glyphs.ellipsis) + " "),
            "strong" if here else "text",
        )
        columns, palette = self._columns[first:], desk.palette
        pieces = [head, *_pieces(row, columns, cell, desk.glyphs)]
        used = label + 2 + cell * len(columns)
        if here and first <= self._column < len(self._columns):
            marked = self._marked(row.cells.get(self._columns[self._column].key), cell)
            pieces[1 + self._column - first] = Piece(marked, "cursor-cell" if self.has_focus else "strong")
        if self._cells - used >= TAIL:
            tail = fit(Safe(f"{row.flagged:>5} of {row.events:<4}"), TAIL)
            pieces.append(Piece(tail, "strong" if row.flagged else "dim"))
            used += TAIL
        if desk.is_stale():
            pieces = [Piece(piece.text, "stale") for piece in pieces]
        # Every piece is of a known width, so none is measured again.
        segments = [Segment(piece.text, palette(piece.style)) for piece in joined(pieces)]
        segments.append(Segment(" " * max(0, self._cells - used), palette("text")))
        return Strip(segments, max(used, self._cells)).crop(0, self._cells)

    def _marked(self, cell: HeatCell | None, cells: int) -> Safe:
        """Under the cursor: between brackets, so that it is seen without colour."""
        text = digit(cell, desk_of(self).glyphs)
        if cells < 3:
            return Safe(f"[{text}")
        left = cells // 2
        return Safe(" " * (left - 1) + f"[{text}]" + " " * (cells - left - 2))

    def _header(self) -> Strip:
        palette = desk_of(self).palette
        label, cell, first = self._layout()
        every = 1 if cell > 2 else 3
        line = [Piece(Safe(" " * (label + 2)), "header")]
        for number in range(first, len(self._columns)):
            text = self._columns[number].label if self._is_labelled(number, every) else Safe("")
            style = "header-sorted" if number == self._column and self.has_focus else "header"
            line.append(Piece(fit(text, cell, right=True), style))
        if self._has_tail(label, cell, first):
            line.append(Piece(Safe(" flagged of"), "header"))
        return strip_of(joined(line), self._cells, palette, ground="header")

    def _is_labelled(self, number: int, every: int) -> bool:
        """Each one where there is room, else every third and the cursor's; never two that touch."""
        apart = abs(number - self._column)
        return apart == 0 or (number % every == 0 and (every == 1 or apart > 1))

    def _layout(self) -> tuple[int, int, int]:
        """Cells of the label, cells of a column, and the first column that there is room for."""
        if self._laid is None or self._laid[0] != self._cells:
            self._laid = (self._cells, self._lay_out())
        return self._laid[1]

    def _lay_out(self) -> tuple[int, int, int]:
        count = max(1, len(self._columns))
        widest = max((len(row.label) for row in self._rows[:200]), default=LABEL_LEAST)
        label = max(LABEL_LEAST, min(LABEL_MOST, widest, self._cells // 4))
        room = max(2, self._cells - label - 2)
        cell = max(2, min(CELL_MOST, room // count))
        if cell > 2 and room - count * cell < TAIL and room - count * (cell - 1) >= TAIL:
            cell -= 1
        return label, cell, max(0, len(self._columns) - room // cell)

    def _has_tail(self, label: int, cell: int, first: int) -> bool:
        return self._cells - label - 2 - cell * (len(self._columns) - first) >= TAIL

    # events

    def on_mount(self) -> None:
        self.show_horizontal_scrollbar = False

    def on_resize(self) -> None:
        self._strips.clear()
        self._resize()
        self._move(self._row, self._column)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def on_focus(self) -> None:
        self._refresh_row(self._row)
        self.refresh(Region(0, 0, self.size.width, 1))

    def on_blur(self) -> None:
        self.on_focus()

    def on_click(self, event: events.Click) -> None:
        label, cell, first = self._layout()
        if event.y and event.x >= label + 2:
            self._move(self.scroll_offset.y + event.y - 1, first + (event.x - label - 2) // cell)
            if event.chain == 2:
                self.do_table_open()

    # inside

    @property
    def _page(self) -> int:
        return max(1, self.size.height - 1)

    def _resize(self) -> None:
        self._cells = self.scrollable_content_region.width
        self.virtual_size = Size(self._cells, max(len(self._rows) + 1, self.size.height))

    def _worst_column(self) -> int:
        row = self.row
        if row is None:
            return 0
        worst = [row.cells[column.key].worst if column.key in row.cells else -1.0 for column in self._columns]
        return max(range(len(worst)), key=lambda place: (worst[place], place), default=0)

    def _go_worst(self) -> None:
        self._row = max(range(len(self._rows)), key=lambda place: self._rows[place].worst, default=0)
        self._column = self._worst_column()

    def _move(self, row: int, column: int) -> None:
        before = self._row, self._column
        first = self._layout()[2]
        self._row = max(0, min(row, len(self._rows) - 1))
        self._column = max(first, min(column, len(self._columns) - 1))
        self._reveal()
        if before == (self._row, self._column):
            return
        self._refresh_row(before[0])
        self._refresh_row(self._row)
        self.refresh(Region(0, 0, self.size.width, 1))
        self.post_message(self.Moved(self))

    def _reveal(self) -> None:
        top = self.scroll_offset.y
        if self._row < top:
            self.scroll_to(y=self._row, animate=False)
        elif self._row >= top + self._page:
            self.scroll_to(y=self._row - self._page + 1, animate=False)

    def _refresh_row(self, place: int) -> None:
        self._strips.pop(place, None)
        y = place - self.scroll_offset.y + 1
        if 1 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))


def heat_lines(columns: Sequence[HeatColumn], rows: Sequence[HeatRow], cells: int, glyphs: Glyphs) -> list[Line]:
    """The same without a cursor, for a small pane: the newest columns that fit, two cells each."""
    label = max(LABEL_LEAST, min(16, cells // 4))
    shown = columns[-max(1, (cells - label - 2) // 2) :]
    lines: list[Line] = []
    head = [Piece(Safe(" " * (label + 2)), "header")]
    head += [
        Piece(fit(column.label if place % 3 == 0 else Safe(""), 2, right=True), "header")
        for place, column in enumerate(shown)
    ]
    lines.append(joined(head))
    for row in rows:
        name = Piece(Safe(" " + fit(row.label, label, ellipsis=glyphs.ellipsis) + " "))
        lines.append(joined([name, *_pieces(row, shown, 2, glyphs)]))
    return lines
