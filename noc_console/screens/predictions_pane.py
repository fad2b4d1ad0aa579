"""Predictions on Overview: the likeliest ones, with how long there is to act."""

from __future__ import annotations

from typing import Any

from noc_console import words
from noc_console.record_lists import RecordList, Watch
from noc_console.safe_text import Safe, fit, safe_text
from noc_console.screens.page_pane import ListPane
from noc_console.screens.predictions_rows import EVENTS, here, left, percent
from noc_console.widgets.heat_grid import style_of
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Line, Piece

#: What is foretold and what became of it, the newest; horizons end within hours.
WATCH = Watch(kind="predictions", active=None)
#: Cells from which on one line has room for a prediction; lines from which on it may take two; where the second begins.
ROOMY, TALL, SECOND = 60, 5, 11


class PredictionsPane(ListPane):
    TITLE = "Predictions"
    WATCHES = (WATCH,)
    #: Time goes on also when nothing new comes.
    AGES_SECONDS = 15.0

    def show_records(self, found: RecordList) -> None:
        standing = sorted(
            (one for one in found.records.values() if one.state == "open"),
            key=lambda one: (-one.probability, one.due_at),
        )
        self.retitle(Safe("Predictions"), [Piece(Safe(_counted(standing)), "strong" if standing else "dim")])
        if not standing:
            nothing = "nothing foretold: no SLA breach, device or staffing gap is likely"
            self.page(PaneState.EMPTY, text_lines(nothing, style="dim", indent=1))
            return
        self.ready()
        room = max(1, (self.size.height - 1) // self._lines_each())
        self._lines.show([line for one in standing[:room] for line in self._said(one)])

    def _said(self, one: Any) -> list[Line]:
        """One line; two where there is more height than width, the second for what it is about."""
        now, cells = self.desk.clock.now(), self.size.width
        shown = safe_text(EVENTS.get(one.model, one.model))
        head: Line = [
            Piece(
                Safe(f" {percent(one.probability):>4} "), "stale" if self.desk.is_stale() else style_of(one.probability)
            ),
            Piece(Safe(f"{left(one, now).text:>4} "), left(one, now).style),
            Piece(fit(shown, 15) if cells >= ROOMY else Safe(f"{shown} "), "text"),
        ]
        site = Piece(Safe(f" {self.desk.names.site(one.site)}") if one.site else Safe(""), "dim")
        reason = Piece(self.desk.names.words(f"  {one.reasons[0]}" if one.reasons else ""), "dim")
        what = Piece(here(one, self.desk.names), "strong")
        if self._lines_each() == 1:
            return [[*head, what, site, reason]]
        return [[*head, site], [Piece(Safe(" " * SECOND)), what, reason]]

    def _lines_each(self) -> int:
        return 2 if self.size.width < ROOMY and self.size.height > TALL else 1


def _counted(standing: list[Any]) -> str:
    if not standing:
        return "none open"
    soonest = min(standing, key=lambda one: one.due_at)
    acted = sum(bool(one.acted) for one in standing)
    told = f"{len(standing):,} open" + (f", {acted:,} acted on" if acted else "")
    return f"{told}, {words.many(len({one.site for one in standing}), 'site')}" if soonest else told
