"""The rows behind a number, with the query that gives them; the same keys as on their own page work here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from textual.app import ComposeResult

from data.records import Alert, Incident
from engine.client import Query
from noc_console.actions import bindings_for
from noc_console.desk import Desk
from noc_console.dialogs.facts import FactsDialog
from noc_console.filter import FilterError, read_filter, with_names
from noc_console.mirror import Dirty
from noc_console.reading import Reading
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import OF_ALERTS
from noc_console.screens.alert_rows import ALERT_COLUMNS, AlertRows
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.incident_rows import INCIDENT_COLUMNS, IncidentRows
from noc_console.screens.operations_acts import FindingActs, TicketActs
from noc_console.screens.operations_rows import (
    FINDING_COLUMNS,
    RECORD_COLUMNS,
    TICKET_COLUMNS,
    FindingRows,
    RecordRows,
    TicketRows,
    facts,
)
from noc_console.views import ViewSpec
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane, PaneState, text_lines
from noc_console.widgets.piece import Piece

PAGE = 200
#: What is on the screen is read again this often.
AGAIN_SECONDS = 10.0


class TicketTable(LineTable[str]):
    """Its keys act on the marked tickets."""

    BINDINGS = bindings_for("table", "ticket")
    SCOPES = ("table", "ticket")

    def __init__(self, desk: Desk, tickets: dict[str, Any]) -> None:
        super().__init__(TICKET_COLUMNS, TicketRows(desk, tickets), sort="sla")


class FindingTable(LineTable[str]):
    """Its keys judge the marked findings."""

    BINDINGS = bindings_for("table", "finding")
    SCOPES = ("table", "finding")

    def __init__(self, desk: Desk, findings: dict[str, Any]) -> None:
        super().__init__(FINDING_COLUMNS, FindingRows(desk, findings), sort="sev")


def query_words(query: Query) -> Safe:
    """The query as it could be typed: kind, text, state, time."""
    parts = [query.kind, query.q, "" if query.active is None else "active only" if query.active else "ended only"]
    if isinstance(query.since, datetime):
        parts.append(f"since {query.since:%d %b %H:%M}Z")
    return safe_text("  ".join(part for part in parts if part))


class IncidentTable(LineTable[int]):
    """Its keys act on the marked incidents."""

    BINDINGS = bindings_for("table", "incident")
    SCOPES = ("table", "incident")

    def __init__(self, desk: Desk, incidents: dict[int, Incident]) -> None:
        super().__init__(INCIDENT_COLUMNS, IncidentRows(desk, incidents.get), sort="pri")


class AlertTable(LineTable[int]):
    """Its keys act on the marked alerts; those that are for incidents on the incidents they are of."""

    BINDINGS = bindings_for("table", "incident")
    SCOPES = ("table", "incident")

    def __init__(self, desk: Desk, alerts: dict[int, Alert]) -> None:
        super().__init__(ALERT_COLUMNS, AlertRows(desk, alerts), sort="sev")


class RecordsScreen(TicketActs, FindingActs, IncidentActs, FrameScreen):
    """`query` names the rows, `title` the number that they are behind."""

    SCOPES = ("records", "operations")
    BINDINGS = bindings_for("table", "operations")

    def __init__(self, spec: ViewSpec, title: Safe, query: Query) -> None:
        super().__init__(spec)
        self._label, self._query = title, query
        self._records: dict[Any, Any] = {}
        self._read_at = float("-inf")

    def compose_body(self) -> ComposeResult:
        self._reading = Reading(self.desk.client, self._query)
        self._table: LineTable[Any] = self._made()
        self._pane = Pane(self._label, self._table, id="records")
        self._query_line = LineView(id="records-query")
        self._query_line.can_focus = False
        self._query_line.styles.height = 1
        yield self._query_line
        yield self._pane

    def _made(self) -> LineTable[Any]:
        if self._query.kind == "tickets":
            return TicketTable(self.desk, self._records)
        if self._query.kind == "findings":
            return FindingTable(self.desk, self._records)
        if self._query.kind == "incidents":
            return IncidentTable(self.desk, self._records)
        if self._query.kind == "alerts":
            return AlertTable(self.desk, self._records)
        return LineTable(RECORD_COLUMNS, RecordRows(self.desk, self._query.kind, self._records), sort="age")

    def on_mount(self) -> None:
        self._draw()

    def apply(self, dirty: Dirty) -> None:
        now = self.desk.clock.monotonic()
        if dirty.reset or now - self._read_at >= AGAIN_SECONDS:
            self._read_at = now
            self.run_worker(self._read, group="records-read", exclusive=True)  # type: ignore[arg-type]
        self._table.live()

    async def _read(self) -> None:
        await self._reading.load()
        if self.is_attached:
            self._follow()

    def _follow(self) -> None:
        self._records.clear()
        self._records.update({record.id: record for record in self._reading.rows})
        self._table.set_keys(self._records)
        self._table.live(sorting_changed=True)
        self._draw()

    def _draw(self) -> None:
        reading = self._reading
        self._query_line.show([[Piece(Safe(" query  "), "dim"), Piece(query_words(reading.query), "strong")]])
        total = reading.total if reading.total is not None else len(self._records)
        said = f"{len(self._records):,} of {total:,}  " if reading.loaded else ""
        note = [Piece(Safe(said), "dim"), Piece(Safe("esc"), "key"), Piece(Safe(" back"), "dim")]
        self._pane.retitle(self._label, [Piece(reading.problem, "warn")] if reading.problem else note)
        if not reading.loaded and reading.problem:
            why = [Piece(Safe("  Could not be read: ")), Piece(reading.problem, "warn")]
            self._pane.page(PaneState.ERROR, [[], why, [Piece(Safe("  ctrl+r tries again."), "dim")]])
        elif not reading.loaded:
            self._pane.page(PaneState.LOADING, text_lines("", "asking the engine", style="dim"))
        elif not self._records:
            told = "Nothing matches; esc shows all." if self.filter else "Nothing is behind this number now."
            self._pane.page(PaneState.EMPTY, text_lines("", told, "" if self.filter else "esc goes back."))
        else:
            self._pane.ready()
            if self.focused is None:
                self._table.focus()

    async def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """Near the end of what was read: read on."""
        keys = self._table.keys
        if self._reading.more and keys and event.key == keys[-1]:
            await self._reading.extend()
            self._follow()

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        record = self._records.get(event.key)
        if record is None:
            return
        if self._query.kind == "incidents":
            self.open_incident(record.id)
        elif self._query.kind == "alerts":
            self.open_alert(record.id)
        else:
            self.run_worker(self.show_record(record), group="acts")

    async def show_record(self, record: Any) -> None:
        await self.show(FactsDialog(safe_text(str(record.id)), facts(record, self.desk.clock.now())))

    # keys

    def set_filter(self, text: str) -> None:
        """Ask for those behind the number that match."""
        try:
            read_filter(text)
        except FilterError as error:
            self.filter_wrong(text, error.words)
            return
        super().set_filter(text.strip())
        wanted = with_names(self.filter, self.desk.names.sites)
        both = [f"({part})" for part in (self._query.q, wanted) if part]
        self._reading = Reading(self.desk.client, replace(self._query, q=" and ".join(both)))
        self._draw()
        self.run_worker(self._read, group="records-read", exclusive=True)  # type: ignore[arg-type]

    async def do_operations_modules(self) -> None:
        await self._up("do_operations_modules")

    async def do_operations_tickets(self) -> None:
        await self._up("do_operations_tickets")

    async def do_operations_findings(self) -> None:
        await self._up("do_operations_findings")

    async def _up(self, handler: str) -> None:
        """Back to the page that this was opened from, at the part that was asked for."""
        await self.app.pop_screen()
        getattr(self.app.screen, handler, lambda: None)()

    # acts

    def incident_targets(self) -> Sequence[Incident]:
        if isinstance(self._table, IncidentTable):
            return [self._records[key] for key in self._table.targets if key in self._records]
        numbers = dict.fromkeys(alert.incident for alert in self._alerts())
        found = (self.desk.mirror.incident(number) for number in numbers if number)
        return [incident for incident in found if incident is not None]

    def targets(self, verb: str) -> list[str]:
        if verb in OF_ALERTS and isinstance(self._table, AlertTable):
            return [f"alert:{alert.id}" for alert in self._alerts()]
        return super().targets(verb)

    def _alerts(self) -> list[Alert]:
        if not isinstance(self._table, AlertTable):
            return []
        return [self._records[key] for key in self._table.targets if key in self._records]

    def ticket_targets(self) -> Sequence[str]:
        return [str(key) for key in self._table.targets] if isinstance(self._table, TicketTable) else ()

    def finding_targets(self) -> Sequence[Any]:
        if not isinstance(self._table, FindingTable):
            return ()
        return [self._records[key] for key in self._table.targets if key in self._records]

    def acted(self) -> None:
        if self._table.marks:
            self._table.do_table_unmark()
        self._read_at = float("-inf")

    def marked(self) -> int:
        return len(self._table.marks)

    def reorder(self) -> None:
        self._read_at = float("-inf")
        self._table.reorder()
