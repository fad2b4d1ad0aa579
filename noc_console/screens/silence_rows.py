"""Silences as rows: what they match, who made them, until when, what they hit now. Pure but for the clock it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from data.records import Matcher, Silence
from noc_console import words
from noc_console.desk import Desk
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.columns import Column
from noc_console.widgets.piece import Piece

#: One that ends within this time stands out.
SOON_SECONDS = 15 * 60

SILENCE_COLUMNS = (
    Column(key="state", title=Safe("STATE"), width=9, keep=95),
    Column(key="left", title=Safe("LEFT"), width=5, right=True, keep=98),
    Column(key="until", title=Safe("UNTIL (UTC)"), width=13, keep=50),
    Column(key="hits", title=Safe("HITS"), width=6, right=True, descending=True, keep=90),
    Column(key="matchers", title=Safe("MATCHERS"), width=24, flex=12, keep=100, sortable=False),
    Column(key="by", title=Safe("BY"), width=8, flex=2, most=16, keep=80),
    Column(key="comment", title=Safe("WHY"), width=14, flex=6, keep=60, sortable=False),
    Column(key="ticket", title=Safe("TICKET"), width=10, keep=20, sortable=False),
)


class SilenceRows:
    """Cells of a silence by its id; `hits` are the active alerts that it matches, where they have been counted."""

    def __init__(self, desk: Desk, silences: Mapping[str, Silence], hits: Mapping[str, int]) -> None:
        self._desk, self._silences, self._hits = desk, silences, hits

    def cells(self, key: str) -> Sequence[Piece]:
        silence = self._silences.get(key)
        if silence is None:
            return [Piece(Safe(""))] * len(SILENCE_COLUMNS)
        now = self._desk.clock.now()
        left = (silence.ends_at - now).total_seconds()
        hits = self._hits.get(key)
        return (
            _state(silence, now),
            Piece(words.short(max(0.0, left)), "warn" if left < SOON_SECONDS else "text"),
            Piece(Safe(f"{silence.ends_at:%d %b %H:%M}"), "dim"),
            Piece(Safe("-" if hits is None else f"{hits:,}"), "strong" if hits else "dim"),
            Piece(safe_text(matchers_text(silence.matchers)), "strong"),
            Piece(safe_text(silence.created_by or "-")),
            Piece(safe_text(silence.comment or "-"), "dim"),
            Piece(safe_text(silence.ticket or "-"), "dim"),
        )

    def rank(self, key: str, column: str) -> Any:
        silence = self._silences.get(key)
        if silence is None:
            return (0, "")
        value: dict[str, Any] = {
            "state": silence.starts_at > self._desk.clock.now(),
            "left": silence.ends_at.timestamp(),
            "until": silence.ends_at.timestamp(),
            "hits": self._hits.get(key, -1),
            "by": silence.created_by.casefold(),
        }
        return (value[column], key)


def _state(silence: Silence, now: datetime) -> Piece:
    if silence.starts_at > now:
        return Piece(Safe("- waiting"), "dim")
    return Piece(Safe("x active"), "warn")


def matchers_text(matchers: Sequence[Matcher]) -> str:
    """As they are typed: site="Harbour 2", severity=~"low|info"."""
    return ", ".join(matcher_text(matcher) for matcher in matchers)


def matcher_text(matcher: Matcher) -> str:
    sign = ("=~" if matcher.is_regex else "=") if matcher.is_equal else ("!~" if matcher.is_regex else "!=")
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{matcher.name}{sign}"{value}"'
