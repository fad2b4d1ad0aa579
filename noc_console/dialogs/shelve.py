"""How long to put something aside, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from msgspec import Struct
from textual.app import ComposeResult
from textual.widgets import Input

from noc_console.dialogs.dialog import Dialog
from noc_console.durations import read_minutes
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.choice_row import ChoiceRow
from noc_console.widgets.field import MOST_FIGURE, Field
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece


class Shelf(Struct, frozen=True):
    minutes: int
    note: str


class ShelveDialog(Dialog[Shelf]):
    """Answers minutes and the reason. What is typed in "or" wins over the row of lengths."""

    LENGTHS: ClassVar[tuple[str, ...]] = ("15m", "1h", "4h", "8h")

    def __init__(self, what: Safe) -> None:
        keys = (("enter", "shelve"), ("left right", "length"), ("tab", "next field"), ("esc", "leave"))
        super().__init__(Safe(f"Shelve {what}"), keys)
        self._row = ChoiceRow([Safe(length) for length in self.LENGTHS], chosen=1, label=f"{'for':<10}")
        self._until = Field("or", hint="30m, 2h or until 18:30 (UTC)", most=MOST_FIGURE)
        self._reason = Field("reason", hint="for whoever takes over")
        self._end = OneLine("text")

    def compose_parts(self) -> ComposeResult:
        yield self._row
        yield self._until
        yield self._reason
        yield self._end

    def on_mount(self) -> None:
        self._row.focus()
        self._show_end()

    def on_choice_row_moved(self) -> None:
        self._until.entry.value = ""
        self._show_end()

    def on_choice_row_picked(self) -> None:
        self._accept()

    def on_input_changed(self) -> None:
        self._show_end()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._accept()

    def _minutes(self) -> int:
        return read_minutes(self._until.value or self.LENGTHS[self._row.chosen], self.desk.clock.now())

    def _show_end(self) -> None:
        try:
            minutes = self._minutes()
        except ValueError as error:
            self.problem(safe_text(str(error)), "warn")
            return
        self.problem(Safe(""))
        end = self.desk.clock.now() + timedelta(minutes=minutes)
        self._end.show([Piece(Safe(f"{'':<10}comes back by itself at {end:%d %b %H:%M}Z"), "dim")])

    def _accept(self) -> None:
        try:
            self.dismiss(Shelf(self._minutes(), self._reason.value))
        except ValueError as error:
            self.problem(safe_text(str(error)), "warn")
