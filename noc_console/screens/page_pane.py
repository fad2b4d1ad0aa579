"""What a page shows of itself on Overview. A page's file exports a subclass and its declaration names it as `pane`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from textual.widget import Widget

from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.record_lists import RecordList, Watch
from noc_console.safe_text import Safe
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState
from noc_console.widgets.piece import Piece


class PagePane(Pane):
    """Made with the desk alone. Draw in `apply`; it is called with `reset` when Overview is shown again.

    `WATCHES` are the lists it reads from `desk.mirror.lists.of(watch)`: kept up while Overview is shown. A pane that
    has nothing to say calls `page(PaneState.EMPTY, …)` with one line that says so.
    """

    TITLE: ClassVar[str] = ""
    WATCHES: ClassVar[tuple[Watch, ...]] = ()
    #: Name of the page that it belongs to; Overview fills it in.
    view: str = ""

    def __init__(self, desk: Desk, content: Widget | None = None, *, id: str | None = None) -> None:
        self.desk = desk
        super().__init__(Safe(self.TITLE), content, id=id)

    def apply(self, dirty: Dirty) -> None:
        """A live frame: repaint what `dirty` touches (`dirty.records` has kind → ids)."""

    def opened(self, key: Any) -> None:
        """Enter on a row of its LineTable: the page itself, unless the pane knows better."""
        cast("Any", self.app).goto(self.view)

    def is_there(self, found: RecordList) -> bool:
        """Whether the list was read; says that it is asked for, or why it could not be, until then."""
        if not found.loaded:
            told = found.problem or Safe("asking the engine")
            state = PaneState.ERROR if found.problem else PaneState.LOADING
            self.page(state, [[Piece(Safe(" ")), Piece(told, "warn" if found.problem else "dim")]])
        return found.loaded


class ListPane(PagePane):
    """Lines of the one list in `WATCHES`, drawn anew when it changes and, as ages go on, every `AGES_SECONDS`."""

    AGES_SECONDS: ClassVar[float] = 30.0

    def __init__(self, desk: Desk) -> None:
        self._lines = LineView()
        self._drawn_at = float("-inf")
        self._drawn: tuple[object, ...] = ()
        super().__init__(desk, self._lines)

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        shape = (self.size, self.desk.palette, self.desk.is_stale())
        changed = dirty.reset or bool(dirty.records.get(self.WATCHES[0].kind)) or shape != self._drawn
        if not changed and now - self._drawn_at < self.AGES_SECONDS:
            return
        self._drawn_at, self._drawn = now, shape
        self._draw()

    def do_table_open(self) -> None:
        """enter: the page."""
        self.opened(None)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        found = self.desk.mirror.lists.of(self.WATCHES[0])
        if self.is_attached and self.size.width and self.is_there(found):
            self.show_records(found)

    def show_records(self, found: RecordList) -> None:
        """Draw the list, which was read."""
        raise NotImplementedError
