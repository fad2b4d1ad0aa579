"""What every dialog shares: a box over the screen, its title and its keys, and the guard against keys not meant for it.

A dialog gives its answer to whoever opened it and does nothing itself. Escape always leaves without an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from noc_console.desk import Desk, desk_of
from noc_console.safe_text import Safe, wrap
from noc_console.widgets.line_view import LineView
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Line, Piece

T = TypeVar("T")

#: A key within this time of the one before it, or of the opening, is a held key or a paste: it confirms nothing.
QUIET_SECONDS = 0.3


class Dialog(ModalScreen[T], Generic[T], inherit_bindings=False):
    """Yield the parts from `compose_parts`; call `dismiss(answer)`. Keys of the last line are (key, what) pairs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("ctrl+c", "clear", show=False),
        Binding("tab", "next", show=False),
        Binding("shift+tab", "previous", show=False),
    ]
    DEFAULT_CSS = """
    Dialog { align: center middle; background: transparent; }
    Dialog > Vertical { width: 76; max-width: 100%; height: auto; max-height: 100%; border: solid $rule; padding: 0 1;
        background: $background; }
    Dialog.-ascii > Vertical { border: ascii $rule; }
    Dialog LineView { height: auto; }
    """

    def __init__(self, title: Safe, keys: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._title = [Piece(title, "title")]
        self._problem = LineView()
        self._problem.can_focus = False
        self._problem.styles.height = 1
        self._keys = OneLine("text")
        self._hints = [
            piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(f" {what}   "), "text"))
        ]
        self._opened_at = self._key_at = float("-inf")
        self._held = False

    @property
    def desk(self) -> Desk:
        return desk_of(self)

    def compose_parts(self) -> ComposeResult:
        """What stands between the title and the keys."""
        yield from ()

    def compose(self) -> ComposeResult:
        title = OneLine("text")
        title.show(self._title)
        self._keys.show(self._hints)
        with Vertical(classes="dialog-box"):
            yield title
            yield from self.compose_parts()
            yield self._problem
            yield self._keys

    def problem(self, words: Safe, style: str = "alarm") -> None:
        """Say above the keys what is wrong, on two lines at most; "" clears it."""
        room = max(20, (self._problem.size.width or 72) - 1)
        lines: list[Line] = [[Piece(part, style)] for part in wrap(words, room)[:2]]
        self._problem.styles.height = max(1, len(lines))
        self._problem.show(lines)

    def meant(self) -> bool:
        """Whether the key that is being handled was pressed on purpose for this dialog."""
        quiet = self._is_settled() and not self._held
        if not quiet:
            self.problem(Safe("that key came too soon after another; press it again"), "warn")
        return quiet

    def meant_opening(self) -> bool:
        """As `meant`, for a form: quick typing is no held key, but the key that opened it must not send it."""
        settled = self._is_settled()
        if not settled:
            self.problem(Safe("that key came too soon; press it again"), "warn")
        return settled

    def _is_settled(self) -> bool:
        return self.desk.clock.monotonic() - self._opened_at >= QUIET_SECONDS

    def on_mount(self) -> None:
        self.set_class(self.desk.glyphs.bar == "|", "-ascii")
        self._opened_at = self._key_at = self.desk.clock.monotonic()

    def on_key(self, event: events.Key) -> None:
        now = self.desk.clock.monotonic()
        self._held = now - self._key_at < QUIET_SECONDS
        self._key_at = now

    def on_paste(self, event: events.Paste) -> None:
        event.stop()

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_clear(self) -> None:
        """ctrl+c: empties the field, else leaves."""
        if isinstance(self.focused, Input) and self.focused.value:
            self.focused.value = ""
        else:
            self.dismiss(None)

    def action_next(self) -> None:
        self.focus_next()

    def action_previous(self) -> None:
        self.focus_previous()


def text_block(lines: Sequence[Line], most: int = 14) -> LineView:
    """Lines of a dialog; they can be scrolled to when there are more than `most`."""
    view = LineView()
    view.styles.height = max(1, min(len(lines), most))
    view.can_focus = len(lines) > most
    view.show(lines)
    return view
