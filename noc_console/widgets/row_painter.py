"""Draws one row or the header of a table as a strip. Holds nothing; never asks for data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.segment import Segment
from textual.strip import Strip

from noc_console.glyphs import Glyphs
from noc_console.palette import Palette
from noc_console.safe_text import Safe, fit
from noc_console.widgets.columns import GAP, Placed
from noc_console.widgets.piece import Piece

#: Cells before the first column: the cursor's glyph and the mark.
GUTTER = 2
_GAP = " " * GAP


class RowPainter:
    """For a layout of columns; `cells` is the width of the whole row."""

    def __init__(self, placed: Sequence[Placed], palette: Palette, glyphs: Glyphs, cells: int) -> None:
        self._placed, self._palette, self._glyphs, self._cells = placed, palette, glyphs, cells

    def row(self, pieces: Sequence[Piece], ground: str, *, marked: bool, faded: bool) -> Strip:
        """`ground` is "", "cursor" or "blurred"; faded rows are old or gone."""
        gutter = (self._glyphs.cursor if ground else " ") + (self._glyphs.mark if marked else " ")
        plain, ellipsis = self._palette("text", ground), self._glyphs.ellipsis
        runs = [(gutter, self._palette("dim" if ground == "blurred" else "mark", ground))]
        for placed in self._placed:
            piece = pieces[placed.index]
            text = fit(piece.text, placed.cells, right=placed.column.right, ellipsis=ellipsis)
            style = self._palette("stale" if faded else piece.style, ground)
            # The gap behind a cell is of its style, unless that would show there.
            shows = style.reverse and not plain.reverse
            for part, look in ((text, style), (_GAP, plain)) if shows else ((text + _GAP, style),):
                if runs[-1][1] is look:
                    runs[-1] = (runs[-1][0] + part, look)
                else:
                    runs.append((part, look))
        return Strip([Segment(part, look) for part, look in runs]).adjust_cell_length(self._cells, plain)

    def header(self, sort: str, descending: bool) -> Strip:
        segments = [Segment(" " * GUTTER, self._palette("header"))]
        for placed in self._placed:
            segments.extend(self._head(placed, placed.column.key == sort, descending))
        return Strip(segments).adjust_cell_length(self._cells, self._palette("header"))

    def _head(self, placed: Placed, is_sorted: bool, descending: bool) -> Iterator[Segment]:
        arrow = (self._glyphs.down if descending else self._glyphs.up) if is_sorted else Safe("")
        title = Safe(placed.column.title[: max(0, placed.cells - len(arrow))] + arrow)
        style = self._palette("header-sorted" if is_sorted else "header")
        yield Segment(fit(title, placed.cells, right=placed.column.right), style)
        yield Segment(" " * GAP, self._palette("header"))
