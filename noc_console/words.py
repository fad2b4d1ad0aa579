"""Numbers and records in an operator's words: ages, SLA time, ids, severities. Pure; what it gives is safe to draw."""

from __future__ import annotations

from datetime import datetime

from data.records import Incident, IncidentState
from noc_console.mirror import is_shelved, is_unacked
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Piece

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def short(seconds: float) -> Safe:
    """A duration in one unit: 40s, 6m, 2h, 3d; negative ones keep their sign."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < MINUTE:
        return Safe(f"{sign}{seconds:.0f}s" if seconds < MINUTE - 0.5 else f"{sign}1m")
    if seconds < 100 * MINUTE:
        return Safe(f"{sign}{seconds // MINUTE:.0f}m")
    if seconds < 2 * DAY:
        return Safe(f"{sign}{seconds // HOUR:.0f}h")
    return Safe(f"{sign}{seconds // DAY:.0f}d")


def age(since: datetime, now: datetime) -> Safe:
    """Whole minutes from the first on, so that a table of ages does not flicker: now, 6m, 2h, 3d."""
    seconds = max(0.0, (now - since).total_seconds())
    return Safe("now") if seconds < MINUTE else short(seconds)


def ago(since: datetime, now: datetime) -> Safe:
    """As `age`, for a sentence: just now, 6m ago."""
    found = age(since, now)
    return Safe("just now") if found == "now" else Safe(f"{found} ago")


def due(at: datetime | None, now: datetime) -> Piece:
    """Time left until an SLA ends."""
    if at is None:
        return Piece(Safe("-"), "dim")
    left = (at - now).total_seconds()
    if left <= 0:
        return Piece(Safe("over"), "warn")
    return Piece(short(left), "warn" if left < 15 * MINUTE else "text")


def number(incident: int) -> Safe:
    return Safe(f"I-{incident}")


def severity(incident: Incident) -> Piece:
    return Piece(Safe(SEVERITY_MARK[incident.severity]), SEVERITY_STYLE[incident.severity])


def owner(incident: Incident) -> Piece:
    """Who has taken it on; who has only seen it stands in the details."""
    return Piece(safe_text(incident.owner)) if incident.owner else Piece(Safe("-"), "dim")


def many(number: int, noun: str, plural: str = "") -> str:
    """ "1 alert", "1,204 alerts", "2 matches"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


_STATE = {
    IncidentState.OPEN: Piece(Safe("new"), "strong"),
    IncidentState.ACKNOWLEDGED: Piece(Safe("acked"), "ok"),
    IncidentState.RETURNED: Piece(Safe("cleared"), "warn"),
    IncidentState.RESOLVED: Piece(Safe("resolved"), "dim"),
    IncidentState.CLOSED: Piece(Safe("closed"), "dim"),
}
_SHELVED, _MUTED = Piece(Safe("shelved"), "dim"), Piece(Safe("muted"), "dim")

STATE_WORDS = {
    IncidentState.OPEN: Safe("open, not acknowledged"),
    IncidentState.ACKNOWLEDGED: Safe("acknowledged"),
    IncidentState.RETURNED: Safe("returned to normal, not acknowledged"),
    IncidentState.RESOLVED: Safe("resolved"),
    IncidentState.CLOSED: Safe("closed"),
}


def is_waiting(incident: Incident, now: datetime) -> bool:
    return is_unacked(incident, now)


def state(incident: Incident, now: datetime) -> Piece:
    """One word. What puts it aside comes first: shelved, muted (all that fires is)."""
    if is_shelved(incident, now):
        return _SHELVED
    return _MUTED if is_muted(incident) else _STATE[incident.state]


def is_muted(incident: Incident) -> bool:
    """Whether all that fires is silenced or inhibited."""
    return 0 < incident.firing <= incident.muted


def muted(incident: Incident) -> str:
    """What is muted of it, in words; "" for nothing."""
    if not incident.muted or not incident.firing:
        return ""
    all_of_it = "all" if is_muted(incident) else f"{incident.muted:,}"
    return f"{all_of_it} of {incident.firing:,} firing muted"
