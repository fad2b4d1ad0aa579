"""What matters, from what operators handled first and what incidents came to."""

from __future__ import annotations

from engine.training.outcome import Outcome, TooFew
from engine.training.registry import Task, trainer


@trainer("priority", words="what matters, from what operators did and what incidents came to", baseline="severity")
def priority(task: Task) -> Outcome:
    from engine.priority import training

    try:
        report = training.train(task.folder, progress=lambda done, what: task.tell(what, done, 0), tenant=task.tenant)
    except training.TooFew as error:
        raise TooFew(str(error)) from error
    return Outcome(
        name=report.name,
        version=report.version,
        promoted=report.promoted,
        why=report.why,
        primary=training.PRIMARY,
        examples=report.examples,
        held_out=report.held_out,
        metrics=report.metrics,
        baseline=report.baseline,
        champion=report.champion,
        threshold=training.THRESHOLD,
        base_rate=report.base_rate,
    )
