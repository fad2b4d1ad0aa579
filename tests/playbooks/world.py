"""A line with playbooks, and an outside whose every act is counted: the outbox is worked by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.playbooks import Approval, Execution, StepRun
from data.records import DEFAULT_TENANT, TenantId
from engine.book import Draft
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, StepAction
from engine.playbooks.library import Library, library
from engine.playbooks.loader import load
from engine.playbooks.messages import Go, RunnerBegan, StepEnded, StepStarting
from engine.ports import EnvelopeKind
from engine.rules import Rules
from tests.fakes.line import Line


class TouchParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    target: str = ""
    text: str = ""


class Touch(StepAction):
    """Does something to a target, as safe, check or unsafe as it is made."""

    words = "Touch a target."
    params = TouchParams
    gives = frozenset({"said"})
    free = frozenset({"text"})

    def __init__(self, name: str, kind: Idempotency) -> None:
        self.name, self._kind = name, kind

    def idempotency(self, params: Any) -> Idempotency:
        return self._kind

    def plan(self, params: TouchParams) -> Planned:
        return Planned(targets=(params.target,) if params.target else (), words=f"touch {params.target}")

    async def run(self, act: Act, params: TouchParams) -> Done:
        return Done()

    async def rollback(self, act: Act, params: TouchParams, undo: Mapping[str, Any]) -> Done:
        return Done()


class NoteOnLine(StepAction):
    """Writes into the incident's timeline, on the line."""

    name = "note"
    words = "Note."
    params = TouchParams
    gives: frozenset[str] = frozenset()
    free = frozenset({"text"})

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.SAFE

    def on_line(self, params: Any) -> bool:
        return True

    def plan(self, params: TouchParams) -> Planned:
        return Planned(targets=(), words="note")

    def apply(self, draft: Draft, act: Act, params: TouchParams) -> Done:
        draft.record(act.incident, "noted", text=params.text)
        return Done()


ACTIONS: dict[str, StepAction] = {
    "safe": Touch("safe", Idempotency.SAFE),
    "check": Touch("check", Idempotency.CHECK),
    "unsafe": Touch("unsafe", Idempotency.UNSAFE),
    "note": NoteOnLine(),
}


def playbook(*texts: str, actions: Mapping[str, StepAction] = ACTIONS) -> Library:
    found = [load("test.yaml", text, actions) for text in texts]
    return library({loaded.definition.name: loaded for loaded in found}, actions)


class World:
    """`acted` are the acts that were done outside: (action or "undo", key). `script` answers an act by its step's name:
    a Failed is raised; "crash" kills the runner after the act; "lost" kills it before."""

    def __init__(self, *texts: str, actions: Mapping[str, StepAction] = ACTIONS) -> None:
        self.line = Line(rules=Rules(playbooks=playbook(*texts, actions=actions)))
        self.acted: list[tuple[str, str]] = []
        self.script: dict[str, list[Any]] = {}
        self.taken: set[str] = set()
        self.runner = 1

    # -- looking

    def runs(self) -> list[Execution]:
        return [found for (kind, *_), found in self.line.store.nouns.items() if kind == "executions"]

    def run(self) -> Execution:
        (found,) = self.runs()
        return found

    def step(self, name: str) -> StepRun:
        (found,) = [step for step in self.run().steps if step.name == name]
        return found

    def approvals(self, state: str = "open") -> list[Approval]:
        found = [one for (kind, *_), one in self.line.store.nouns.items() if kind == "approvals"]
        return [one for one in found if one.state == state]

    # -- driving

    def result(self, payload: Any, tenant: TenantId = DEFAULT_TENANT) -> Any:
        (found,) = self.line.put(self.line.envelope(EnvelopeKind.RESULT, payload, tenant=tenant))
        return found

    def waiting(self) -> list[str]:
        """Keys of the outbox that are due, oldest first."""
        now = self.line.now
        return [
            effect.key
            for effect in self.line.store.effects.values()
            if effect.action == "playbook_step"
            and effect.key not in self.taken
            and (effect.due_at is None or effect.due_at <= now)
        ]

    def work(self, most: int = 1000) -> World:
        """Do what is in the outbox, one after the other."""
        for _ in range(most):
            due = self.waiting()
            if not due:
                break
            self.begin(due[0])
        return self

    def begin(self, key: str) -> None:
        effect = self.line.store.effects[key]
        said = StepStarting(**effect.params, runner=f"runner-{self.runner}")
        answer = self.result(said, effect.tenant)
        self.taken.add(key)
        if isinstance(answer, Go):
            self.act(said, answer)

    def act(self, said: StepStarting, go: Go) -> None:
        script = self.script.get(said.step, [])
        told = script.pop(0) if script else None
        if told == "lost":
            return
        self.acted.append(("undo" if go.undoing else go.action, go.act.key))
        if told == "crash":
            return
        ended = StepEnded(
            execution=said.execution, step=said.step, generation=said.generation, runner=said.runner, done=True
        )
        if isinstance(told, Failed):
            again = told.again or told.unseen
            ended = replace(ended, done=False, error=str(told), again=again, unseen=told.unseen)
        elif isinstance(told, dict):
            ended = replace(ended, output=told)
        self.result(ended, go.act.tenant)

    def crash(self) -> World:
        """The process dies and another begins on what was committed."""
        self.line.restart()
        self.runner += 1
        self.result(RunnerBegan(runner=f"runner-{self.runner}"))
        return self

    def pass_time(self, seconds: float) -> World:
        self.line.tick(seconds)
        return self.work()


class Counted(dict[Any, Any]):
    """Executions in memory that count how often one is looked at: each that is read, each of all that are listed."""

    looks = 0

    def __getitem__(self, key: Any) -> Any:
        self.looks += 1
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)

    def values(self) -> Any:
        self.looks += len(self)
        return super().values()

    def items(self) -> Any:
        self.looks += len(self)
        return super().items()


def count_looks(world: World) -> Counted:
    """From now on."""
    counted = Counted(world.line.book.nouns["executions"])
    world.line.book.nouns["executions"] = counted
    return counted
