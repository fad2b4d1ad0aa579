"""One dead letter: to read, and to correct and replay.

The body is shown made safe. What is edited is what is sent: characters that cannot be shown are replaced before.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from data.records import Reject
from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import REPLACEMENT, Safe, safe_lines, safe_text, wrap
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece

#: Characters of a body that can be edited here.
EDIT_MOST = 100_000


class RejectDialog(Dialog[str]):
    """Answers "edit", "replay" or "discard"."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("e", "choose('edit')", show=False),
        Binding("R", "choose('replay')", show=False),
        Binding("d", "choose('discard')", show=False),
        Binding("q,enter", "leave", show=False),
    ]
    DEFAULT_CSS = """
    RejectDialog > Vertical { width: 110; height: 100%; }
    RejectDialog LineView { height: 1fr; }
    """

    def __init__(self, reject: Reject) -> None:
        keys = (("e", "edit"), ("R", "replay as it was"), ("d", "discard"), ("esc", "close"))
        super().__init__(Safe(f"Dead letter R-{reject.id}"), keys)
        self._reject = reject
        self._view = LineView()

    def compose_parts(self) -> ComposeResult:
        yield self._view

    def on_mount(self) -> None:
        self._view.focus()

    def on_resize(self) -> None:
        cells = min(106, max(40, self.size.width - 6))
        self._view.show(reject_lines(self._reject, cells))

    def action_choose(self, what: str) -> None:
        self.dismiss(what)


class Body(TextArea):
    """Takes what is typed and pasted in the form that can be shown, and no more than can be edited."""

    def edit(self, edit: Edit) -> EditResult:
        """The one way into it."""
        kept = len(self.text) - len(self.get_text_range(edit.from_location, edit.to_location))
        edit.text = editable(edit.text)[0][: max(0, EDIT_MOST - kept)]
        return super().edit(edit)


class EditDialog(Dialog[str]):
    """Answers the corrected body."""

    BINDINGS: ClassVar[list[BindingType]] = [*Dialog.BINDINGS, Binding("ctrl+s,f2", "send", show=False, priority=True)]
    DEFAULT_CSS = """
    EditDialog > Vertical { width: 110; height: 100%; }
    EditDialog TextArea, EditDialog TextArea:focus { height: 1fr; border: none; padding: 0; background: $background; }
    EditDialog LineView { height: auto; }
    """

    def __init__(self, reject: Reject) -> None:
        keys = (("ctrl+s", "replay this"), ("esc", "leave it as it was"))
        super().__init__(Safe(f"Correct R-{reject.id}"), keys)
        self._reject = reject
        text, replaced = editable(reject.body)
        self._replaced = replaced
        self._area = Body(text, soft_wrap=len(text) < 20_000, tab_behavior="focus")
        self._area.cursor_blink = False
        self._why = LineView()
        self._why.can_focus = False

    def compose_parts(self) -> ComposeResult:
        yield self._why
        yield self._area

    def on_mount(self) -> None:
        lines = _why_lines(self._reject, 100)
        self._why.styles.height = len(lines)
        self._why.show(lines)
        if self._replaced:
            said = f"{self._replaced} characters that cannot be shown are {REPLACEMENT} here, and would be sent so"
            self.problem(Safe(said), "warn")
        self._area.focus()

    def action_send(self) -> None:
        if self._area.text.strip():
            self.dismiss(self._area.text)
        else:
            self.problem(Safe("an empty body cannot be replayed; discard it instead"), "warn")


def editable(body: str) -> tuple[str, int]:
    """The body with everything dangerous replaced one for one, and how many characters that were."""
    lines = body.replace("\r\n", "\n").split("\n")
    made = [_one_for_one(line) for line in lines]
    return "\n".join(text for text, _ in made), sum(count for _, count in made)


def _one_for_one(line: str) -> tuple[str, int]:
    if line.isascii() and line.isprintable():
        return line, 0
    kept = [c if c == "\t" or safe_text(c) == c else REPLACEMENT for c in line]
    return "".join(kept), sum(old != new for old, new in zip(line, kept, strict=True))


def reject_lines(reject: Reject, cells: int) -> list[Line]:
    """Why, what to change, where it came from, the body."""
    lines = _why_lines(reject, cells)
    lines += [_row("from", f"{reject.source}, as {reject.format}, {reject.at:%Y-%m-%d %H:%M:%S}Z", cells)[0], []]
    lines.append([Piece(Safe(f"body, {len(reject.body):,} characters"), "title")])
    for text in safe_lines(reject.body):
        lines += [[Piece(part)] for part in wrap(text, cells)]
    shown = sum(len(text) for text in safe_lines(reject.body))
    if shown + 200 < len(reject.body):
        lines.append([Piece(Safe("… the rest is not shown here"), "dim")])
    return lines


def _why_lines(reject: Reject, cells: int) -> list[Line]:
    field = f"{reject.field}: " if reject.field else ""
    return [*_row("reason", f"{field}{reject.reason}", cells, "warn"), *_row("remedy", reject.remedy or "-", cells)]


def _row(label: str, text: str, cells: int, style: str = "text") -> list[Line]:
    parts = wrap(safe_text(text), max(20, cells - 9))
    head = Piece(Safe(f"{label:<9}"), "dim")
    return [[head if not place else Piece(Safe(" " * 9)), Piece(part, style)] for place, part in enumerate(parts)]
