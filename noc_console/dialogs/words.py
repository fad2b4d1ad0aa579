"""One line of words for an act: an owner, a note."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Input

from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe
from noc_console.widgets.field import Field


class WordsDialog(Dialog[str]):
    """Answers the text. An empty one is refused unless `empty` says what it means."""

    def __init__(self, title: Safe, label: str, value: str = "", *, hint: str = "", empty: bool = False) -> None:
        super().__init__(title, (("enter", "send"), ("esc", "leave")))
        self._field = Field(label, value, hint=hint)
        self._empty = empty

    def compose_parts(self) -> ComposeResult:
        yield self._field

    def on_mount(self) -> None:
        self._field.entry.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._field.value or self._empty:
            self.dismiss(self._field.value)
        else:
            self.problem(Safe("write something, or leave with esc"), "warn")
