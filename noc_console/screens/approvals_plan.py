"""A plan as lines to read: who asks, what it touches, what happens without it, step by step. Pure.

Owns the order and the words. Parameters, targets and outputs were written by others: each is made safe here, shown as
text and never read as anything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from data.nouns.playbooks import Approval, Execution, Policy, StepRun
from data.records import Incident
from noc_console import words
from noc_console.lapses import is_over
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_lines import LABEL, indented, params_lines, row
from noc_console.widgets.piece import Line, Piece

#: A dry run older than this is worked out again before anything is approved.
FRESH_SECONDS = 600.0


class DryRun(Struct, frozen=True, kw_only=True):
    """The plan as the engine worked it out at `at` (monotonic seconds); `problem` says why it could not."""

    at: float
    told_at: datetime
    plan: Mapping[str, Any] | None = None
    problem: Safe = Safe("")

    @property
    def sha256(self) -> str:
        return str(self.plan["sha256"]) if self.plan is not None else ""


class Figures(Struct, frozen=True, kw_only=True):
    """How a playbook's runs of 30 days ended."""

    acted: int = 0
    success_rate: float | None = None
    mean_seconds: float | None = None


class Subject(Struct, frozen=True, kw_only=True):
    """All that is known of what is to be decided. `foretold` is what a prediction says of the incident's place.

    Without an `approval` it is a playbook that somebody may run: `dry_run` is then all there is.
    """

    playbook: str
    incident: Incident | None = None
    number: int = 0
    approval: Approval | None = None
    run: Execution | None = None
    #: The run with the plan that was shown before; what differs from it is told.
    before: Execution | None = None
    dry_run: DryRun | None = None
    figures: Figures | None = None
    foretold: Safe = Safe("")
    #: What the incident's site is called.
    site: Safe = Safe("")
    person: str = ""

    @property
    def policy(self) -> Policy | None:
        return self.run.definition.policy if self.run is not None else None

    @property
    def changed(self) -> bool:
        """The plan is no longer the one that was asked for."""
        if self.approval is None or self.approval.asks != "run" or self.dry_run is None:
            return False
        return self.dry_run.plan is not None and self.dry_run.sha256 != self.approval.plan_sha256


# -- a plan


def plan_lines(subject: Subject, now: datetime, monotonic: float, cells: int) -> list[Line]:
    """The whole of it, the most important first."""
    lines = _what_for(subject, now, cells)
    if subject.approval is not None:
        lines += _question(subject, subject.approval, now, cells)
    lines += _touches(subject, cells)
    lines += _dry_run(subject, monotonic, cells)
    lines += _without(subject, now, cells)
    lines += _with(subject, cells)
    lines.append([])
    lines += step_lines(subject, cells)
    return lines


def _what_for(subject: Subject, now: datetime, cells: int) -> list[Line]:
    incident = subject.incident
    if incident is None:
        return row("for", Safe(f"{words.number(subject.number)}, which this console does not hold"), cells)
    place = f"{subject.site}  " if incident.site else ""
    told = safe_text(f"{words.number(incident.id)} {place}{incident.title}")
    head = Piece(Safe(f" {'for':<{LABEL - 1}}"), "dim")
    room = max(20, cells - LABEL - 4)
    first, *rest = wrap(told, room)
    lines: list[Line] = [[head, words.severity(incident), Piece(Safe(" ")), Piece(first, "strong")]]
    lines += [[Piece(Safe(" " * (LABEL + 3))), Piece(part, "strong")] for part in rest[:1]]
    return lines


def _question(subject: Subject, approval: Approval, now: datetime, cells: int) -> list[Line]:
    """Who asked and why, how many have to agree, who may, how long there is."""
    if approval.asks == "outcome":
        return _outcome(subject, approval, now, cells)
    ago = words.ago(approval.at, now)
    lines = row("asked by", safe_text(f"{say.asker(approval)} {ago}: {approval.why}"), cells)
    agreed = ", ".join(_vote(vote) for vote in approval.votes)
    told = f"{len(approval.votes)} of {approval.quorum}" + (f": {agreed}" if agreed else "")
    policy = subject.policy
    if policy is not None:
        told += f"; {_who_may(policy)}"
        mine = say.standing_of(approval, policy, subject.person)
        if mine.for_whom:
            told += f"; you vote for {mine.for_whom}"
    lines += row("approve", safe_text(told), cells)
    if policy is not None and (mine := say.standing_of(approval, policy, subject.person)).problem:
        lines += row("", Safe(f"{mine.problem}"), cells, "warn")
    if approval.expires_at is not None:
        left = say.left(approval, now)
        told = f"in {left.text}, at {approval.expires_at:%H:%M:%S}Z"
        told += f"; held by {approval.held_by}" if approval.held_by else ""
        lines += row("expires", safe_text(told), cells, left.style)
    return lines


