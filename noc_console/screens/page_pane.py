"""What a page shows of itself on Overview. A page's file exports a subclass and its declaration names it as `pane`."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from textual.widget import Widget

from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe
from noc_console.widgets.pane import Pane


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
