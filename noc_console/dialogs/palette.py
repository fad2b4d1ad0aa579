"""Find an action by its name: type, choose, enter. Shows the key, so that it teaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from noc_console.actions import Action
from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe
from noc_console.widgets.columns import Column
from noc_console.widgets.field import Field
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.piece import Piece

_COLUMNS = (
    Column(key="key", title=Safe("KEY"), width=10, keep=90, sortable=False),
    Column(key="title", title=Safe("ACTION"), width=15, keep=100, sortable=False),
    Column(key="help", title=Safe(""), width=20, flex=10, keep=80, sortable=False),
    Column(key="command", title=Safe("COMMAND"), width=14, keep=70, sortable=False),
)


class PaletteDialog(Dialog[str]):
    """Answers the id of the action."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("up,ctrl+p", "step(-1)", show=False),
        Binding("down,ctrl+n", "step(1)", show=False),
    ]
    DEFAULT_CSS = "PaletteDialog LineTable { height: 14; }"

    def __init__(self, actions: Sequence[Action], refusal: Callable[[Action], Safe]) -> None:
        super().__init__(Safe("Find an action"), (("enter", "do it"), ("up down", "choose"), ("esc", "leave")))
        self._actions = {place: action for place, action in enumerate(actions)}
        self._refusal = refusal
        self._typed = ""
        self._field = Field("name")

    def compose_parts(self) -> ComposeResult:
        self._table: LineTable[int] = LineTable(_COLUMNS, self, sort="key")
        self._table.can_focus = False
        yield self._field
        yield self._table

    def on_mount(self) -> None:
        self._table.set_keys(self._actions)
        self._field.entry.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._typed = event.value.strip().casefold()
        parts = self._typed.split()
        found = [n for n, action in self._actions.items() if all(part in _text(action) for part in parts)]
        self._table.set_keys(found)
        self._table.reorder()
        if found:
            self._table.select(self._table.keys[0])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._table.cursor is not None:
            self.dismiss(self._actions[self._table.cursor].id)
        else:
            self.problem(Safe("no action of that name"), "warn")

    def action_step(self, step: int) -> None:
        (self._table.do_table_down if step > 0 else self._table.do_table_up)()

    # rows

    def cells(self, key: int) -> Sequence[Piece]:
        action = self._actions[key]
        off = self._refusal(action)
        return (
            Piece(Safe(" ".join(action.shown_keys[:2]) if action.keys else "-"), "dim" if off else "key"),
            Piece(action.title, "stale" if off else "text"),
            Piece(off or action.help, "dim"),
            Piece(Safe(f":{action.command}" if action.command else ""), "ok"),
        )

    def rank(self, key: int, column: str) -> Any:
        """What begins as typed stands first."""
        action = self._actions[key]
        begins = (action.command, action.title.casefold(), action.help.casefold())
        place = next((n for n, text in enumerate(begins) if text.startswith(self._typed)), len(begins))
        return (place if self._typed else 0, key)


def _text(action: Action) -> str:
    return f"{action.title} {action.help} {action.command}".casefold()
