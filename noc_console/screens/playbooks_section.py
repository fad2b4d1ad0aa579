"""The playbooks of an incident on its own screen: what ran, what runs, what was asked; live step by step."""

from __future__ import annotations

from data.nouns.playbooks import Execution
from engine.client import Query
from noc_console import words
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_progress import progress_lines
from noc_console.screens.detail_sections import TextSection
from noc_console.widgets.piece import Line, Piece

PAGE = 50
#: Runs that are told step by step; of those before them there is one line each.
TOLD = 3
OUTPUT_LINES = 12


class PlaybooksSection(TextSection):
    """Runs of the incident, newest first."""

    name, key, label, empty = "playbooks", "p", "Playbooks", "no playbook has run on it; p lists those that fit"

    def ask(self, incident: int) -> None:
        self.reading = Reading(self.desk.client, Query(kind="executions", incident=incident, limit=PAGE))

    def count(self) -> str:
        return str(len(self.rows())) if self.rows() else ""

    def remark(self) -> str:
        going = sum(run.state not in say.OVER for run in self.rows())
        return f"{words.many(len(self.rows()), 'run')}, {going} not over" if self.rows() else ""

    def lines(self, cells: int) -> list[Line]:
        runs: list[Execution] = list(self.rows())
        now, full = self.desk.clock.now(), self.desk.glyphs.full
        lines: list[Line] = []
        for run in runs[:TOLD]:
            lines.append([Piece(safe_text(f" {run.playbook}"), "title"), Piece(Safe(_hint(run)), "dim")])
            site = self.desk.names.site(run.site)
            lines += progress_lines(run, now, cells, site=site, output_lines=OUTPUT_LINES, full=full)
            lines.append([])
        for run in runs[TOLD:]:
            ago = words.ago(run.at, now)
            lines.append(
                [Piece(Safe(" ")), say.run_state(run), Piece(safe_text(f"  {run.playbook} {ago}  {run.reason}"))]
            )
        return lines


def _hint(run: Execution) -> str:
    if run.asks == "approval":
        return "  waits for an approval: 4 shows it"
    return "  somebody has to say what became of it: 4 shows it" if run.state == "unknown" else ""
