"""Pieces of a drawn line: safe text and the name of a style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.segment import Segment
from textual.strip import Strip

from noc_console.palette import Palette
from noc_console.safe_text import Safe, fit, width


class Piece(NamedTuple):
    text: Safe
    style: str = "text"


Line = Sequence[Piece]


def line_width(line: Iterable[Piece]) -> int:
    return sum(width(piece.text) for piece in line)


def strip_of(line: Line, cells: int, palette: Palette, *, ground: str = "text", on: str = "") -> Strip:
    """The line as a strip of exactly `cells` cells, cut with an ellipsis; what is left over takes style `ground`."""
    used = line_width(line)
    if used > cells:
        line = clip(line, cells)
        used = line_width(line)
    segments = [Segment(piece.text, palette(piece.style, on)) for piece in line]
    if used < cells:
        segments.append(Segment(" " * (cells - used), palette(ground, on)))
    return Strip(segments, cells)


def spread(left: Line, right: Line, cells: int, *, ground: str = "text", fill: str = " ") -> list[Piece]:
    """`left` and `right` at the two ends of `cells` cells; the left end gives way."""
    room = cells - line_width(right)
    kept = clip(left, max(0, room - 1))
    gap = max(0, room - line_width(kept))
    return [*kept, Piece(Safe(fill * gap), ground), *right]


def clip(line: Line, cells: int) -> list[Piece]:
    """As much of the line as fits into `cells` cells; what is cut ends in an ellipsis."""
    if line_width(line) <= cells:
        return list(line)
    kept: list[Piece] = []
    for piece in line:
        wide = width(piece.text)
        if wide >= cells:
            kept.append(Piece(fit(Safe(f"{piece.text}  "), cells), piece.style))
            break
        kept.append(piece)
        cells -= wide
    return kept
