"""Labelled facts to read; any key leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from noc_console.dialogs.dialog import Dialog, text_block
from noc_console.safe_text import Safe, wrap
from noc_console.widgets.piece import Line, Piece

LABEL = 10
ROOM = 60


class FactsDialog(Dialog[None]):
    BINDINGS: ClassVar[list[BindingType]] = [*Dialog.BINDINGS, Binding("q,enter", "leave", show=False)]

    def __init__(self, title: Safe, facts: Sequence[tuple[str, Safe]]) -> None:
        super().__init__(title, (("esc", "close"),))
        self._lines: list[Line] = [
            [Piece(Safe(f"{'' if place else label:<{LABEL}}"), "dim"), Piece(part)]
            for label, text in facts
            for place, part in enumerate(wrap(text, ROOM))
        ]

    def compose_parts(self) -> ComposeResult:
        yield text_block(self._lines)
