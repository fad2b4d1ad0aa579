"""The feed as lines, newest last: follows, or stands still while the count of what is hidden grows.

Holds at most `KEPT` messages. Draws only the lines that are seen. What a line says is `feed_words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from data.records import Change
from noc_console.actions import bindings_for
from noc_console.desk import desk_of
from noc_console.feed_words import CLOCK, TIMES, change_pieces, when
from noc_console.safe_text import Safe, wrap
from noc_console.widgets.drawn_lines import DrawnLines
from noc_console.widgets.piece import Line, Piece, line_width, strip_of

KEPT = 5_000
_TRIM = 500
GUTTER = 2


class FeedView(DrawnLines, ScrollView, can_focus=True):
    """Give it messages with `take`; posts Opened with the message under the cursor, Changed when its note is due."""

    BINDINGS = bindings_for("table", "feed")
    SCOPES = ("table", "feed")

    class Opened(Message):
        def __init__(self, change: Change) -> None:
            super().__init__()
            self.change = change

    class Changed(Message):
        """Follow, marks or the form of times changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._changes: list[Change] = []
        self._base = 0
        self._rows: list[tuple[int, int]] = []
        self.cursor = -1
        self.marks: set[int] = set()
        self.follow = True
        self.wrap = False
        self.times = CLOCK
        self._stood_at = 0

    # what a screen calls

    @property
    def changes(self) -> Sequence[Change]:
        return self._changes

    @property
    def hidden(self) -> int:
        """Messages that came since it stands still."""
        return 0 if self.follow else self._end - self._stood_at

    def take(self, changes: Iterable[Change]) -> None:
        """New messages, oldest first."""
        before = self._end
        self._changes.extend(changes)
        if self._end == before:
            return
        self._add_rows(before)
        if len(self._changes) > KEPT + _TRIM and self.follow:
            self._trim()
        if self.follow:
            self._to_end()
        elif len(self._rows) - (self._end - before) < self.scroll_offset.y + self.size.height:
            self._resize()
            self.refresh()

    def replace(self, changes: Iterable[Change]) -> None:
        """Start over with these."""
        self._changes, self._base, self._rows = list(changes), 0, []
        self.cursor, self._stood_at = -1, 0
        self.marks.clear()
        self._lay_out()
        if self.follow:
            self._to_end()
        else:
            self.cursor = max(0, min(self.cursor, self._end - 1))

    def change_at(self, number: int) -> Change | None:
        place = number - self._base
        return self._changes[place] if 0 <= place < len(self._changes) else None

    # keys

    def do_table_down(self) -> None:
        self._step(1)

    def do_table_up(self) -> None:
        self._step(-1)

    def do_table_half_down(self) -> None:
        self._step(max(1, self.size.height // 2))

    def do_table_half_up(self) -> None:
        self._step(-max(1, self.size.height // 2))

    def do_table_page_down(self) -> None:
        self._step(max(1, self.size.height - 1))

    def do_table_page_up(self) -> None:
        self._step(-max(1, self.size.height - 1))

    def do_table_top(self) -> None:
        self._step(-len(self._changes))

    def do_table_bottom(self) -> None:
        self._set_follow(True)

    def do_table_follow(self) -> None:
        self._set_follow(not self.follow)

    def do_table_open(self) -> None:
        change = self.change_at(self.cursor)
        if change is not None:
            self.post_message(self.Opened(change))

    def do_table_mark(self) -> None:
        self.do_feed_mark()

    def do_table_unmark(self) -> None:
        self.marks.clear()
        self.refresh()
        self.post_message(self.Changed())

    def do_feed_mark(self) -> None:
        if self.change_at(self.cursor) is not None:
            self.marks ^= {self.cursor}
            self.refresh()
            self.post_message(self.Changed())

    def do_feed_next_mark(self) -> None:
        later = sorted(mark for mark in self.marks if mark > self.cursor) or sorted(self.marks)
        if later:
            self._set_follow(False)
            self._go(later[0])
        else:
            desk_of(self).say(Safe("no line is marked; m marks one"), "text")

    def do_feed_wrap(self) -> None:
        self.wrap = not self.wrap
        self._lay_out()
        self._reveal()
        self.post_message(self.Changed())

    def do_feed_times(self) -> None:
        self.times = TIMES[(TIMES.index(self.times) + 1) % len(TIMES)]
        self._lay_out()
        self.post_message(self.Changed())

    def do_feed_copy(self) -> None:
        change = self.change_at(self.cursor)
        if change is not None:
            desk = desk_of(self)
            text = "".join(piece.text for piece in self._line(self.cursor))
            desk.say(Safe(f"{desk.copy(text.strip())}: {text.strip()[:60]}"), "ok")

    # drawing

    def render_line(self, y: int) -> Strip:
        desk, place = desk_of(self), self.scroll_offset.y + y
        if place >= len(self._rows):
            return strip_of((), self._cells, desk.palette)
        number, part = self._rows[place]
        ground = ("cursor" if self.has_focus else "blurred") if number == self.cursor else ""
        line = self._part(number, part) if self.wrap else self._line(number)
        mark = desk.glyphs.mark if number in self.marks and not part else " "
        gutter = Piece(Safe((desk.glyphs.cursor if ground and not part else " ") + mark), "mark")
        return strip_of((gutter, *line), self._cells, desk.palette, on=ground)

    def _line(self, number: int) -> Line:
        change = self.change_at(number)
        if change is None:
            return ()
        at = when(change.at, desk_of(self).clock.now(), self.times)
        return (Piece(Safe(f"{at}  "), "dim"), *change_pieces(change, desk_of(self).names))

    def _part(self, number: int, part: int) -> Line:
        """One line of a message that takes several: the first keeps its styles, the rest stand under its words."""
        line = list(self._line(number))
        head, body = line[:-2], line[-2:]
        room = max(20, self._cells - GUTTER - line_width(head))
        parts = wrap(Safe("".join(piece.text for piece in body)), room)
        if not part:
            return (*head, Piece(parts[0]))
        return (Piece(Safe(" " * line_width(head))), Piece(parts[part] if part < len(parts) else Safe("")))

    def _parts(self, number: int) -> int:
        line = list(self._line(number))
        room = max(20, self._cells - GUTTER - line_width(line[:-2]))
        return len(wrap(Safe("".join(piece.text for piece in line[-2:])), room))

    # inside

    @property
    def _cells(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _end(self) -> int:
        return self._base + len(self._changes)

    def _add_rows(self, first: int) -> None:
        for number in range(first, self._end):
            self._rows.extend((number, part) for part in range(self._parts(number) if self.wrap else 1))

    def _lay_out(self) -> None:
        self._rows = []
        self._add_rows(self._base)
        self._resize()
        self.refresh()

    def _trim(self) -> None:
        dropped = len(self._changes) - KEPT
        del self._changes[:dropped]
        self._base += dropped
        self.marks = {mark for mark in self.marks if mark >= self._base}
        self._rows = [row for row in self._rows if row[0] >= self._base]

    def _set_follow(self, follow: bool) -> None:
        if follow:
            self.follow = True
            self._to_end()
        elif self.follow:
            self.follow, self._stood_at = False, self._end
        self.post_message(self.Changed())

    def _to_end(self) -> None:
        self.cursor = self._end - 1
        self._resize()
        # Forced: a view that was hidden till now has its scrollbar, and with it the right to scroll, a frame later.
        self.scroll_to(y=max(0, len(self._rows) - self.size.height), animate=False, force=True)
        self.refresh()

    def _step(self, lines: int) -> None:
        if not self._changes:
            return
        if lines < 0:
            self._set_follow(False)
        self._resize()
        self._go(self.cursor + lines)

    def _go(self, number: int) -> None:
        self.cursor = max(self._base, min(number, self._end - 1))
        self._reveal()
        self.refresh()
        self.post_message(self.Changed())

    def _reveal(self) -> None:
        place = next((n for n, row in enumerate(self._rows) if row[0] == self.cursor), 0)
        if not self.wrap:
            place = max(0, self.cursor - self._base)
        top, page = self.scroll_offset.y, max(1, self.size.height)
        if place < top:
            self.scroll_to(y=place, animate=False)
        elif place >= top + page:
            self.scroll_to(y=place - page + 1, animate=False)

    def _resize(self) -> None:
        size = Size(self._cells, len(self._rows))
        if self.virtual_size != size:
            self.virtual_size = size

    def on_mount(self) -> None:
        self.show_horizontal_scrollbar = False

    def on_resize(self) -> None:
        if self.wrap:
            self._lay_out()
        self._resize()
        if self.follow and self._changes:
            self._to_end()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_mouse_scroll_up(self) -> None:
        self._set_follow(False)
