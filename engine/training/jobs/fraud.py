"""Which attendance is fraud, from analysts' verdicts."""

from __future__ import annotations

from data.nouns.fraud import FRAUD_VIEW
from engine.training.outcome import Outcome
from engine.training.registry import Task, trainer


@trainer(
    "fraud",
    words="which attendance is fraud, from analysts' verdicts",
    baseline="heuristic",
    capability=FRAUD_VIEW,
)
def fraud(task: Task) -> Outcome:
    from engine.fraud import training

    return training.train(task.folder, progress=lambda done, what: task.tell(what, done, 0), tenant=task.tenant)
