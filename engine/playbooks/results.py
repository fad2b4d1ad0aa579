"""What is heard of a step: a runner is about to begin it, has ended it, is gone; people say how it ended. Pure.

Owns what follows from each, a try that nobody saw the end of above all. Where a run goes from there is the executor's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Execution
from engine.book import Draft
from engine.playbooks import approvals
from engine.playbooks.actions import Done, Idempotency, Refusal, read_params
from engine.playbooks.executor import advance, finish, put
from engine.playbooks.limits import kill_switch
from engine.playbooks.messages import Go, RunnerBegan, StepEnded, StepStarting, Stop
from engine.playbooks.steps import (
    ERROR_CHARS,
    LEASE_MARGIN_SECONDS,
    MOST_TRIES,
    PAUSES_SECONDS,
    act_of,
    action_of,
    find,
    idempotency_of,
    may_retry,
    on_line,
    queue,
    step_done,
    step_failed,
    with_step,
)


def starting(draft: Draft, said: StepStarting) -> None:
    """The edge before an act: what is committed here is known to have been begun, whatever comes."""
    found = find(draft, said, "queued")
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
        action = action_of(draft, step)
        params = read_params(action, step.params)
        action.plan(params)  # the settings may allow less than when it was planned
    except Refusal as error:
        advance(draft, step_failed(draft, run, at, f"{error.reason}; {error.remedy}"))
        return Stop(reason=error.reason)
    begun = replace(step, started_at=step.started_at or draft.now)
    if action.on_line(params):
        advance(draft, on_line(draft, with_step(run, at, begun), at))
        return Stop(reason="done on the line")
    lease = draft.now + timedelta(seconds=given.timeout_seconds + LEASE_MARGIN_SECONDS)
    put(draft, with_step(run, at, replace(begun, state="started", runner=runner, lease_until=lease)))
    act = act_of(draft, run, begun)
    return Go(action=step.action, params=step.params, act=act, undoing=step.undoing, undo=step.undo)


def ended(draft: Draft, said: StepEnded) -> None:
    """The edge after an act. Late news of a step that was given up for unknown are taken."""
    found = find(draft, said, "started", "unknown")
    if found is None or found[0].steps[found[1]].runner != said.runner:
        return
    run, at = found
    if run.state == "unknown":
        run = replace(run, state="running")
        approvals.close_all(draft, run, "cancelled", "its end was seen after all")
    if said.done:
        run = step_done(draft, run, at, Done(output=said.output, undo=said.undo))
    elif said.unseen and idempotency_of(draft, run, at) is Idempotency.UNSAFE:
        unknown(draft, run, at, said.error)
        return
    elif said.again and not run.cancelling and may_retry(run, at):
        pause = PAUSES_SECONDS[min(run.steps[at].generation, len(PAUSES_SECONDS)) - 1]
        run = queue(draft, run, at, replace(run.steps[at], error=said.error[:ERROR_CHARS]), pause)
    else:
        run = step_failed(draft, run, at, said.error, said.output)
    advance(draft, run)


def orphaned(draft: Draft, run: Execution, at: int) -> Execution:
    """Nobody runs it any more. Idempotent steps go out again under their key, of others people are asked."""
    step = run.steps[at]
    if idempotency_of(draft, run, at) is Idempotency.UNSAFE or step.generation >= MOST_TRIES:
        return unknown(draft, run, at, "its runner vanished")
    return advance(draft, queue(draft, with_step(run, at, replace(step, state="pending")), at, step))


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
    step = replace(run.steps[at], state="unknown", error=error[:ERROR_CHARS])
    run = replace(with_step(run, at, step), state="unknown", asked_people=True)
    approvals.ask_outcome(draft, run, step)
    return put(draft, run)


def decided(draft: Draft, run: Execution, name: str, was_done: bool, reason: str) -> Execution:
    """People said how the step with the unknown outcome ended."""
    at = next(at for at, step in enumerate(run.steps) if step.name == name)
    run = replace(run, state="running")
    if was_done:
        return advance(draft, step_done(draft, run, at, Done()))
    return advance(draft, step_failed(draft, run, at, f"not done, as people say: {reason}"))


_TAKEN: Mapping[type, Callable[[Draft, Any], Any]] = {
    StepStarting: starting,
    StepEnded: ended,
    RunnerBegan: began,
}


def take_result(draft: Draft, said: StepStarting | StepEnded | RunnerBegan) -> None:
    _TAKEN[type(said)](draft, said)
