"""The engine's state and the operation's KPIs in lines. Pure but for the clock it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noc_console import words
from noc_console.desk import Age, Desk
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.widgets.piece import Line, Piece

LABEL = 20
#: KPIs that are called by their letters, and what the letters stand for.
_KPI_WORDS = {"MTTA": "MTTA: time to ack", "MTTR": "MTTR: time to end"}
_STATE_WORDS = {
    "live": "takes everything in and commits it",
    "starting": "loads what was stored",
    "lagging": "is behind: what came in waits longer than 3 s to be committed",
    "degraded": "works, but a part of it is down",
    "store_down": "cannot write: senders are told to try again, nothing is taken",
    "read_only": "only reads: acts and alerts are refused",
    "stopping": "drains what came in, then ends",
}


def health_lines(desk: Desk) -> list[Line]:
    """Link first, then what the engine said last."""
    mirror, health, now = desk.mirror, desk.mirror.health, desk.clock.now()
    age = desk.age()
    seconds = desk.data_seconds()
    heard = "not yet" if seconds is None else f"{seconds:.1f} s ago"
    lines = [
        _row("link", f"{age.value}, heard from {heard}", "warn" if age in (Age.DOWN, Age.STALE) else "text"),
        _row("round trip", _rtt(desk)),
    ]
    if mirror.why_down and age is Age.DOWN:
        lines.append(_row("why", mirror.why_down, "warn"))
    if health is None:
        return lines
    state_style = "text" if health.state == "live" else "warn"
    aside = f"{words.many(health.silenced, 'alert')} silenced, {words.many(health.shelved, 'incident')} shelved"
    lines += [
        _row("state", f"{health.state}: {_STATE_WORDS.get(health.state, '')}", state_style),
        *[_row("banner", banner, "warn") for banner in health.banners],
        [],
        _row("arrivals", f"{health.rate:.1f} signals/s over the last minute"),
        _row("lag", f"{health.lag_seconds:.1f} s from taken to committed, the oldest one"),
        _row("inbox", f"{health.inbox:,} rows wait to be committed"),
        _row("committed", f"{health.seq:,} changes; this console has seen {mirror.seq:,}"),
        _row("rejects", f"{health.rejects:,} since the engine started"),
        _row("last event", words.ago(health.last_event_at, now) if health.last_event_at else "none yet"),
        [],
        _row("alarms", f"{health.alarms_10m:,} in 10 min" + (", a flood: more than 10" if health.flood else "")),
        _row("incidents", ", ".join(f"{count:,} {state}" for state, count in health.incidents.items() if count) or "0"),
        _row("put aside", aside),
        [],
        _row("engine", f"{health.version}, tenant {health.tenant}, started {words.ago(health.started_at, now)}"),
        _row("listens at", health.url or "-"),
        _row("you may", ", ".join(health.capabilities) or "-"),
    ]
    return lines


def kpi_lines(rows: Sequence[Mapping[str, Any]], cells: int) -> list[Line]:
    """Name, value and how it is reckoned."""
    lines: list[Line] = []
    for row in rows:
        name = str(row.get("name", ""))
        head = Piece(safe_text(f"  {_KPI_WORDS.get(name, name):<20.20}"), "text")
        value = Piece(safe_text(f"{_value(row):>14}  "), "strong")
        parts = wrap(safe_text(str(row.get("formula", ""))), max(20, cells - 38))
        lines.append([head, value, Piece(parts[0], "dim")])
        lines += [[Piece(Safe(" " * 38)), Piece(part, "dim")] for part in parts[1:]]
    return lines


def _value(row: Mapping[str, Any]) -> str:
    value, unit = row.get("value"), str(row.get("unit", ""))
    if value is None:
        return "no data"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "s" and isinstance(value, (int, float)):
        return words.short(value)
    return f"{value:,} {unit}".strip() if isinstance(value, (int, float)) else str(value)


def _rtt(desk: Desk) -> str:
    rtt = desk.pump.pacer.rtt
    return "not measured" if rtt is None else f"{rtt * 1000:.0f} ms to this terminal"


def _row(label: str, text: str, style: str = "text") -> Line:
    return [Piece(Safe(f"  {label:<{LABEL - 2}}"), "dim"), Piece(safe_text(text), style)]
