"""Verdicts on fraud scores: what each does is said and a note is asked for before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual.app import ComposeResult
from textual.widgets import Input

from noc_console.actions import Tier, declare, register
from noc_console.dialogs.dialog import text_block
from noc_console.dialogs.words import WordsDialog
from noc_console.safe_text import Safe, safe_text, wrap
from noc_console.screens.acting import Acting
from noc_console.widgets.piece import Line, Piece

VIEW = "security:fraud:view"
NAMED = 3

register(
    declare("verdict.confirm", "c", "Confirm", "it was fraud: asks for a note", footer=10, capability=VIEW,
            tier=Tier.GUARDED, command="confirm-fraud"),
    declare("verdict.dismiss", "x", "Dismiss", "it was honest: asks for a note", footer=11, capability=VIEW,
            tier=Tier.GUARDED, command="dismiss-fraud"),
)  # fmt: skip

_TOLD = {
    "confirm_fraud": (
        "Fraud is recorded under your name. It counts against the person and the site for 30 days, and the model "
        "learns from it. A ticket that was opened for it stays open.",
        "confirmed as fraud",
    ),
    "dismiss_fraud": (
        "It is recorded as honest under your name. Its alert and its ticket are resolved, the model learns from it.",
        "dismissed as honest",
    ),
}


class NoteDialog(WordsDialog):
    """Says what will happen, then asks for a note; answers the note, which may be empty."""

    def __init__(self, title: Safe, told: Sequence[Safe], *, label: str = "note", empty: bool = True) -> None:
        super().__init__(title, label, hint="kept with it; may be empty" if empty else "", empty=empty)
        self._told = told

    def compose_parts(self) -> ComposeResult:
        lines: list[Line] = [[Piece(part)] for text in self._told for part in wrap(text, 70)]
        yield text_block([*lines, []])
        yield from super().compose_parts()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The key that opened it must not send it."""
        if not self.meant_opening():
            event.stop()
            event.prevent_default()


class FraudActs(Acting):
    """`fraud_targets` are the scores that a verdict is for."""

    def fraud_targets(self) -> Sequence[Any]:
        return ()

    async def do_verdict_confirm(self) -> None:
        await self._judge("confirm_fraud", "Confirm")

    async def do_verdict_dismiss(self) -> None:
        await self._judge("dismiss_fraud", "Dismiss")

    async def _judge(self, verb: str, title: str) -> None:
        scores = [score for score in self.fraud_targets() if score.verdict == "open"]
        if not scores:
            self.desk.say(Safe(f"{title.lower()}: no score here waits for a verdict"), "warn")
            return
        told, done = _TOLD[verb]
        head = [self._told_of(score) for score in scores[:NAMED]]
        if len(scores) > NAMED:
            head.append(Safe(f"and {len(scores) - NAMED} more"))
        named = self._short(scores[0]) if len(scores) == 1 else f"{len(scores)} scores"
        lines = [*head, Safe(told), Safe("This has no undo.")]
        note = await self.show(NoteDialog(Safe(f"{title} {named}?"), lines))
        if note is None:
            return
        targets = [f"fraud_score:{score.id}" for score in scores]
        result = await self.desk.acts.send(verb, targets, {"note": note}, quiet=True)
        if result is not None:
            self.acted()
            if not result.refused:
                self.desk.say(Safe(f"{named} {done}"), "ok")

    def _told_of(self, score: Any) -> Safe:
        """Whose score, where and when, by name and id: a verdict must not hit the wrong one."""
        names = self.desk.names
        who, where = names.full_person(score.person), names.full_site(score.site)
        return safe_text(f"{score.score:.0%} {who} at {where}, {score.at:%d %b %H:%M}Z")

    def _short(self, score: Any) -> Safe:
        return safe_text(f"the score of {self.desk.names.full_person(score.person)}")
