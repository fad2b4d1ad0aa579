"""Apply: operator commands on the line, each leaving an audit row, also when it is refused."""

from __future__ import annotations

from msgspec import Struct

from data.records import Audit
from data.scope import Scope
from engine.acts import VERBS, Acting
from engine.book import Draft
from engine.client import Command, CommandResult, Refused
from engine.reasons import ReasonCode


class Asked(Struct, frozen=True, kw_only=True):
    """The payload of a command envelope: what is asked, and by whom."""

    command: Command
    scope: Scope


def apply(draft: Draft, asked: Asked) -> None:
    """Run the verb; what it could not do is in the result (a CommandResult, or the Refused that stopped it)."""
    command, scope = asked.command, asked.scope
    verb = VERBS.get(command.verb)
    acting = Acting(draft, scope, command)
    try:
        if verb is None:
            raise Refused(f"unknown verb {command.verb!r}", field="verb", remedy=f"one of {', '.join(sorted(VERBS))}")
        if not scope.may(verb.capability):
            raise Refused(f"{verb.name} takes {verb.capability}", field="verb", remedy="ask for the role", status=403)
        acting.run(verb)
    except Refused as refusal:
        draft.result = refusal
        _audit(draft, asked, "refused", {"reason": refusal.reason})
        return
    draft.result = CommandResult(
        partition=draft.book.partition,
        seq=0,
        changed=tuple(acting.changed),
        refused=acting.refused,
        undo=acting.undo.id if acting.undo is not None else None,
        words=words(command.verb, len(acting.changed), acting.refused),
        id=acting.id,
    )
    _audit(draft, asked, "done" if acting.changed else "nothing", {"changed": list(acting.changed)[:50]})


def words(verb: str, changed: int, refused: dict[str, str]) -> str:
    """The result in one line for the operator."""
    text = f"{verb}: {changed} changed"
    if refused:
        target, reason = next(iter(refused.items()))
        text += f", {len(refused)} refused ({target}: {reason})"
    return text


def _audit(draft: Draft, asked: Asked, outcome: str, detail: dict[str, object]) -> None:
    draft.audits.append(
        Audit(
            tenant=asked.scope.tenant,
            at=draft.now,
            actor=asked.scope.actor,
            origin=asked.scope.origin,
            verb=asked.command.verb,
            subject=" ".join(asked.command.targets)[:1000],
            outcome=outcome,
            detail={**detail, "request": asked.command.request},
        )
    )


def announce_rejects(draft: Draft) -> None:
    for reject in draft.rejects:
        draft.announce("reject", f"{reject.source}/{reject.field}", "rejected", ReasonCode.REJECTED, "")
