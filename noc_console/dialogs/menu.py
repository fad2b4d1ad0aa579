"""A short list of which one is picked by its letter."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult

from noc_console.dialogs.dialog import Dialog, text_block
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Line, Piece


class MenuDialog(Dialog[str]):
    """Answers the key of the item; items are (key, title, what it gives)."""

    def __init__(self, title: Safe, items: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(title, (("esc", "leave"),))
        self._items = items

    def compose_parts(self) -> ComposeResult:
        yield text_block([_line(*item) for item in self._items], most=20)

    def on_key(self, event: events.Key) -> None:
        if event.character in {key for key, _, _ in self._items}:
            event.stop()
            self.dismiss(event.character)


def _line(key: str, title: str, what: str) -> Line:
    head = Piece(safe_text(f" {key}  "), "key")
    return [head, Piece(safe_text(f"{title:<12}"), "strong"), Piece(safe_text(what), "dim")]
