"""The facts of one incident, on top of its own screen: what the peek says, and what its state means. Pure."""

from __future__ import annotations

from datetime import datetime

from data.records import Incident, IncidentState
from noc_console import words
from noc_console.directory import Directory
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text, width, wrap
from noc_console.screens.incident_peek import LABEL, peek_lines
from noc_console.widgets.piece import Line, Piece

#: What stands in the title line beside the heading; where it fits, the first line need not repeat it.
HEADING_REST = 16


def fact_lines(incident: Incident, now: datetime, cells: int, glyphs: Glyphs, names: Directory) -> list[Line]:
    """What an unusual state means and what to do, first for a low window cuts the end; then the peek's lines."""
    lines: list[Line] = list(peek_lines(incident, now, cells, glyphs, names))
    if width(heading(incident, names)) < cells - HEADING_REST:
        del lines[0]
    front: list[Line] = []
    told = [(label, text) for label, text in _told(incident, now) if text]
    for label, text in told:
        for place, part in enumerate(wrap(text, max(20, cells - LABEL - 1))):
            head = Safe(f" {label if not place else '':<{LABEL - 1}}")
            front.append([Piece(head, "key"), Piece(part, "warn")])
    return front + lines


def heading(incident: Incident, names: Directory) -> Safe:
    return Safe(f"{words.number(incident.id)}  {incident.severity.value}  {names.words(incident.title)}")


def _told(incident: Incident, now: datetime) -> list[tuple[str, Safe]]:
    return [
        ("merged", _merged(incident)),
        ("next", _returned(incident, now)),
        ("ended", _ended(incident)),
        ("goes on", _chain(incident)),
    ]


def _merged(incident: Incident) -> Safe:
    if incident.merged_into is None:
        return Safe("")
    into = words.number(incident.merged_into)
    return Safe(f"its alerts are in {into} now; enter opens it, and acts here reach {into}")


def _returned(incident: Incident, now: datetime) -> Safe:
    if incident.state is not IncidentState.RETURNED:
        return Safe("")
    since = f" (since {incident.returned_at:%H:%M}Z)" if incident.returned_at else ""
    return Safe(f"back to normal{since}, but nobody has acknowledged it: a says seen, and ends it")


def _ended(incident: Incident) -> Safe:
    if incident.merged_into is not None or (incident.resolved_at is None and incident.closed_at is None):
        return Safe("")
    at = incident.closed_at or incident.resolved_at
    word = "closed" if incident.closed_at else "resolved"
    note = f": {incident.resolution}" if incident.resolution else ""
    return safe_text(f"{word} {at:%d %b %H:%M}Z{note}; it takes no new alert")


def _chain(incident: Incident) -> Safe:
    parts = []
    if incident.predecessor is not None:
        parts.append(f"from {words.number(incident.predecessor)}, which was full")
    if incident.successor is not None:
        parts.append(f"in {words.number(incident.successor)}, because it was full")
    return Safe(", ".join(parts))
