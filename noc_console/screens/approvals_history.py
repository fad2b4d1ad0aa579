"""How a playbook has done: its figures, its last outcomes at a glance, and its runs one by one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from data.nouns.playbooks import Execution
from noc_console import words
from noc_console.reading import Reading
from noc_console.safe_text import Safe, fit, safe_text, wrap
from noc_console.screens import approvals_words as say
from noc_console.widgets.piece import Line, Piece

GLANCE = 40


def history_lines(name: str, book: Mapping[str, Any], read: Reading | None, now: datetime, cells: int) -> list[Line]:
    """`book` is the playbook's file row with its figures, `read` its latest executions, newest first."""
    lines = _figures(book, cells)
    if read is None or not read.loaded:
        told = read.problem if read is not None and read.problem else Safe("asking the engine")
        return [*lines, [Piece(Safe(" ")), Piece(told, "dim")]]
    runs: list[Execution] = list(read.rows)
    if not runs:
        return [*lines, [Piece(Safe(" it has not run yet"), "dim")]]
    lines.append(_glance(runs))
    lines.append([])
    return [*lines, *(_run(run, now, cells) for run in runs)]


def _figures(book: Mapping[str, Any], cells: int) -> list[Line]:
    lines: list[Line] = []
    if book.get("trouble"):
        lines += [[Piece(Safe(" ")), Piece(part, "warn")] for part in wrap(safe_text(book["trouble"]), cells - 2)]
    if book.get("description"):
        lines += [[Piece(Safe(" ")), Piece(part)] for part in wrap(safe_text(book["description"]), cells - 2)]
    acted, runs = book.get("acted") or 0, book.get("runs") or 0
    states = book.get("by_state") or {}
    success = states.get("success", 0)
    told = f" success {say.percent(book.get('success_rate'))} ({success} of {acted} that acted)"
    mean, median = book.get("mean_seconds"), book.get("median_seconds")
    if mean is not None:
        told += f", mean {say.duration(mean)}, median {say.duration(median or 0.0)}"
    lines.append([Piece(Safe(told), "strong" if acted else "dim")])
    others = ", ".join(f"{count} {state}" for state, count in sorted(states.items()) if state != "success")
    told = f"{words.many(runs, 'run')} in 30 days: {book.get('triggered') or 0} by trigger"
    told += f", {book.get('resolved') or 0} resolved their incident" + (f"; {others}" if others else "")
    lines += [[Piece(Safe(" ")), Piece(part, "dim")] for part in wrap(safe_text(told), cells - 2)]
    return lines


def _glance(runs: list[Execution]) -> Line:
    """Outcomes as signs, newest right: + success, ~ partial, x failed, - not begun or cancelled, ? unknown."""
    line = [Piece(Safe(" last "), "dim")]
    for run in reversed(runs[:GLANCE]):
        glyph, style = say.RUN_TONE.get(run.state, ("?", "text"))
        line.append(Piece(Safe(glyph), style))
    return line


def _run(run: Execution, now: datetime, cells: int) -> Line:
    state = say.run_state(run)
    return [
        Piece(Safe(f" {words.age(run.at, now):>4}  ")),
        Piece(fit(state.text, 12), state.style),
        Piece(Safe(f" {say.took(run, now):>7}  {words.number(run.incident):<8}")),
        Piece(safe_text(f"{say.asker(run)}"), "dim"),
        Piece(safe_text(f"  {run.reason}" if run.reason else ""), "dim"),
    ]
