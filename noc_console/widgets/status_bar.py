"""The status bar: fixed order, words before colour, least important parts leave first when it is narrow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import ceil

from msgspec import Struct

from data.records import Severity
from noc_console.desk import Age
from noc_console.glyphs import Glyphs
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.one_line import OneLine
from noc_console.widgets.piece import Piece, line_width


class StatusFacts(Struct, frozen=True, kw_only=True):
    """Everything the bar says. Seconds and rates in the units of their names; None = not known."""

    now: datetime
    age: Age
    data_seconds: float | None = None
    down_seconds: float | None = None
    rate_per_second: float = 0.0
    trend: int = 0
    counts: Mapping[Severity, int] = {}
    shelved: int = 0
    silenced: int = 0
    approvals: int = 0
    #: Until the first of them expires.
    approval_seconds: float | None = None
    stopped: bool = False
    alarms_10m: int = 0
    flood: bool = False
    rtt_seconds: float | None = None
    link_slow: bool = False
    frozen_seconds: float | None = None
    held: int = 0
    readonly: bool = False
    undo_seconds: float | None = None
    undo_is_new: bool = False
    tenant: str = ""
    engine: str = ""
    banners: int = 0
    marks: int = 0
    quiet_until: datetime | None = None


class Part(Struct, frozen=True):
    """A part of the bar; the one with the lowest `keep` leaves first."""

    keep: int
    pieces: tuple[Piece, ...]


class StatusBar(OneLine):
    def __init__(self) -> None:
        super().__init__("bar", id="status")


def status_line(facts: StatusFacts, cells: int, glyphs: Glyphs) -> list[Piece]:
    """The bar at this width; the clock stands at its right end."""
    parts = _parts(facts, glyphs)
    clock = Piece(Safe(f"{facts.now:%H:%M:%S}Z "), "bar-strong")
    separator = Piece(Safe(f" {glyphs.bar} "), "bar-dim")
    while len(parts) > 1 and _width(parts) + len(clock.text) + 1 > cells:
        parts.remove(min(parts, key=lambda part: part.keep))
    line = [Piece(Safe(" "), "bar")]
    for number, part in enumerate(parts):
        line.extend((separator, *part.pieces) if number else part.pieces)
    gap = cells - line_width(line) - len(clock.text)
    return [*line, Piece(Safe(" " * max(0, gap)), "bar"), clock] if gap >= 0 else line


def _width(parts: list[Part]) -> int:
    return sum(line_width(part.pieces) + 3 for part in parts) - 2


def _parts(facts: StatusFacts, glyphs: Glyphs) -> list[Part]:
    found = [
        Part(100, (_age(facts),)),
        *_flags(facts),
        *_engine(facts),
        Part(50, _rate(facts, glyphs)),
        Part(90, _counts(facts)),
        _optional(60, facts.shelved > 0, f"shelved {facts.shelved}", "bar"),
        _optional(58, facts.silenced > 0, f"silenced {facts.silenced:,}", "bar"),
        _approvals(facts),
        Part(85 if facts.flood else 40, (_load(facts),)),
        *_link(facts),
    ]
    return [part for part in found if part is not None]


def _optional(keep: int, shown: bool, words: str, style: str) -> Part | None:
    return Part(keep, (Piece(Safe(words), style),)) if shown else None


def _age(facts: StatusFacts) -> Piece:
    if facts.age is Age.DOWN:
        return _down(facts)
    if facts.age is Age.STARTING or facts.data_seconds is None:
        return Piece(Safe("STARTING"), "bar-high")
    if facts.age is Age.LIVE:
        return Piece(Safe(f"LIVE {facts.data_seconds:.1f}s"), "bar-ok")
    return Piece(Safe(f"{facts.age} {facts.data_seconds:.0f}s"), "alarm" if facts.age is Age.STALE else "bar-high")


def _down(facts: StatusFacts) -> Piece:
    if facts.down_seconds is None:
        return Piece(Safe("DOWN"), "alarm")
    since = facts.now - timedelta(seconds=facts.down_seconds)
    return Piece(Safe(f"DOWN {since:%H:%M}"), "alarm")


def _flags(facts: StatusFacts) -> list[Part]:
    found: list[Part] = []
    if facts.frozen_seconds is not None:
        minutes, seconds = divmod(int(facts.frozen_seconds), 60)
        found.append(Part(98, (Piece(Safe(f"FROZEN {minutes:02}:{seconds:02} +{facts.held}"), "alarm"),)))
    if facts.undo_seconds is not None:
        keep, style = (97, "bar-key") if facts.undo_is_new else (45, "bar")
        found.append(Part(keep, (Piece(Safe(f"UNDO {_left(facts.undo_seconds)}"), style),)))
    if facts.stopped:
        found.append(Part(96, (Piece(Safe("PLAYBOOKS OFF"), "alarm"),)))
    if facts.readonly:
        found.append(Part(96, (Piece(Safe("RO"), "bar-high"),)))
    if facts.quiet_until is not None:
        found.append(Part(55, (Piece(Safe(f"QUIET to {facts.quiet_until:%H:%M}Z"), "bar-dim"),)))
    if facts.marks:
        found.append(Part(94, (Piece(Safe(f"{facts.marks} marked"), "bar-key"),)))
    return found


def _approvals(facts: StatusFacts) -> Part | None:
    """How many wait for an approval, and how long the first of them still does."""
    seconds = facts.approval_seconds
    left = "" if seconds is None else f" {_left(max(0.0, seconds))}"
    style = "alarm" if seconds is not None and seconds < 60 else "bar-key"
    return _optional(80, facts.approvals > 0, f"APPR {facts.approvals}{left}", style)


def _left(seconds: float) -> str:
    """Time left, rounded up: 10m, 1m, 59s."""
    return f"{ceil(seconds / 60)}m" if seconds > 59 else f"{ceil(seconds)}s"


def _engine(facts: StatusFacts) -> list[Part]:
    found: list[Part] = []
    if facts.engine and facts.engine not in {"live", "starting"}:
        found.append(Part(95, (Piece(safe_text(facts.engine.upper().replace("_", " ")), "alarm"),)))
    if facts.tenant:
        found.append(Part(10, (Piece(safe_text(facts.tenant), "bar-dim"),)))
    return found


def _rate(facts: StatusFacts, glyphs: Glyphs) -> tuple[Piece, ...]:
    arrow = glyphs.up if facts.trend > 0 else "v" if facts.trend < 0 else ""
    return (Piece(Safe(f"{facts.rate_per_second:.1f} al/s{' ' + arrow if arrow else ''}"), "bar"),)


_COUNTED = (
    (Severity.CRITICAL, "C", "bar-critical"),
    (Severity.HIGH, "H", "bar-high"),
    (Severity.MEDIUM, "M", "bar-medium"),
)


def _counts(facts: StatusFacts) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for severity, letter, style in _COUNTED:
        number = facts.counts.get(severity, 0)
        pieces.append(Piece(Safe(f"{letter}{number}"), style if number else "bar-dim"))
        pieces.append(Piece(Safe(" "), "bar"))
    return tuple(pieces[:-1])


def _load(facts: StatusFacts) -> Piece:
    words = f"{'FLOOD' if facts.flood else 'load'} {facts.alarms_10m}/10m"
    return Piece(Safe(words), "bar-high" if facts.flood else "bar")


def _link(facts: StatusFacts) -> list[Part]:
    if facts.link_slow:
        return [Part(93, (Piece(Safe("LINK SLOW"), "alarm"),))]
    if facts.rtt_seconds is None:
        return []
    return [Part(20, (Piece(Safe(f"rtt {facts.rtt_seconds * 1000:.0f}ms"), "bar-dim"),))]
