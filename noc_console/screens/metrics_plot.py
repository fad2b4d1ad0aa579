"""One series over a range of time: the plot, what is said below it, and the stretches that were odd.

Owns range, resolution and what is drawn, and asks the engine for it. A reading never holds up a key: the plot that
stands stays until the next one is there. Never judges a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from engine.client import Query
from noc_console import words
from noc_console.desk import Desk
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, fit, safe_text, width
from noc_console.screens.metrics_list import failed
from noc_console.screens.metrics_rows import ANOMALY_COLUMNS, Anomaly, AnomalyRows, SeriesRow
from noc_console.screens.metrics_words import LETTERS, UNKNOWN_LETTER, Unit
from noc_console.screens.operations_rows import moment
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Line, Piece
from noc_console.widgets.plot import Plot
from noc_console.widgets.plot_canvas import GUTTER, Mark, Picture, Slot, strokes_of
from noc_console.widgets.time_axis import WallClock, wall_clock, zone_words

#: The plot is read again this often.
PLOT_SECONDS = 30.0
RANGES: dict[str, float] = {
    "1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400, "90d": 90 * 86_400,
    "2y": 730 * 86_400,
}  # fmt: skip
RESOLUTIONS = ("", "5m", "1h", "1d")
#: Quantiles that are drawn, and their words.
SHARES = {"p95": "0.95", "p99": "0.99"}
#: The oldest moment is asked for this much later, so that clocks that differ a little do not cost a resolution.
SLACK = timedelta(seconds=60)


class OddPane(Pane):
    """The stretches of the plotted series that were odd; `found` by their ids."""

    def __init__(self, desk: Desk, *, id: str) -> None:
        self.found: dict[str, Anomaly] = {}
        self._cells = AnomalyRows(desk, self.found)
        self.table: LineTable[str] = LineTable(ANOMALY_COLUMNS, self._cells, sort="at")
        super().__init__(Safe("Anomalies"), self.table, id=id)

    def read_as(self, unit: Unit, clock: WallClock) -> None:
        """Values and times are told like this."""
        self._cells.unit, self._cells.clock = unit, clock

    def take(self, found: Sequence[Anomaly], *, nothing: str) -> None:
        """These are all; `nothing` is said when there is none."""
        self.found.clear()
        self.found.update({one.id: one for one in found})
        self.table.set_keys(self.found)
        self.table.live(sorting_changed=True)
        self.retitle(Safe("Anomalies"), [Piece(Safe(words.many(len(found), "stretch", "stretches")), "dim")])
        if found:
            self.ready()
        else:
            self.page(PaneState.EMPTY, text_lines(nothing, style="dim", indent=1))


class PlotPane(Pane):
    """`plotted` is the series that is meant, "" for none; `rows` says what is known of each."""

    def __init__(self, desk: Desk, rows: Mapping[str, SeriesRow], stretches: OddPane, *, id: str) -> None:
        self.desk, self._rows, self._stretches = desk, rows, stretches
        self.plot = Plot()
        super().__init__(Safe("Plot"), self.plot, id=id)
        self.plotted = ""
        self.range = "24h"
        self.resolution = ""
        self.quantiles = False
        self.band = True
        self.utc = False
        self._read_at = float("-inf")
        self._answer = Reading(desk.client, Query(kind="metrics/query"))

    def follow(self, dirty: Dirty) -> None:
        """One live frame."""
        if self.plotted and (dirty.reset or self.desk.clock.monotonic() - self._read_at >= PLOT_SECONDS):
            self.read()
        self._stretches.table.live()
        self.plot.draw()

    # the question

    def read(self) -> None:
        self._read_at = self.desk.clock.monotonic()
        self.run_worker(self._ask, group="metrics-plot", exclusive=True)  # type: ignore[arg-type]

    def read_again(self) -> None:
        """With the next frame."""
        self._read_at = float("-inf")

    def ask_anew(self) -> None:
        """Another question: the picture that stands is of the old one."""
        if not self.plotted:
            return
        self.plot.no_cursor()
        self._answer = Reading(self.desk.client, Query(kind="metrics/query"))
        self.draw()
        self.read()

    async def _ask(self) -> None:
        now = self.desk.clock.now()
        params = {
            "series": self.plotted,
            "from": (now - timedelta(seconds=RANGES[self.range]) + SLACK).isoformat(),
            "resolution": self.resolution,
            "quantiles": ",".join(SHARES.values()) if self.quantiles else "",
            "points": max(60, min(2_000, self.size.width - GUTTER - 1)),
        }
        asked = Reading(self.desk.client, Query(kind="metrics/query", params=params))
        await asked.load()
        if not self.is_attached:
            return
        if asked.problem and self._is_loaded:
            # What stands is better than nothing, as long as it says that it is old.
            self._answer.problem = asked.problem
        else:
            self._answer = asked
        self.draw()

    # what is shown

    @property
    def _is_loaded(self) -> bool:
        """Whether the answer that stands is about the series that is meant."""
        return bool(self._answer.rows) and self._answer.rows[0]["id"] == self.plotted

    def draw(self) -> None:
        answer = self._answer
        if not self.plotted:
            self.retitle(Safe("Plot"))
            self.page(PaneState.EMPTY, text_lines("", "enter plots the series under the cursor", style="dim"))
            self._show_anomalies([])
            return
        self.retitle(self._plot_title(), self._plot_note())
        if not self._is_loaded:
            self.plot.set_picture(None)
            self._show_anomalies([])
            page = failed(answer.problem) if answer.problem else text_lines("", "asking the engine", style="dim")
            self.page(PaneState.ERROR if answer.problem else PaneState.LOADING, page)
            return
        found = answer.rows[0]
        self._show_anomalies([_anomaly(row) for row in found["anomalies"]])
        if not found["points"]:
            self.plot.set_picture(None)
            self.page(PaneState.EMPTY, text_lines("", f"No sample in the last {self.range}; b asks for more.", ""))
            return
        self.ready()
        self.plot.set_picture(self._picture(found))
        self.plot.tell(self._told())

    def _show_anomalies(self, found: Sequence[Anomaly]) -> None:
        if self._answer.rows:
            self._stretches.read_as(self._unit(), self.clock)
        self._stretches.set_class(not self.plotted, "-none")
        self._stretches.take(found, nothing=f"Nothing odd in the last {self.range}." if self._answer.rows else "")

    def _plot_title(self) -> Safe:
        row = self._rows.get(self.plotted)
        if row is None:
            return safe_text(self.plotted)
        site = f" at {self.desk.names.site(row.site)}" if row.site else ""
        title = safe_text(f"{row.name} {row.here}{site}")
        room = max(30, self.size.width - 30)
        return fit(title, room) if width(title) > room else title

    def _plot_note(self) -> Line:
        if self._answer.problem:
            return [Piece(Safe(f"not read: {self._answer.problem}"), "warn")]
        if not self._is_loaded:
            return [Piece(Safe(self.range), "dim")]
        found = self._answer.rows[0]
        by = f"{self.range} by {found['resolution']}" + ("" if self.resolution else " (auto)")
        zone = zone_words(self.clock, self.desk.clock.now().timestamp())
        return [Piece(Safe(f"{by}, {zone}"), "dim")]

    @property
    def clock(self) -> WallClock:
        return wall_clock("UTC" if self.utc else self.desk.options.zone)

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
            for one in self._stretches.found.values()
        )  # fmt: skip
        return Picture(
            since=until - RANGES[self.range], until=until, slots=slots, marks=marks, band=self.band,
            number=unit.value, clock=self.clock, zone="UTC" if self.utc else self.desk.options.zone,
        )  # fmt: skip

    def _unit(self) -> Unit:
        found = self._answer.rows[0]
        return SeriesRow(found["id"], found["name"], found["labels"], found["site"], None, None).unit

    # below the plot

    def tell(self) -> None:
        """The cursor moved."""
        if self._is_loaded and self._answer.rows[0]["points"]:
            self.plot.tell(self._told())

    def _told(self) -> Line:
        """What is under the cursor, or what the whole range says."""
        slot, at = self.plot.slot, self.plot.moment
        if at is None:
            return self._range_told()
        if slot is None:
            return [Piece(Safe(f" {self.clock(at):%d %b %H:%M}  "), "strong"), Piece(Safe("no sample: a gap"), "warn")]
        begin, end = self.clock(slot.at), self.clock(slot.to)
        until = f"{end:%H:%M}" if end.date() == begin.date() else f"{end:%d %b %H:%M}"
        head = Piece(Safe(f" {begin:%d %b %H:%M}-{until}  "), "strong")
        line = [head, *self._figures(slot.avg, slot.low, slot.high)]
        strokes, unit = strokes_of(self.desk.glyphs), self._unit()
        for place, (name, value) in enumerate(zip(SHARES, slot.quantiles, strict=False)):
            line += _pair(f"{strokes.quantiles[place]} {name}", unit.value(value), _SHARE_STYLES[place])
        return [*line, *_pair("n", Safe(f"{slot.count:,}"), "dim")]

    def _range_told(self) -> Line:
        points = self._answer.rows[0]["points"]
        count = sum(point["count"] for point in points)
        avg = sum(point["avg"] * point["count"] for point in points) / count
        low, high = min(p["min"] for p in points), max(p["max"] for p in points)
        line = [Piece(Safe(f" {self.range}  "), "strong"), *self._figures(avg, low, high)]
        strokes = strokes_of(self.desk.glyphs)
        for place, name in enumerate(SHARES) if self.quantiles else ():
            line.append(Piece(Safe(f"{strokes.quantiles[place]} {name}  "), _SHARE_STYLES[place]))
        return [*line, *_pair("n", Safe(f"{count:,}"), "dim")]

    def _figures(self, avg: float, low: float, high: float) -> list[Piece]:
        strokes, unit = strokes_of(self.desk.glyphs), self._unit()
        line = _pair(f"{strokes.heights[1]} avg", unit.value(avg), "spark")
        return [*line, *_pair(f"{strokes.band} min", unit.value(low), "dim"), *_pair("max", unit.value(high), "dim")]


_SHARE_STYLES = ("sev-medium", "warn")


def _pair(label: str, value: Safe, style: str) -> list[Piece]:
    return [Piece(Safe(f"{label} "), style), Piece(Safe(f"{value}  "), "text")]


def _seconds(value: Any) -> float:
    found = moment(value)
    assert found is not None
    return found.timestamp()


def _anomaly(row: dict[str, Any]) -> Anomaly:
    began, ended = moment(row["at"]), moment(row["ended_at"])
    assert isinstance(began, datetime)
    return Anomaly(row["id"], began, ended, row["kind"], row["score"], row["value"], row["expected"])
