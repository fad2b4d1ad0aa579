"""The PIN of a grave act: asked for when the engine wants it, compared by the engine alone.

What is typed is drawn as one sign a letter, and is in no history, log or saved screen. A paste is refused, as it is for
every approval: a PIN is typed by somebody who is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.widgets import Input

from noc_console.dialogs.dialog import Dialog, text_block
from noc_console.safe_text import Safe, wrap
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.prompt import Entry

MOST_CHARS = 128
_TOLD = (
    "Approvals and the kill switch take the PIN of your token. It counts for some minutes, in this console alone; "
    "a few wrong ones lock it."
)


class PinEntry(Entry):
    """One line of stars."""

    DEFAULT_CSS = """
    PinEntry, PinEntry:focus { height: 1; border: none; padding: 0; background: $background; }
    """

    def __init__(self, refused: Callable[[], None]) -> None:
        super().__init__(password=True, compact=True, select_on_focus=False, max_length=MOST_CHARS)
        self.cursor_blink = False
        self._refused = refused

    @property
    def _value(self) -> Text:
        return Text("*" * len(self.value), no_wrap=True, overflow="ignore", end="")

    def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self._refused()


class PinDialog(Dialog[bool]):
    """Answers True once `confirm` has taken the PIN, None when it was left. `confirm` gives words when it was refused,
    and whether another try can come to anything."""

    def __init__(self, confirm: Callable[[str], Awaitable[tuple[Safe, bool]]]) -> None:
        super().__init__(Safe("Your PIN"), (("enter", "confirm"), ("esc", "leave")))
        self._confirm = confirm
        self._entry = PinEntry(self._no_paste)
        self._asking = False

    def compose_parts(self) -> ComposeResult:
        lines: list[Line] = [[Piece(part)] for part in wrap(Safe(_TOLD), 70)]
        yield text_block([*lines, []])
        yield self._entry

    def on_mount(self) -> None:
        self._entry.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The key that opened it must not send it."""
        event.stop()
        if self._asking or not self.meant_opening():
            return
        if not event.value:
            self.problem(Safe("type your PIN"), "warn")
            return
        self._asking = True
        self.problem(Safe("sent to the engine, waiting for its word"), "strong")
        self.run_worker(self._asked(event.value), group="pin", exclusive=True)
        self._entry.value = ""

    async def _asked(self, pin: str) -> None:
        refused, again = await self._confirm(pin)
        self._asking = False
        if not self.is_attached:
            return
        if not refused:
            self.dismiss(True)
            return
        self._entry.disabled = not again
        self.problem(refused, "alarm")

    def _no_paste(self) -> None:
        self.problem(Safe("a paste confirms nothing; type the PIN"), "warn")

    def on_paste(self, event: events.Paste) -> None:
        super().on_paste(event)
        self._no_paste()


async def ask_pin(app: Any, confirm: Callable[[str], Awaitable[tuple[Safe, bool]]]) -> bool:
    """Whether the engine has taken a PIN; called from a worker."""
    return await app.push_screen_wait(PinDialog(confirm)) is True
