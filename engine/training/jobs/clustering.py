"""Which alerts are of one incident, from operators' merges and splits."""

from __future__ import annotations

from engine.training.outcome import Outcome, TooFew
from engine.training.registry import Task, trainer


@trainer("clustering", words="which alerts are of one incident, from merges and splits", baseline="cosine")
def clustering(task: Task) -> Outcome:
    from data import learned_from
    from engine.similarity import operators, training

    lines = operators.recording(task.folder, task.tenant)
    labelled = sum(bool(line.truth) for line in lines)
    if labelled < training.FEWEST:
        raise TooFew(f"{labelled} alerts are in incidents that somebody merged or split; {training.FEWEST} are needed")
    return training.learn(
        [lines],
        task.folder / "models",
        what="incidents that operators merged or split",
        parents=learned_from.parents(task.folder, task.tenant),
        tell=task.tell,
    )
