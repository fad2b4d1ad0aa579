"""The ranked list of incidents as a pane: filter, order, what is new, and the page that a quiet console shows."""

from __future__ import annotations

from typing import Any

from data.records import RANK, Incident
from noc_console import words
from noc_console.desk import Age, Desk
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.mirror import Dirty, is_shelved
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.feeding import feeding_lines
from noc_console.screens.incident_rows import INCIDENT_COLUMNS, IncidentRows
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece

#: The feed tells what came of an act within this time.
ACTED_SECONDS = 3.0


class IncidentList(Pane):
    """Feed it `apply(dirty)`; `table.targets` are the incident numbers an act is for."""

    def __init__(self, desk: Desk, *, id: str) -> None:
        self._desk = desk
        self.table: LineTable[int] = LineTable(INCIDENT_COLUMNS, IncidentRows(desk), sort="pri")
        self._filter: Filter | None = None
        self.filter_text = ""
        #: What an act was done to, and until when the feed may say that it is put aside.
        self._acted: tuple[set[int], float] = (set(), 0.0)
        super().__init__(Safe("Incidents"), self.table, id=id)

    def apply(self, dirty: Dirty) -> None:
        if dirty.reset or dirty.appeared or dirty.ended or (self._filter is not None and dirty.incidents):
            self.table.set_keys(self._keys())
        self.table.live(
            sorting_changed=bool(dirty.incidents or dirty.reset), changed=None if dirty.reset else dirty.incidents
        )
        self._put_aside()
        self._choose_page()
        self.head()

    def acted(self) -> None:
        """The engine took an act on the targets: marks are cleared; what it puts aside leaves its place at once."""
        self._acted = set(self.table.targets), self._desk.clock.monotonic() + ACTED_SECONDS
        if self.table.marks:
            self.table.do_table_unmark()
        self._put_aside()

    def _put_aside(self) -> None:
        keys, until = self._acted
        if not keys:
            return
        incidents, now = self._desk.mirror.incidents, self._desk.clock.now()
        gone = {key for key in keys if key not in incidents or is_shelved(incidents[key], now)}
        if gone:
            self.table.step_aside(gone)
        if gone == keys or self._desk.clock.monotonic() >= until:
            self._acted = set(), 0.0

    def set_filter(self, text: str) -> Safe:
        """Keep the incidents that match. Answers what is not understood in the text; "" when it is right."""
        try:
            self._filter = read_filter(text, self._desk.names.sites)
        except FilterError as error:
            return error.words
        self.filter_text = text.strip()
        self.table.set_keys(self._keys())
        self.table.reorder()
        self._choose_page()
        self.head()
        return Safe("")

    def step_unacked(self, step: int) -> None:
        """Cursor to the next unacknowledged incident, worst first, going round."""
        now = self._desk.clock.now()
        here = self.table.cursor
        shown = set(self.table.keys)
        waiting: list[int] = [i.id for i in self._desk.mirror.unacked(now) if i.id in shown]
        if not waiting:
            self._desk.say(Safe("every incident here is acknowledged or shelved"), "ok")
            return
        place = waiting.index(here) + step if here in waiting else 0
        self.table.select(waiting[place % len(waiting)])

    def current(self) -> Incident | None:
        return None if self.table.cursor is None else self._desk.mirror.incident(self.table.cursor)

    def reorder(self) -> None:
        self.table.reorder()
        self.head()

    def head(self) -> None:
        """The title line: filter, counts, what is new, the sort column."""
        title = safe_text(f"Incidents > {self.filter_text}") if self.filter_text else Safe("Incidents")
        self.retitle(title, self._counts(), teaser=self._news())

    def save_state(self) -> dict[str, Any]:
        return {
            "filter": self.filter_text,
            "sort": self.table.sort,
            "descending": self.table.descending,
            "cursor": self.table.cursor,
            "marks": sorted(self.table.marks),
        }

    def restore_state(self, state: dict[str, Any]) -> None:
        if isinstance(state.get("sort"), str):
            self.table.sort_by(state["sort"], bool(state.get("descending", True)))
        if isinstance(state.get("filter"), str) and state["filter"]:
            self.set_filter(state["filter"])
        cursor, marks = state.get("cursor"), state.get("marks")
        self.table.wish(
            cursor if isinstance(cursor, int) else None,
            [mark for mark in marks if isinstance(mark, int)] if isinstance(marks, list) else [],
        )

    def on_line_table_sorted(self) -> None:
        self.head()

    def _keys(self) -> Any:
        incidents = self._desk.mirror.incidents
        if self._filter is None:
            return incidents
        test = self._filter(self._desk.clock.now())
        return {number for number, incident in incidents.items() if test(incident)}

    def _choose_page(self) -> None:
        mirror = self._desk.mirror
        if len(self.table.keys):
            self.ready()
        elif self._desk.age() is Age.DOWN and not mirror.loaded:
            self.page(PaneState.ERROR, _unreachable(mirror.why_down))
        elif not mirror.loaded:
            self.page(PaneState.LOADING, text_lines("", "waiting for the engine"))
        elif self._filter is not None:
            total = len(mirror.incidents)
            self.page(PaneState.EMPTY, text_lines("", f"none of {total} incidents match; esc shows all"))
        else:
            self.page(PaneState.EMPTY, feeding_lines(self._desk.listen, self.size.height - 1))

    def _news(self) -> list[Piece]:
        found = [i for key in self.table.fresh if (i := self._desk.mirror.incidents.get(key)) is not None]
        if not found:
            return []
        worst = max(found, key=lambda i: (RANK[i.severity], i.priority))
        title = Safe(self._desk.names.words(worst.title)[:30])
        return [
            Piece(Safe(f"+{len(found)} new "), "warn"),
            words.severity(worst),
            Piece(Safe(f" {words.number(worst.id)} {title}  "), "text"),
        ]

    def _counts(self) -> list[Piece]:
        mirror, shown = self._desk.mirror, len(self.table.keys)
        total = f"{mirror.active():,}" + (f", the worst {len(mirror.incidents):,} here," if mirror.truncated else "")
        counted = f"{shown:,} of {total}" if self.filter_text else total
        waiting = mirror.totals.at(self._desk.clock.now()).unacked
        follow = "  follow" if self.table.follow else ""
        return [
            Piece(Safe(f"{counted} active  "), "dim"),
            Piece(Safe(f"{waiting:,} unacked"), "strong" if waiting else "dim"),
            Piece(Safe(follow), "key"),
        ]


def _unreachable(why: str) -> list[list[Piece]]:
    return [
        *text_lines("", "No engine answers yet; trying again.", ""),
        [Piece(Safe("  ")), Piece(safe_text(why), "warn")],
    ]
