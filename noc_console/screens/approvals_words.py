"""Playbooks, their runs and the questions about them in an operator's words. Pure; what it gives is safe to draw.

Owns who may answer a question, as the console knows it beforehand; the engine decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from data.nouns.playbooks import Approval, Execution, Policy, StepRun, key_of
from noc_console import words
from noc_console.safe_text import Safe, safe_text
from noc_console.widgets.piece import Piece

#: A run is over in these states; "unknown" waits for people.
OVER = frozenset({"success", "partial", "failed", "cancelled", "expired"})
#: A question that ends within this time stands out.
SOON_SECONDS = 120.0
NAMED_TARGETS = 3

#: What stands where a part of the page has no rows.
EMPTY: Mapping[str, tuple[str, ...]] = {
    "waiting": (
        "No playbook waits for an approval.",
        "A playbook asks when its policy says so, when it would touch many targets, or in a flood.",
        "p on an incident lists the playbooks that fit it.",
    ),
    "runs": ("No playbook has run.",),
    "playbooks": ("No playbook is loaded.", "playbooks.directory in noc.toml names the folder of their files."),
}
NO_MATCH = ("nothing matches; esc shows all",)

#: State of a run → glyph and style; the word stands beside it.
RUN_TONE: Mapping[str, tuple[str, str]] = {
    "pending": (".", "dim"),
    "running": (">", "key"),
    "success": ("+", "ok"),
    "partial": ("~", "warn"),
    "failed": ("x", "warn"),
    "cancelled": ("-", "dim"),
    "expired": ("-", "dim"),
    "unknown": ("?", "alarm"),
}
STEP_TONE: Mapping[str, tuple[str, str]] = {
    "pending": (".", "dim"),
    "queued": (".", "key"),
    "started": (">", "key"),
    "waiting": (">", "key"),
    "done": ("+", "ok"),
    "failed": ("x", "warn"),
    "skipped": ("-", "dim"),
    "cancelled": ("-", "dim"),
    "unknown": ("?", "alarm"),
    "rolled_back": ("<", "warn"),
}


class Standing(Struct, frozen=True, kw_only=True):
    """Whether somebody may answer: `problem` says why not, `for_whom` whose vote it would be ("" = the own)."""

    problem: Safe = Safe("")
    for_whom: str = ""


def standing_of(approval: Approval, policy: Policy, person: str) -> Standing:
    """What the engine will say to this person's approval."""
    me, asker = key_of(person), key_of(approval.requested_by)
    voted = {key_of(name) for vote in approval.votes for name in (vote.by, vote.principal)}
    if me in voted:
        return Standing(problem=Safe("you have approved it already; somebody else has to as well"))
    if policy.separation_of_duties and asker == me:
        return Standing(problem=Safe("you asked for it, so somebody else has to approve it"))
    if approval.asks != "run" or not policy.approvers or me in {key_of(who) for who in policy.approvers}:
        return Standing()
    out = voted | {asker} if policy.separation_of_duties else voted
    lent = {who for who, others in policy.delegates.items() if me in map(key_of, others) and key_of(who) not in out}
    lends = [who for who in policy.approvers if who in lent]
    if lends:
        return Standing(for_whom=lends[0])
    return Standing(problem=safe_text(f"its approvers are {', '.join(policy.approvers)}"))


def left(approval: Approval, now: datetime) -> Piece:
    """Time until it expires: 3:12, 24m; "-" when it does not."""
    if approval.expires_at is None:
        return Piece(Safe("-"), "dim")
    seconds = (approval.expires_at - now).total_seconds()
    if seconds <= 0:
        return Piece(Safe("over"), "warn")
    text = Safe(f"{int(seconds) // 60}:{int(seconds) % 60:02}") if seconds < 600 else words.short(seconds)
    return Piece(text, "warn" if seconds < SOON_SECONDS else "text")


def votes(approval: Approval) -> Piece:
    return Piece(Safe(f"{len(approval.votes)}/{approval.quorum}"), "strong" if approval.votes else "text")


def targets(found: Sequence[str], most: int = NAMED_TARGETS) -> Safe:
    """ "2 targets: web-1, web-2"."""
    if not found:
        return Safe("no target: it changes records of the engine alone")
    named = ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")
    return safe_text(f"{words.many(len(found), 'target')}: {named}")


def asker(run_or_approval: Any) -> Safe:
    """Who asked: a person, or a trigger."""
    name = getattr(run_or_approval, "asked_by", "") or getattr(run_or_approval, "requested_by", "")
    return Safe("its trigger") if name in {"engine", ""} else safe_text(name)


def run_state(run: Execution) -> Piece:
    """Glyph and word; what it does while it is running, what it waits for while it is pending."""
    glyph, style = RUN_TONE.get(run.state, ("?", "text"))
    word: str = run.state
    if run.state == "running":
        word = {"rollback": "taking back", "verify": "verifying"}.get(run.phase, "running")
        if run.cancelling:
            word = "cancelling"
    elif run.state == "pending":
        word = {"approval": "asks", "target": "waits"}.get(run.asks, "pending")
    return Piece(Safe(f"{glyph} {word}"), style)


def step_state(step: StepRun) -> Piece:
    glyph, style = STEP_TONE.get(step.state, ("?", "text"))
    word: str = {"rolled_back": "taken back", "queued": "next", "started": "runs", "waiting": "waits"}.get(
        step.state, step.state
    )
    if step.undoing and step.state in {"queued", "started"}:
        word = "undoing"
    return Piece(Safe(f"{glyph} {word:<10}"), style)


def steps_done(run: Execution) -> Safe:
    """ "2/3 restart": the step that it is at, of how many."""
    for place, step in enumerate(run.steps):
        if step.state in {"queued", "started", "waiting", "unknown"}:
            return safe_text(f"{place + 1}/{len(run.steps)} {step.name}")
    over = sum(step.state in {"done", "failed", "skipped", "rolled_back"} for step in run.steps)
    return Safe(f"{over}/{len(run.steps)}")


def took(run: Execution, now: datetime) -> Safe:
    """From its first step to its end, or so far."""
    if run.started_at is None:
        return Safe("-")
    return duration((run.ended_at or now) - run.started_at)


def duration(span: Any) -> Safe:
    """0.4s, 12s, 3m 10s, 2h."""
    seconds = span if isinstance(span, int | float) else span.total_seconds()
    seconds = max(0.0, float(seconds))
    if seconds < 10:
        return Safe(f"{seconds:.1f}s")
    if seconds < 60:
        return Safe(f"{seconds:.0f}s")
    if seconds < 3600:
        return Safe(f"{int(seconds) // 60}m {int(seconds) % 60:02}s")
    return words.short(seconds)


def percent(rate: float | None) -> Safe:
    return Safe("-") if rate is None else Safe(f"{rate:.0%}")


def short_hash(sha256: str) -> Safe:
    return safe_text(sha256[:12] or "-")
