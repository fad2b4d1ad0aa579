"""A pane: a title line over its content, and a designed page for when there is nothing to show.

States: ready (the content), empty, loading, error (a page of lines instead). Stale is beside them: the title
gets the age and the content turns dim, the data stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from noc_console.desk import Age, desk_of
from noc_console.safe_text import Safe, width, wrap
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Line, Piece, clip, line_width

#: Cells below which a teaser says nothing.
TEASER_LEAST = 12
#: Cells below which a page's text is not broken into lines.
WRAP_LEAST = 20
#: First line of an empty page while what is known is old.
NOT_HEARD = Safe(" Not up to date, no engine answers. When one last did:")


class PaneState(StrEnum):
    READY = "ready"
    EMPTY = "empty"
    LOADING = "loading"
    ERROR = "error"


class Pane(Vertical):
    """`title` left, `note` right of it (counts, sort), before it `teaser`, which is cut first. Give it its content."""

    BLANK = True
    DEFAULT_CSS = """
    Pane { height: 1fr; width: 1fr; }
    Pane > LineView.pane-page { display: none; height: 1fr; }
    Pane.-page > .pane-content { display: none; }
    Pane.-page > LineView.pane-page { display: block; }
    """

    def __init__(self, title: Safe, content: Widget | None = None, *, id: str | None = None, classes: str = "") -> None:
        super().__init__(id=id, classes=classes)
        self._title, self._note, self._state = title, tuple[Piece, ...](), PaneState.READY
        self._teaser: tuple[Piece, ...] = ()
        self._page_lines: list[tuple[Piece, ...]] = []
        self._stale = False
        self._head = OneLine("rule", classes="pane-title")
        self._page = LineView()
        self._page.add_class("pane-page")
        self.content = content
        if content is not None:
            content.add_class("pane-content")

    def compose(self) -> ComposeResult:
        yield self._head
        if self.content is not None:
            yield self.content
        yield self._page

    @property
    def state(self) -> PaneState:
        return self._state

    def retitle(self, title: Safe, note: Line = (), *, teaser: Line = ()) -> None:
        told = (title, tuple(note), tuple(teaser))
        if told != (self._title, self._note, self._teaser):
            self._title, self._note, self._teaser = told
            self.draw_title()

    def ready(self) -> None:
        self._enter(PaneState.READY, ())

    def page(self, state: PaneState, lines: Sequence[Line]) -> None:
        """Show these lines instead of the content."""
        self._enter(state, lines)

    def live(self) -> None:
        """One live frame: staleness of the title and of the content."""
        stale, was_stale = desk_of(self).is_stale(), self._stale
        self._stale = stale
        if isinstance(self.content, LineTable) and self.content.stale != stale:
            self.content.stale = stale
            self.content.redraw()
        if stale or was_stale:  # the title tells how old it is
            self.draw_title()
        if stale != was_stale and self._state is PaneState.EMPTY:
            self._draw_page()

    def draw_title(self) -> None:
        desk, cells = desk_of(self), self.size.width
        if not cells:
            return
        strong = "title" if self.has_focus_within else "dim"
        left = [
            Piece(Safe(f"{desk.glyphs.rule} "), "rule"),
            Piece(self._title, strong),
            *self._age(),
            Piece(Safe(" "), "rule"),
        ]
        room = max(0, cells - line_width(left) - 4)
        teased = room - line_width(self._note)
        teaser = self._teaser
        if line_width(teaser) > teased:
            teaser = (*clip(teaser, teased - 2), Piece(Safe("  "))) if teased >= TEASER_LEAST else ()
        note = [*teaser, *clip(self._note, room)]
        right = [Piece(Safe(" "), "rule"), *note, Piece(Safe(f" {desk.glyphs.rule}"), "rule")] if note else []
        gap = cells - line_width(left) - line_width(right)
        self._head.show([*left, Piece(Safe(desk.glyphs.rule * max(0, gap)), "rule"), *right])

    def on_mount(self) -> None:
        self.draw_title()

    def on_resize(self) -> None:
        self.draw_title()
        self._draw_page()

    def on_descendant_focus(self) -> None:
        self.draw_title()

    def on_descendant_blur(self) -> None:
        self.draw_title()

    def _age(self) -> list[Piece]:
        desk = desk_of(self)
        if not desk.is_stale():
            return []
        seconds = desk.data_seconds()
        words = "no engine" if seconds is None else f"{seconds:.0f}s old"
        return [Piece(Safe(f" [{words}]"), "warn" if desk.age() is Age.STALE else "alarm")]

    def _enter(self, state: PaneState, lines: Sequence[Line]) -> None:
        told = [tuple(line) for line in lines]
        if (state, told) == (self._state, self._page_lines):
            return
        self._state, self._page_lines = state, told
        self.set_class(state is not PaneState.READY, "-page")
        self.set_class(state is PaneState.EMPTY, "-empty")
        self._draw_page()

    def _draw_page(self) -> None:
        """Lines that are too long are broken where all of them have room so, else cut."""
        cells, room = self.size.width - 1, self.size.height - 1
        lines = self._page_told(room)
        broken = [part for line in lines for part in _broken(line, cells)] if cells > 0 else []
        self._page.show(broken if 0 < len(broken) <= room else lines)

    def _page_told(self, room: int) -> list[tuple[Piece, ...]]:
        """That there is nothing is no good news where nothing can be heard."""
        if self._state is not PaneState.EMPTY or not desk_of(self).is_stale():
            return self._page_lines
        told = [(Piece(NOT_HEARD, "warn"),), *self._page_lines]
        return told[: max(1, room)] if room < len(told) else told


def _broken(line: tuple[Piece, ...], cells: int) -> list[Line]:
    """The line, its last piece broken between words where it is too long; what follows stands below that piece."""
    head = line_width(line[:-1])
    if line_width(line) <= cells or cells - head < WRAP_LEAST:
        return [line]
    *before, last = line
    first, *more = wrap(last.text, cells - head)
    return [[*before, Piece(first, last.style)], *([Piece(Safe(" " * head)), Piece(part, last.style)] for part in more)]


def text_lines(*lines: str, style: str = "text", indent: int = 2) -> list[list[Piece]]:
    """Literal lines for a page; not for text from outside."""
    pad = Safe(" " * indent)
    return [[Piece(pad, style), Piece(Safe(line), style)] for line in lines]


def columns_of(label: Safe, value: Safe, cells: int = 8) -> list[Piece]:
    """A dim label of `cells` cells and its value: the rows of a peek."""
    return [Piece(Safe(" " + label + " " * max(1, cells - width(label) - 1)), "dim"), Piece(value)]
