"""Which attendance is fraud, from analysts' verdicts."""

from __future__ import annotations

from data.nouns.fraud import FRAUD_VIEW
from engine.training.outcome import Outcome, TooFew
from engine.training.registry import Task, trainer


@trainer(
    "fraud",
    words="which attendance is fraud, from analysts' verdicts",
    baseline="heuristic",
    capability=FRAUD_VIEW,
)
def fraud(task: Task) -> Outcome:
    from engine.fraud import training

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
        threshold=report.threshold,
        base_rate=report.base_rate,
    )
