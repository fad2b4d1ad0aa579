"""One labelled line of input in a dialog."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal

from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece
from noc_console.widgets.prompt import Entry

LABEL_CELLS = 10
#: A note; and a length of time or a number.
MOST_CHARS, MOST_FIGURE = 2_000, 24


class Field(Horizontal):
    """`value` is what was typed, at most `most` characters. The label stands out while the cursor is in the field."""

    DEFAULT_CSS = """
    Field { height: 1; }
    Field > OneLine { width: 10; }
    Field > Input, Field > Input:focus { height: 1; width: 1fr; border: none; padding: 0; background: $background; }
    """

    def __init__(self, label: str, value: str = "", *, hint: str = "", most: int = MOST_CHARS) -> None:
        super().__init__()
        self._label = label
        self._head = OneLine("text")
        self.entry = Entry(safe_text(value), placeholder=hint, compact=True, select_on_focus=False, max_length=most)
        self.entry.cursor_blink = False
        self.entry.cursor_position = len(self.entry.value)

    @property
    def value(self) -> str:
        return self.entry.value.strip()

    def compose(self) -> ComposeResult:
        self._draw("dim")
        yield self._head
        yield self.entry

    def on_descendant_focus(self) -> None:
        self._draw("key")

    def on_descendant_blur(self) -> None:
        self._draw("dim")

    def _draw(self, style: str) -> None:
        self._head.show([Piece(Safe(f"{self._label:<{LABEL_CELLS}}"), style)])
