"""The list of series: every one that is kept, with what is odd about it now. Owns what is read of them and when.

Values and averages are asked for only for the rows on the screen. Never plots.
"""

from __future__ import annotations

import json
from typing import Any

from textual.message import Message

from engine.client import Query
from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.reading import MOST_ROWS, Reading
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.metrics_rows import SERIES_COLUMNS, SPARK_SLOTS, SeriesRow, SeriesRows
from noc_console.screens.operations_rows import moment
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Line, Piece

#: What goes on now; what is over comes with the plot.
WATCH = Watch(kind="anomalies", active=True)
#: All series are read again this often, while there are none, those on the screen.
LIST_SECONDS, EMPTY_SECONDS, LATEST_SECONDS = 60.0, 5.0, 15.0
PAGE = 1_000
#: Rows around those on the screen whose values are read, too.
BESIDE = 10


class SeriesPane(Pane):
    """`rows` by id, `going` the worst anomaly that goes on of each. Posts Listed when all have been read."""

    class Listed(Message):
        pass

    def __init__(self, desk: Desk, *, id: str) -> None:
        self.desk = desk
        self.rows: dict[str, SeriesRow] = {}
        self.going: dict[str, Any] = {}
        self.table: LineTable[str] = LineTable(SERIES_COLUMNS, SeriesRows(desk, self.rows, self.going), sort="odd")
        super().__init__(Safe("Series"), self.table, id=id)
        self.filter = ""
        self._list_at = self._latest_at = float("-inf")
        self._latest_of = (0, 0)
        self._truncated = self._loaded = False
        self._problem = Safe("")

    # frames

    def follow(self, dirty: Dirty) -> None:
        """One live frame."""
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._list_at >= (LIST_SECONDS if self.rows else EMPTY_SECONDS):
            self._read_list()
        elif self.rows and now - self._latest_at >= (LATEST_SECONDS if self._latest_of == self._seen() else 1.0):
            self._read_latest()
        if dirty.reset or WATCH.kind in dirty.records:
            self._follow_anomalies()
        self.table.live()
        self.draw()

    def start_over(self, filter: str) -> None:
        """Show the series that have all of these words."""
        self.filter, self._loaded = filter, False
        self.rows.clear()
        self.table.set_keys(())
        self.table.reorder()
        self.draw()
        self._read_list()

    def read_again(self) -> None:
        """With the next frame."""
        self._list_at = self._latest_at = float("-inf")
        self.table.reorder()

    def _follow_anomalies(self) -> None:
        """Take what goes on; a series that is odd has a row, also where not all series are held."""
        before = set(self.going)
        self.going.clear()
        for record in self.desk.mirror.lists.of(WATCH).rows():
            held = self.going.get(record.series)
            if held is None or record.score > held.score:
                self.going[record.series] = record
            if not self.filter and record.series not in self.rows:
                self.rows[record.series] = SeriesRow(
                    record.series, record.name, record.labels, record.site, record.value, record.last_at or record.at
                )
        self.table.set_keys(self.rows)
        self.table.live(sorting_changed=before != set(self.going))

    # readings

    def _read_list(self) -> None:
        self._list_at = self.desk.clock.monotonic()
        self.run_worker(self._list, group="metrics-list", exclusive=True)  # type: ignore[arg-type]

    async def _list(self) -> None:
        """All series, page by page, and then the values of those on the screen."""
        text, found, after = self.filter, dict[str, SeriesRow](), ""
        while True:
            params = {"text": text, "after": after, "limit": PAGE}
            reading = Reading(self.desk.client, Query(kind="metrics/series", params=params, limit=PAGE))
            await reading.load()
            if not self.is_attached or text != self.filter:
                return
            self._problem = reading.problem
            if reading.problem:
                self.draw()
                return
            found |= {row["id"]: self._row(row) for row in reading.rows}
            self._truncated = len(reading.rows) == PAGE and len(found) >= MOST_ROWS
            if len(reading.rows) < PAGE or self._truncated:
                break
            after = reading.rows[-1]["id"]
        self._take(found)
        self.post_message(self.Listed())
        self.draw()
        self._read_latest()

    def _take(self, found: dict[str, SeriesRow]) -> None:
        self._loaded = True
        first = not self.rows
        for place, row in enumerate(sorted(found.values(), key=lambda row: (row.name, row.about))):
            row.place = place
        self.rows.clear()
        self.rows.update(found)
        self._follow_anomalies()
        self.table.live(sorting_changed=True)
        if first:
            self.table.reorder()
            self.table.do_table_top()

    def _row(self, row: dict[str, Any]) -> SeriesRow:
        """What is known of its averages stays."""
        known = self.rows.get(row["id"])
        last_at = moment(row["last_at"])
        averages = known.averages if known is not None else ()
        return SeriesRow(row["id"], row["name"], row["labels"], row["site"], row["last"], last_at, averages)

    def _read_latest(self) -> None:
        self._latest_at = self.desk.clock.monotonic()
        self.run_worker(self._latest, group="metrics-latest", exclusive=True)  # type: ignore[arg-type]

    def _seen(self) -> tuple[int, int]:
        """The first row on the screen, and how many lines there are."""
        return int(self.table.scroll_offset.y), self.size.height

    async def _latest(self) -> None:
        """Newest values and averages of the rows on the screen and some beside them."""
        self._latest_of = top, height = self._seen()
        shown = self.table.keys[max(0, top - BESIDE) : top + height + BESIDE]
        if not shown:
            return
        params = {"series": json.dumps(list(shown)), "slots": SPARK_SLOTS}
        reading = Reading(self.desk.client, Query(kind="metrics/latest", params=params))
        await reading.load()
        if not self.is_attached:
            return
        for found in reading.rows:
            row = self.rows.get(found["id"])
            if row is not None:
                row.last, row.last_at, row.averages = found["last"], moment(found["last_at"]), found["averages"]
        self.table.repaint_changed()

    # what is shown

    def draw(self) -> None:
        title = safe_text(f"Series > {self.filter}") if self.filter else Safe("Series")
        more = "+, / finds the others" if self._truncated else ""
        odd = sum(1 for id in self.going if id in self.rows)
        said = [Piece(Safe(f"{len(self.rows):,}{more}, {odd:,} odd"), "warn" if odd else "dim")]
        problem = [Piece(self._problem, "warn")] if self._problem else []
        self.retitle(title, problem or (said if self._loaded else []))
        if self.rows:
            self.ready()
        elif self._problem:
            self.page(PaneState.ERROR, failed(self._problem))
        elif not self._loaded:
            self.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif self.filter:
            self.page(PaneState.EMPTY, text_lines("", "No series has all of these words; esc shows all.", ""))
        else:
            told = "No sample has come in.", "Series fill from samples: noc.sample on /ingest/events, or a Prometheus."
            self.page(PaneState.EMPTY, text_lines("", *told))


def failed(problem: Safe) -> list[Line]:
    """The page for what could not be read."""
    why = [Piece(Safe("  Could not be read: ")), Piece(problem, "warn")]
    return [[], why, [Piece(Safe("  ctrl+r tries again."), "dim")]]
