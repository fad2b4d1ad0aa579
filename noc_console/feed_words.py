"""A message of the feed in an operator's words. Pure; safe to draw."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from data.records import Change, Severity
from noc_console import words
from noc_console.acts import shown_name
from noc_console.directory import Directory
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Piece


class _Glance(Struct):
    """The few fields of any record that a line shows."""

    title: str = ""
    severity: str = ""
    state: str = ""
    name: str = ""
    comment: str = ""
    reason: str = ""


class _Nameless(Struct):
    """Of a prediction what it foretells of whom; of a change what was changed."""

    what: str = ""
    model: str = ""
    entity: str = ""
    entity_name: str = ""
    probability: float = 0.0


_SEVERITIES = {severity.value: severity for severity in Severity}
_glance = msgspec.json.Decoder(_Glance | None)
_nameless = msgspec.json.Decoder(_Nameless | None)

#: Words for what would not fit, or is the engine's own way to say it.
_KINDS = {"correlation_identified": "signals tied to", "threshold_changed": "threshold moved"}
#: Things whose id is a digest, which tells nobody anything.
_NAMELESS = {"prediction", "change"}
_FORETOLD = {"sla": "SLA breach", "device": "device offline", "staffing": "staffing gap"}
_REASONS = {
    "new": "",
    "scored_formula": "ranked anew",
    "scored_model": "ranked anew",
    "opened_no_match": "nothing like it was open",
}

#: Cells of the thing that it happened to: I-12345, A-123456.
THING = 9
#: Ways to write the time of a line.
CLOCK, AGO, DATED = "clock", "ago", "dated"
TIMES = (CLOCK, AGO, DATED)


def when(at: datetime, now: datetime, form: str) -> Safe:
    if form == AGO:
        return Safe(f"{words.age(at, now):>5}")
    return Safe(f"{at:%Y-%m-%d %H:%M:%S}Z" if form == DATED else f"{at:%H:%M:%S}")


def change_pieces(change: Change, names: Directory) -> list[Piece]:
    """What happened to what: kind, thing, severity, place, title."""
    seen = _seen(change)
    severity = _SEVERITIES.get(seen.severity)
    mark = Piece(Safe(SEVERITY_MARK[severity]), SEVERITY_STYLE[severity]) if severity else Piece(Safe("  "))
    title = seen.title or seen.comment or seen.name or seen.reason or _what(change, seen)
    told = _REASONS.get(change.reason, change.reason.replace("_", " "))
    reason = f" ({told})" if told else ""
    kind = _KINDS.get(change.kind, change.kind.replace("_", " "))
    thing, place = _thing(change.subject), f"{names.site(change.site)}  " if change.site else ""
    if len(thing) > THING:  # a long id goes before the words, for what stands in columns is found by the eye
        named = seen.name and change.subject.startswith("device:")
        thing, title = "", title if named else f"{thing} {title}".rstrip()
    return [
        Piece(safe_text(f"{kind:<18.18} "), _tone(change.kind)),
        mark,
        Piece(safe_text(f" {thing:<{THING}} "), "strong"),
        Piece(Safe(f"{place}{names.words(title)}")),
        Piece(safe_text(reason), "dim"),
    ]


def _what(change: Change, seen: _Glance) -> str:
    """Of what has no title: what is foretold of whom, what was changed, else the state that it is in now."""
    if change.subject.partition(":")[0] not in _NAMELESS:
        return seen.state.replace("_", " ")
    try:
        told = _nameless.decode(change.record) or _Nameless()
    except msgspec.DecodeError:
        told = _Nameless()
    if not told.model:
        return told.what
    about = told.entity_name or told.entity
    return f"{_FORETOLD.get(told.model, told.model)}: {about}, {100 * told.probability:.0f}% likely"


def _thing(subject: str) -> str:
    """I-12, A-7; of all else the id alone: what it is of the line says already."""
    if subject.partition(":")[0] in _NAMELESS:
        return ""
    shown = shown_name(subject)
    return subject.partition(":")[2] if shown == safe_text(subject) and ":" in subject else shown


def _seen(change: Change) -> _Glance:
    try:
        return _glance.decode(change.record) or _Glance()
    except msgspec.DecodeError:
        return _Glance()


def _tone(kind: str) -> str:
    if kind.endswith(("_created", "_opened")):
        return "warn"
    return "ok" if kind.endswith(("_resolved", "_closed")) else "dim"
