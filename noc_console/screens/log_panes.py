"""The panes of the log: feed, sources, rejects, health, KPIs. Each reads and draws itself; the screen says when."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar

from textual.widget import Widget

from data.records import Change, Reject
from engine.client import Query
from noc_console.actions import bindings_for
from noc_console.desk import Desk
from noc_console.feed_words import AGO
from noc_console.filter import Filter, FilterError, read_filter
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.health_lines import LABEL, health_lines, kpi_lines
from noc_console.screens.log_tables import (
    REJECT_COLUMNS,
    SOURCE_COLUMNS,
    RejectRows,
    SourceRows,
    silent_seconds,
)
from noc_console.screens.oncall_words import duty_lines
from noc_console.widgets.feed_view import FeedView
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece

PAGE = 200
#: Seconds between two readings of who has duty.
DUTY_SECONDS = 10.0
#: Messages of before this console was opened that are read when the feed is first shown.
BEFORE = 200


class LogPane(Pane):
    """`read` asks the engine, `draw` shows what is known; `every` is the seconds between two readings, 0 = once."""

    name: ClassVar[str] = ""
    key: ClassVar[str] = ""
    label: ClassVar[str] = ""
    every: ClassVar[float] = 5.0

    def __init__(self, desk: Desk, content: Widget) -> None:
        super().__init__(Safe(self.label), content, id=f"log-{self.name}")
        self.add_class("log-pane")
        self.desk = desk

    async def read(self) -> None:
        self.draw()

    def draw(self) -> None: ...

    def badge(self) -> str:
        """What stands behind the pane's name in the strip."""
        return ""

    def set_filter(self, text: str) -> Safe:
        """Keep what matches. Answers why it cannot; "" when it does."""
        return Safe(f"{self.label} cannot be filtered" if text else "")

    def failed(self, reading: Reading) -> bool:
        """Show why nothing could be read, or that it is being read; false when there is something to draw."""
        if reading.loaded:
            return False
        if reading.problem:
            self.page(PaneState.ERROR, [[], [Piece(Safe("  Could not be read: ")), Piece(reading.problem, "warn")]])
        else:
            self.page(PaneState.LOADING, text_lines("asking the engine", style="dim"))
        return True


class FeedPane(LogPane):
    name, key, label, every = "feed", "L", "Feed", 0.0

    def __init__(self, desk: Desk) -> None:
        self.view = FeedView(id="feed-lines")
        super().__init__(desk, self.view)
        self._filter: Filter | None = None
        self.filter_text = ""
        self._seen = 0
        self._before: list[Change] = []

    async def read(self) -> None:
        """The last messages of before; those that the mirror has are left out."""
        query = Query(kind="events", sort="-seq", limit=BEFORE)
        reading = Reading(self.desk.client, query)
        await reading.load()
        first = self.desk.mirror.log[0].seq if self.desk.mirror.log else self.desk.mirror.seq + 1
        rows = sorted(reading.rows, key=lambda change: change.seq)
        self._before = [change for change in rows if change.seq < first]
        self.start_over()

    def follow(self) -> None:
        """Take what the mirror has logged since."""
        mirror = self.desk.mirror
        count = min(mirror.total_logged - self._seen, len(mirror.log))
        self._seen = mirror.total_logged
        if count > 0:
            self.view.take(self._kept(islice(mirror.log, len(mirror.log) - count, None)))
        elif self.view.times == AGO:
            self.view.refresh()
        self.draw()

    def start_over(self) -> None:
        self._seen = self.desk.mirror.total_logged
        self.view.replace(self._kept([*self._before, *self.desk.mirror.log]))
        self.draw()

    def set_filter(self, text: str) -> Safe:
        try:
            self._filter = read_filter(text, self.desk.names.sites)
        except FilterError as error:
            return error.words
        self.filter_text = text.strip()
        self.start_over()
        return Safe("")

    def draw(self) -> None:
        view = self.view
        paused = Piece(Safe(f"paused +{view.hidden:,} new, G follows"), "warn")
        state = Piece(Safe("following"), "ok") if view.follow else paused
        marks = f"{len(view.marks)} marked  " if view.marks else ""
        note = [Piece(Safe(f"{marks}{len(view.changes):,} messages  "), "dim"), state]
        self.retitle(safe_text(f"Feed > {self.filter_text}") if self.filter_text else Safe("Feed"), note)
        if view.changes:
            self.ready()
        elif self.filter_text:
            self.page(PaneState.EMPTY, text_lines("", "no message matches; esc shows all"))
        else:
            self.page(PaneState.EMPTY, text_lines("", "Nothing has happened since this engine started."))

    def on_feed_view_changed(self) -> None:
        self.draw()

    def _kept(self, changes: Any) -> list[Change]:
        if self._filter is None:
            return list(changes)
        test = self._filter(self.desk.clock.now())
        return [change for change in changes if test(change)]


