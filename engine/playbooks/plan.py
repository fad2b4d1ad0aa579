"""The plan: what a run would do, worked out without doing it. Pure.

Owns targets, blast radius and the hash that an approval is bound to: version and text of the playbook, targets and
parameters. The dry run, the approval and the run itself all come from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from msgspec import Struct, json

from data.nouns.playbooks import Definition, Step, StepRun
from engine.playbooks import expression, template
from engine.playbooks.actions import Idempotency, Refusal, StepAction, read_params
from engine.playbooks.facts import STEPS, with_labels
from engine.playbooks.loader import fingerprint


class PlannedStep(Struct, frozen=True, kw_only=True):
    """`if_now`: what its condition says now; None = it depends on earlier steps. `late`: filled from their results."""

    name: str
    action: str
    params: dict[str, Any]
    targets: tuple[str, ...]
    words: str
    idempotency: str
    timeout_seconds: float
    retries: int
    critical: bool
    rollback: bool
    condition: str = ""
    if_now: bool | None = True
    late: bool = False


class RunPlan(Struct, frozen=True, kw_only=True):
    """`asks`: why people would be asked first, "" where it runs unasked. `blast_radius` counts the targets."""

    playbook: str
    version: int
    sha256: str
    incident: int
    site: str
    targets: tuple[str, ...]
    blast_radius: int
    steps: tuple[PlannedStep, ...]
    asks: str = ""


class Unplannable(Exception):
    """It cannot run on this incident. Names the step, the reason and the remedy."""

    def __init__(self, step: str, reason: str, remedy: str) -> None:
        super().__init__(f"{step}: {reason}; {remedy}")
        self.step, self.reason, self.remedy = step, reason, remedy


def plan(definition: Definition, values: Mapping[str, Any], actions: Mapping[str, StepAction]) -> RunPlan:
    """Raises Unplannable."""
    steps = tuple(_planned(step, values, actions) for step in definition.steps)
    targets = tuple(dict.fromkeys(target for step in steps for target in step.targets))
    told = [[step.name, step.action, step.params, step.targets, step.condition] for step in steps]
    content = [fingerprint(definition), definition.version, values["incident.id"], targets, told]
    return RunPlan(
        playbook=definition.name,
        version=definition.version,
        sha256=sha256(json.encode(content, order="sorted")).hexdigest(),
        incident=values["incident.id"],
        site=values["incident.site"],
        targets=targets,
        blast_radius=len(targets),
        steps=steps,
        asks=why_asked(definition, len(targets)),
    )


def why_asked(definition: Definition, targets: int) -> str:
    if definition.policy.mode == "approval":
        return "its policy asks for approval"
    if targets > definition.policy.blast_radius:
        return f"it touches {targets} targets, more than {definition.policy.blast_radius}"
    return ""


def filled(step: Step, action: StepAction, values: Mapping[str, Any], *, late: bool = False) -> dict[str, Any]:
    """The parameters with their templates replaced; `late`: those of results that are not there yet stay.

    Raises TemplateError."""
    known = with_labels(values, template.names(step.params))
    for name in template.names([step.params[param] for param in action.one_line if param in step.params]):
        if not all(text.isprintable() for text in _texts(known.get(name))):
            raise template.TemplateError(f"{name} is more than one line of plain text", "leave it out here")
    found: dict[str, Any] = template.fill(step.params, known, late=STEPS if late else "")
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def condition_holds(text: str, values: Mapping[str, Any]) -> bool:
    """Raises ExpressionError."""
    parsed = expression.parse(text)
    return expression.holds(parsed, with_labels(values, expression.names(parsed)))


def runs(plan: RunPlan) -> tuple[StepRun, ...]:
    """The steps of a run that has not begun."""
    return tuple(
        StepRun(name=step.name, action=step.action, params=step.params, targets=step.targets) for step in plan.steps
    )


def _planned(step: Step, values: Mapping[str, Any], actions: Mapping[str, StepAction]) -> PlannedStep:
    action = actions.get(step.action)
    if action is None:
        raise Unplannable(step.name, f"no action is called {step.action!r} any more", "load the playbook anew")
    try:
        params = filled(step, action, values, late=True)
        read = read_params(action, params)
        found = action.plan(read)
        now = _if_now(step.when, values)
    except (Refusal, template.TemplateError, expression.ExpressionError) as error:
        raise Unplannable(step.name, error.reason, error.remedy) from error
    return PlannedStep(
        name=step.name,
        action=step.action,
        params=params,
        targets=found.targets,
        words=found.words,
        idempotency=str(Idempotency(action.idempotency(read))),
        timeout_seconds=step.timeout_seconds,
        retries=step.retries,
        critical=step.critical,
        rollback=step.rollback,
        condition=step.when,
        if_now=now,
        late=any(name.startswith(STEPS) for name in template.names(step.params)),
    )


def _if_now(text: str, values: Mapping[str, Any]) -> bool | None:
    if not text:
        return True
    if any(name.startswith(STEPS) for name in expression.names(expression.parse(text))):
        return None
    return condition_holds(text, values)
