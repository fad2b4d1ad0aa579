"""On-call in lines: who has duty, who was told of an incident, and who is told next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from noc_console import words
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.widgets.piece import Line, Piece

#: States in which nobody else is told unless something changes.
_STILL = {"acknowledged": "ok", "over": "dim", "held": "dim", "exhausted": "warn", "quiet": "dim"}


def incident_lines(rows: Sequence[Mapping[str, Any]], now: datetime, cells: int, label: int) -> list[Line]:
    """Of the answer of incidents/{id}/oncall: duty, and where the telling stands; none where nothing is set up."""
    if not rows:
        return []
    row = rows[0]
    duty = ", ".join(f"{one['person']} ({one['rota']})" for one in row.get("duty", ()))
    told = [("duty", safe_text(duty), "text")] if duty else []
    state = str(row.get("state", ""))
    if state:
        told.append(("told", safe_text(_told(row, state, now)), _STILL.get(state, "text")))
    lines: list[Line] = []
    for name, text, style in told:
        for place, part in enumerate(wrap(text, max(20, cells - label - 1))):
            head = Safe(f" {name if not place else '':<{label - 1}}")
            lines.append([Piece(head, "key"), Piece(part, style)])
    return lines


def _told(row: Mapping[str, Any], state: str, now: datetime) -> str:
    """Where it stands, and the next step where there is one."""
    stands = f"{state}: {row['why']}" if state != "waiting" else str(row["why"])
    people, at = row.get("next_people", ()), _moment(row.get("next_at"))
    if not people or at is None:
        return stands + ("; then everybody was told" if state == "waiting" else "")
    when = f"in {words.short((at - now).total_seconds())}" if at > now else "now"
    return f"{stands}; next {' and '.join(people)} {when} unless acknowledged"


def duty_lines(rows: Sequence[Mapping[str, Any]], label: int) -> list[Line]:
    """Of the answer of oncall/now: each rota in a line."""
    return [
        [Piece(safe_text(f" {_rota(row):<{label - 2}} "), "dim"), Piece(safe_text(_has_duty(row)), "text")]
        for row in rows
    ]


def duty_facts(rows: Sequence[Mapping[str, Any]], problem: Safe) -> list[tuple[str, Safe]]:
    """The same as labelled lines; `problem` is why it could not be read, "" when it was."""
    if problem:
        return [("on call", safe_text(f"could not be read: {problem}"))]
    found = [("", safe_text(f"{row['rota']}: {_has_duty(row)}")) for row in rows]
    return found or [("on call", Safe("no rota is set up: docs/oncall.md tells how"))]


def _rota(row: Mapping[str, Any]) -> str:
    return f"on call {row['rota']}"


def _has_duty(row: Mapping[str, Any]) -> str:
    until = _moment(row.get("until"))
    till = f" until {until:%a %d %b %H:%M}Z" if until is not None else ""
    following = f", then {row['next']}" if row.get("next") else ""
    ways = f"; reached by {' and '.join(row['ways'])}" if row.get("ways") else "; in the console only"
    return f"{row['person']}{till}{following}{ways}; {row['why']}"


def _moment(given: Any) -> datetime | None:
    return None if given is None else msgspec.convert(given, datetime)
