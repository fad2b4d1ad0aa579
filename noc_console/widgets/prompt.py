"""The one-line input at the bottom: `:` commands, `/` filters and questions.

Made on first use, so that the first frame does not pay for it. Never evaluates what is typed; it gives it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input

from noc_console.safe_text import Safe, safe_text, width
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece

HISTORY = 50


class Entry(Input, inherit_bindings=False):
    """Textual's input with the keys of a shell line. What comes in is made safe before it is drawn, and cut where it is
    longer than `max_length`. Where typing proves that somebody meant it, `takes_paste` is False: a paste is left to
    whoever is around it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "cursor_left"),
        Binding("right", "cursor_right"),
        Binding("ctrl+left", "cursor_left_word"),
        Binding("ctrl+right", "cursor_right_word"),
        Binding("home,ctrl+a", "home"),
        Binding("end,ctrl+e", "end"),
        Binding("backspace", "delete_left"),
        Binding("delete,ctrl+d", "delete_right"),
        Binding("ctrl+w", "delete_left_word"),
        Binding("ctrl+u", "delete_left_all"),
        Binding("ctrl+k", "delete_right_all"),
        Binding("enter", "submit"),
    ]

    takes_paste = True

    def replace(self, text: str, start: int, end: int) -> None:
        """The one way into the line: keys, pastes, also over a selection."""
        kept = len(self.value) - abs(end - start)
        room = max(0, self.max_length - kept) if self.max_length else len(text)
        super().replace(safe_text(text)[:room], start, end)

    def _on_paste(self, event: events.Paste) -> None:
        if not self.takes_paste:
            event.prevent_default()


class Prompt(Horizontal):
    """`ask` shows the line and waits for enter (the text) or escape (None). Up and down walk the kind's history."""

    DEFAULT_CSS = """
    Prompt { height: 1; }
    Prompt > OneLine { width: auto; }
    Prompt > Input, Prompt > Input:focus { height: 1; width: 1fr; border: none; padding: 0; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("ctrl+c", "clear", show=False),
        Binding("up", "older", show=False),
        Binding("down", "newer", show=False),
        Binding("tab", "complete", show=False),
    ]

    def __init__(self, complete: Callable[[str, str], Sequence[str]]) -> None:
        """`complete(kind, text)` gives whole lines that `text` could become."""
        super().__init__(id="prompt")
        self.histories: dict[str, list[str]] = {}
        self._complete = complete
        self._label = OneLine("key")
        self._entry = Entry(compact=True, select_on_focus=False)
        self._entry.cursor_blink = False
        self._answer: asyncio.Future[str | None] | None = None
        self._kind, self._place = "", 0
        self._back_to: Widget | None = None

    def compose(self) -> ComposeResult:
        yield self._label
        yield self._entry

    async def ask(self, label: Safe, initial: str, kind: str) -> str | None:
        self._finish(None)
        self._kind, self._place = kind, 0
        self._label.styles.width = width(label)
        self._label.show([Piece(label, "key")])
        self._entry.value = safe_text(initial)
        self._entry.cursor_position = len(self._entry.value)
        if self.screen.focused is not self._entry:
            self._back_to = self.screen.focused
        self.display = True
        self._entry.focus()
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._answer = answer
        return await answer

    def keeps_from(self, widget: Widget | None) -> bool:
        """Whether a line is being typed that this one would take the keys from: it gets them when the line is done."""
        typed = self._answer is not None and not self._answer.done()
        if not typed or widget is None or widget is self._entry:
            return False
        self._back_to = widget
        return True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._remember(event.value)
        self._finish(event.value)

    def action_leave(self) -> None:
        self._finish(None)

    def action_clear(self) -> None:
        if self._entry.value:
            self._entry.value = ""
        else:
            self._finish(None)

    def action_older(self) -> None:
        self._walk(1)

    def action_newer(self) -> None:
        self._walk(-1)

    def action_complete(self) -> None:
        found = self._complete(self._kind, self._entry.value)
        if found:
            self._entry.value = _common_start(found)
            self._entry.cursor_position = len(self._entry.value)

    def _walk(self, step: int) -> None:
        history = self.histories.get(self._kind, [])
        self._place = max(0, min(self._place + step, len(history)))
        self._entry.value = history[-self._place] if self._place else ""
        self._entry.cursor_position = len(self._entry.value)

    def _remember(self, text: str) -> None:
        if self._kind and text:
            history = [line for line in self.histories.get(self._kind, []) if line != text]
            self.histories[self._kind] = [*history, text][-HISTORY:]

    def _finish(self, text: str | None) -> None:
        answer, self._answer = self._answer, None
        if answer is None or answer.done():
            return
        self.display = False
        if self._back_to is not None and self._back_to.is_attached:
            self._back_to.focus(scroll_visible=False)
        answer.set_result(text)


def _common_start(lines: Sequence[str]) -> str:
    first, last = min(lines), max(lines)
    for place, letter in enumerate(first):
        if place >= len(last) or last[place] != letter:
            return first[:place]
    return first
