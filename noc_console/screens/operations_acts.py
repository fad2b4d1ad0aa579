"""The keys of Operations; acts on tickets and findings: assign, note, move on, true or false alarm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noc_console.actions import Tier, declare, register
from noc_console.acts import names
from noc_console.dialogs.menu import MenuDialog
from noc_console.dialogs.words import WordsDialog
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting
from noc_console.screens.fraud_acts import NoteDialog

WRITE, JUDGE = "ticket:write", "noc:ack"
NAMED = 3

# fmt: off
register(
    declare("operations.modules", "M", "Modules", "all modules in numbers", footer=14, command="modules"),
    declare("operations.tickets", "T", "Tickets", "tickets with their SLA clocks", footer=15, command="tickets"),
    declare("operations.findings", "A", "Audit", "what audits found, to judge", footer=16, command="findings"),
    declare("ticket.own", "o", "Own", "make the ticket mine", footer=10, capability=WRITE, tier=Tier.REVERSIBLE),
    declare("ticket.assign", "O", "Assign", "give the ticket to somebody", footer=11, capability=WRITE,
            tier=Tier.REVERSIBLE),
    declare("ticket.note", "i", "Note", "write into the ticket's history", footer=12, capability=WRITE,
            tier=Tier.REVERSIBLE),
    declare("ticket.move", "s", "State", "in progress, on hold, resolved or closed: asks which, and for a note",
            footer=13, capability=WRITE, tier=Tier.GUARDED),
    declare("finding.true", "c", "True alarm", "it was right: asks for a note", footer=10, capability=JUDGE,
            tier=Tier.GUARDED),
    declare("finding.false", "x", "False alarm", "it was wrong: asks for a note", footer=11, capability=JUDGE,
            tier=Tier.GUARDED),
)
# fmt: on

_MOVES = (
    ("a", "assigned", "back to whom it is assigned; the SLA's clock runs"),
    ("p", "in_progress", "it is being worked on; the SLA's clock runs"),
    ("h", "on_hold", "it waits for others; the SLA's clock stands still"),
    ("r", "resolved", "the work is done; the SLA's clock ends"),
    ("c", "closed", "for good; nothing can be done with it any more"),
)
_VERDICTS = {
    "true_alarm": "It is recorded as a true alarm under your name and counts for the weekly tuning of its threshold.",
    "false_alarm": "It is dismissed as a false alarm under your name. Where many are false its threshold is raised.",
}


class TicketActs(Acting):
    """`ticket_targets` are the ids of the tickets that are meant."""

    def ticket_targets(self) -> Sequence[str]:
        return ()

    async def do_ticket_own(self) -> None:
        await self._send("assign_ticket", {"assignee": self.desk.actor})

    async def do_ticket_assign(self) -> None:
        if named := self._named():
            to = await self.show(WordsDialog(Safe(f"Assign {named}"), "to", hint="person or team"))
            if to:
                await self._send("assign_ticket", {"assignee": to})

    async def do_ticket_note(self) -> None:
        if named := self._named():
            hint = "kept in the ticket's history"
            text = await self.show(WordsDialog(Safe(f"Note on {named}"), "note", hint=hint))
            if text:
                await self._send("note_ticket", {"text": text})

    async def do_ticket_move(self) -> None:
        named = self._named()
        if not named:
            return
        items = [(key, state.replace("_", " "), what) for key, state, what in _MOVES]
        key = await self.show(MenuDialog(Safe(f"{named} becomes"), items))
        found = next(((state, what) for letter, state, what in _MOVES if letter == key), None)
        if found is None:
            return
        state, what = found
        told = [safe_text(f"{state.replace('_', ' ')}: {what}.")]
        note = await self.show(NoteDialog(Safe(f"Move {named}?"), told))
        if note is not None:
            await self._send("move_ticket", {"state": state, "note": note})

    def _named(self) -> Safe:
        ids = self.ticket_targets()
        if not ids:
            self.desk.say(Safe("no ticket under the cursor"), "warn")
        return safe_text(names([f"ticket:{id}" for id in ids]).replace("ticket:", "")) if ids else Safe("")

    async def _send(self, verb: str, params: dict[str, Any]) -> None:
        await self.send(verb, [f"ticket:{id}" for id in self.ticket_targets()], params)


class FindingActs(Acting):
    """`finding_targets` are the findings that are meant."""

    def finding_targets(self) -> Sequence[Any]:
        return ()

    async def do_finding_true(self) -> None:
        await self._judge("true_alarm")

    async def do_finding_false(self) -> None:
        await self._judge("false_alarm")

    async def _judge(self, verdict: str) -> None:
        found = self.finding_targets()
        title = verdict.replace("_", " ").capitalize()
        if not found:
            self.desk.say(Safe(f"{title}: no finding under the cursor"), "warn")
            return
        head = [Safe(f"{finding.severity.value} {self.desk.names.words(finding.title)}") for finding in found[:NAMED]]
        if len(found) > NAMED:
            head.append(Safe(f"and {len(found) - NAMED} more"))
        lines = [*head, Safe(_VERDICTS[verdict]), Safe("This has no undo; the other verdict can be given later.")]
        note = await self.show(NoteDialog(Safe(f"{title}?"), lines))
        if note is not None:
            targets = [f"finding:{finding.id}" for finding in found]
            await self.send("judge_finding", targets, {"verdict": verdict, "note": note})
