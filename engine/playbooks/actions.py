"""What an action of a playbook is, and the table of them: one file each in `engine/actions` with a `STEP`.

Owns the contract. `plan` is pure and is the dry run: it checks the parameters against what the settings allow and names
the targets. An action is done outside (`run`, with `rollback` where it can be taken back) or on the line (`apply`).
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import msgspec
from msgspec import Struct

from data.records import IncidentId, TenantId

if TYPE_CHECKING:
    from engine.book import Draft
    from engine.effects import Around


class Idempotency(StrEnum):
    """safe: may be done again under its key. check: only reads. unsafe: at most once, ask when nobody saw its end."""

    SAFE = "safe"
    CHECK = "check"
    UNSAFE = "unsafe"


class Refusal(Exception):
    """These parameters are not allowed, now or later."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason, self.remedy = reason, remedy


class Failed(Exception):
    """It was tried and did not work. `again`: another try may. `unseen`: it may have been done all the same."""

    def __init__(self, reason: str, *, again: bool = False, unseen: bool = False, output: Any = None) -> None:
        super().__init__(reason)
        self.again, self.unseen = again, unseen
        self.output: Mapping[str, Any] = output or {}


class Planned(Struct, frozen=True, kw_only=True):
    """The dry run of one step. `targets` is whom it touches: its blast radius."""

    targets: tuple[str, ...]
    words: str


class Act(Struct, frozen=True, kw_only=True):
    """One try of a step. All tries of an idempotent step have the same `key`."""

    key: str
    tenant: TenantId
    execution: str
    playbook: str
    incident: IncidentId
    site: str
    at: datetime
    timeout_seconds: float


class Done(Struct, frozen=True, kw_only=True):
    """`output` holds the results that the action declares in `gives`; `undo` what `rollback` needs."""

    output: Mapping[str, Any] = {}
    undo: Mapping[str, Any] = {}


class StepAction(Protocol):
    """`free` names parameters of plain text, which may speak of the results of earlier steps; no other may, because
    their values decide on targets and are part of what is approved. `fixed` ones take no template at all: they are read
    as a language, which a value could change. Into `one_line` ones only values of one line of visible text are filled:
    another line could mean something there. `gives` are its results."""

    name: str
    words: str
    params: type[Struct]
    gives: frozenset[str]
    free: frozenset[str]
    fixed: frozenset[str] = frozenset()
    one_line: frozenset[str] = frozenset()

    def plan(self, params: Any) -> Planned:
        """Raises Refusal."""
        ...

    def idempotency(self, params: Any) -> Idempotency: ...

    def check(self, written: Mapping[str, Any]) -> None:
        """Look at the parameters that a playbook writes out, before any incident gives it the others. Raises Refusal
        for what the settings never allow."""

    def on_line(self, params: Any) -> bool:
        """Whether it changes records of the engine (`apply`) and nothing outside (`run`)."""
        return False


@runtime_checkable
class Outside(Protocol):
    async def run(self, act: Act, params: Any) -> Done:
        """Raises Failed."""
        ...


@runtime_checkable
class Reversible(Protocol):
    async def rollback(self, act: Act, params: Any, undo: Mapping[str, Any]) -> Done: ...


@runtime_checkable
class OnTheLine(Protocol):
    def apply(self, draft: Draft, act: Act, params: Any) -> Done:
        """Pure but for the draft. Raises Failed, or NotYet to be asked again a second later."""
        ...


@runtime_checkable
class ReversibleOnTheLine(Protocol):
    def take_back(self, draft: Draft, act: Act, params: Any, undo: Mapping[str, Any]) -> Done: ...


class NotYet(Exception):
    """What the step waits for has not come; it waits on until its timeout."""


def reversible(action: StepAction) -> bool:
    return isinstance(action, Reversible | ReversibleOnTheLine)


def read_params(action: StepAction, given: Mapping[str, Any]) -> Any:
    """The action's struct. Raises Refusal that names the parameter."""
    try:
        return msgspec.convert(given, action.params)
    except msgspec.ValidationError as error:
        takes = ", ".join(action.params.__struct_encode_fields__)
        raise Refusal(str(error).replace("`$.", "`"), f"{action.name} takes {takes}") from error


def registry(around: Around) -> dict[str, StepAction]:
    """Every action of playbooks by its name."""
    package = importlib.import_module("engine.actions")
    found: dict[str, StepAction] = {}
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda entry: entry.name):
        make: Callable[[Around], StepAction] | None = getattr(
            importlib.import_module(f"engine.actions.{module.name}"), "STEP", None
        )
        if make is not None:
            action = make(around)
            found[action.name] = action
    return found
