"""What the runner of steps tells the line, and what the line answers. Payloads of envelopes of the kind "result"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from engine.playbooks.actions import Act


class StepStarting(Struct, frozen=True, kw_only=True):
    """A runner is about to begin this try of a step. Answered by Go or Stop once that is durable."""

    execution: str
    step: str
    generation: int
    runner: str


class StepEnded(Struct, frozen=True, kw_only=True):
    """How a try ended. `again`: another may work; `unseen`: it may have been done all the same."""

    execution: str
    step: str
    generation: int
    runner: str
    done: bool
    output: dict[str, Any] = {}
    undo: dict[str, Any] = {}
    error: str = ""
    again: bool = False
    unseen: bool = False


class RunnerBegan(Struct, frozen=True, kw_only=True):
    """A process has started: what others had begun and not ended has no runner any more."""

    runner: str


class Go(Struct, frozen=True, kw_only=True):
    """Do it, within the act's timeout. `undoing`: take it back with `undo`."""

    action: str
    params: Mapping[str, Any]
    act: Act
    undoing: bool = False
    undo: Mapping[str, Any] = {}


class Stop(Struct, frozen=True, kw_only=True):
    """Do nothing: it was done on the line, or is not to be done."""

    reason: str
