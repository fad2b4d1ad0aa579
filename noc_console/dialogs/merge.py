"""Which of several incidents stays when they are merged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from data.records import Incident
from noc_console import words
from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe
from noc_console.widgets.line_view import LineView
from noc_console.widgets.piece import Line, Piece

SHOWN = 12


class MergeDialog(Dialog[int]):
    """Answers the number of the incident that stays; the first one given is proposed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *Dialog.BINDINGS,
        Binding("up,k", "step(-1)", show=False),
        Binding("down,j", "step(1)", show=False),
        Binding("y,Y", "yes", show=False),
        Binding("n,N,q", "leave", show=False),
    ]

    def __init__(self, incidents: Sequence[Incident], now: datetime) -> None:
        title = Safe(f"Merge {len(incidents)} incidents into one")
        super().__init__(title, (("j k", "which one stays"), ("y", "merge"), ("n", "cancel")))
        self._incidents, self._now = tuple(incidents), now
        self._stays = 0
        self._view = LineView()
        self._view.can_focus = False
        self._view.styles.height = min(len(incidents), SHOWN) + 2

    def compose_parts(self) -> ComposeResult:
        yield self._view

    def on_mount(self) -> None:
        self._draw()

    def action_step(self, step: int) -> None:
        self._stays = (self._stays + step) % len(self._incidents)
        self._draw()

    def action_yes(self) -> None:
        if self.meant():
            self.dismiss(self._incidents[self._stays].id)

    def _draw(self) -> None:
        top = max(0, min(self._stays - SHOWN + 1, len(self._incidents) - SHOWN))
        shown = range(top, min(top + SHOWN, len(self._incidents)))
        alerts = sum(incident.alerts for incident in self._incidents)
        rest = len(self._incidents) - 1
        others = "the other leads" if rest == 1 else f"the other {rest} lead"
        what = f"It gets all {alerts:,} alerts; {others} to it. u undoes it for 10 min."
        self._view.show([*(self._line(place) for place in shown), [], [Piece(Safe(what), "dim")]])

    def _line(self, place: int) -> Line:
        incident, here = self._incidents[place], place == self._stays
        count = f"{words.many(incident.alerts, 'alert'):>12}"
        return [
            Piece(Safe("> stays  " if here else "  joins  "), "mark" if here else "dim"),
            words.severity(incident),
            Piece(Safe(f" {words.number(incident.id):<8}"), "strong" if here else "text"),
            Piece(Safe(f"{count}  {self.desk.names.place(incident)}  {self.desk.names.words(incident.title)}")),
        ]
