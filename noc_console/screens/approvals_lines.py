"""Lines of a plan and of a run: a label with its text, what hangs under a step, parameters one by one. Pure.

What is shown was written by others: it is made safe where it becomes a line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.widgets.piece import Line, Piece

LABEL = 10
PARAM_CHARS = 400


def row(label: str, text: Safe, cells: int, style: str = "text", label_style: str = "dim") -> list[Line]:
    head = Piece(Safe(f" {label:<{LABEL - 1}}"), label_style)
    pad = Piece(Safe(" " * LABEL))
    parts = wrap(text, max(20, cells - LABEL - 1))
    return [[head if not place else pad, Piece(part, style)] for place, part in enumerate(parts)]


def indented(text: Safe, cells: int, style: str) -> list[Line]:
    return [[Piece(Safe("     ")), Piece(part, style)] for part in wrap(text, max(16, cells - 6))]


def params_lines(params: Mapping[str, Any], cells: int, style: str = "text") -> list[Line]:
    """One parameter a line; texts of several lines are folded into one, with a mark where they broke."""
    lines: list[Line] = []
    for name, value in params.items():
        text = _plain(value)
        shown = safe_text(text.replace("\n", " / ")[:PARAM_CHARS])
        label = f"     {name} "
        first, *rest = wrap(shown, max(16, cells - len(label) - 1))
        lines.append([Piece(safe_text(label), "dim"), Piece(first, style)])
        lines += [[Piece(Safe(" " * len(label))), Piece(part, style)] for part in rest[:2]]
    return lines


def _plain(value: Any) -> str:
    """A list of texts without its brackets; a body as it is sent."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict) else str(value)
