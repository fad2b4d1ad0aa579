"""The line of keys: what can be done here, most used first, what is refused now is dim."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from noc_console.actions import Action
from noc_console.safe_text import Safe
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece, line_width


class Footer(OneLine):
    def __init__(self) -> None:
        super().__init__("text", id="footer")


def footer_line(actions: Iterable[Action], refusal: Callable[[Action], Safe], cells: int) -> list[Piece]:
    """Keys with a footer weight, by weight; as many as fit. Help always stays, at the end."""
    shown = sorted((action for action in actions if action.footer), key=lambda action: action.footer)
    last = _hint(shown.pop(), refusal) if shown else []
    line: list[Piece] = [Piece(Safe(" "))]
    for action in shown:
        hint = _hint(action, refusal)
        if line_width(line) + line_width(hint) + line_width(last) <= cells:
            line.extend(hint)
    return [*line, *last]


def _hint(action: Action, refusal: Callable[[Action], Safe]) -> list[Piece]:
    off = bool(refusal(action))
    return [
        Piece(action.shown_key, "dim" if off else "key"),
        Piece(Safe(f" {action.title}  "), "stale" if off else "text"),
    ]
