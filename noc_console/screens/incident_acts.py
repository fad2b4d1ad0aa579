"""Acts on incidents, for every screen that shows some: mix in and say what the targets are.

Never shows an act as done: the feed does.
"""

from __future__ import annotations

from noc_console.screens.copying import Copying
from noc_console.screens.grave_acts import GraveActs
from noc_console.screens.playbooks_acts import PlaybookActs
from noc_console.screens.quick_acts import QuickActs


class IncidentActs(QuickActs, GraveActs, PlaybookActs, Copying):
    """The `do_incident_…` handlers over `incident_targets()` (and `targets(verb)` where alerts are shown too)."""

    def do_incident_why(self) -> None:
        self._open("why")

    def do_incident_timeline(self) -> None:
        self._open("timeline")

    def _open(self, section: str) -> None:
        for incident in self.incident_targets()[:1]:
            self.open_incident(incident.id, section)
