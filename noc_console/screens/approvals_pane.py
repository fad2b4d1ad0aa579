"""Playbooks on Overview: what waits for an approval, first to expire on top, and what runs."""

from __future__ import annotations

from data.nouns.playbooks import Approval, Execution
from noc_console import standing, words
from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_matter import OPEN_RUNS
from noc_console.screens.page_pane import PagePane
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import PaneState, text_lines
from noc_console.widgets.piece import Line, Piece


class ApprovalsPane(PagePane):
    TITLE = "Approvals"
    WATCHES = (standing.WAITING, OPEN_RUNS)

    def __init__(self, desk: Desk) -> None:
        self._lines = LineView()
        super().__init__(desk, self._lines)

    def apply(self, dirty: Dirty) -> None:
        """Times go on, so it is worked out at each frame; only lines that changed are drawn."""
        if not self.is_attached or not self.size.width:
            return
        found, now = self.desk.mirror.lists.of(standing.WAITING), self.desk.clock.now()
        if not self.is_there(found):
            return
        approvals = standing.waiting(self.desk.mirror, now)
        held = self.desk.mirror.lists.of(OPEN_RUNS).records.values()
        runs = [run for run in held if run.state in {"running", "unknown"}]
        self._draw_head(approvals, runs)
        if not approvals and not runs and standing.stopped(self.desk.mirror) is None:
            self.page(PaneState.EMPTY, text_lines("no playbook waits or runs", style="dim", indent=1))
            return
        self.ready()
        lines: list[Line] = []
        if (switch := standing.stopped(self.desk.mirror)) is not None:
            lines.append([Piece(safe_text(f" all playbooks are stopped by {switch.by}: {switch.reason}"), "warn")])
        lines += [self._asks(approval) for approval in approvals]
        lines += [self._going(run) for run in sorted(runs, key=lambda run: run.at, reverse=True)]
        self._lines.show(lines)

    def do_table_open(self) -> None:
        """enter: the page."""
        self.opened(None)

    def _draw_head(self, approvals: list[Approval], runs: list[Execution]) -> None:
        told = f"{len(approvals)} wait" if approvals else "none waits"
        if runs:
            told += f", {len(runs):,} running"
        self.retitle(Safe("Approvals"), [Piece(Safe(told), "strong" if approvals else "dim")])

    def _asks(self, approval: Approval) -> Line:
        left = say.left(approval, self.desk.clock.now())
        run = self.desk.mirror.lists.of(OPEN_RUNS).records.get(approval.execution)
        blast = f"  {words.many(len(run.targets), 'target')}" if run is not None and run.targets else ""
        asks = "" if approval.asks == "run" else "  was it done?"
        return [
            Piece(Safe(f" {left.text:>5} "), left.style),
            Piece(safe_text(approval.playbook), "strong"),
            Piece(safe_text(f"  {words.number(approval.incident)} {self.desk.names.site(approval.site)}")),
            Piece(Safe(f"{blast}  {say.votes(approval).text}"), "dim"),
            Piece(Safe(asks), "warn"),
        ]

    def _going(self, run: Execution) -> Line:
        state, site = say.run_state(run), self.desk.names.site(run.site)
        return [
            Piece(Safe(" ")),
            state,
            Piece(safe_text(f" {run.playbook}"), "strong"),
            Piece(safe_text(f"  {words.number(run.incident)} {site}  {say.steps_done(run)}"), "text"),
        ]
