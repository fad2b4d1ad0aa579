"""Dead letters: see them, fix them, replay them through the same format that refused them, or put them away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from data.records import Audit, Partition, Reject
from data.scope import Scope
from engine.client import Command, CommandResult, Refused
from engine.pipeline import Settled
from engine.ports import Envelope, EnvelopeKind, FormatError, Parsed

if TYPE_CHECKING:
    from engine.desk import Desk

Reparse = Callable[[Reject, str], Parsed]


class Morgue:
    """`reparse` puts a body through the format of the reject again; raises FormatError."""

    VERBS = frozenset({"replay_reject", "discard_reject"})

    def __init__(self, reparse: Reparse) -> None:
        self._reparse = reparse

    async def act(self, desk: Desk, scope: Scope, command: Command) -> CommandResult:
        changed: list[str] = []
        refused: dict[str, str] = {}
        seq = 0
        for target in command.targets:
            reject = await self._find(desk, scope, target)
            if reject is None:
                refused[target] = "not found"
            elif reject.state != "waiting":
                refused[target] = f"it was {reject.state} already"
            else:
                seq, problem = await self._one(desk, scope, command, reject)
                if problem:
                    refused[target] = problem
                else:
                    changed.append(target)
        words = f"{command.verb}: {len(changed)} done" + (f", {len(refused)} refused" if refused else "")
        return CommandResult(partition=Partition(0), seq=seq, changed=tuple(changed), refused=refused, words=words)

    async def _find(self, desk: Desk, scope: Scope, target: str) -> Reject | None:
        kind, _, number = target.partition(":")
        if kind != "reject" or not number:
            raise Refused(f"{target!r} is not a dead letter", field="targets", remedy="give reject:ID")
        found = await desk.rows(scope, kind="rejects", ids=(number,), limit=1)
        return found[0] if found else None

    async def _one(self, desk: Desk, scope: Scope, command: Command, reject: Reject) -> tuple[int, str]:
        """(seq, "" or what is still wrong). A replay is taken under the reject's own id: twice does nothing twice."""
        seq = 0
        if command.verb == "replay_reject":
            try:
                parsed = self._reparse(reject, str(command.params.get("body") or reject.body))
            except FormatError as error:
                return 0, f"{error.field}: {error.reason}"
            if parsed.rejects:
                return 0, f"{parsed.rejects[0].field}: {parsed.rejects[0].reason}"
            seq = await self._take(desk, reject, parsed)
        state = "replayed" if command.verb == "replay_reject" else "discarded"
        done = replace(reject, state=state, attempts=reject.attempts + 1)
        receipt = await desk.take(
            Envelope(
                kind=EnvelopeKind.RESULT,
                tenant=scope.tenant,
                source="rejects",
                payload=Settled(reject=done, audit=_audit(desk, scope, command, reject, state)),
                id=f"reject-{reject.id}-{state}",
            )
        )
        return max(seq, receipt.seq), ""

    async def _take(self, desk: Desk, reject: Reject, parsed: Parsed) -> int:
        seq = 0
        for number, part in enumerate((parsed, *parsed.parts)):
            for kind, rows in ((EnvelopeKind.SIGNALS, part.signals), (EnvelopeKind.EVENTS, part.events)):
                if rows:
                    receipt = await desk.take(
                        Envelope(
                            kind=kind,
                            tenant=reject.tenant,
                            source=reject.source,
                            payload=list(rows),
                            id=f"reject-{reject.id}-{number}-{kind}",
                        )
                    )
                    seq = receipt.seq
        return seq


def _audit(desk: Desk, scope: Scope, command: Command, reject: Reject, state: str) -> Audit:
    detail: dict[str, Any] = {"request": command.request, "changed_body": bool(command.params.get("body"))}
    return Audit(
        tenant=scope.tenant,
        at=desk.clock.now(),
        actor=scope.actor,
        origin=scope.origin,
        verb=command.verb,
        subject=f"reject:{reject.id}",
        outcome=state,
        detail=detail,
    )
