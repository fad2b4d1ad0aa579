"""The line on top of the approvals page: its parts with their keys, and the kill switch while it is on. Pure."""

from __future__ import annotations

from data.nouns.playbooks import KillSwitch
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Line, Piece


def strip_line(here: str, waiting: int, going: int, switch: KillSwitch | None) -> Line:
    parts = (
        ("waiting", "W", f"Waiting {waiting}!" if waiting else "Waiting"),
        ("runs", "R", f"Runs {going}" if going else "Runs"),
        ("playbooks", "B", "Playbooks"),
    )
    line: list[Piece] = []
    for name, key, label in parts:
        line.append(Piece(Safe(f" {key}"), "bar-here" if name == here else "bar-key"))
        line.append(Piece(Safe(f" {label} "), "bar-here" if name == here else "bar"))
    if switch is not None:
        told = f" KILL SWITCH ON since {switch.at:%H:%M}Z by {switch.by}: {switch.reason} "
        line += [Piece(Safe("  "), "bar"), Piece(safe_text(told), "alarm"), Piece(Safe(" K lets them run"), "bar")]
    return line
