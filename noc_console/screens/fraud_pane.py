"""Fraud on Overview: the worst sites by the last 24 hours, and the worst score in words."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from noc_console import words
from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.fraud_map import FLAGGED, last_hours, rows_of_scores
from noc_console.screens.fraud_rows import pattern
from noc_console.screens.page_pane import PagePane
from noc_console.widgets.heat_grid import heat_lines, style_of
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Line, Piece

#: Scores that are looked at one by one; all others stand in the heatmap's sums alone.
WATCH = Watch(kind="fraud_scores", q="score>=0.2", active=None)
HOURS = 24
#: The clock hours move on; drawn anew this often when no score comes.
AGES_SECONDS = 30.0


class FraudPane(PagePane):
    TITLE = "Fraud"
    WATCHES = (WATCH,)

    def __init__(self, desk: Desk) -> None:
        self._lines = LineView()
        self._drawn_at = float("-inf")
        self._drawn: tuple[object, ...] = ()
        super().__init__(desk, self._lines)

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        shape = (self.size, self.desk.palette, self.desk.is_stale())
        if not (
            dirty.reset or dirty.records.get(WATCH.kind) or shape != self._drawn or now - self._drawn_at >= AGES_SECONDS
        ):
            return
        self._drawn_at, self._drawn = now, shape
        self._draw()

    def do_table_open(self) -> None:
        """enter: the page."""
        self.opened(None)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        found, now = self.desk.mirror.lists.of(WATCH), self.desk.clock.now()
        if not self.is_attached or not self.size.width:
            return
        if not found.loaded:
            words_of = found.problem or Safe("asking the engine")
            state = PaneState.ERROR if found.problem else PaneState.LOADING
            self.page(state, [[Piece(Safe(" ")), Piece(words_of, "warn" if found.problem else "dim")]])
            return
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
