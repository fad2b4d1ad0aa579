"""Sends an operator's acts and says what came of them.

Nothing is shown as done before the engine says so. Owns the undo offers. Never decides whether an act is allowed: the
screen asked the registry before, the engine decides after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from msgspec import Struct

from engine.client import STEP_UP, Command, CommandResult, Refused, Unreachable
from noc_console.desk import Desk
from noc_console.safe_text import Safe, safe_text

#: For how long an offer stands out in the status bar; it holds for UNDO_SECONDS.
UNDO_SHOWN_SECONDS = 10.0
UNDO_SECONDS = 600.0

#: verb → (past tense, present for questions)
_PAST = {
    "ack": "acknowledged",
    "unack": "un-acknowledged",
    "shelve": "shelved",
    "unshelve": "unshelved",
    "silence": "silenced",
    "expire_silence": "silence ended",
    "assign": "assigned",
    "note": "noted",
    "merge": "merged",
    "split": "split",
    "resolve": "resolved",
    "close": "closed",
    "reopen": "reopened",
    "undo": "undone",
    "replay_reject": "replayed",
    "discard_reject": "discarded",
    "enrich": "enriched",
    "assign_ticket": "assigned",
    "note_ticket": "noted",
    "move_ticket": "moved",
    "judge_finding": "judged",
    "train": "training asked for",
    "cancel_training": "training ended",
    "rollback_model": "way back asked for",
}


class Offer(Struct, frozen=True):
    """An act that can be taken back until `until` (monotonic seconds)."""

    undo: str
    words: Safe
    at: float
    until: float


class Acts:
    """`send` returns the result, or None when it was refused or not answered; the operator has been told either way."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._offers: list[Offer] = []
        #: The last act when it cannot be undone, and whether the operator was told so.
        self._since = ""
        self._asked = False

    async def send(
        self, verb: str, targets: Sequence[str], params: dict[str, Any] | None = None, *, quiet: bool = False
    ) -> CommandResult | None:
        command = Command(verb=verb, targets=tuple(targets), params=params or {}, request=str(uuid4()))
        try:
            result = await self._commanded(command)
        except Refused as error:
            self._desk.say(_refusal(verb, error), "alarm", seconds=12.0)
            return None
        except Unreachable as error:
            words = f"{verb}: not sent or not answered ({error}); check before you repeat it"
            self._desk.say(safe_text(words), "alarm", seconds=12.0)
            return None
        self._desk.pump.hurry()
        self._tell(command, result, quiet)
        return result

    async def _commanded(self, command: Command) -> CommandResult:
        """Sent again once the PIN was given that the engine asks for: under the same request, it is one act."""
        try:
            return await self._desk.client.command(command)
        except Refused as error:
            if error.field != STEP_UP:
                raise
            if not await self._desk.ask_pin(self._confirm):
                raise Refused(error.reason, remedy="nothing was done", status=error.status) from error
        return await self._desk.client.command(command)

    async def _confirm(self, pin: str) -> tuple[Safe, bool]:
        try:
            await self._desk.client.step_up(pin)
        except Refused as error:
            return safe_text(f"{error.reason} — {error.remedy}" if error.remedy else error.reason), error.status == 403
        except Unreachable as error:
            return safe_text(f"not sent or not answered ({error})"), True
        return Safe(""), True

    async def undo(self) -> None:
        """Take back the newest act that still can be."""
        offer = self.offer()
        if offer is None:
            self._desk.say(Safe("nothing to undo"), "warn")
            return
        if self._since and not self._asked:
            self._asked = True
            self._desk.say(safe_text(f"{self._since} has no undo; u again takes back: {offer.words}"), "warn")
            return
        result = await self.send("undo", (f"undo:{offer.undo}",), quiet=True)
        if result is not None:
            self._offers.remove(offer)
            if not result.refused:
                self._desk.say(safe_text(f"undone: {offer.words}"), "ok")

    def offer(self) -> Offer | None:
        """The newest act that can be taken back now."""
        now = self._desk.clock.monotonic()
        self._offers = [offer for offer in self._offers if offer.until > now]
        return self._offers[-1] if self._offers else None

    def _tell(self, command: Command, result: CommandResult, quiet: bool) -> None:
        words = _words(command, result)
        self._since = "" if result.undo or quiet else words
        self._asked = False
        if result.undo:
            now = self._desk.clock.monotonic()
            self._offers.append(Offer(result.undo, words, now, now + UNDO_SECONDS))
        if result.refused:
            refused = _refused_words(result)
            self._desk.say(safe_text(f"{words}; {refused}") if result.changed else refused, "warn", seconds=12.0)
        elif not quiet:
            self._desk.say(safe_text(f"[u] undo: {words}") if result.undo else words, "ok")


def shown_name(target: str) -> Safe:
    """ "incident:12" as operators write it: I-12; A- for alerts, C- for clusters."""
    kind, _, number = target.partition(":")
    letter = {"incident": "I-", "alert": "A-", "cluster": "C-"}.get(kind)
    return safe_text(letter + number if letter else target)


def names(targets: Sequence[str]) -> Safe:
    """Up to three names, then how many more."""
    head = ", ".join(shown_name(target) for target in targets[:3])
    return safe_text(head + (f" and {len(targets) - 3} more" if len(targets) > 3 else ""))


def _words(command: Command, result: CommandResult) -> Safe:
    if command.verb == "silence":
        return safe_text(f"silenced {command.params.get('matchers', '')}")
    if command.verb == "merge":
        return safe_text(f"merged {names(command.targets[1:])} into {shown_name(command.targets[0])}")
    if command.verb == "assign" and result.changed:
        return safe_text(f"assigned {names(result.changed)} to {command.params.get('owner') or 'nobody'}")
    if command.verb == "split" and result.id:
        return safe_text(f"split off {shown_name(result.id)}")
    if result.words and not result.changed:
        return safe_text(result.words)
    return safe_text(f"{_PAST.get(command.verb, command.verb)} {names(result.changed or command.targets)}")


def _refused_words(result: CommandResult) -> Safe:
    (target, reason), *more = result.refused.items()
    return safe_text(f"refused {shown_name(target)}: {reason}" + (f" (and {len(more)} more)" if more else ""))


def _refusal(verb: str, error: Refused) -> Safe:
    field = f" [{error.field}]" if error.field and error.field != "targets" else ""
    remedy = f" — {error.remedy}" if error.remedy else ""
    return safe_text(f"{verb} refused: {error.reason}{field}{remedy}")
