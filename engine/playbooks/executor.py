"""The executor: moves one execution from step edge to step edge. On the line: pure, every move is one commit.

    pending ─room─▶ running: forward ──all steps──▶ verify ──▶ success | partial
                       │ critical failure ──▶ rollback ──▶ failed
                       │ nobody saw an unsafe step end ──▶ unknown ──people──▶ forward | rollback
    step: pending ─▶ queued (outbox) ─▶ started (committed before the act) ─▶ done | failed | queued again | unknown

Owns the states. Who may run is `limits`', people's answers are `approvals`', time is `clock`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Execution, Step, StepRun
from data.records import ENDED, Effect, Incident
from engine.book import Draft
from engine.playbooks import approvals, due, expression, template
from engine.playbooks.actions import (
    Act,
    Done,
    Failed,
    Idempotency,
    NotYet,
    Refusal,
    StepAction,
    read_params,
)
from engine.playbooks.facts import FIRING, facts, results
from engine.playbooks.limits import full, kill_switch, note_targets
from engine.playbooks.messages import Go, RunnerBegan, StepEnded, StepStarting, Stop
from engine.playbooks.plan import condition_holds, filled
from engine.reasons import ReasonCode
from engine.stages import dedup, triage

ACTION = "playbook_step"
#: Seconds before the tries after the first.
PAUSES_SECONDS = (1.0, 4.0, 16.0)
#: Tries of an idempotent step that runners may leave behind before people are asked.
MOST_TRIES = 10
#: A step whose runner has not been heard of so long after its timeout has none.
LEASE_MARGIN_SECONDS = 10.0
_ERROR_CHARS = 1000
_OUTPUT_CHARS = 20_000


def actions_of(draft: Draft) -> Mapping[str, StepAction]:
    library = draft.rules.playbooks
    return library.actions if library is not None else {}


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


# -- an execution's beginning and end


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
    run = replace(run, state=state, reason=reason[:_ERROR_CHARS], ended_at=draft.now, steps=steps, asks="")
    approvals.close_all(draft, run, "expired" if state == "expired" else "cancelled", reason)
    text = f"{run.id}: {state}" + (f", {run.reason}" if reason else "")
    draft.record(run.incident, "playbook_ended", actor=f"playbook/{run.playbook}", text=text)
    return put(draft, run)


def cancel(draft: Draft, run: Execution, reason: str) -> Execution:
    """At the next step edge: what has been started is not cut off."""
    if any(step.state == "started" for step in run.steps):
        return put(draft, replace(run, cancelling=reason))
    return finish(draft, run, "cancelled", reason)


# -- from edge to edge


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
        run = _undo(draft, run, at) if run.phase == "rollback" else _prepare(draft, run, at)
    return put(draft, run)


def _next(run: Execution) -> int | None:
    if run.phase == "forward":
        return next((at for at, step in enumerate(run.steps) if step.state == "pending"), None)
    backwards = reversed(list(enumerate(run.steps)))
    return next((at for at, step in backwards if step.state == "done" and _given(run, step).rollback), None)


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
        found = condition_holds(check.condition, _values(draft, run, fresh=True))
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
    return advance(draft, replace(run, phase="rollback", reason=reason[:_ERROR_CHARS]))


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


# -- one step


def _prepare(draft: Draft, run: Execution, at: int) -> Execution:
    """Decide by its condition, fill its parameters from the definition, and put it into the outbox."""
    step, given = run.steps[at], run.definition.steps[at]
    try:
        if given.when and not condition_holds(given.when, _values(draft, run, fresh=True)):
            return with_step(run, at, replace(step, state="skipped", ended_at=draft.now))
        # From the definition and not from the plan: what was filled in once is never read as a template again.
        action = _action(draft, step)
        params = filled(given, action, _values(draft, run))
        planned = action.plan(read_params(action, params))
    except (Refusal, template.TemplateError, expression.ExpressionError) as error:
        return _failed(draft, run, at, f"{error.reason}; {error.remedy}")
    strange = [target for target in planned.targets if target not in run.targets]
    if strange:
        return _failed(draft, run, at, f"{strange[0]} was not a target of the plan")
    return _queue(draft, run, at, replace(step, params=params, targets=planned.targets))


def _undo(draft: Draft, run: Execution, at: int) -> Execution:
    return _queue(draft, run, at, replace(run.steps[at], undoing=True))


def _queue(draft: Draft, run: Execution, at: int, step: StepRun, pause_seconds: float = 0.0) -> Execution:
    generation = step.generation + 1
    key = f"playbook/{run.id}/{step.name}{'.undo' if step.undoing else ''}"
    due_at = draft.now + timedelta(seconds=pause_seconds) if pause_seconds else None
    draft.effects.append(
        Effect(
            key=f"{key}/{generation}",
            tenant=run.tenant,
            action=ACTION,
            params={"execution": run.id, "step": step.name, "generation": generation},
            created_at=draft.now,
            incident=run.incident,
            due_at=due_at,
        )
    )
    queued = replace(
        step, state="queued", generation=generation, key=key, queued_at=draft.now, lease_until=None, runner=""
    )
    return with_step(run, at, queued)


def starting(draft: Draft, said: StepStarting) -> None:
    """The edge before an act: what is committed here is known to have been begun, whatever comes."""
    found = _found(draft, said, "queued")
    if found is None:
        draft.result = Stop(reason="this try is not waited for")
        return
    run, at = found
    stopped = kill_switch(draft)
    if stopped is not None or run.cancelling:
        reason = f"the kill switch is on: {stopped.reason}" if stopped is not None else run.cancelling
        finish(draft, run, "cancelled", reason)
        draft.result = Stop(reason=reason)
        return
    draft.result = _begin(draft, run, at, said.runner)


def _begin(draft: Draft, run: Execution, at: int, runner: str) -> Go | Stop:
    step, given = run.steps[at], run.definition.steps[at]
    try:
        action = _action(draft, step)
        params = read_params(action, step.params)
        action.plan(params)  # the settings may allow less than when it was planned
    except Refusal as error:
        advance(draft, _failed(draft, run, at, f"{error.reason}; {error.remedy}"))
        return Stop(reason=error.reason)
    begun = replace(step, started_at=step.started_at or draft.now)
    if action.on_line(params):
        advance(draft, on_line(draft, with_step(run, at, begun), at))
        return Stop(reason="done on the line")
    lease = draft.now + timedelta(seconds=given.timeout_seconds + LEASE_MARGIN_SECONDS)
    put(draft, with_step(run, at, replace(begun, state="started", runner=runner, lease_until=lease)))
    act = _act(draft, run, begun)
    return Go(action=step.action, params=step.params, act=act, undoing=step.undoing, undo=step.undo)


def on_line(draft: Draft, run: Execution, at: int) -> Execution:
    """Do it here, in this commit; what waits for a condition is asked again until its time is over."""
    step, given = run.steps[at], run.definition.steps[at]
    action: Any = _action(draft, step)
    params, act = read_params(action, step.params), _act(draft, run, step)
    try:
        if step.undoing:
            done: Done = action.take_back(draft, act, params, step.undo)
        else:
            done = action.apply(draft, act, params)
    except NotYet:
        until = step.lease_until or draft.now + timedelta(seconds=given.timeout_seconds)
        if draft.now >= until:
            return _failed(draft, run, at, f"it has not come within {given.timeout_seconds:g} s")
        return with_step(run, at, replace(step, state="waiting", lease_until=until))
    except Failed as error:
        return _failed(draft, run, at, str(error), error.output)
    return _done(draft, run, at, done)


def ended(draft: Draft, said: StepEnded) -> None:
    """The edge after an act. Late news of a step that was given up for unknown are taken."""
    found = _found(draft, said, "started", "unknown")
    if found is None or found[0].steps[found[1]].runner != said.runner:
        return
    run, at = found
    if run.state == "unknown":
        run = replace(run, state="running")
        approvals.close_all(draft, run, "cancelled", "its end was seen after all")
    if said.done:
        run = _done(draft, run, at, Done(output=said.output, undo=said.undo))
    elif said.unseen and _idempotency(draft, run, at) is Idempotency.UNSAFE:
        unknown(draft, run, at, said.error)
        return
    elif said.again and not run.cancelling and _may_retry(run, at):
        pause = PAUSES_SECONDS[min(run.steps[at].generation, len(PAUSES_SECONDS)) - 1]
        run = _queue(draft, run, at, replace(run.steps[at], error=said.error[:_ERROR_CHARS]), pause)
    else:
        run = _failed(draft, run, at, said.error, said.output)
    advance(draft, run)


def _may_retry(run: Execution, at: int) -> bool:
    """Taking back is tried harder than the step itself was."""
    step = run.steps[at]
    return step.generation < MOST_TRIES if step.undoing else step.generation <= run.definition.steps[at].retries


def orphaned(draft: Draft, run: Execution, at: int) -> Execution:
    """Nobody runs it any more. Idempotent steps go out again under their key, of others people are asked."""
    step = run.steps[at]
    if _idempotency(draft, run, at) is Idempotency.UNSAFE or step.generation >= MOST_TRIES:
        return unknown(draft, run, at, "its runner vanished")
    return advance(draft, _queue(draft, with_step(run, at, replace(step, state="pending")), at, step))


def began(draft: Draft, said: RunnerBegan) -> None:
    """After a restart nothing that was started before has a runner."""
    tenant = draft.tenant
    for run in draft.all_nouns("executions"):
        for at, step in enumerate(run.steps):
            if step.state == "started" and step.runner != said.runner:
                draft.tenant = run.tenant
                orphaned(draft, run, at)
    draft.tenant = tenant


def unknown(draft: Draft, run: Execution, at: int, error: str) -> Execution:
    """Whether it was done cannot be known here: ask."""
    step = replace(run.steps[at], state="unknown", error=error[:_ERROR_CHARS])
    run = replace(with_step(run, at, step), state="unknown", asked_people=True)
    approvals.ask_outcome(draft, run, step)
    return put(draft, run)


def decided(draft: Draft, run: Execution, name: str, was_done: bool, reason: str) -> Execution:
    """People said how the step with the unknown outcome ended."""
    at = next(at for at, step in enumerate(run.steps) if step.name == name)
    run = replace(run, state="running")
    if was_done:
        return advance(draft, _done(draft, run, at, Done()))
    return advance(draft, _failed(draft, run, at, f"not done, as people say: {reason}"))


def _done(draft: Draft, run: Execution, at: int, done: Done) -> Execution:
    step = run.steps[at]
    if step.undoing:
        return with_step(run, at, replace(step, state="rolled_back", ended_at=draft.now, lease_until=None))
    kept = replace(
        step,
        state="done",
        ended_at=draft.now,
        lease_until=None,
        output=bounded(done.output),
        undo=dict(done.undo),
        error="",
    )
    return with_step(run, at, kept)


def _failed(draft: Draft, run: Execution, at: int, error: str, output: Mapping[str, Any] | None = None) -> Execution:
    step, given = run.steps[at], run.definition.steps[at]
    words = f"not taken back: {error}" if step.undoing else error
    over = replace(step, state="failed", ended_at=draft.now, lease_until=None, error=words[:_ERROR_CHARS])
    if output:
        over = replace(over, output=bounded(output))
    run = with_step(run, at, over)
    if step.undoing:
        return replace(run, reason=f"{run.reason}; {step.name} {words}"[:_ERROR_CHARS])
    if given.critical:
        return replace(run, phase="rollback", reason=f"{step.name}: {error}"[:_ERROR_CHARS])
    return run


# -- parts


def with_step(run: Execution, at: int, step: StepRun) -> Execution:
    return replace(run, steps=(*run.steps[:at], step, *run.steps[at + 1 :]))


def bounded(output: Mapping[str, Any]) -> dict[str, Any]:
    """Results as they are kept: text is cut so that all together stay small."""
    share = _OUTPUT_CHARS // max(1, len(output))
    return {name: value[:share] if isinstance(value, str) else value for name, value in output.items()}


def _found(draft: Draft, said: StepStarting | StepEnded, *states: str) -> tuple[Execution, int] | None:
    """The step that is meant, if it is in one of these states at this try."""
    run: Execution | None = draft.noun("executions", said.execution)
    if run is None or run.state not in ("running", "unknown"):
        return None
    for at, step in enumerate(run.steps):
        if step.name == said.step and step.generation == said.generation and step.state in states:
            return run, at
    return None


def _given(run: Execution, step: StepRun) -> Step:
    return next(given for given in run.definition.steps if given.name == step.name)


def _action(draft: Draft, step: StepRun) -> StepAction:
    found = actions_of(draft).get(step.action)
    if found is None:
        raise Refusal(f"no action is called {step.action!r} any more", "run a version that has it")
    return found


def _idempotency(draft: Draft, run: Execution, at: int) -> Idempotency:
    """Of an action that is not known any more the worst is taken."""
    step = run.steps[at]
    try:
        action = _action(draft, step)
        return Idempotency.SAFE if step.undoing else action.idempotency(read_params(action, step.params))
    except Refusal:
        return Idempotency.UNSAFE


def _act(draft: Draft, run: Execution, step: StepRun) -> Act:
    return Act(
        key=step.key,
        tenant=run.tenant,
        execution=run.id,
        playbook=run.playbook,
        incident=run.incident,
        site=run.site,
        at=draft.now,
        timeout_seconds=_given(run, step).timeout_seconds,
    )


def _values(draft: Draft, run: Execution, *, fresh: bool = False) -> dict[str, Any]:
    """What the plan knew and the results so far; for conditions the incident as it is now."""
    values = {**run.facts, **results(run.steps)}
    incident = draft.book.incidents.get(run.incident)
    if fresh and incident is not None:
        now = facts(incident, draft.book.alerts.get(incident.root))
        values |= {name: value for name, value in now.items() if name.startswith("incident.")}
        alert = draft.book.alerts.get(values.get("alert.id"))  # type: ignore[arg-type]
        values[FIRING] = alert is not None and alert.ended_at is None
    return values