def _outcome(subject: Subject, approval: Approval, now: datetime, cells: int) -> list[Line]:
    """Nobody saw how an unsafe step ended: what is known of it, and what each answer does."""
    lines = row("UNKNOWN", safe_text(f"nobody saw how step {approval.step} ended"), cells, "alarm")
    step = _step(subject.run, approval.step)
    if step is not None and step.started_at is not None:
        lines += row("begun", Safe(f"{step.started_at:%H:%M:%S}Z, {words.ago(step.started_at, now)}"), cells)
    if step is not None and step.error:
        lines += row("because", safe_text(step.error), cells)
    lines += row("look", safe_text("at its target; doing it twice may do harm, so it is not tried again"), cells)
    lines += row("E", Safe("it was done: the run goes on after it"), cells, "text", "key")
    lines += row("x", Safe("it was not done: what can be taken back is, and the run ends"), cells, "text", "key")
    return lines


def _vote(vote: Any) -> str:
    name = vote.by if vote.by == vote.principal else f"{vote.by} for {vote.principal}"
    return f"{name} {vote.at:%H:%M}Z" + (f" ({vote.reason})" if vote.reason else "")


def _who_may(policy: Policy) -> str:
    who = f"one of {', '.join(policy.approvers)}" if policy.approvers else "whoever may approve"
    return f"{who}, but not who asked" if policy.separation_of_duties else who


def _touches(subject: Subject, cells: int) -> list[Line]:
    found = _targets(subject)
    lines = row("blast", say.targets(found, most=20), cells, "strong" if len(found) > 1 else "text")
    if subject.dry_run is not None and subject.dry_run.plan is not None:
        asks = str(subject.dry_run.plan.get("asks") or "")
        if subject.approval is None:
            told = f"people are asked first: {asks}" if asks else "it begins at once, nobody else is asked"
            lines += row("then", safe_text(told), cells, "text" if asks else "warn")
    return lines


def _targets(subject: Subject) -> Sequence[str]:
    plan = subject.dry_run.plan if subject.dry_run is not None else None
    if plan is not None:
        return [str(target) for target in plan["targets"]]
    return subject.run.targets if subject.run is not None else ()


def _dry_run(subject: Subject, monotonic: float, cells: int) -> list[Line]:
    if subject.approval is not None and subject.approval.asks == "outcome":
        return []
    dry = subject.dry_run
    if dry is None:
        return row("dry run", Safe("not yet: d works it out, nothing is done"), cells, "dim")
    age = monotonic - dry.at
    when = f"{dry.told_at:%H:%M:%S}Z ({words.short(max(0.0, age))} ago)"
    if dry.plan is None:
        return row("dry run", safe_text(f"{when}: it cannot run now: {dry.problem}"), cells, "warn")
    steps = dry.plan["steps"]
    able = sum(step["if_now"] is not False for step in steps)
    told = f"{when}: {able} of {len(steps)} steps would run"
    if subject.changed:
        lines = row("dry run", safe_text(told), cells)
        changed = "THE PLAN HAS CHANGED since it was asked for; below is the plan as it is now"
        return lines + row("", Safe(changed), cells, "warn")
    old = age >= FRESH_SECONDS
    end = ", too old: d works it out anew" if old else ", plan unchanged" if subject.approval else ""
    return row("dry run", safe_text(told + end), cells, "warn" if old else "ok")


def _without(subject: Subject, now: datetime, cells: int) -> list[Line]:
    """What stands to happen when nobody approves: known facts and, where there is one, a prediction."""
    incident = subject.incident
    parts = []
    if subject.approval is not None and subject.approval.asks == "outcome":
        parts.append("the run holds its targets until somebody answers")
    elif subject.approval is not None and subject.approval.expires_at is not None:
        parts.append("it expires and nothing is done")
    if incident is not None and not is_over(incident):
        if incident.due_at is not None:
            late = incident.due_at <= now
            span = words.short(abs((incident.due_at - now).total_seconds()))
            parts.append(f"its SLA is over since {span}" if late else f"its SLA ends in {span}")
        parts.append(f"{incident.firing:,} of {words.many(incident.alerts, 'alert')} still firing")
    if subject.foretold:
        parts.append(str(subject.foretold))
    return row("without", safe_text("; ".join(parts)), cells) if parts else []


