"""What the next shift has to know, in one look. Pure: what is open, what ends soon, and where each is worked.

Never acts: acknowledging, assigning and extending are done on the pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from data.records import RANK, Incident, Silence
from noc_console import standing, words
from noc_console.lapses import is_acked, is_over, is_shelved
from noc_console.mirror import Mirror
from noc_console.safe_text import Safe, safe_text

#: What ends within a shift is told with its time.
SHIFT = timedelta(hours=8)
#: Lines of each kind; how many there are stands above them.
FEW = 5

Fact = tuple[str, Safe]
T = TypeVar("T")


def handover(mirror: Mirror, silences: Sequence[Silence], problem: Safe, now: datetime) -> list[Fact]:
    """Labelled lines; `problem` is why silences could not be read, "" when they were."""
    held = sorted(mirror.incidents.values(), key=lambda i: (-round(i.priority), -RANK[i.severity], i.id))
    active = [incident for incident in held if not is_over(incident)]
    acked = [incident for incident in active if is_acked(incident, now) and not is_shelved(incident, now)]
    ownerless = [incident for incident in acked if not incident.owner]
    return [
        *_part("to do", mirror.unacked(now), "incident nobody has acknowledged", "incidents nobody has acknowledged",
               lambda i: _named(mirror, i)),
        *_part("no owner", ownerless, "acknowledged incident without an owner",
               "acknowledged incidents without an owner", lambda i: _named(mirror, i)),
        *_part("come back", _ending(active, now), "acknowledgement or shelf that ends within 8 h",
               "acknowledgements and shelves that end within 8 h",
               lambda i: f"{_end(i, now):%H:%M}Z {_named(mirror, i)}"),
        *_part("asked", standing.waiting(mirror, now), "playbook that waits for an answer (4)",
               "playbooks that wait for an answer (4)", lambda one: _asked(one.playbook, one.expires_at)),
        *([("silences", safe_text(f"could not be read: {problem}"))] if problem else _silences(silences, now)),
    ]  # fmt: skip


def _silences(silences: Sequence[Silence], now: datetime) -> list[Fact]:
    soon = sorted((one for one in silences if now < one.ends_at <= now + SHIFT), key=lambda one: one.ends_at)
    told = "silence that ends within 8 h (:silences)", "silences that end within 8 h (:silences)"
    return _part("silences", soon, *told, lambda one: f"{one.ends_at:%H:%M}Z of {one.created_by}: {one.comment}")


def _part(label: str, found: Sequence[T], one: str, several: str, line: Callable[[T], str]) -> list[Fact]:
    beyond = [f".. {len(found) - FEW:,} more"] if len(found) > FEW else []
    lines = [words.many(len(found), one, several), *(line(row) for row in found[:FEW]), *beyond]
    return [(label if place == 0 else "", safe_text(text)) for place, text in enumerate(lines)]


def _named(mirror: Mirror, incident: Incident) -> str:
    site = f"{mirror.names.site(incident.site)}: " if incident.site else ""
    return f"{words.number(incident.id)} {incident.severity} {site}{mirror.names.words(incident.title)}"


def _end(incident: Incident, now: datetime) -> datetime | None:
    """When what keeps it quiet is over."""
    if is_shelved(incident, now):
        return incident.shelved_until
    return incident.ack.expires_at if incident.ack is not None and is_acked(incident, now) else None


def _ending(active: Iterable[Incident], now: datetime) -> list[Incident]:
    ends = ((_end(incident, now), incident) for incident in active)
    soon = [(end, incident.id, incident) for end, incident in ends if end is not None and end <= now + SHIFT]
    return [incident for _, _, incident in sorted(soon, key=lambda row: row[:2])]


def _asked(playbook: str, expires_at: datetime | None) -> str:
    return f"{playbook}, until {expires_at:%H:%M}Z" if expires_at is not None else playbook
