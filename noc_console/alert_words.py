"""An alert in an operator's words: what mutes it, who has it, whether it is over. Pure; safe to draw."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from data.records import Alert, AlertState
from noc_console.palette import SEVERITY_MARK, SEVERITY_STYLE
from noc_console.safe_text import Safe
from noc_console.widgets.piece import Piece


class Flag(Struct, frozen=True):
    """One thing that is true of an alert: a word of at most nine letters, and its style."""

    word: Safe
    style: str


def _flag(word: str, style: str = "dim") -> Flag:
    return Flag(Safe(word), style)


CLOSED = _flag("closed")
RESOLVED = _flag("resolved")
SILENCED = _flag("silenced")
INHIBITED = _flag("inhibited")
SHELVED = _flag("shelved")
FLAPPING = _flag("flapping", "warn")
ACKED = _flag("acked", "ok")
SUPPRESSED = _flag("repeat")
NEW = _flag("new", "strong")


def flags(alert: Alert, now: datetime) -> list[Flag]:
    """All that is true of it, what matters most first; never empty."""
    found = [flag for flag, holds in _conditions(alert, now) if holds]
    return found or [NEW]


def _conditions(alert: Alert, now: datetime) -> tuple[tuple[Flag, bool], ...]:
    ended = alert.ended_at is not None
    return (
        (CLOSED, alert.state is AlertState.CLOSED),
        (RESOLVED, ended and alert.state is not AlertState.CLOSED),
        (SILENCED, bool(alert.silenced_by) and (alert.silenced_until is None or alert.silenced_until > now)),
        (INHIBITED, bool(alert.inhibited_by)),
        (SHELVED, alert.shelved_until is not None and alert.shelved_until > now),
        (FLAPPING, alert.flapping),
        (ACKED, not ended and is_acked(alert, now)),
        (SUPPRESSED, alert.suppressed),
    )


def is_acked(alert: Alert, now: datetime) -> bool:
    return alert.ack is not None and (alert.ack.expires_at is None or alert.ack.expires_at > now)


def severity(alert: Alert) -> Piece:
    return Piece(Safe(SEVERITY_MARK[alert.severity]), SEVERITY_STYLE[alert.severity])


def number(alert: int) -> Safe:
    return Safe(f"A-{alert}")


def alert_of(given: Any) -> Alert:
    """The alert inside an answer that is made of several things: a record here, plain values over a line."""
    return given if isinstance(given, Alert) else msgspec.convert(given, Alert)
