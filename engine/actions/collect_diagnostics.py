"""collect_diagnostics: run read-only commands of the settings and keep the end of what they say."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.effects import Around
from engine.playbooks.actions import Act, Done, Failed, Idempotency, Planned, Refusal, StepAction
from engine.playbooks.launcher import NotStarted, words_of

#: Characters of one command's output that are kept.
KEPT = 2000


class DiagnosticParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    commands: Annotated[tuple[Annotated[str, Meta(max_length=128)], ...], Meta(min_length=1, max_length=10)]


class CollectDiagnostics(StepAction):
    name = "collect_diagnostics"
    words = "Run listed read-only commands and keep what they say."
    params = DiagnosticParams
    gives = frozenset({"said"})
    free: frozenset[str] = frozenset()

    def __init__(self, around: Around) -> None:
        self._commands = {entry.name: entry.command for entry in around.settings.playbooks.diagnostics.commands}
        self._launch = around.launch

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.CHECK

    def plan(self, params: DiagnosticParams) -> Planned:
        for name in params.commands:
            if name not in self._commands:
                raise Refusal(f"no diagnostic is called {name!r}", "add it to [[playbooks.diagnostics.commands]]")
        return Planned(targets=(), words=f"look at {', '.join(params.commands)}; changes nothing")

    async def run(self, act: Act, params: DiagnosticParams) -> Done:
        said = []
        for name in params.commands:
            command = self._commands.get(name)
            if command is None:
                raise Failed(f"no diagnostic is called {name!r} any more")
            try:
                ran = await self._launch(command, seconds=act.timeout_seconds / len(params.commands))
            except NotStarted as error:
                raise Failed(str(error)) from error
            ended = "took too long" if ran.code is None else f"ended with {ran.code}"
            said.append(f"{name} {ended}\n{words_of(ran, KEPT)}")
        return Done(output={"said": "\n".join(said)})


STEP = CollectDiagnostics
