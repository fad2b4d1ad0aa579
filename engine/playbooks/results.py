"""News of runners on the line: who has begun, what starts, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.book import Draft
from engine.playbooks.executor import began, ended, starting
from engine.playbooks.messages import RunnerBegan, StepEnded, StepStarting

_TAKEN: Mapping[type, Callable[[Draft, Any], Any]] = {
    StepStarting: starting,
    StepEnded: ended,
    RunnerBegan: began,
}


def take_result(draft: Draft, said: StepStarting | StepEnded | RunnerBegan) -> None:
    _TAKEN[type(said)](draft, said)
