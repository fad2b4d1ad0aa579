"""One step of a run: its parameters, its place in the outbox, its act on the line, its end. Pure.

Each function takes a run and gives it with that step moved on. Owns a step's states and keys. Never goes on to another
step and never writes the run: the executor does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Execution, Step, StepRun
from data.records import Effect
from engine.book import Draft
from engine.playbooks import expression, template
from engine.playbooks.actions import Act, Done, Failed, Idempotency, NotYet, Refusal, StepAction, read_params
from engine.playbooks.facts import FIRING, facts, results
from engine.playbooks.messages import StepEnded, StepStarting
from engine.playbooks.plan import condition_holds, filled

ACTION = "playbook_step"
#: Seconds before the tries after the first.
PAUSES_SECONDS = (1.0, 4.0, 16.0)
#: Tries of an idempotent step that runners may leave behind before people are asked.
MOST_TRIES = 10
#: A step whose runner has not been heard of so long after its timeout has none.
LEASE_MARGIN_SECONDS = 10.0
ERROR_CHARS = 1000
_OUTPUT_CHARS = 20_000


def actions_of(draft: Draft) -> Mapping[str, StepAction]:
    library = draft.rules.playbooks
    return library.actions if library is not None else {}


def prepare(draft: Draft, run: Execution, at: int) -> Execution:
    """Decide by its condition, fill its parameters from the definition, and put it into the outbox."""
    step, given = run.steps[at], run.definition.steps[at]
    try:
        if given.when and not condition_holds(given.when, values_now(draft, run, fresh=True)):
            return with_step(run, at, replace(step, state="skipped", ended_at=draft.now))
        # From the definition and not from the plan: what was filled in once is never read as a template again.
        action = action_of(draft, step)
        params = filled(given, action, values_now(draft, run))
        planned = action.plan(read_params(action, params))
    except (Refusal, template.TemplateError, expression.ExpressionError) as error:
        return step_failed(draft, run, at, f"{error.reason}; {error.remedy}")
    strange = [target for target in planned.targets if target not in run.targets]
    if strange:
        return step_failed(draft, run, at, f"{strange[0]} was not a target of the plan")
    return queue(draft, run, at, replace(step, params=params, targets=planned.targets))


def take_back(draft: Draft, run: Execution, at: int) -> Execution:
    return queue(draft, run, at, replace(run.steps[at], undoing=True))


def queue(draft: Draft, run: Execution, at: int, step: StepRun, pause_seconds: float = 0.0) -> Execution:
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


def on_line(draft: Draft, run: Execution, at: int) -> Execution:
    """Do it here, in this commit; what waits for a condition is asked again until its time is over."""
    step, given = run.steps[at], run.definition.steps[at]
    action: Any = action_of(draft, step)
    params, act = read_params(action, step.params), act_of(draft, run, step)
    try:
        if step.undoing:
            outcome: Done = action.take_back(draft, act, params, step.undo)
        else:
            outcome = action.apply(draft, act, params)
    except NotYet:
        until = step.lease_until or draft.now + timedelta(seconds=given.timeout_seconds)
        if draft.now >= until:
            return step_failed(draft, run, at, f"it has not come within {given.timeout_seconds:g} s")
        return with_step(run, at, replace(step, state="waiting", lease_until=until))
    except Failed as error:
        return step_failed(draft, run, at, str(error), error.output)
    return step_done(draft, run, at, outcome)


def may_retry(run: Execution, at: int) -> bool:
    """Taking back is tried harder than the step itself was."""
    step = run.steps[at]
    return step.generation < MOST_TRIES if step.undoing else step.generation <= run.definition.steps[at].retries


def step_done(draft: Draft, run: Execution, at: int, done: Done) -> Execution:
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


def step_failed(
    draft: Draft, run: Execution, at: int, error: str, output: Mapping[str, Any] | None = None
) -> Execution:
    step, given = run.steps[at], run.definition.steps[at]
    words = f"not taken back: {error}" if step.undoing else error
    over = replace(step, state="failed", ended_at=draft.now, lease_until=None, error=words[:ERROR_CHARS])
    if output:
        over = replace(over, output=bounded(output))
    run = with_step(run, at, over)
    if step.undoing:
        return replace(run, reason=f"{run.reason}; {step.name} {words}"[:ERROR_CHARS])
    if given.critical:
        return replace(run, phase="rollback", reason=f"{step.name}: {error}"[:ERROR_CHARS])
    return run


def with_step(run: Execution, at: int, step: StepRun) -> Execution:
    return replace(run, steps=(*run.steps[:at], step, *run.steps[at + 1 :]))


def bounded(output: Mapping[str, Any]) -> dict[str, Any]:
    """Results as they are kept: text is cut so that all together stay small."""
    share = _OUTPUT_CHARS // max(1, len(output))
    return {name: value[:share] if isinstance(value, str) else value for name, value in output.items()}


def find(draft: Draft, said: StepStarting | StepEnded, *states: str) -> tuple[Execution, int] | None:
    """The step that is meant, if it is in one of these states at this try."""
    run: Execution | None = draft.noun("executions", said.execution)
    if run is None or run.state not in ("running", "unknown"):
        return None
    for at, step in enumerate(run.steps):
        if step.name == said.step and step.generation == said.generation and step.state in states:
            return run, at
    return None


def given_of(run: Execution, step: StepRun) -> Step:
    return next(given for given in run.definition.steps if given.name == step.name)


def action_of(draft: Draft, step: StepRun) -> StepAction:
    found = actions_of(draft).get(step.action)
    if found is None:
        raise Refusal(f"no action is called {step.action!r} any more", "run a version that has it")
    return found


def idempotency_of(draft: Draft, run: Execution, at: int) -> Idempotency:
    """Of an action that is not known any more the worst is taken."""
    step = run.steps[at]
    try:
        action = action_of(draft, step)
        return Idempotency.SAFE if step.undoing else action.idempotency(read_params(action, step.params))
    except Refusal:
        return Idempotency.UNSAFE


def act_of(draft: Draft, run: Execution, step: StepRun) -> Act:
    return Act(
        key=step.key,
        tenant=run.tenant,
        execution=run.id,
        playbook=run.playbook,
        incident=run.incident,
        site=run.site,
        at=draft.now,
        timeout_seconds=given_of(run, step).timeout_seconds,
    )


def values_now(draft: Draft, run: Execution, *, fresh: bool = False) -> dict[str, Any]:
    """What the plan knew and the results so far; for conditions the incident as it is now."""
    values = {**run.facts, **results(run.steps)}
    incident = draft.book.incidents.get(run.incident)
    if fresh and incident is not None:
        now = facts(incident, draft.book.alerts.get(incident.root))
        values |= {name: value for name, value in now.items() if name.startswith("incident.")}
        alert = draft.book.alerts.get(values.get("alert.id"))  # type: ignore[arg-type]
        values[FIRING] = alert is not None and alert.ended_at is None
    return values
