"""Copying what is under the cursor: y its id, Y as what is asked for."""

from __future__ import annotations

from data.records import Incident
from noc_console import words
from noc_console.dialogs.menu import MenuDialog
from noc_console.directory import Directory
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting

_FORMS = (
    ("i", "id", "the number"),
    ("r", "row", "number, priority, severity, site and title, with tabs"),
    ("t", "text", "the title"),
    ("m", "markdown", "a list item for a ticket or a chat"),
)


class Copying(Acting):
    def do_incident_copy(self) -> None:
        self._copy(", ".join(self.copied("id")))

    async def do_incident_copy_menu(self, argument: str) -> None:
        form = argument.strip() or await self.show(MenuDialog(Safe("Copy"), _FORMS))
        named = {key: name for key, name, _ in _FORMS}.get(form or "", form)
        if named:
            self._copy("\n".join(self.copied(named)))

    def copied(self, form: str) -> list[str]:
        """The targets in this form, one line each."""
        return [incident_copied(incident, form, self.desk.names) for incident in self.incident_targets()]

    def _copy(self, text: str) -> None:
        if text:
            self.desk.say(safe_text(f"{self.desk.copy(text)}: {safe_text(text)[:60]}"), "ok")
        else:
            self.desk.say(Safe("nothing under the cursor to copy"), "warn")


def incident_copied(incident: Incident, form: str, names: Directory) -> str:
    name, title, site = words.number(incident.id), names.words(incident.title), names.full_site(incident.site)
    if form == "id":
        return name
    if form == "text":
        return f"{title}"
    if form == "markdown":
        return f"- **{name}** {title} ({incident.severity}, {site}, {incident.alerts} alerts)"
    return f"{name}\t{incident.priority:.0f}\t{incident.severity}\t{site}\t{title}"