def _with(subject: Subject, cells: int) -> list[Line]:
    """What its past says, what is checked at the end, what is taken back."""
    parts = []
    figures = subject.figures
    if figures is not None and figures.acted:
        took = f", {say.duration(figures.mean_seconds)} on average" if figures.mean_seconds is not None else ""
        parts.append(f"{say.percent(figures.success_rate)} of {words.many(figures.acted, 'run')} succeeded{took}")
    elif figures is not None:
        parts.append("it has not run in 30 days")
    definition = subject.run.definition if subject.run is not None else None
    if definition is not None and definition.verification is not None:
        check = definition.verification
        resolves = ", and resolves the incident" if check.resolves else ""
        parts.append(f"verified by {check.condition} within {say.duration(check.within_seconds)}{resolves}")
    lines = row("with", safe_text("; ".join(parts)), cells) if parts else []
    steps = _planned(subject)
    if steps:
        back = [step["name"] for step in steps if step["rollback"]]
        told = f"if a later step fails: {', '.join(back)}" if back else "nothing is taken back when a step fails"
        lines += row("rollback", safe_text(told), cells, "text" if back else "dim")
    return lines


# -- its steps


def step_lines(subject: Subject, cells: int) -> list[Line]:
    """Each step with its resolved parameters and how it behaves; beside a changed plan what it was before."""
    steps = _planned(subject)
    other = subject.before or (subject.run if subject.changed else None)
    before = {step.name: step for step in other.steps} if other is not None else {}
    lines: list[Line] = []
    for place, step in enumerate(steps, start=1):
        lines += _step_head(place, step, cells)
        lines += params_lines(step["params"], cells)
        old = before.get(step["name"])
        if old is not None and (old.params != step["params"] or list(old.targets) != list(step["targets"])):
            lines += [[Piece(Safe("     it was"), "warn")], *params_lines(old.params, cells, "warn")]
        lines += _step_notes(step, cells)
    return lines


def _planned(subject: Subject) -> list[dict[str, Any]]:
    """The steps of the dry run; of a run that was not planned again, what is kept of them."""
    if subject.dry_run is not None and subject.dry_run.plan is not None:
        return [dict(step) for step in subject.dry_run.plan["steps"]]
    if subject.run is None:
        return []
    given = {step.name: step for step in subject.run.definition.steps}
    return [
        {
            "name": step.name,
            "action": step.action,
            "params": step.params,
            "targets": step.targets,
            "words": "",
            "idempotency": "",
            "timeout_seconds": given[step.name].timeout_seconds,
            "retries": given[step.name].retries,
            "critical": given[step.name].critical,
            "rollback": given[step.name].rollback,
            "condition": given[step.name].when,
            "if_now": None if given[step.name].when else True,
            "late": False,
        }
        for step in subject.run.steps
        if step.name in given
    ]


def _step_head(place: int, step: Mapping[str, Any], cells: int) -> list[Line]:
    head = f"{place} {step['name']}  "
    told = safe_text(step["words"] or step["action"])
    first, *rest = wrap(told, max(20, cells - len(head) - 2))
    lines: list[Line] = [[Piece(Safe(" ")), Piece(safe_text(head), "strong"), Piece(first)]]
    return lines + [[Piece(Safe("     ")), Piece(part)] for part in rest]


_SAFETY = {
    "safe": "may be done again",
    "check": "only reads",
    "unsafe": "at most once, asks when nobody saw its end",
}


def _step_notes(step: Mapping[str, Any], cells: int) -> list[Line]:
    notes = [_SAFETY.get(step["idempotency"], "")]
    notes.append(f"{step['timeout_seconds']:g} s" + (f", {step['retries']} retries" if step["retries"] else ""))
    notes.append("" if step["critical"] else "goes on when it fails")
    notes.append("taken back when a later one fails" if step["rollback"] else "")
    if step["late"]:
        notes.append("filled from earlier results")
    lines = indented(safe_text("; ".join(note for note in notes if note)), cells, "dim")
    if step["condition"]:
        now = {True: "true now", False: "false now: left out", None: "known only then"}[step["if_now"]]
        style = "warn" if step["if_now"] is False else "dim"
        lines += indented(safe_text(f"if {step['condition']} ({now})"), cells, style)
    return lines


# -- parts


def _step(run: Execution | None, name: str) -> StepRun | None:
    return next((step for step in run.steps if step.name == name), None) if run is not None else None
