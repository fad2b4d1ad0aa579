"""A plot of one series as lines of characters: average, band, quantiles, gaps, marks and axes. Pure.

A cell is one of three heights (a bar at its bottom, middle or top), so that twelve rows tell thirty-six levels apart.
It reads without colour: every kind of line has its own character. A column without samples stays empty, and the axis
below it is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from math import ceil, floor, log10

from msgspec import Struct

from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, fit
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.time_axis import WallClock, label_line, ticks

#: Cells of the labels left of the plot, with the rule.
GUTTER = 9
#: Lines around the plot: marks above, axis and its labels below.
AROUND = 3
#: Rows between two labels of the value axis, about.
ROWS_APART = 3
MOST_LABELS = 9
GRID_CELLS = 6
#: Styles of quantile lines, by their place.
QUANTILE_STYLES = ("sev-medium", "warn", "sev-critical")


class Slot(Struct, frozen=True):
    """What was measured in [at, to), seconds since 1970 UTC: average, ends, the quantiles asked for, how many."""

    at: float
    to: float
    avg: float
    low: float
    high: float
    count: int
    quantiles: tuple[float, ...] = ()


class Mark(Struct, frozen=True):
    """Something odd in [at, to); `to` None = it goes on. `letter` stands above the plot, `value` in it."""

    key: str
    at: float
    to: float | None
    letter: Safe
    value: float | None = None


class Picture(Struct, frozen=True, kw_only=True):
    """What to draw of [since, until). `number` puts a value of the series into words of at most eight cells,
    given how far apart neighbours are."""

    since: float
    until: float
    slots: tuple[Slot, ...]
    marks: tuple[Mark, ...] = ()
    band: bool = True
    number: Callable[[float, float], Safe]
    clock: WallClock
    #: Of the clock, which cannot be compared itself.
    zone: str = ""

    @property
    def shape(self) -> tuple[object, ...]:
        """Pictures of one shape look alike."""
        return (self.since, self.until, self.slots, self.marks, self.band, self.zone)


class Strokes(Struct, frozen=True, kw_only=True):
    """Characters of the plot: the three heights of the average, its upright, the band, quantiles, ticks."""

    heights: str
    upright: str
    band: str
    quantiles: str
    tick: str
    grid: str
    value: str = "!"
    span: str = "-"


UNICODE = Strokes(heights="▁─▔", upright="│", band="░", quantiles="═╍┈", tick="┬", grid="·", span="─")
ASCII = Strokes(heights="_-'", upright="|", band=":", quantiles="=~^", tick="+", grid=".")


def strokes_of(glyphs: Glyphs) -> Strokes:
    """Those that a terminal of these glyphs can show."""
    return UNICODE if glyphs.bar == "│" else ASCII


def columns_of(picture: Picture, cells: int) -> list[Slot | None]:
    """The slot of each of `cells` columns: the one that covers its middle, or those that are narrower than a column
    joined. One that the edge cuts stands in the last column, or the first. None is a gap."""
    found: list[Slot | None] = [None] * cells
    step = (picture.until - picture.since) / max(1, cells)
    for slot in picture.slots:
        begin, end = (slot.at - picture.since) / step, (slot.to - picture.since) / step
        if end <= 0 or begin >= cells:
            continue
        covered = range(max(0, ceil(begin - 0.5)), min(cells, ceil(end - 0.5)))
        if end - begin >= 1 and covered:
            for cell in covered:
                found[cell] = slot
        else:  # the one that is still being filled has its middle behind the edge: it is drawn all the same
            cell = min(cells - 1, max(0, floor((begin + end) / 2)))
            before = found[cell]
            found[cell] = slot if before is None else _joined(before, slot)
    return found


def _joined(one: Slot, other: Slot) -> Slot:
    """Two slots that share a column. Of quantiles the higher one is kept: a peak is not to vanish."""
    count = one.count + other.count
    return Slot(
        min(one.at, other.at),
        max(one.to, other.to),
        (one.avg * one.count + other.avg * other.count) / count,
        min(one.low, other.low),
        max(one.high, other.high),
        count,
        tuple(map(max, one.quantiles, other.quantiles)),
    )


class Scale(Struct, frozen=True):
    """Values from `low` to `high` over `rows` rows."""

    low: float
    high: float
    rows: int

    @classmethod
    def over(cls, columns: Sequence[Slot | None], rows: int, *, band: bool, marks: Sequence[Mark] = ()) -> Scale:
        """Covers everything that is drawn; from zero on where that costs little."""
        values = [value for slot in columns if slot is not None for value in _drawn(slot, band)]
        values += [mark.value for mark in marks if mark.value is not None]
        low, high = min(values, default=0.0), max(values, default=1.0)
        if 0 <= low < high / 3:
            low = 0.0
        if high <= low:
            room = abs(high) * 0.05 or 1.0
            low, high = low - room, high + room
        return cls(low, high, max(1, rows))

    def level(self, value: float) -> int:
        """Thirds of rows from the bottom."""
        share = (value - self.low) / (self.high - self.low)
        return round(max(0.0, min(1.0, share)) * (3 * self.rows - 1))

    def row(self, value: float) -> int:
        """From the top."""
        return self.rows - 1 - self.level(value) // 3

    def ticks(self) -> tuple[dict[int, float], float]:
        """Row → the round value that stands there, and how far apart they are."""
        wanted = max(2, min(MOST_LABELS, self.rows // ROWS_APART))
        rough = (self.high - self.low) / wanted
        power = 10.0 ** floor(log10(rough)) if rough > 0 else 1.0
        step = next((power * by for by in (10, 5, 2, 1) if power * by <= rough * 1.001), power)
        found: dict[int, float] = {}
        number = -(-self.low // step)
        while number * step <= self.high + step * 1e-9 and len(found) < 50:
            found.setdefault(self.row(number * step), number * step)
            number += 1
        return found, step


def _drawn(slot: Slot, band: bool) -> tuple[float, ...]:
    ends = (slot.low, slot.high) if band else ()
    return (slot.avg, *ends, *slot.quantiles)


def draw(picture: Picture, cells: int, height: int, glyphs: Glyphs, cursor: int | None = None) -> list[Line]:
    """The plot on `height` lines of `cells` cells; `cursor` is a column."""
    wide, rows = max(2, cells - GUTTER), max(2, height - AROUND)
    columns = columns_of(picture, wide)
    within = [mark for mark in picture.marks if picture.since <= mark.at < picture.until]
    scale = Scale.over(columns, rows, band=picture.band, marks=within)
    canvas = _Canvas(wide, rows, strokes_of(glyphs))
    labels, apart = scale.ticks()
    canvas.grid(labels)
    if cursor is not None:
        canvas.cursor(cursor)
    canvas.lines(columns, scale, picture.band)
    step = (picture.until - picture.since) / wide
    for mark in within:
        if mark.value is not None:
            canvas.put(scale.row(mark.value), min(wide - 1, int((mark.at - picture.since) / step)), "!", "alarm")
    lines: list[Line] = [[Piece(Safe(" " * GUTTER)), *_marks(picture, wide, canvas.strokes, cursor)]]
    for row in range(rows):
        label = picture.number(labels[row], apart) if row in labels else Safe("")
        head = Safe(fit(label, GUTTER - 1, right=True, ellipsis=glyphs.ellipsis) + glyphs.bar)
        lines.append([Piece(head, "dim"), *canvas.row(row)])
    stands = ticks(picture.since, picture.until, wide, picture.clock)
    lines.append(
        [Piece(Safe(" " * (GUTTER - 1) + glyphs.last[0]), "dim"), *_axis(columns, stands, glyphs, canvas.strokes)]
    )
    lines.append([Piece(Safe(" " * GUTTER), "dim"), Piece(label_line(stands, wide), "dim")])
    return lines


def _marks(picture: Picture, cells: int, strokes: Strokes, cursor: int | None) -> list[Piece]:
    """Letters where something odd began, and a line for as long as it went on."""
    step = (picture.until - picture.since) / cells
    line, styles = [" "] * cells, ["text"] * cells
    if cursor is not None:
        line[cursor], styles[cursor] = strokes.upright, "key"
    for mark in sorted(picture.marks, key=lambda mark: mark.at):
        end = picture.until if mark.to is None else mark.to
        first = max(0, int((mark.at - picture.since) / step))
        for cell in range(first, min(cells, max(first + 1, int((end - picture.since) / step) + 1))):
            line[cell], styles[cell] = strokes.span, "warn"
    for mark in sorted(picture.marks, key=lambda mark: mark.at):
        first = max(0, int((mark.at - picture.since) / step))
        if first < cells:
            line[first], styles[first] = mark.letter, "alarm" if mark.to is None else "warn"
    return _pieces(line, styles)


def _axis(
    columns: Sequence[Slot | None], stands: Sequence[tuple[int, Safe]], glyphs: Glyphs, strokes: Strokes
) -> list[Piece]:
    line = [glyphs.rule if slot is not None else " " for slot in columns]
    for cell, _ in stands:
        line[cell] = strokes.tick
    return _pieces(line, ["dim"] * len(line))


class _Canvas:
    """Cells by row and column, each a character and a style; later strokes cover earlier ones."""

    def __init__(self, cells: int, rows: int, strokes: Strokes) -> None:
        self.strokes = strokes
        self._text = [[" "] * cells for _ in range(rows)]
        self._style = [["text"] * cells for _ in range(rows)]

    def put(self, row: int, cell: int, text: str, style: str) -> None:
        self._text[row][cell], self._style[row][cell] = text, style

    def row(self, row: int) -> list[Piece]:
        return _pieces(self._text[row], self._style[row])

    def grid(self, rows: Sequence[int] | dict[int, float]) -> None:
        for row in rows:
            for cell in range(0, len(self._text[row]), GRID_CELLS):
                self.put(row, cell, self.strokes.grid, "rule")

    def cursor(self, cell: int) -> None:
        for row in range(len(self._text)):
            self.put(row, cell, self.strokes.upright, "key")

    def lines(self, columns: Sequence[Slot | None], scale: Scale, band: bool) -> None:
        before: int | None = None
        for cell, slot in enumerate(columns):
            if slot is None:
                before = None
                continue
            if band:
                for row in range(scale.row(slot.high), scale.row(slot.low) + 1):
                    self.put(row, cell, self.strokes.band, "rule")
            for place, value in enumerate(slot.quantiles):
                self.put(scale.row(value), cell, self.strokes.quantiles[place % 3], QUANTILE_STYLES[place % 3])
            level = scale.level(slot.avg)
            row = scale.rows - 1 - level // 3
            if before is not None:
                for between in range(min(before, row) + 1, max(before, row)):
                    self.put(between, cell, self.strokes.upright, "spark")
            self.put(row, cell, self.strokes.heights[level % 3], "spark")
            before = row


def _pieces(line: Sequence[str], styles: Sequence[str]) -> list[Piece]:
    """Neighbours of one style in one piece."""
    found, at = [], 0
    for style, group in groupby(styles):
        count = len(list(group))
        found.append(Piece(Safe("".join(line[at : at + count])), style))
        at += count
    return found