class SourcesPane(LogPane):
    name, key, label = "sources", "s", "Sources"

    def __init__(self, desk: Desk) -> None:
        self.sources: dict[str, Any] = {}
        self.table: LineTable[str] = LineTable(SOURCE_COLUMNS, SourceRows(desk, self.sources), sort="state")
        super().__init__(desk, self.table)
        self._reading = Reading(desk.client, Query(kind="sources"))

    async def read(self) -> None:
        await self._reading.load()
        self.draw()

    def draw(self) -> None:
        if self.failed(self._reading):
            return
        self.sources.clear()
        self.sources.update({str(row.get("name", "")): row for row in self._reading.rows})
        self.table.set_keys(self.sources)
        self.table.live(sorting_changed=True)
        silent = self._silent()
        said = [Piece(Safe(f"{len(self.sources)} heard since the engine started  "), "dim")]
        self.retitle(Safe("Sources"), [*said, Piece(Safe(f"{silent} silent"), "warn" if silent else "dim")])
        if self.sources:
            self.ready()
        else:
            self.page(PaneState.EMPTY, text_lines("", "No source has sent anything since the engine started."))

    def badge(self) -> str:
        silent = self._silent()
        return f"{silent} silent" if silent else ""

    def _silent(self) -> int:
        now = self.desk.clock.now()
        return sum(bool(silent_seconds(source, now)) for source in self.sources.values())


class RejectsTable(LineTable[int]):
    """The dead letters; its keys replay, edit and discard."""

    BINDINGS = bindings_for("table", "reject")
    SCOPES = ("table", "reject")


class RejectsPane(LogPane):
    name, key, label = "rejects", "r", "Rejects"

    def __init__(self, desk: Desk) -> None:
        self.rejects: dict[int, Reject] = {}
        self.table = RejectsTable(REJECT_COLUMNS, RejectRows(desk, self.rejects), sort="id")
        super().__init__(desk, self.table)
        self._reading = Reading(desk.client, self._query(""))

    @staticmethod
    def _query(text: str) -> Query:
        return Query(kind="rejects", q=text, active=True, sort="-id", limit=PAGE, total=True)

    async def read(self) -> None:
        await self._reading.load()
        self.draw()

    def draw(self) -> None:
        if self.failed(self._reading):
            return
        self.rejects.clear()
        self.rejects.update({reject.id: reject for reject in self._reading.rows})
        self.table.set_keys(self.rejects)
        self.table.live(sorting_changed=True)
        total = self._reading.total if self._reading.total is not None else len(self.rejects)
        keys = (("enter", " read  "), ("e", " edit  "), ("R", " replay  "), ("d", " discard"))
        note = [piece for key, what in keys for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        self.retitle(Safe("Rejects"), [Piece(Safe(f"{total:,} wait  "), "strong" if total else "dim"), *note])
        if self.rejects:
            self.ready()
        else:
            self.page(PaneState.EMPTY, text_lines("", "No dead letter waits: everything that came in was taken."))

    def badge(self) -> str:
        total = self._reading.total if self._reading.total is not None else len(self.rejects)
        return f"{total:,}" if total else ""

    async def on_line_table_moved(self, event: LineTable.Moved) -> None:
        keys = self.table.keys
        if self._reading.more and keys and event.key == keys[-1]:
            await self._reading.extend()
            self.draw()


class HealthPane(LogPane):
    name, key, label, every = "health", "b", "Health", 1.0

    def __init__(self, desk: Desk) -> None:
        self.view = LineView()
        super().__init__(desk, self.view)
        self._duty = Reading(desk.client, Query(kind="oncall/now"))
        self._duty_read_at = float("-inf")

    async def read(self) -> None:
        now = self.desk.clock.monotonic()
        if now - self._duty_read_at >= DUTY_SECONDS:
            self._duty_read_at = now
            await self._duty.load()
        self.draw()

    def draw(self) -> None:
        duty = duty_lines(self._duty.rows, LABEL)
        self.view.show([*health_lines(self.desk), *([[], *duty] if duty else [])])
        health = self.desk.mirror.health
        self.retitle(Safe("Health"), [Piece(safe_text(health.state if health else "no engine"), "dim")])

    def badge(self) -> str:
        health = self.desk.mirror.health
        return f"{len(health.banners)}!" if health and health.banners else ""


class KpisPane(LogPane):
    name, key, label, every = "kpis", "K", "KPIs", 10.0

    def __init__(self, desk: Desk) -> None:
        self.view = LineView()
        super().__init__(desk, self.view)
        self._reading = Reading(desk.client, Query(kind="kpis"))

    async def read(self) -> None:
        await self._reading.load()
        self.draw()

    def draw(self) -> None:
        if self.failed(self._reading):
            return
        rows: Sequence[Any] = self._reading.rows
        self.view.show(kpi_lines(rows, max(40, self.view.scrollable_content_region.width or 78)))
        self.retitle(Safe("KPIs"), [Piece(Safe("last 24 h"), "dim")])
        self.ready()
