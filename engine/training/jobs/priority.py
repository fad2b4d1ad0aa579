"""What matters, from what operators handled first and what incidents came to."""

from __future__ import annotations

from engine.training.outcome import Outcome
from engine.training.registry import Task, trainer


@trainer("priority", words="what matters, from what operators did and what incidents came to", baseline="severity")
def priority(task: Task) -> Outcome:
    from engine.priority import training

    return training.train(task.folder, progress=lambda done, what: task.tell(what, done, 0), tenant=task.tenant)
