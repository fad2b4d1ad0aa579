"""The executor: moves one execution from step edge to step edge. On the line: pure, every move is one commit.

    pending ─room─▶ running: forward ──all steps──▶ verify ──▶ success | partial
                       │ critical failure ──▶ rollback ──▶ failed
                       │ nobody saw an unsafe step end ──▶ unknown ──people──▶ forward | rollback
    step: pending ─▶ queued (outbox) ─▶ started (committed before the act) ─▶ done | failed | queued again | unknown

Owns the states of a run. What a step is made of is in `steps`, what runners tell in `results`. Who may run is
`limits`', people's answers are `approvals`', time is `clock`'s.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Execution
from data.records import ENDED, Incident
from engine.book import Draft
from engine.playbooks import approvals, due, expression
from engine.playbooks.limits import full, kill_switch, note_targets
from engine.playbooks.plan import condition_holds
from engine.playbooks.steps import ERROR_CHARS, given_of, prepare, take_back, values_now
from engine.reasons import ReasonCode
from engine.stages import dedup, triage


def put(draft: Draft, run: Execution) -> Execution:
    """Write it, unless it is what is there."""
    there = draft.noun("executions", run.id)
    if there is run or there == run:
        return run
    left = note_targets(draft, run)
    draft.put_noun(run, ReasonCode.BY_PLAYBOOK)
    due.note(draft, run)
    for place in left:
        due.freed(draft, place)
    return run


def set_going(draft: Draft, run: Execution) -> Execution:
    """Begin it, or have it wait for its targets."""
    stopped = kill_switch(draft)
    if stopped is not None:
        return finish(draft, run, "cancelled", f"the kill switch is on: {stopped.reason}")
    minutes = run.definition.policy.expires_minutes
    if full(draft, run) is not None:
        expires = run.expires_at if run.asks == "target" else draft.now + timedelta(minutes=minutes)
        return put(draft, replace(run, state="pending", asks="target", expires_at=expires))
    deadline = draft.now + timedelta(minutes=run.definition.policy.deadline_minutes)
    run = replace(run, state="running", asks="", started_at=draft.now, deadline_at=deadline, expires_at=None)
    draft.record(run.incident, "playbook_started", actor=f"playbook/{run.playbook}", text=run.id)
    return advance(draft, run)


def finish(draft: Draft, run: Execution, state: Any, reason: str = "") -> Execution:
    """Over; steps that had not begun never will."""
    steps = tuple(
        replace(step, state="cancelled", ended_at=draft.now) if step.state in ("pending", "queued", "waiting") else step
        for step in run.steps
    )
    run = replace(run, state=state, reason=reason[:ERROR_CHARS], ended_at=draft.now, steps=steps, asks="")
    approvals.close_all(draft, run, "expired" if state == "expired" else "cancelled", reason)
    text = f"{run.id}: {state}" + (f", {run.reason}" if reason else "")
    draft.record(run.incident, "playbook_ended", actor=f"playbook/{run.playbook}", text=text)
    return put(draft, run)


def cancel(draft: Draft, run: Execution, reason: str) -> Execution:
    """At the next step edge: what has been started is not cut off."""
    if any(step.state == "started" for step in run.steps):
        return put(draft, replace(run, cancelling=reason))
    return finish(draft, run, "cancelled", reason)


def advance(draft: Draft, run: Execution) -> Execution:
    """Queue the next step, or do what comes after the last."""
    while run.state == "running" and run.phase != "verify":
        if any(step.state in ("queued", "started", "waiting", "unknown") for step in run.steps):
            break
        if run.cancelling:
            return finish(draft, run, "cancelled", run.cancelling)
        at = _next(run)
        if at is None:
            return _after_last(draft, run)
        run = take_back(draft, run, at) if run.phase == "rollback" else prepare(draft, run, at)
    return put(draft, run)


def _next(run: Execution) -> int | None:
    if run.phase == "forward":
        return next((at for at, step in enumerate(run.steps) if step.state == "pending"), None)
    backwards = reversed(list(enumerate(run.steps)))
    return next((at for at, step in backwards if step.state == "done" and given_of(run, step).rollback), None)


def _after_last(draft: Draft, run: Execution) -> Execution:
    if run.phase == "rollback":
        return finish(draft, run, "failed", run.reason)
    check = run.definition.verification
    if check is None:
        return _succeed(draft, run)
    until = draft.now + timedelta(seconds=check.within_seconds)
    return verify(draft, replace(run, phase="verify", verify_until=until))


def verify(draft: Draft, run: Execution) -> Execution:
    """Look whether it has helped; until its time is over it is looked at again."""
    check = run.definition.verification
    assert check is not None
    if run.cancelling:
        return finish(draft, run, "cancelled", run.cancelling)
    try:
        found = condition_holds(check.condition, values_now(draft, run, fresh=True))
    except expression.ExpressionError as error:
        return fail(draft, run, f"verification: {error.reason}")
    over = run.verify_until is not None and draft.now >= run.verify_until
    if found:
        run = run if run.verified else replace(run, verified=True)
        if check.resolves and check.when_clear and not over and _fires(draft, run):
            return put(draft, run)  # it has helped; what else the incident has may still clear
        return _succeed(draft, _resolve(draft, run) if check.resolves else run)
    if over:
        return fail(draft, replace(run, verified=False), f"not verified within {check.within_seconds:g} s")
    return put(draft, run)


def _succeed(draft: Draft, run: Execution) -> Execution:
    failed = [step.name for step in run.steps if step.state == "failed"]
    if failed:
        return finish(draft, run, "partial", f"failed: {', '.join(failed)}")
    return finish(draft, run, "success")


def fail(draft: Draft, run: Execution, reason: str) -> Execution:
    """Take back what can be and is wanted to be, newest first, then end."""
    return advance(draft, replace(run, phase="rollback", reason=reason[:ERROR_CHARS]))


def _resolve(draft: Draft, run: Execution) -> Execution:
    """What ended by itself when its last alert cleared, while this run waited for just that, was resolved by it."""
    incident = draft.book.incidents.get(run.incident)
    check = run.definition.verification
    if incident is None or (check is not None and check.when_clear and incident.firing):
        return run
    run = replace(run, unattended=run.triggered and not run.asked_people and _untouched(run, incident))
    if incident.state in ENDED:
        began, ended = run.started_at, incident.resolved_at
        cleared = incident.acked_at is None and not incident.firing
        while_it_ran = cleared and began is not None and ended is not None and ended >= began
        return replace(run, resolved=while_it_ran, unattended=run.unattended and while_it_ran)
    triage.resolve(draft, incident, ReasonCode.BY_PLAYBOOK, f"playbook/{run.playbook}", f"verified by {run.id}")
    for alert in list(draft.members(incident.id)):
        if alert.ended_at is None:
            dedup.end(draft, alert, draft.now, ReasonCode.BY_PLAYBOOK)
    return replace(run, resolved=True)


def _fires(draft: Draft, run: Execution) -> bool:
    incident = draft.book.incidents.get(run.incident)
    return incident is not None and incident.firing > 0


def _untouched(run: Execution, incident: Incident) -> bool:
    """Whether no person has acted on the incident: nobody acknowledged, shelved, noted, merged or took it."""
    taken = {step.params.get("assignee") for step in run.steps if step.action == "assign_resource"}
    return (
        incident.acked_at is None
        and incident.ack is None
        and incident.shelved_until is None
        and incident.merged_into is None
        and not incident.notes
        and (not incident.owner or incident.owner in taken)
    )
