"""Only cells that differ are sent, and the terminal shows what it would show had everything been sent."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style

from noc_console.cell_diff import CellDiff

COLUMNS, ROWS = 24, 4

_styles = st.builds(
    Style,
    color=st.sampled_from([None, "#ff0000", "#00ff00", "default", "blue"]),
    bgcolor=st.sampled_from([None, "#101010", "default", "red"]),
    bold=st.booleans(),
    reverse=st.booleans(),
    underline=st.booleans(),
    italic=st.booleans(),
)
#: No combining marks: the emulator adds one to its cell each time it is drawn again, so no two ways of drawing agree.
_texts = st.text(st.sampled_from("ab  ─█é§中国e\x1b"), max_size=COLUMNS)
_lines = st.lists(st.builds(Segment, _texts, _styles), max_size=5)
#: A frame: for some lines where they start and what they hold.
_frames = st.dictionaries(st.integers(0, ROWS - 1), st.tuples(st.integers(0, COLUMNS - 1), _lines), max_size=ROWS)


def _terminal() -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(COLUMNS, ROWS)
    return screen, pyte.Stream(screen)


def _padded(x: int, line: list[Segment]) -> list[Segment]:
    """Cut to the line's end at a whole character, as Textual's strips are."""
    kept, room = [], COLUMNS - x
    for segment in line:
        text = segment.text
        while text and Segment(text).cell_length > room:
            text = text[:-1]
        room -= Segment(text).cell_length
        kept.append(Segment(text, segment.style))
    return kept


def _cells(screen: pyte.Screen) -> list[list[tuple[object, ...]]]:
    """What a person sees: of a blank, only what shows on a blank."""
    return [[_seen(screen.buffer[y][x]) for x in range(COLUMNS)] for y in range(ROWS)]


def _seen(cell: pyte.screens.Char) -> tuple[object, ...]:
    if cell.data == " " and not (cell.reverse or cell.underscore):
        return (" ", cell.bg)
    return (cell.data, cell.fg, cell.bg, cell.bold, cell.reverse, cell.underscore, cell.italics)


@settings(max_examples=100, deadline=None)
@given(st.lists(_frames, max_size=6))
def test_differences_alone_show_the_same_screen(frames: list[dict[int, tuple[int, list[Segment]]]]) -> None:
    diff = CellDiff(ColorSystem.TRUECOLOR)
    shown, stream = _terminal()
    for frame in frames:
        lines = [(y, [(x, _padded(x, line))]) for y, (x, line) in frame.items()]
        stream.feed(diff.text(COLUMNS, ROWS, lines))
        whole, whole_stream = _terminal()
        for y in range(ROWS):
            for x in range(COLUMNS):
                whole.buffer[y][x] = shown.buffer[y][x]
        whole_stream.feed(CellDiff(ColorSystem.TRUECOLOR).text(COLUMNS, ROWS, lines))
        assert _cells(shown) == _cells(whole)
        assert diff.text(COLUMNS, ROWS, lines) == ""


@given(_lines)
def test_text_from_outside_cannot_command_the_terminal(line: list[Segment]) -> None:
    sent = CellDiff(ColorSystem.TRUECOLOR).text(COLUMNS, ROWS, [(0, [(0, _padded(0, line))])])
    shown, stream = _terminal()
    stream.feed(sent)
    assert "\x1b" not in "".join(shown.display)
    assert sent.count("\x1b") == sent.count("\x1b[")
