"""A few words in a row of which one is chosen: the buttons of a dialog, the lengths of a shelf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from noc_console.desk import desk_of
from noc_console.safe_text import Safe
from noc_console.widgets.piece import Piece, strip_of


class ChoiceRow(Widget, can_focus=True):
    """Left and right choose, enter picks. Posts Moved and Picked with the place of the choice."""

    DEFAULT_CSS = "ChoiceRow { height: 1; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "step(-1)", show=False),
        Binding("right,l,space", "step(1)", show=False),
        Binding("enter", "pick", show=False),
    ]

    class Moved(Message):
        def __init__(self, row: ChoiceRow, place: int) -> None:
            super().__init__()
            self.row, self.place = row, place

    class Picked(Message):
        def __init__(self, row: ChoiceRow, place: int) -> None:
            super().__init__()
            self.row, self.place = row, place

    def __init__(self, words: Sequence[Safe], *, chosen: int = 0, label: str = "") -> None:
        super().__init__()
        self._words, self.chosen, self._label = tuple(words), chosen, label

    def choose(self, place: int) -> None:
        self.chosen = place % len(self._words)
        self.refresh()
        self.post_message(self.Moved(self, self.chosen))

    def action_step(self, step: int) -> None:
        self.choose(self.chosen + step)

    def action_pick(self) -> None:
        self.post_message(self.Picked(self, self.chosen))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        line = [Piece(Safe(self._label), "key" if self.has_focus else "dim")] if self._label else []
        for place, word in enumerate(self._words):
            here = place == self.chosen
            style = ("bar-here" if self.has_focus else "strong") if here else "text"
            line += [Piece(Safe(f"[{word}]" if here else f" {word} "), style), Piece(Safe(" "), "text")]
        return strip_of(line if y == 0 else (), self.size.width, desk_of(self).palette)
