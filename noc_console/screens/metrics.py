"""View 8: every series that is kept, with what is odd about it now; one of them plotted over a range of time.

Owns the arrangement, the range, and the page's questions to the engine. A reading never holds up a key: the plot that
stands stays until the next one is there. Never judges a value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from textual.app import ComposeResult

from engine.client import Query
from noc_console import words
from noc_console.actions import bindings_for, declare, register
from noc_console.mirror import Dirty
from noc_console.reading import MOST_ROWS, Reading
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, fit, safe_text, width
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.metrics_rows import (
    ANOMALY_COLUMNS,
    SERIES_COLUMNS,
    SPARK_SLOTS,
    Anomaly,
    AnomalyRows,
    SeriesRow,
    SeriesRows,
)
from noc_console.screens.metrics_words import LETTERS, UNKNOWN_LETTER
from noc_console.screens.operations_rows import moment
from noc_console.views import ViewSpec
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.plot import Plot
from noc_console.widgets.plot_canvas import GUTTER, Mark, Picture, Slot, strokes_of
from noc_console.widgets.time_axis import wall_clock, zone_words

#: What goes on now; what is over comes with the plot.
WATCH = Watch(kind="anomalies", active=True)
#: All series are read again this often, while there are none, those on the screen, the plot.
LIST_SECONDS, EMPTY_SECONDS, LATEST_SECONDS, PLOT_SECONDS = 60.0, 5.0, 15.0, 30.0
PAGE = 1_000
#: Rows around those on the screen whose values are read, too.
BESIDE = 10
RANGES: dict[str, float] = {
    "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400, "90d": 90 * 86_400,
    "2y": 730 * 86_400,
}  # fmt: skip
RESOLUTIONS = ("", "5m", "1h", "1d")
#: Quantiles that are drawn, and their words.
SHARES = {"p95": "0.95", "p99": "0.99"}
#: The oldest moment is asked for this much later, so that clocks that differ a little do not cost a resolution.
SLACK = timedelta(seconds=60)

register(
    declare("metrics.longer", "b right_parenthesis", "Longer", "a longer range: 1h 6h 24h 7d 30d 90d 2y", footer=11),
    declare("metrics.shorter", "B left_parenthesis", "Shorter", "a shorter range", footer=12),
    declare("metrics.range", "", "Range", "the range that is plotted", command="range",
            argument="1h|6h|24h|7d|30d|90d|2y"),
    declare("metrics.percentiles", "p", "p95/p99", "draw the 95th and 99th percentile, or not", footer=13,
            command="percentiles"),
    declare("metrics.band", "m", "Min-max", "draw the band from least to greatest, or not", footer=15),
    declare("metrics.resolution", "r", "Resolution", "by itself, 5 minutes, an hour, a day", footer=14,
            command="resolution", argument="[auto|5m|1h|1d]"),
    declare("metrics.clock", "t", "Clock", "times in your zone or in UTC", footer=18),
    declare("metrics.now", "e", "To now", "no cursor: what the whole range says", footer=19),
)  # fmt: skip


class MetricsScreen(IncidentActs, FrameScreen):
    SCOPES = ("metrics",)
    BINDINGS = bindings_for("metrics")
    WATCHES = (WATCH,)
    DEFAULT_CSS = """
    MetricsScreen #metrics-split { layout: vertical; height: 1fr; width: 1fr; }
    MetricsScreen #metrics-list { height: 2fr; }
    MetricsScreen #metrics-right { layout: vertical; height: 3fr; width: 1fr; }
    MetricsScreen #metrics-odd { height: 7; }
    MetricsScreen #metrics-odd.-none { display: none; }
    MetricsScreen.-narrow #metrics-right { display: none; }
    MetricsScreen.-narrow.-plotted #metrics-right { display: block; height: 1fr; }
    MetricsScreen.-narrow.-plotted #metrics-list { display: none; }
    MetricsScreen.-narrow #metrics-odd { height: 5; }
    MetricsScreen.-wide #metrics-split { layout: horizontal; }
    MetricsScreen.-wide #metrics-list { width: 5fr; height: 1fr; margin: 0 1 0 0; }
    MetricsScreen.-wide #metrics-right { width: 6fr; height: 1fr; }
    MetricsScreen.-wide #metrics-odd { height: 12; }
    """

    def __init__(self, spec: ViewSpec) -> None:
        super().__init__(spec)
        self._rows: dict[str, SeriesRow] = {}
        self._going: dict[str, Any] = {}
        self._found: dict[str, Anomaly] = {}
        self._plotted = ""
        self._range = "24h"
        self._resolution = ""
        self._quantiles = False
        self._band = True
        self._utc = False
        self._list_at = self._latest_at = self._plot_at = float("-inf")
        self._latest_of = (0, 0)
        self._truncated = self._list_loaded = False
        self._list_problem = Safe("")

    def compose_body(self) -> ComposeResult:
        self._answer = Reading(self.desk.client, Query(kind="metrics/query"))
        self._table: LineTable[str] = LineTable(
            SERIES_COLUMNS, SeriesRows(self.desk, self._rows, self._going), sort="odd"
        )
        self._anomaly_rows = AnomalyRows(self.desk, self._found)
        self._anomalies: LineTable[str] = LineTable(ANOMALY_COLUMNS, self._anomaly_rows, sort="at")
        self._plot = Plot()
        self._list_pane = Pane(Safe("Series"), self._table, id="metrics-list")
        self._plot_pane = Pane(Safe("Plot"), self._plot, id="metrics-plot")
        self._odd_pane = Pane(Safe("Anomalies"), self._anomalies, id="metrics-odd")
        with Box(id="metrics-split"):
            yield self._list_pane
            with Box(id="metrics-right"):
                yield self._plot_pane
                yield self._odd_pane

    def on_mount(self) -> None:
        self._table.focus()
        self._draw()

    # frames

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._list_at >= (LIST_SECONDS if self._rows else EMPTY_SECONDS):
            self._list_at = now
            self.run_worker(self._read_list, group="metrics-list", exclusive=True)  # type: ignore[arg-type]
        elif self._rows and now - self._latest_at >= (LATEST_SECONDS if self._latest_of == self._seen() else 1.0):
            self._read_latest()
        if self._plotted and (dirty.reset or now - self._plot_at >= PLOT_SECONDS):
            self._read_plot()
        if dirty.reset or WATCH.kind in dirty.records:
            self._follow_anomalies()
        self._table.live()
        self._anomalies.live()
        self._plot.draw()
        self._draw_list()

    def _follow_anomalies(self) -> None:
        """Take what goes on; a series that is odd has a row, also where not all series are held."""
        before = set(self._going)
        self._going.clear()
        for record in self.desk.mirror.lists.of(WATCH).rows():
            held = self._going.get(record.series)
            if held is None or record.score > held.score:
                self._going[record.series] = record
            if not self.filter and record.series not in self._rows:
                self._rows[record.series] = SeriesRow(
                    record.series, record.name, record.labels, record.site, record.value, record.last_at or record.at
                )
        self._table.set_keys(self._rows)
        self._table.live(sorting_changed=before != set(self._going))

    # readings

    async def _read_list(self) -> None:
        """All series, page by page, and then the values of those on the screen."""
        text, found, after = self.filter, dict[str, SeriesRow](), ""
        while True:
            params = {"text": text, "after": after, "limit": PAGE}
            reading = Reading(self.desk.client, Query(kind="metrics/series", params=params, limit=PAGE))
            await reading.load()
            if not self.is_attached or text != self.filter:
                return
            self._list_problem = reading.problem
            if reading.problem:
                self._draw()
                return
            found |= {row["id"]: self._row(row) for row in reading.rows}
            self._truncated = len(reading.rows) == PAGE and len(found) >= MOST_ROWS
            if len(reading.rows) < PAGE or self._truncated:
                break
            after = reading.rows[-1]["id"]
        self._list_loaded = True
        first = not self._rows
        for place, row in enumerate(sorted(found.values(), key=lambda row: (row.name, row.about))):
            row.place = place
        self._rows.clear()
        self._rows.update(found)
        self._follow_anomalies()
        self._table.live(sorting_changed=True)
        if first:
            self._table.reorder()
            self._table.do_table_top()
        if not self._plotted and self._rows and not self.has_class("-narrow"):
            self._plotted = self._table.keys[0]
            self._read_plot()
        self._draw()
        self._read_latest()

    def _row(self, row: dict[str, Any]) -> SeriesRow:
        """What is known of its averages stays."""
        known = self._rows.get(row["id"])
        last_at = moment(row["last_at"])
        averages = known.averages if known is not None else ()
        return SeriesRow(row["id"], row["name"], row["labels"], row["site"], row["last"], last_at, averages)

    def _read_latest(self) -> None:
        self._latest_at = self.desk.clock.monotonic()
        self.run_worker(self._latest, group="metrics-latest", exclusive=True)  # type: ignore[arg-type]

    def _seen(self) -> tuple[int, int]:
        """The first row on the screen, and how many lines there are."""
        return int(self._table.scroll_offset.y), self._list_pane.size.height

    async def _latest(self) -> None:
        """Newest values and averages of the rows on the screen and some beside them."""
        self._latest_of = top, height = self._seen()
        shown = self._table.keys[max(0, top - BESIDE) : top + height + BESIDE]
        if not shown:
            return
        params = {"series": json.dumps(list(shown)), "slots": SPARK_SLOTS}
        reading = Reading(self.desk.client, Query(kind="metrics/latest", params=params))
        await reading.load()
        if not self.is_attached:
            return
        for found in reading.rows:
            row = self._rows.get(found["id"])
            if row is not None:
                row.last, row.last_at, row.averages = found["last"], moment(found["last_at"]), found["averages"]
        self._table.repaint_changed()

    def _read_plot(self) -> None:
        self._plot_at = self.desk.clock.monotonic()
        self.run_worker(self._ask, group="metrics-plot", exclusive=True)  # type: ignore[arg-type]

    async def _ask(self) -> None:
        now = self.desk.clock.now()
        params = {
            "series": self._plotted,
            "from": (now - timedelta(seconds=RANGES[self._range]) + SLACK).isoformat(),
            "resolution": self._resolution,
            "quantiles": ",".join(SHARES.values()) if self._quantiles else "",
            "points": max(60, min(2_000, self._plot_pane.size.width - GUTTER - 1)),
        }
        asked = Reading(self.desk.client, Query(kind="metrics/query", params=params))
        await asked.load()
        if not self.is_attached:
            return
        if asked.problem and self._answer.rows and self._answer.rows[0]["id"] == self._plotted:
            # What stands is better than nothing, as long as it says that it is old.
            self._answer.problem = asked.problem
        else:
            self._answer = asked
        self._draw()

    # what is shown

    def _draw(self) -> None:
        self._draw_list()
        self._draw_plot()

    def _draw_list(self) -> None:
        pane = self._list_pane
        title = safe_text(f"Series > {self.filter}") if self.filter else Safe("Series")
        more = "+, / finds the others" if self._truncated else ""
        odd = sum(1 for id in self._going if id in self._rows)
        said = [Piece(Safe(f"{len(self._rows):,}{more}, {odd:,} odd"), "warn" if odd else "dim")]
        problem = [Piece(self._list_problem, "warn")] if self._list_problem else []
        pane.retitle(title, problem or (said if self._list_loaded else []))
        if self._rows:
            pane.ready()
        elif self._list_problem:
            pane.page(PaneState.ERROR, _failed(self._list_problem))
        elif not self._list_loaded:
            pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif self.filter:
            pane.page(PaneState.EMPTY, text_lines("", "No series has all of these words; esc shows all.", ""))
        else:
            told = "No sample has come in.", "Series fill from samples: noc.sample on /ingest/events, or a Prometheus."
            pane.page(PaneState.EMPTY, text_lines("", *told))

    def _draw_plot(self) -> None:
        pane, answer = self._plot_pane, self._answer
        if not self._plotted:
            pane.retitle(Safe("Plot"))
            pane.page(PaneState.EMPTY, text_lines("", "enter plots the series under the cursor", style="dim"))
            self._show_anomalies([])
            return
        loaded = bool(answer.rows) and answer.rows[0]["id"] == self._plotted
        pane.retitle(self._plot_title(), self._plot_note(loaded))
        if not loaded:
            self._plot.set_picture(None)
            self._show_anomalies([])
            page = _failed(answer.problem) if answer.problem else text_lines("", "asking the engine", style="dim")
            pane.page(PaneState.ERROR if answer.problem else PaneState.LOADING, page)
            return
        found = answer.rows[0]
        self._show_anomalies([_anomaly(row) for row in found["anomalies"]])
        if not found["points"]:
            self._plot.set_picture(None)
            pane.page(PaneState.EMPTY, text_lines("", f"No sample in the last {self._range}; b asks for more.", ""))
            return
        pane.ready()
        self._plot.set_picture(self._picture(found))
        self._plot.tell(self._told())

    def _plot_title(self) -> Safe:
        row = self._rows.get(self._plotted)
        if row is None:
            return safe_text(self._plotted)
        site = f" at {self.desk.names.site(row.site)}" if row.site else ""
        title = safe_text(f"{row.name} {row.about}{site}")
        room = max(30, self._plot_pane.size.width - 34)
        return fit(title, room) if width(title) > room else title

    def _plot_note(self, loaded: bool) -> Line:
        if self._answer.problem:
            return [Piece(Safe(f"not read: {self._answer.problem}"), "warn")]
        if not loaded:
            return [Piece(Safe(self._range), "dim")]
        found = self._answer.rows[0]
        by = f"{self._range} by {found['resolution']}" + ("" if self._resolution else " (auto)")
        zone = zone_words(self._clock, self.desk.clock.now().timestamp())
        return [Piece(Safe(f"{by}, {zone}"), "dim")]

    @property
    def _clock(self) -> Any:
        return wall_clock("UTC" if self._utc else self.desk.options.zone)

    def _picture(self, found: dict[str, Any]) -> Picture:
        until = _seconds(found["to"])
        unit = self._unit()
        names = [name for name in SHARES if name in found["points"][0]]
        slots = tuple(
            Slot(
                _seconds(point["at"]), _seconds(point["to"]), point["avg"], point["min"], point["max"], point["count"],
                tuple(point[name] for name in names),
            )
            for point in found["points"]
        )  # fmt: skip
        marks = tuple(
            Mark(
                one.id, one.at.timestamp(), one.ended_at.timestamp() if one.ended_at else None,
                LETTERS.get(one.kind, UNKNOWN_LETTER), one.value,
            )
            for one in self._found.values()
        )  # fmt: skip
        return Picture(
            since=until - RANGES[self._range], until=until, slots=slots, marks=marks, band=self._band,
            number=unit.value, clock=self._clock, zone="UTC" if self._utc else self.desk.options.zone,
        )  # fmt: skip

    def _unit(self) -> Any:
        found = self._answer.rows[0]
        return SeriesRow(found["id"], found["name"], found["labels"], found["site"], None, None).unit

    def _show_anomalies(self, found: Sequence[Anomaly]) -> None:
        self._found.clear()
        self._found.update({one.id: one for one in found})
        if self._answer.rows:
            self._anomaly_rows.unit, self._anomaly_rows.clock = self._unit(), self._clock
        self._anomalies.set_keys(self._found)
        self._anomalies.live(sorting_changed=True)
        self._odd_pane.set_class(not self._plotted, "-none")
        self._odd_pane.retitle(Safe("Anomalies"), [Piece(Safe(words.many(len(found), "stretch", "stretches")), "dim")])
        if found:
            self._odd_pane.ready()
        else:
            told = f"Nothing odd in the last {self._range}." if self._answer.rows else ""
            self._odd_pane.page(PaneState.EMPTY, text_lines(told, style="dim", indent=1))

    def _told(self) -> Line:
        """What is under the cursor, or what the whole range says."""
        slot, at, unit = self._plot.slot, self._plot.moment, self._unit()
        strokes = strokes_of(self.desk.glyphs)
        if at is None:
            found = self._answer.rows[0]["points"]
            count = sum(point["count"] for point in found)
            avg = sum(point["avg"] * point["count"] for point in found) / count
            head = [Piece(Safe(f" {self._range}  "), "strong")]
            low, high, more = min(p["min"] for p in found), max(p["max"] for p in found), []
        elif slot is None:
            return [Piece(Safe(f" {self._clock(at):%d %b %H:%M}  "), "strong"), Piece(Safe("no sample: a gap"), "warn")]
        else:
            begin, end = self._clock(slot.at), self._clock(slot.to)
            until = f"{end:%H:%M}" if end.date() == begin.date() else f"{end:%d %b %H:%M}"
            head = [Piece(Safe(f" {begin:%d %b %H:%M}-{until}  "), "strong")]
            low, high, avg, count = slot.low, slot.high, slot.avg, slot.count
            more = list(zip(SHARES, slot.quantiles, strict=False))
        line = [*head, *_pair(f"{strokes.heights[1]} avg", unit.value(avg), "spark")]
        line += _pair(f"{strokes.band} min", unit.value(low), "dim") + _pair("max", unit.value(high), "dim")
        styles = ("sev-medium", "warn")
        for place, (name, value) in enumerate(more):
            line += _pair(f"{strokes.quantiles[place]} {name}", unit.value(value), styles[place])
        if at is None and self._quantiles:
            for place, name in enumerate(SHARES):
                line += [Piece(Safe(f"{strokes.quantiles[place]} {name}  "), styles[place])]
        return [*line, *_pair("n", Safe(f"{count:,}"), "dim")]

    # events

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        if event.table is self._table:
            self._show(str(event.key))
        elif event.key in self._found:
            self._plot.point_at(self._found[event.key].at.timestamp())
            self._plot.focus()

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        if event.table is self._anomalies and event.key in self._found and self._anomalies.has_focus:
            self._plot.point_at(self._found[event.key].at.timestamp())

    def on_plot_moved(self) -> None:
        if self._answer.rows and self._answer.rows[0]["id"] == self._plotted and self._answer.rows[0]["points"]:
            self._plot.tell(self._told())

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw_plot)

    def _show(self, series: str) -> None:
        """Plot this one."""
        self._plotted = series
        self.add_class("-plotted")
        self._plot.no_cursor()
        self._draw_plot()
        self._plot.focus()
        # The plot has its size with the next layout only, and the answer has as many points as it has columns.
        self.call_after_refresh(self._read_plot)

    # keys

    def do_app_back(self) -> None:
        """When narrow the list comes back first; else as everywhere."""
        if self.has_class("-plotted") and not self.has_class("-zoomed"):
            if self._plot.cursor is not None and self._plot.has_focus:
                self._plot.no_cursor()
                return
            if not self._table.has_focus:
                self.remove_class("-plotted")
                self._table.focus()
                return
        app: Any = self.app
        app.do_app_back()

    def do_metrics_longer(self) -> None:
        self._turn(1)

    def do_metrics_shorter(self) -> None:
        self._turn(-1)

    def do_metrics_range(self, argument: str) -> None:
        if argument not in RANGES:
            self.desk.say(safe_text(f"no range {argument!r}: one of {', '.join(RANGES)}"), "warn")
            return
        self._range = argument
        self._again()

    def do_metrics_percentiles(self) -> None:
        self._quantiles = not self._quantiles
        self._again()

    def do_metrics_band(self) -> None:
        self._band = not self._band
        self._draw_plot()

    def do_metrics_resolution(self, argument: str) -> None:
        wanted = "" if argument == "auto" else argument or self._following()
        if wanted not in RESOLUTIONS:
            self.desk.say(safe_text(f"no resolution {argument!r}: auto, 5m, 1h or 1d"), "warn")
            return
        self._resolution = wanted
        self.desk.say(Safe(f"resolution: {wanted or 'by the age of the range'}"))
        self._again()

    def do_metrics_clock(self) -> None:
        self._utc = not self._utc
        self._draw_plot()

    def do_metrics_now(self) -> None:
        self._plot.no_cursor()

    def _following(self) -> str:
        return RESOLUTIONS[(RESOLUTIONS.index(self._resolution) + 1) % len(RESOLUTIONS)]

    def _turn(self, step: int) -> None:
        names = list(RANGES)
        place = names.index(self._range) + step
        if not 0 <= place < len(names):
            self.desk.say(Safe(f"{self._range} is the {'longest' if step > 0 else 'shortest'} range"))
            return
        self._range = names[place]
        self._again()

    def _again(self) -> None:
        """Another question: the picture that stands is of the old one."""
        if not self._plotted:
            return
        self._plot.no_cursor()
        self._answer = Reading(self.desk.client, Query(kind="metrics/query"))
        self._draw_plot()
        self._read_plot()

    def set_filter(self, text: str) -> None:
        super().set_filter(text.strip())
        self._list_loaded = False
        self._rows.clear()
        self._table.set_keys(())
        self._table.reorder()
        self._draw_list()
        self._list_at = self.desk.clock.monotonic()
        self.run_worker(self._read_list, group="metrics-list", exclusive=True)  # type: ignore[arg-type]

    def reorder(self) -> None:
        self._list_at = self._latest_at = self._plot_at = float("-inf")
        self._table.reorder()

    # session

    def save_state(self) -> dict[str, Any]:
        return {
            "filter": self.filter, "plotted": self._plotted, "range": self._range, "resolution": self._resolution,
            "quantiles": self._quantiles, "band": self._band, "utc": self._utc, "sort": self._table.sort,
            "descending": self._table.descending, "cursor": self._table.cursor,
        }  # fmt: skip

    def restore_state(self, state: dict[str, Any]) -> None:
        self._range = state["range"] if state.get("range") in RANGES else self._range
        self._resolution = state["resolution"] if state.get("resolution") in RESOLUTIONS else ""
        self._quantiles, self._utc = state.get("quantiles") is True, state.get("utc") is True
        self._band = state.get("band") is not False
        if isinstance(state.get("plotted"), str) and state["plotted"]:
            self._plotted = state["plotted"][:300]
        if isinstance(state.get("sort"), str):
            self._table.sort_by(state["sort"], bool(state.get("descending", True)))
        if isinstance(state.get("cursor"), str):
            self._table.wish(state["cursor"], ())
        super().restore_state(state)


def _pair(label: str, value: Safe, style: str) -> list[Piece]:
    return [Piece(Safe(f"{label} "), style), Piece(Safe(f"{value}  "), "text")]


def _failed(problem: Safe) -> list[Line]:
    why = [Piece(Safe("  Could not be read: ")), Piece(problem, "warn")]
    return [[], why, [Piece(Safe("  ctrl+r tries again."), "dim")]]


def _seconds(value: Any) -> float:
    found = moment(value)
    assert found is not None
    return found.timestamp()


def _anomaly(row: dict[str, Any]) -> Anomaly:
    began, ended = moment(row["at"]), moment(row["ended_at"])
    assert isinstance(began, datetime)
    return Anomaly(row["id"], began, ended, row["kind"], row["score"], row["value"], row["expected"])
