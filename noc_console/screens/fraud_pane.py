"""Fraud on Overview: the worst sites by the last 24 hours, and the worst score in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from noc_console import words
from noc_console.record_lists import RecordList, Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.fraud_map import FLAGGED, last_hours, rows_of_scores
from noc_console.screens.fraud_rows import pattern
from noc_console.screens.page_pane import ListPane
from noc_console.widgets.heat_grid import heat_lines, style_of
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Line, Piece

#: Scores that are looked at one by one; all others stand in the heatmap's sums alone.
WATCH = Watch(kind="fraud_scores", q="score>=0.2", active=None)
HOURS = 24


class FraudPane(ListPane):
    TITLE = "Fraud"
    WATCHES = (WATCH,)
    #: Time goes on also when nothing new comes.
    AGES_SECONDS = 30.0

    def show_records(self, found: RecordList) -> None:
        now = self.desk.clock.now()
        recent = [score for score in found.records.values() if now - score.at <= timedelta(hours=HOURS)]
        flagged = sum(score.score >= FLAGGED for score in recent)
        told = f"{words.many(flagged, 'score')} of {FLAGGED:.0%}+ in 24 h"
        self.retitle(Safe("Fraud"), [Piece(Safe(told), "strong" if flagged else "dim")])
        if not recent:
            self.page(
                PaneState.EMPTY, text_lines("no event of the last 24 h scored 20% or more", style="dim", indent=1)
            )
            return
        self.ready()
        self._lines.show(self._said(recent))

    def _said(self, recent: list[Any]) -> list[Line]:
        """The worst in words, and as much of the heatmap as there is room for."""
        now, height, names = self.desk.clock.now(), self.size.height - 1, self.desk.names
        worst = max(recent, key=lambda score: (score.score, score.at))
        whose = f"{names.person(worst.person)} at {names.site(worst.site)}"
        who = safe_text(f" {whose}, {words.ago(worst.at, now)}: {pattern(worst)}")
        head: Line = [Piece(Safe(f" worst {worst.score:.0%}"), style_of(worst.score)), Piece(who)]
        if height < 4:
            return [head]
        rows = rows_of_scores(recent, names.sites)[: height - 2]
        cells = self._lines.size.width or self.size.width
        return [head, *heat_lines(last_hours(now, HOURS), rows, cells, self.desk.glyphs)]
