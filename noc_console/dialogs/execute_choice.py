"""The playbooks that may run on one incident, to pick one. Those that fit stand on top, the others say why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe, fit, safe_text, wrap
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece

NAME_CELLS = 24
#: Lines of the box beside the rows: border, title, what the playbook does, words, keys.
FRAME_LINES = 10


class ChoiceDialog(Dialog[str]):
    """Answers the name of the playbook. `rows` as the report playbooks/fitting gives them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("j,down", "step(1)", show=False),
        Binding("k,up", "step(-1)", show=False),
        Binding("pagedown,ctrl+d", "step(8)", show=False),
        Binding("pageup,ctrl+u", "step(-8)", show=False),
        Binding("g,home", "step(-1000)", show=False),
        Binding("G,end", "step(1000)", show=False),
        Binding("enter", "pick", show=False),
        Binding("q", "leave", show=False),
    ]
    DEFAULT_CSS = """
    ChoiceDialog > Vertical { width: 110; }
    ChoiceDialog #choice-told { height: 4; }
    """

    def __init__(self, title: Safe, rows: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(title, (("j k", "choose"), ("enter", "its plan; nothing is done yet"), ("esc", "leave")))
        self._rows = list(rows)
        self._place = 0
        self._view, self._told = LineView(id="choice-rows"), LineView(id="choice-told")
        self._told.can_focus = self._view.can_focus = False

    def compose_parts(self) -> ComposeResult:
        yield self._view
        yield self._told

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def on_key(self, event: events.Key) -> None:
        """A digit picks its row."""
        digit = event.character
        if digit is not None and digit in "123456789" and int(digit) <= len(self._rows):
            event.stop()
            self._place = int(digit) - 1
            self.action_pick()

    def action_step(self, rows: int) -> None:
        self._place = max(0, min(self._place + rows, len(self._rows) - 1))
        self._draw()
        top, height = self._view.scroll_offset.y, max(1, self._view.size.height)
        if not top <= self._place + 1 < top + height:
            self._view.scroll_to(y=max(0, self._place + 2 - height), animate=False)

    def action_pick(self) -> None:
        if not self._is_settled():
            return
        row = self._rows[self._place]
        if row["trouble"]:
            self.problem(safe_text(f"it cannot run here: {row['trouble']}"), "warn")
        else:
            self.dismiss(str(row["playbook"]))

    def _draw(self) -> None:
        self._draw_told()
        titles = f"{'PLAYBOOK':<{NAME_CELLS}} {'FITS':<9} {'MODE':<9} {'TARGETS':>7} {'RUNS':>5}"
        head = f"     {titles} {'SUCCESS':>7} {'MEAN':>7}"
        lines: list[Line] = [[Piece(Safe(head), "header")]]
        for place, row in enumerate(self._rows):
            lines.append(_row(place, row, here=place == self._place, glyph=self.desk.glyphs.cursor))
        self._view.styles.height = max(2, min(len(lines), self.size.height - FRAME_LINES))
        self._view.show(lines)

    def _draw_told(self) -> None:
        row = self._rows[self._place]
        text = safe_text(row["trouble"] or row["description"] or "no description")
        style = "warn" if row["trouble"] else "text"
        cells = max(40, (self._told.size.width or 100) - 2)
        self._told.show([[], *([Piece(Safe(" ")), Piece(part, style)] for part in wrap(text, cells)[:3])])


def _row(place: int, row: Mapping[str, Any], *, here: bool, glyph: Safe) -> Line:
    trouble = bool(row["trouble"])
    fits = "no" if trouble else "trigger" if row["triggered"] else "by hand"
    blast = "-" if row["blast_radius"] is None else str(row["blast_radius"])
    rate, mean = row.get("success_rate"), row.get("mean_seconds")
    figures = f"{row.get('runs') or 0:>5,} {'-' if rate is None else format(rate, '.0%'):>7} "
    figures += f"{'-' if mean is None else f'{mean:.0f}s':>7}"
    asks = "asks" if row["asks"] or row["mode"] == "approval" else "at once"
    key = str(place + 1) if place < 9 else " "
    name = "dim" if trouble else "strong"
    return [
        Piece(glyph if here else Safe(" "), "key"),
        Piece(Safe(f" {key} "), "key"),
        Piece(Safe(" ")),
        Piece(fit(safe_text(row["playbook"]), NAME_CELLS), "bar-here" if here else name),
        Piece(Safe(f" {fits:<9}"), "warn" if trouble else "ok" if row["triggered"] else "text"),
        Piece(Safe(f" {asks:<9} {blast:>7} {figures}"), "dim" if trouble else "text"),
    ]
