"""Which alerts of an incident go into one of their own."""

from __future__ import annotations

from textual.app import ComposeResult

from data.records import Alert, Incident
from engine.client import Query
from noc_console import words
from noc_console.dialogs.dialog import Dialog
from noc_console.reading import Reading
from noc_console.safe_text import Safe
from noc_console.screens.alert_rows import ALERT_COLUMNS, AlertRows
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece

PAGE = 200


class SplitDialog(Dialog[list[int]]):
    """Answers the chosen alerts. At least one must stay behind."""

    DEFAULT_CSS = "SplitDialog > Vertical { width: 100; } SplitDialog LineTable { height: 14; }"

    def __init__(self, incident: Incident) -> None:
        keys = (("space", "choose"), ("enter", "split them off"), ("esc", "leave"))
        super().__init__(Safe(f"Split {words.number(incident.id)}: choose the alerts that leave"), keys)
        self._incident = incident
        self._alerts: dict[int, Alert] = {}
        self._count = OneLine("text")

    def compose_parts(self) -> ComposeResult:
        self._table: LineTable[int] = LineTable(ALERT_COLUMNS, AlertRows(self.desk, self._alerts), sort="sev")
        yield self._table
        yield self._count

    def on_mount(self) -> None:
        self._table.focus()
        self._draw()
        self.run_worker(self._read(), group="read", exclusive=True)

    async def _read(self) -> None:
        query = Query(kind="alerts", incident=self._incident.id, sort="-severity", limit=PAGE)
        reading = Reading(self.desk.client, query)
        await reading.load()
        self._alerts.update({alert.id: alert for alert in reading.rows})
        self._table.set_keys(self._alerts)
        if reading.problem:
            self.problem(reading.problem)
        elif reading.more:
            self.problem(Safe(f"the first {PAGE} of {self._incident.alerts:,}, worst first"), "dim")
        self._draw()

    def on_line_table_marked(self) -> None:
        self._draw()

    def on_line_table_opened(self) -> None:
        chosen, stay = self._table.marks, self._stay()
        if not chosen:
            self.problem(Safe("choose alerts with space first"), "warn")
        elif stay < 1:
            self.problem(Safe("leave at least one alert behind"), "warn")
        elif self.meant_opening():
            self.dismiss(sorted(chosen))

    def _stay(self) -> int:
        return max(self._incident.alerts, len(self._alerts)) - len(self._table.marks)

    def _draw(self) -> None:
        said = f"{len(self._table.marks)} leave for an incident of their own, {self._stay():,} stay; u takes it back"
        self._count.show([Piece(Safe(said), "dim")])
