"""View 5: where and when attendance looks false, which events did, and what made them look so.

Owns the page's arrangement and its questions to the engine. Never gives a verdict without asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from textual.app import ComposeResult

from engine.client import Query
from noc_console import words
from noc_console.actions import bindings_for, declare, register
from noc_console.dialogs.facts import FactsDialog
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.filter_words import quoted
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import fraud_map
from noc_console.screens.frame import FrameScreen
from noc_console.screens.fraud_acts import FraudActs
from noc_console.screens.fraud_case import FraudCase
from noc_console.screens.fraud_pane import WATCH, FraudPane
from noc_console.screens.fraud_rows import SCORE_COLUMNS, ScoreRows, explained, model_facts, model_words
from noc_console.views import ViewSpec
from noc_console.widgets.box import Box
from noc_console.widgets.heat_grid import HeatGrid
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState, columns_of, text_lines
from noc_console.widgets.piece import Line, Piece

__all__ = ["FraudPane", "FraudScreen"]

#: The sums are asked for again this often while the page is shown; the engine makes them anew every five minutes.
AGAIN_SECONDS = 60.0
#: Spans of days by hour of the day and by date.
SPANS = {"site_hour": (30, 7, 1), "site_day": (14, 30)}
NAMED = {"site_hour": "site x hour", "site_day": "site x day"}
CELL_PAGE = 1_000
#: Below so many cells the title leaves out how well the scores did; M tells it.
MODEL_LEAST = 110

register(
    declare("fraud.turn", "t", "Hour/day", "columns are hours of the day, or dates", footer=13, command="fraud-turn"),
    declare("fraud.span", "b", "Span", "days that the heatmap is made of", footer=14, command="fraud-span"),
    declare("fraud.model", "M", "Model", "how well the scores did, and by what they are made", footer=15,
            command="fraud-model"),
)  # fmt: skip


class ScoreTable(LineTable[str]):
    """Its keys judge the marked scores."""

    BINDINGS = bindings_for("table", "verdict")


class FraudScreen(FraudActs, FrameScreen):
    SCOPES = ("fraud", "verdict")
    BINDINGS = bindings_for("fraud", "verdict")
    WATCHES = (WATCH,)
    DEFAULT_CSS = """
    FraudScreen #fraud-split, FraudScreen #fraud-low { layout: vertical; height: 1fr; width: 1fr; }
    FraudScreen #fraud-left { layout: vertical; height: 3fr; }
    FraudScreen #fraud-low { height: 2fr; }
    FraudScreen #fraud-cell { height: 3; }
    FraudScreen #fraud-why { display: none; }
    FraudScreen.-narrow #fraud-left { height: 12; }
    FraudScreen.-narrow #fraud-low { height: 1fr; }
    FraudScreen.-normal #fraud-low { layout: horizontal; }
    FraudScreen.-normal #fraud-scores { width: 3fr; margin: 0 1 0 0; }
    FraudScreen.-normal #fraud-why { display: block; width: 2fr; }
    FraudScreen.-wide #fraud-split { layout: horizontal; }
    FraudScreen.-wide #fraud-left { width: 1fr; height: 1fr; margin: 0 1 0 0; }
    FraudScreen.-wide #fraud-low { width: 1fr; height: 1fr; }
    FraudScreen.-wide #fraud-why { display: block; height: 2fr; }
    FraudScreen.-wide #fraud-scores { height: 3fr; }
    """

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__(spec)
        self._by = "site_hour"
        self._spans = dict.fromkeys(SPANS, 0)
        self._scores: dict[str, Any] = {}
        self._filter: Filter | None = None
        self._read_at = float("-inf")
        self._drawn: tuple[object, ...] = ()

    def compose_body(self) -> ComposeResult:
        client, self._names = self.desk.client, self.desk.names
        self._heat, self._models = Reading(client, self._heat_query()), Reading(client, Query(kind="fraud/models"))
        self._of_site: dict[str, Reading] = {}
        self._grid, self._cell, self._why = HeatGrid(), LineView(), LineView()
        self._cell.can_focus = False
        self._table = ScoreTable(SCORE_COLUMNS, ScoreRows(self.desk, self._scores, self._names), sort="score")
        self._heat_pane = Pane(Safe("Heatmap"), self._grid, id="fraud-heat")
        self._cell_pane = Pane(Safe("Cell"), self._cell, id="fraud-cell")
        self._score_pane = Pane(Safe("Scores"), self._table, id="fraud-scores")
        self._why_pane = Pane(Safe("Why"), self._why, id="fraud-why")
        with Box(id="fraud-split"):
            with Box(id="fraud-left"):
                yield self._heat_pane
                yield self._cell_pane
            with Box(id="fraud-low"):
                yield self._score_pane
                yield self._why_pane

    def on_mount(self) -> None:
        self._table.focus()
        self._draw_heat()

    @property
    def days(self) -> int:
        """The span of the heatmap."""
        spans = SPANS[self._by]
        return spans[self._spans[self._by] % len(spans)]

    # frames

    def apply(self, dirty: Dirty) -> None:
        if self.barred():
            self._read_at = float("-inf")
            return
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._read_at >= AGAIN_SECONDS:
            self._read_at = now
            self.run_worker(self._read, group="fraud-read", exclusive=True)  # type: ignore[arg-type]
        changed = dirty.records.get(WATCH.kind, set())
        if dirty.reset or changed:
            self._follow()
        self._draw_why()
        self._table.live(sorting_changed=bool(changed or dirty.reset), changed=None if dirty.reset else changed)
        self._draw_scores()

    async def _read(self) -> None:
        await self._heat.load()
        self._draw_heat()
        await self._models.load()
        self._of_site.clear()
        if self.is_attached:
            self._draw_heat()
            self._table.redraw()
            self._draw_scores()
            self._draw_why()

    def _heat_query(self) -> Query:
        return Query(kind="fraud/heatmap", params={"by": self._by, "days": self.days})

    def _follow(self) -> None:
        """Take what the feed says of the scores."""
        found = self.desk.mirror.lists.of(WATCH).records
        keeps = self._filter(self.desk.clock.now()) if self._filter is not None else None
        self._scores.clear()
        self._scores.update({key: score for key, score in found.items() if keeps is None or keeps(score)})
        self._table.set_keys(self._scores)

    # what is shown

    def _draw_heat(self) -> None:
        reading, pane = self._heat, self._heat_pane
        said = [Piece(Safe(f"{NAMED[self._by]}, {words.many(self.days, 'day')}  "), "dim")]
        keys = (("t", " hour/day  "), ("b", " span"))
        note = [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        problem = [Piece(reading.problem, "warn")] if reading.problem else [*said, *note]
        pane.retitle(Safe("Heatmap"), problem)
        if not reading.loaded:
            _unread(pane, reading)
        elif not reading.rows:
            told = "Nobody has checked in or out in this time, so there is nothing to judge."
            pane.page(
                PaneState.EMPTY, text_lines("", told, "Attendance events come in as CloudEvents; b asks for more days.")
            )
        else:
            pane.ready()
            columns = (
                fraud_map.hour_columns()
                if self._by == "site_hour"
                else fraud_map.day_columns(self.desk.clock.now(), self.days)
            )
            field = "hour" if self._by == "site_hour" else "day"
            self._grid.set_map(columns, fraud_map.rows_of_cells(reading.rows, field, self._names.sites))
        self._draw_cell()

    def _draw_cell(self) -> None:
        """What the cell under the cursor stands for, in words."""
        row, column, cell = self._grid.row, self._grid.column, self._grid.cell
        if row is None or column is None:
            self._cell_pane.retitle(Safe("Cell"))
            self._cell.show(
                text_lines(
                    "a digit is tenths of the worst score; a dot: events, none suspicious", style="dim", indent=1
                )
            )
            return
        self._cell_pane.retitle(row.label, [Piece(Safe("enter"), "key"), Piece(Safe(" lists this site"), "dim")])
        lines: list[Line] = [[Piece(Safe(" ")), Piece(fraud_map.cell_words(cell, column))]]
        reading = self._of_site.get(row.key)
        if cell is not None and reading is not None and reading.loaded:
            zone = self._names.zones.get(row.key, "UTC")
            scores = [score for score in reading.rows if fraud_map.in_column(score, column.key, zone)]
            bad = [score for score in scores if score.score >= 0.1]
            people, patterns = fraud_map.who_words(bad or scores, self._names.people)
            lines.append([*columns_of(Safe("who"), people, 5), Piece(Safe("  what "), "dim"), Piece(patterns)])
        elif cell is not None:
            said = reading.problem if reading is not None and reading.problem else Safe("asking who and what")
            lines.append([Piece(Safe(" ")), Piece(said, "dim")])
        self._cell.show(lines)

    def _draw_scores(self) -> None:
        found = self.desk.mirror.lists.of(WATCH)
        waiting = sum(score.verdict == "open" for score in self._scores.values())
        title = safe_text(f"Scores > {self.filter}") if self.filter else Safe("Scores")
        more = "+" if found.truncated else ""
        said = f"{len(self._scores):,}{more} of 20% or more, {waiting:,} wait  "
        short = self._score_pane.size.width < MODEL_LEAST
        model = Piece(model_words(self._models.rows, short=short) if self._models.loaded else Safe(""), "dim")
        self._score_pane.retitle(title, [Piece(Safe(said), "dim"), model])
        if found.problem and not found.loaded:
            self._score_pane.page(
                PaneState.ERROR, [[], [Piece(Safe("  Could not be read: ")), Piece(found.problem, "warn")]]
            )
        elif not found.loaded:
            self._score_pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif not self._scores:
            empty = "no score matches; esc shows all" if self.filter else "No event has scored 20% or more."
            self._score_pane.page(PaneState.EMPTY, text_lines("", empty))
        else:
            self._score_pane.ready()

    def _draw_why(self) -> None:
        score = self._scores.get(self._table.cursor or "")
        cells = self._why.scrollable_content_region.width
        drawn = (score, cells, self.desk.palette, self._names.version)
        if not cells or drawn == self._drawn:
            return
        self._drawn = drawn
        if score is None:
            self._why_pane.retitle(Safe("Why"))
            self._why.show([])
            return
        self._why_pane.retitle(Safe("Why"), [Piece(self._names.person(score.person), "dim")])
        self._why.show(explained(score, self._names, cells, self.desk.glyphs))

    # events

    def on_heat_grid_moved(self) -> None:
        self._draw_cell()
        row = self._grid.row
        if row is not None and row.key not in self._of_site:
            self.run_worker(partial(self._read_site, row.key), group="fraud-site", exclusive=True)  # type: ignore[arg-type]

    async def _read_site(self, site: str) -> None:
        since = self.desk.clock.now() - timedelta(days=self.days)
        query = Query(kind="fraud_scores", q=f"site={quoted(site)}", since=since, limit=CELL_PAGE)
        reading = Reading(self.desk.client, query)
        await reading.load()
        if self.is_attached:
            self._of_site[site] = reading
            self._draw_cell()

    def on_heat_grid_opened(self) -> None:
        """The scores of the site under the cursor."""
        if self._grid.row is not None:
            self.set_filter(f"site={quoted(self._grid.row.key)}")
            self._table.focus()

    def on_line_table_moved(self) -> None:
        self._draw_why()

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        score = self._scores.get(event.key)
        if score is not None:
            self.app.push_screen(FraudCase(self.spec, score, self._names))

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_why)

    # keys

    def do_fraud_turn(self) -> None:
        self._by = "site_day" if self._by == "site_hour" else "site_hour"
        self._ask_anew()

    def do_fraud_span(self) -> None:
        self._spans[self._by] += 1
        self._ask_anew()

    async def do_fraud_model(self) -> None:
        await self._models.load()
        if self._models.problem:
            self.desk.say(safe_text(f"not read: {self._models.problem}"), "warn")
        else:
            await self.show(FactsDialog(Safe("How the scores did"), model_facts(self._models.rows)))

    def _ask_anew(self) -> None:
        self._heat = Reading(self.desk.client, self._heat_query())
        self._of_site.clear()
        self._draw_heat()
        self.run_worker(self._read, group="fraud-read", exclusive=True)  # type: ignore[arg-type]

    def set_filter(self, text: str) -> None:
        try:
            self._filter = read_filter(text, self.desk.names.sites)
        except FilterError as error:
            self.filter_wrong(text, error.words)
            return
        super().set_filter(text.strip())
        self._follow()
        self._table.reorder()
        self._draw_scores()
        self._draw_why()

    def fraud_targets(self) -> Sequence[Any]:
        return [self._scores[key] for key in self._table.targets if key in self._scores]

    def acted(self) -> None:
        if self._table.marks:
            self._table.do_table_unmark()

    def marked(self) -> int:
        return len(self._table.marks)

    def reorder(self) -> None:
        self._read_at = float("-inf")
        self._table.reorder()

    # session

    def save_state(self) -> dict[str, Any]:
        return {
            "filter": self.filter, "by": self._by, "spans": self._spans, "sort": self._table.sort,
            "descending": self._table.descending, "cursor": self._table.cursor,
        }  # fmt: skip

    def restore_state(self, state: dict[str, Any]) -> None:
        if state.get("by") in SPANS:
            self._by = state["by"]
        spans = state.get("spans")
        if isinstance(spans, dict):
            self._spans = {by: spans[by] if isinstance(spans.get(by), int) else 0 for by in SPANS}
        self._heat = Reading(self.desk.client, self._heat_query())
        if isinstance(state.get("sort"), str):
            self._table.sort_by(state["sort"], bool(state.get("descending", True)))
        if isinstance(state.get("cursor"), str):
            self._table.wish(state["cursor"], ())
        super().restore_state(state)


def _unread(pane: Pane, reading: Reading) -> None:
    if reading.problem:
        why = [Piece(Safe("  Could not be read: ")), Piece(reading.problem, "warn")]
        pane.page(PaneState.ERROR, [[], why, [Piece(Safe("  ctrl+r tries again."), "dim")]])
    else:
        pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
