"""A run as lines to read, step by step with what each said. Pure.

Outputs were written by programs and by others: each is made safe here, shown as text and never read as anything else.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from data.nouns.playbooks import Execution, StepRun
from noc_console import words
from noc_console.safe_text import Safe, safe_lines, safe_text, wrap
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_lines import indented, row
from noc_console.widgets.piece import Line, Piece

#: Lines of one output that are shown with the step; the whole of it when the run is opened.
OUTPUT_LINES = 4


def progress_lines(
    run: Execution, now: datetime, cells: int, *, site: Safe, output_lines: int = OUTPUT_LINES, full: str = "#"
) -> list[Line]:
    """A run step by step, with what each said; live while it goes on. `site` is what its site is called."""
    state = say.run_state(run)
    done = sum(step.state in {"done", "skipped", "failed", "rolled_back"} for step in run.steps)
    bar = full * done + "." * (len(run.steps) - done)
    head = f"  {done} of {len(run.steps)} steps [{bar}]  {say.took(run, now)}"
    lines: list[Line] = [[Piece(Safe(" ")), state, Piece(safe_text(head), "text")]]
    lines += row("for", safe_text(f"{words.number(run.incident)} {site}"), cells)
    lines += row("asked by", safe_text(f"{say.asker(run)} {words.ago(run.at, now)}"), cells)
    lines += row("blast", say.targets(run.targets, most=20), cells)
    if run.reason:
        lines += row("because", safe_text(run.reason), cells, "warn")
    if run.cancelling:
        told = f"it stops at the next edge of a step: {run.cancelling}"
        lines += row("stops", safe_text(told), cells, "warn")
    if run.asks == "target":
        lines += row("waits", Safe("for its targets: another run holds them"), cells)
    lines.append([])
    for place, step in enumerate(run.steps, start=1):
        lines += _progress(place, step, now, cells, output_lines)
    lines += _verification(run, now, cells)
    return lines


def _progress(place: int, step: StepRun, now: datetime, cells: int, output_lines: int) -> list[Line]:
    state = say.step_state(step)
    span = (step.ended_at or now) - step.started_at if step.started_at is not None else None
    took = f"{say.duration(span):>7}" if span is not None and step.state != "skipped" else " " * 7
    tries = f"  try {step.generation}" if step.generation > 1 else ""
    name = safe_text(f" {place} {step.name}")
    lines: list[Line] = [
        [Piece(Safe(" ")), state, Piece(Safe(took), "dim"), Piece(name, "strong"), Piece(Safe(tries), "warn")]
    ]
    if step.error:
        lines += indented(safe_text(step.error), cells, "warn")
    for key, value in step.output.items():
        lines += _output(key, value, cells, output_lines)
    return lines


def _output(key: str, value: Any, cells: int, most: int) -> list[Line]:
    """What a step said; the last lines of it, for the end is where the news is."""
    texts = safe_lines(value if isinstance(value, str) else str(value), limit=200) or [Safe("-")]
    hidden = len(texts) - most
    label = f"     {key} "
    lines: list[Line] = []
    if hidden > 0:
        lines.append([Piece(safe_text(label), "dim"), Piece(Safe(f"… {hidden} lines before; enter shows all"), "dim")])
        texts, label = texts[-most:], " " * len(label)
    for number, text in enumerate(texts):
        first, *rest = wrap(text, max(16, cells - len(label) - 1))
        lines.append([Piece(safe_text(label if not number else " " * len(label)), "dim"), Piece(first)])
        lines += [[Piece(Safe(" " * len(label))), Piece(part)] for part in rest[:3]]
    return lines


def _verification(run: Execution, now: datetime, cells: int) -> list[Line]:
    check = run.definition.verification
    if check is None:
        return []
    if run.verified:
        told, style = f"verified: {check.condition}" + (", and the incident resolved" if run.resolved else ""), "ok"
    elif run.phase == "verify" and run.state == "running" and run.verify_until is not None:
        left = say.duration((run.verify_until - now).total_seconds())
        told, style = f"verifying for {left} more: {check.condition}", "key"
    elif run.state in say.OVER:
        told, style = f"not verified: {check.condition}", "dim"
    else:
        told, style = f"then verified by: {check.condition}", "dim"
    return [[], *indented(safe_text(told), cells, style)]
