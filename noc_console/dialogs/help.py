"""All keys of the screen that asked, made from the registry, grouped, each with its `:` word and why it is off; then
what the columns and marks of the table in front mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from noc_console.actions import Action
from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe, fit, width, wrap
from noc_console.widgets.columns import Column
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece

#: Cells of the keys, and of keys and name.
_KEYS, _HEAD = 14, 30
#: Scope → heading, in the order shown; scopes that are not named here come first under the screen's title.
_GROUPS = {
    "incident": Safe("Acts"),
    "table": Safe("Rows"),
    "app": Safe("Everywhere"),
    "view": Safe("Screens"),
}


class HelpDialog(Dialog[None]):
    """Answers nothing; any way out closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [*Dialog.BINDINGS, Binding("q,question_mark,f1", "leave", show=False)]
    DEFAULT_CSS = """
    HelpDialog > Vertical { width: 98; height: 100%; }
    HelpDialog LineView { height: 1fr; }
    """

    def __init__(
        self,
        title: Safe,
        actions: Sequence[Action],
        refusal: Callable[[Action], Safe],
        columns: Sequence[Column] = (),
    ) -> None:
        super().__init__(Safe(f"Keys of {title}"), (("j k", "scroll"), ("esc", "close")))
        self._of, self._actions, self._refusal, self._columns = title, actions, refusal, columns
        self._view = LineView()

    def compose_parts(self) -> ComposeResult:
        yield self._view

    def on_mount(self) -> None:
        self._view.focus()

    def on_resize(self) -> None:
        cells = min(94, self.size.width - 5)
        lines = help_lines(self._of, self._actions, self._refusal, cells)
        self._view.show([*lines, *column_lines(self._columns, cells)])


def help_lines(title: Safe, actions: Sequence[Action], refusal: Callable[[Action], Safe], cells: int) -> list[Line]:
    """A heading per group, under it each action."""
    groups: dict[Safe, list[Action]] = {}
    for action in actions:
        groups.setdefault(_GROUPS.get(action.scope, title), []).append(action)
    order = [title, *_GROUPS.values()]
    lines: list[Line] = []
    for heading in sorted(groups, key=order.index):
        lines += [[], [Piece(heading, "title")], *_group(groups[heading], refusal, cells)]
    return lines[1:]


def column_lines(columns: Sequence[Column], cells: int) -> list[Line]:
    """What the columns that need words mean."""
    lines: list[Line] = []
    for column in columns:
        if column.help:
            head = [Piece(fit(Safe(f" {column.title}"), _KEYS), "strong")]
            told = wrap(column.help, max(20, cells - _KEYS))
            lines.append([*head, Piece(told[0], "dim")])
            lines += [[Piece(Safe(" " * _KEYS)), Piece(part, "dim")] for part in told[1:]]
    return [[], [Piece(Safe("Columns and marks"), "title")], *lines] if lines else []


def _group(actions: Sequence[Action], refusal: Callable[[Action], Safe], cells: int) -> list[Line]:
    return [line for action in actions for line in _action_lines(action, refusal(action), cells)]


def _action_lines(action: Action, off: Safe, cells: int) -> list[Line]:
    """Keys, name, what it does or why it is off; the `:` word behind it, below when there is no room."""
    keys = fit(Safe(f" {' '.join(action.shown_keys[:2])}"), _KEYS)
    told = wrap(off or action.help, max(20, cells - _HEAD))
    typed = Safe(f":{action.command} {action.argument}".rstrip() if action.command and action.keys else "")
    head = [Piece(keys, "dim" if off else "key"), Piece(fit(action.title, _HEAD - _KEYS), "stale" if off else "text")]
    lines: list[Line] = [[*head, Piece(told[0], "dim")]]
    lines += [[Piece(Safe(" " * _HEAD)), Piece(part, "dim")] for part in told[1:]]
    if typed and _HEAD + width(told[-1]) + 2 + width(typed) <= cells:
        lines[-1] = [*lines[-1], Piece(Safe(f"  {typed}"), "ok")]
    elif typed:
        lines.append([Piece(Safe(" " * _HEAD)), Piece(typed, "ok")])
    return lines
