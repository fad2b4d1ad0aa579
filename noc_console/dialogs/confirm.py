"""A question before an act that is hard to take back: says what will happen, Cancel is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from noc_console.dialogs.dialog import Dialog, text_block
from noc_console.safe_text import Safe
from noc_console.widgets.choice_row import ChoiceRow
from noc_console.widgets.piece import Line


class ConfirmDialog(Dialog[bool]):
    """Answers True, or None when it was left. `y` means yes, `enter` what is chosen, which is Cancel at first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("y,Y", "yes", show=False),
        Binding("n,N,q", "leave", show=False),
    ]

    def __init__(self, title: Safe, lines: Sequence[Line], yes: Safe) -> None:
        super().__init__(title, (("y", yes.lower()), ("n", "cancel"), ("left right enter", "choose")))
        self._lines = lines
        self._buttons = ChoiceRow((Safe("Cancel"), yes))

    def compose_parts(self) -> ComposeResult:
        yield text_block(self._lines)
        yield self._buttons

    def on_mount(self) -> None:
        self._buttons.focus()

    def action_yes(self) -> None:
        if self.meant():
            self.dismiss(True)

    def on_choice_row_picked(self, event: ChoiceRow.Picked) -> None:
        event.stop()
        if not event.place:
            self.dismiss(None)
        else:
            self.action_yes()
