"""The peek at the incident under a list's cursor, as a pane."""

from __future__ import annotations

from data.records import Incident
from noc_console import words
from noc_console.desk import Desk
from noc_console.safe_text import Safe
from noc_console.screens.incident_peek import peek_lines
from noc_console.widgets.line_view import LineView
from noc_console.widgets.pane import Pane
from noc_console.widgets.piece import Piece

#: What is told in ages and seconds left is drawn anew this often.
AGES_SECONDS = 5
_KEYS = (("enter", " open  "), ("w", " why"))


class IncidentPeek(Pane):
    """Tell it with `look_at` which incident is meant. Draws nothing while it is not shown."""

    def __init__(self, desk: Desk, *, id: str) -> None:
        self._desk = desk
        self._lines = LineView()
        self._drawn: tuple[object, ...] = ()
        super().__init__(Safe("-"), self._lines, id=id)

    def look_at(self, incident: Incident | None, *, top: bool = False) -> None:
        cells, now = self._lines.scrollable_content_region.width, self._desk.clock.now()
        drawn = (incident, cells, int(now.timestamp() // AGES_SECONDS), self._desk.palette, self._desk.names.version)
        if not cells or (drawn == self._drawn and not top):
            return
        self._drawn = drawn
        if incident is None:
            self.retitle(Safe("no incident"))
            self._lines.show([])
            return
        note = [piece for key, what in _KEYS for piece in (Piece(Safe(key), "key"), Piece(Safe(what), "dim"))]
        self.retitle(words.number(incident.id), note)
        self._lines.show(peek_lines(incident, now, cells, self._desk.glyphs, self._desk.names), top=top)
