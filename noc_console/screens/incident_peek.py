"""What one incident is, in a few lines: the peek under or beside the list. Pure."""

from __future__ import annotations

from datetime import datetime

from data.records import Ack, Incident, IncidentState
from engine.reason_words import reason_words
from noc_console import words
from noc_console.directory import Directory
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.widgets.piece import Piece
from noc_console.widgets.spark import bar

LABEL = 8
#: Points below which a share of the rank would be told as +0.
LEAST_TOLD = 0.5
ENDED = (IncidentState.RESOLVED, IncidentState.CLOSED)
Lines = list[list[Piece]]


def peek_lines(incident: Incident, now: datetime, cells: int, glyphs: Glyphs, names: Directory) -> Lines:
    """The lines at a width of `cells`; long ones are broken between words."""
    room = max(20, cells - LABEL - 1)
    rows: list[tuple[str, Safe, str]] = [
        ("what", names.words(incident.title), "strong"),
        ("state", _state(incident, now), "text"),
        ("blast", _blast(incident, names), "text"),
        *[("rank" if not n else "", line, "text") for n, line in enumerate(_rank(incident, glyphs))],
        *[("" if n else "why", safe_text(reason_words(why)), "text") for n, why in enumerate(incident.why[-3:])],
        ("who", _who(incident, now), "text"),
    ]
    lines: Lines = []
    for label, text, style in rows:
        for number, part in enumerate(wrap(text, room)):
            lines.append([_label(label if not number else ""), Piece(part, style)])
    return lines


def _label(text: str) -> Piece:
    return Piece(Safe(f" {text:<{LABEL - 1}}"), "dim")


def _state(incident: Incident, now: datetime) -> Safe:
    parts = [
        words.STATE_WORDS[incident.state],
        f"began {words.ago(incident.opened_at, now)} ({incident.opened_at:%H:%M:%S}Z)",
        f"last alert {words.ago(incident.last_at, now)}",
    ]
    if incident.state in ENDED:
        return Safe(", ".join(parts))
    if incident.due_at is not None:
        left = (incident.due_at - now).total_seconds()
        parts.append(f"SLA ends in {words.short(left)}" if left > 0 else f"SLA over for {words.short(-left)}")
    if words.is_muted(incident):
        parts.append("all that fires is muted")
    if incident.shelved_until is not None and incident.shelved_until > now:
        parts.append(f"shelved until {incident.shelved_until:%H:%M}Z")
    return Safe(", ".join(parts))


def _blast(incident: Incident, names: Directory) -> Safe:
    sites = ", ".join(map(names.full_site, incident.sites[:4]))
    sites += f" and {len(incident.sites) - 4} more" if len(incident.sites) > 4 else ""
    muted = f" ({incident.muted:,} of them muted)" if incident.muted else ""
    hidden = f", {words.many(incident.suppressed, 'near repeat')} folded" if incident.suppressed else ""
    where = f"{words.many(len(incident.sites), 'site')}: {sites}" if sites else "no site"
    whose = f"of {names.client(incident.client)}" if incident.client else "of no client"
    return safe_text(
        f"{words.many(incident.alerts, 'alert')}, {incident.firing:,} firing{muted}{hidden}, "
        f"{words.many(incident.events, 'event')}; {where}, {whose}"
    )


def _rank(incident: Incident, glyphs: Glyphs) -> list[Safe]:
    """The score as a bar and its three largest shares in words; what rounds to nothing is left to `why`."""
    told = [c for c in incident.contributions if abs(c.points) >= LEAST_TOLD]
    top = sorted(told, key=lambda c: -abs(c.points))[:3]
    shares = ", ".join(f"{c.feature.replace('_', ' ')} {c.points:+.0f}" for c in top)
    return [safe_text(f"{incident.priority:.0f} {bar(incident.priority / 100, 10, glyphs)} {shares}".rstrip())]


def _who(incident: Incident, now: datetime) -> Safe:
    who = f"owned by {incident.owner}" if incident.owner else "no owner"
    notes = f"; {words.many(incident.notes, 'note')}" if incident.notes else ""
    return safe_text(f"{who}; {_ack(incident.ack, now)}{notes}")


def _ack(ack: Ack | None, now: datetime) -> str:
    if ack is None:
        return "not acknowledged"
    if ack.expires_at is not None and ack.expires_at <= now:
        return f"acknowledged by {ack.by}, lapsed"
    until = f" until {ack.expires_at:%H:%M}Z" if ack.expires_at else ""
    note = f": {ack.note}" if ack.note else ""
    return f"acknowledged by {ack.by}{until}{note}"
