"""What is likely to go wrong soon, from the outcomes of what was scored: one trainer for each predictor."""

from __future__ import annotations

from engine.training.outcome import Outcome
from engine.training.registry import Task, trainer

_WORDS = "whether {}, from the outcomes of what was scored"


@trainer("sla", words=_WORDS.format("a ticket breaches its SLA within 2 h"), baseline="rules")
def sla(task: Task) -> Outcome:
    return _trained("sla", task)


@trainer("device", words=_WORDS.format("a device goes offline within 1 h"), baseline="rules")
def device(task: Task) -> Outcome:
    return _trained("device", task)


@trainer("staffing", words=_WORDS.format("a post is short of people within 4 h"), baseline="rules")
def staffing(task: Task) -> Outcome:
    return _trained("staffing", task)


def _trained(name: str, task: Task) -> Outcome:
    from engine.predictors import training

    return training.train(name, task.folder, tell=task.tell, tenant=task.tenant)
