"""View 2: the ranked list of incidents with a peek at the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult

from data.records import Incident
from noc_console.actions import bindings_for
from noc_console.mirror import Dirty
from noc_console.screens.frame import FrameScreen
from noc_console.screens.incident_acts import IncidentActs
from noc_console.screens.incident_list import IncidentList
from noc_console.screens.peek_pane import IncidentPeek
from noc_console.widgets.box import Box
from noc_console.widgets.line_table import LineTable


class IncidentsScreen(IncidentActs, FrameScreen):
    SCOPES = ("incident",)
    BINDINGS = bindings_for("incident")

    def compose_body(self) -> ComposeResult:
        self._list = IncidentList(self.desk, id="incident-list")
        self._peek = IncidentPeek(self.desk, id="incident-peek")
        with Box(id="incident-split"):
            yield self._list
            yield self._peek

    def on_mount(self) -> None:
        self._list.table.focus()

    def apply(self, dirty: Dirty) -> None:
        self._list.apply(dirty)
        self._show_peek()

    def set_filter(self, text: str) -> None:
        problem = self._list.set_filter(text)
        if problem:
            self.filter_wrong(text, problem)
        else:
            super().set_filter(text)
            self._show_peek()

    def incident_targets(self) -> Sequence[Incident]:
        found = (self.desk.mirror.incident(number) for number in self._list.table.targets)
        return [incident for incident in found if incident is not None]

    def acted(self) -> None:
        self._list.acted()

    def marked(self) -> int:
        return len(self._list.table.marks)

    def reorder(self) -> None:
        self._list.reorder()

    def save_state(self) -> dict[str, Any]:
        return self._list.save_state()

    def restore_state(self, state: dict[str, Any]) -> None:
        self._list.restore_state(state)
        self.filter = self._list.filter_text

    def do_incident_next_unacked(self) -> None:
        self._list.step_unacked(1)

    def do_incident_previous_unacked(self) -> None:
        self._list.step_unacked(-1)

    def on_line_table_moved(self) -> None:
        self._show_peek(top=True)

    def on_line_table_marked(self) -> None:
        self.draw_lines()

    def on_line_table_opened(self, event: LineTable.Opened) -> None:
        self.open_incident(event.key)

    def _show_peek(self, *, top: bool = False) -> None:
        self._peek.look_at(self._list.current(), top=top)
