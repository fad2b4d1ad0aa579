"""One fraud score on a screen of its own: what made it, what would have changed it, and the person's last 30 days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from engine.client import Query
from noc_console import words
from noc_console.actions import bindings_for
from noc_console.desk import Desk
from noc_console.directory import Directory
from noc_console.filter_words import quoted
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.screens.detail import DetailScreen, Section
from noc_console.screens.detail_sections import TextSection
from noc_console.screens.fraud_acts import FraudActs
from noc_console.screens.fraud_rows import SCORE_COLUMNS, ScoreRows, contribution, pattern, verdict_lines
from noc_console.views import ViewSpec
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.piece import Line, Piece

HISTORY_DAYS = 30
HISTORY_PAGE = 500


class ReasonsSection(TextSection):
    """Contributions with their points, then what would have changed them, then all that was looked at."""

    name, key, label, empty = "reasons", "", "Reasons", "no reason was kept"

    def ask(self, id: str) -> None:
        self.reading = Reading(self.desk.client, Query(kind="fraud/scores/{id}/why", params={"id": id}))

    def lines(self, cells: int) -> list[Line]:
        rows = [row for row in self.rows() if row.get("what") != "score"]
        added = [row for row in rows if row.get("points") is not None]
        limits = [row for row in rows if row.get("points") is None and "would not stand" in str(row.get("words"))]
        looked = [row for row in rows if row.get("points") is None and row not in limits]
        lines: list[Line] = [[Piece(Safe(" what it is made of"), "title")]]
        for row in added:
            said = str(row["words"]).rpartition(" (")[0] or str(row["words"])
            lines += contribution(said, float(row["points"]), cells, self.desk.glyphs)
        if not added:
            lines.append([Piece(Safe("  nothing about this event counts against it"), "ok")])
        for title, part in (("what would have changed it", limits), ("what was looked at", looked)):
            if part:
                lines.append([Piece(Safe(f" {title}"), "title")])
            for row in part:
                lines += _named(str(row["what"]), str(row["words"]), cells)
        return lines


class HistorySection(Section):
    """The person's scores of the last 30 days."""

    name, key, label, empty = "history", "", "History 30 d", "no other event of this person in 30 days"

    def __init__(self, desk: Desk, names: Directory) -> None:
        self.scores: dict[str, Any] = {}
        self.table: LineTable[str] = LineTable(SCORE_COLUMNS, ScoreRows(desk, self.scores, names), sort="age")
        super().__init__(desk, self.table)

    def ask(self, person: str) -> None:
        since = self.desk.clock.now() - timedelta(days=HISTORY_DAYS)
        query = Query(kind="fraud_scores", q=f"entity={quoted(person)}", since=since, limit=HISTORY_PAGE, total=True)
        self.reading = Reading(self.desk.client, query)

    def count(self) -> str:
        total = self.reading.total if self.reading and self.reading.total is not None else len(self.scores)
        return f"{total:,}" if total else ""

    def remark(self) -> str:
        bad = [score for score in self.scores.values() if score.score >= 0.5]
        confirmed = sum(score.verdict == "confirmed" for score in self.scores.values())
        told = f"{words.many(len(self.scores), 'event')}, {len(bad)} at 50% or more, {confirmed} confirmed"
        more = f"; the newest {HISTORY_PAGE}" if self.reading and self.reading.more else ""
        return told + more if self.scores else ""

    def draw(self) -> None:
        self.scores.clear()
        self.scores.update({score.id: score for score in self.rows()})
        self.table.set_keys(self.scores)
        self.table.live(sorting_changed=True)


class FraudCase(FraudActs, DetailScreen):
    """Over one score; `names` are what people and sites are called."""

    SCOPES = ("verdict",)
    BINDINGS = bindings_for("verdict", "table")

    def __init__(self, view: ViewSpec, score: Any, names: Directory) -> None:
        super().__init__(view, 0, "")
        self.score, self._names = score, names

    def sections(self) -> list[Section]:
        self._reasons, self._history = ReasonsSection(self.desk), HistorySection(self.desk, self._names)
        self._reasons.ask(self.score.id)
        self._history.ask(self.score.person)
        return [self._reasons, self._history]

    def heading(self) -> Safe:
        return safe_text(f"{self.score.score:.0%}  {self._names.person(self.score.person)}  {pattern(self.score)}")

    def fact_lines(self, cells: int) -> list[Line]:
        score = self.score
        facts = [
            f"{self._names.full_person(score.person)} at {self._names.full_site(score.site)}, {score.at:%d %b %H:%M}Z, "
            f"{words.ago(score.at, self.desk.clock.now())}",
            "by heuristics, not a trained model: the score ranks, it is no probability"
            if score.model == "heuristics"
            else f"by model {score.model}: a calibrated probability",
            f"event {score.event_id or '-'} of {score.event_source or '-'}; ticket {score.ticket or 'none'}",
        ]
        lines: list[Line] = [
            [Piece(Safe(" ")), Piece(part)] for fact in facts for part in wrap(safe_text(fact), cells - 2)
        ]
        if score.verdict == "open":
            keys = (("c", " confirm fraud  "), ("x", " dismiss as honest  "))
            pieces = [p for key, what in keys for p in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
            return [*lines, [Piece(Safe(" waits for a verdict:  ")), *pieces]]
        return [*lines, *verdict_lines(score, cells)]

    def concerns(self, dirty: Dirty) -> bool:
        return any(subject.startswith("fraud_score:") for subject in dirty.subjects)

    def apply(self, dirty: Dirty) -> None:
        super().apply(dirty)
        found = self._history.scores.get(self.score.id)
        if found is not None and found != self.score:
            self.score = found
            self.draw_facts()

    async def _read(self, section: Section) -> None:
        await super()._read(section)
        found = self._history.scores.get(self.score.id)
        if found is not None and found != self.score:
            self.score = found
            self.draw_facts()

    def fraud_targets(self) -> Sequence[Any]:
        table = self._history.table
        if self.section is self._history and table.marks:
            return [self._history.scores[key] for key in table.targets if key in self._history.scores]
        return [self.score]

    def acted(self) -> None:
        if self._history.table.marks:
            self._history.table.do_table_unmark()
        self.begin_again()

    def marked(self) -> int:
        return len(self._history.table.marks)

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        """Another event of the person takes this one's place."""
        found = self._history.scores.get(event.key)
        if found is not None and found.id != self.score.id:
            self.score = found
            self._reasons.ask(found.id)
            self.begin_again()

    def reorder(self) -> None:
        self.begin_again()


def _named(what: str, told: str, cells: int) -> list[Line]:
    head = Safe(f"   {safe_text(what.replace('_', ' ')):<20} ")
    parts = wrap(safe_text(told), max(16, cells - len(head)))
    first: Line = [Piece(head, "dim"), Piece(parts[0])]
    return [first, *([Piece(Safe(" " * len(head))), Piece(part)] for part in parts[1:])]
