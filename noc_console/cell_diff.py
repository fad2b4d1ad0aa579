"""What the terminal shows, cell by cell, so that only cells that differ are sent.

Textual repaints regions: a row that moved, a pane whose one number changed, a whole view. Most of those cells are on
the terminal already. Owns the picture of the terminal and nothing else; never writes to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.segment import Segment

from noc_console.looks import Look, Looks

#: Unchanged cells between two changed ones that are cheaper to send than to skip.
SKIP = 5
RESET = "\x1b[0m"
#: Any but the characters on whose width all terminals agree: behind it the cursor is placed anew.
_UNSURE = re.compile("[^\x20-\x7e\u00a1-\u00ac\u00ae-\u024f\u0391-\u03a9\u03b1-\u03c9\u0400-\u045f\u2026\u2500-\u259f]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_UNKNOWN = "\0"

#: A stretch of a line: its first cell and its segments.
Stretch = tuple[int, Iterable[Segment]]


class _Line:
    """One line of the terminal. The second half of a wide character holds ""."""

    __slots__ = ("chars", "looks", "unsure")

    def __init__(self, cells: int) -> None:
        self.chars = [_UNKNOWN] * cells
        self.looks: list[Look | None] = [None] * cells
        self.unsure = False


class CellDiff:
    """`draw` what is wanted, `text` gives what to send and takes it as shown."""

    def __init__(self, depth: ColorSystem) -> None:
        self._looks = Looks(depth)
        self._lines: list[_Line] = []
        self._columns = 0

    def forget(self) -> None:
        """Nothing is known of the terminal: the next text repaints what it is given."""
        self._lines = []

    def text(self, columns: int, rows: int, lines: Iterable[tuple[int, Iterable[Stretch]]]) -> str:
        """The shortest text that makes a terminal of this size show these stretches; "" when it does already."""
        if len(self._lines) != rows or self._columns != columns:
            self._columns = columns
            self._lines = [_Line(columns) for _ in range(rows)]
        pen = _Pen(self._looks)
        for y, stretches in lines:
            if 0 <= y < rows:
                self._draw_line(pen, y, stretches)
        return pen.finish()

    def _draw_line(self, pen: _Pen, y: int, stretches: Iterable[Stretch]) -> None:
        line = self._lines[y]
        for x, segments in stretches:
            chars, looks, unsure = self._cells(segments)
            chars, looks = chars[: self._columns - x], looks[: self._columns - x]
            end = x + len(chars)
            if line.chars[x:end] == chars and line.looks[x:end] == looks:
                continue
            # Where terminals may have placed cells otherwise than we think, the stretch is drawn as a whole.
            whole = unsure or line.unsure
            runs = [(x, end)] if whole else list(_runs(line, x, chars, looks))
            line.chars[x:end], line.looks[x:end] = chars, looks
            line.unsure = unsure or (line.unsure and any(map(_is_unsure, line.chars)))
            for start, stop in runs:
                pen.write(y, start, line.chars[start:stop], looks[start - x : stop - x])

    def _cells(self, segments: Iterable[Segment]) -> tuple[list[str], list[Look], bool]:
        """Characters and looks of the segments' cells, and whether a width is not sure."""
        chars: list[str] = []
        looks: list[Look] = []
        unsure = False
        for text, style, control in segments:
            if control or not text:
                continue
            look = self._looks.of(style)
            if not _UNSURE.search(text):
                found: list[str] = list(text)
            else:
                found, unsure = _wide_cells(_CONTROL.sub("\ufffd", text)), True
            chars.extend(found)
            if " " in text:
                blank = look.blank
                looks.extend([blank if char == " " else look for char in found])
            else:
                looks.extend([look] * len(found))
        return chars, looks, unsure


class _Pen:
    """Collects what to send; knows where the terminal's cursor is and with what it draws."""

    def __init__(self, looks: Looks) -> None:
        self._all, self._look = looks, looks.plain
        self._sent: list[str] = []
        self._y, self._x = -1, -1

    def write(self, y: int, x: int, chars: Sequence[str], looks: Sequence[Look]) -> None:
        self._move(y, x)
        at, end = 0, len(chars)
        while at < end:
            look, stop = looks[at], at + 1
            while stop < end and looks[stop] is look:
                stop += 1
            if look is not self._look and not self._look.shows(look):
                self._sent.append(self._all.change(self._look, look))
                self._look = look
            self._put(y, x + at, chars[at:stop])
            at = stop
        self._y, self._x = y, x + end

    def finish(self) -> str:
        if not self._sent:
            return ""
        return "".join((*self._sent, RESET))

    def _put(self, y: int, x: int, chars: Sequence[str]) -> None:
        text = "".join(chars)
        if not _UNSURE.search(text):
            self._sent.append(text)
            return
        for place, char in enumerate(chars):
            self._sent.append(char)
            if _is_unsure(char):
                after = x + place + (2 if place + 1 < len(chars) and not chars[place + 1] else 1)
                self._sent.append(f"\x1b[{y + 1};{after + 1}H")

    def _move(self, y: int, x: int) -> None:
        if y != self._y:
            self._sent.append(f"\x1b[{y + 1};{x + 1}H")
        elif x != self._x:
            self._sent.append(f"\x1b[{x - self._x}C")


def _runs(line: _Line, x: int, chars: list[str], looks: list[Look]) -> Iterator[tuple[int, int]]:
    """Where the line differs, as (start, end); what lies closer together than `SKIP` is one run."""
    end = x + len(chars)
    pairs = zip(line.chars[x:end], chars, line.looks[x:end], looks, strict=True)
    start = last = -1
    for place, (old, new, old_look, new_look) in enumerate(pairs, x):
        if old == new and old_look is new_look:
            continue
        if start < 0:
            start = place
        elif place - last > SKIP:
            yield start, last + 1
            start = place
        last = place
    if start >= 0:
        yield start, last + 1


def _is_unsure(char: str) -> bool:
    return char not in {"", _UNKNOWN} and _UNSURE.search(char) is not None


def _wide_cells(text: str) -> list[str]:
    """One entry per cell: a wide character and "" behind it; marks without width join the cell before."""
    cells: list[str] = []
    for char in text:
        wide = get_character_cell_size(char)
        if wide:
            cells.extend((char, "") if wide == 2 else (char,))
        elif cells:
            cells[-2 if not cells[-1] and len(cells) > 1 else -1] += char
    return cells
