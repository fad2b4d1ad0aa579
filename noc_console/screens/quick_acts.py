"""Acts that change little: ack, shelve, own, assign, note, undo. They ask for words at most."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from noc_console.acts import names
from noc_console.dialogs.shelve import ShelveDialog
from noc_console.dialogs.words import WordsDialog
from noc_console.durations import read_minutes, split_duration
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting


class QuickActs(Acting):
    async def do_incident_ack(self, argument: str) -> None:
        targets, rest = self.meant("ack", argument)
        try:
            params = _ack_params(rest, self.desk.clock.now())
        except ValueError as error:
            self.desk.say(safe_text(f"ack: {error}"), "warn")
            return
        await self.send("ack", targets, params)

    async def do_incident_unack(self, argument: str) -> None:
        await self.send("unack", self.meant("unack", argument)[0])

    async def do_incident_own(self, argument: str) -> None:
        await self.send("assign", self.meant("assign", argument)[0], {"owner": self.desk.actor})

    async def do_incident_undo(self) -> None:
        await self.desk.acts.undo()

    async def do_incident_shelve(self, argument: str) -> None:
        targets, rest = self.meant("shelve", argument)
        if rest:
            length, note = split_duration(rest)
            try:
                minutes = read_minutes(length, self.desk.clock.now())
            except ValueError as error:
                self.desk.say(safe_text(f"shelve: {error}"), "warn")
                return
        elif targets:
            shelf = await self.show(ShelveDialog(names(targets)))
            if shelf is None:
                return
            minutes, note = shelf.minutes, shelf.note
        else:
            minutes, note = 0, ""
        await self.send("shelve", targets, {"minutes": minutes, "note": note})

    async def do_incident_unshelve(self, argument: str) -> None:
        await self.send("unshelve", self.meant("unshelve", argument)[0])

    async def do_incident_assign(self, argument: str) -> None:
        targets, owner = self.meant("assign", argument)
        if targets and not owner:
            title = Safe(f"Assign {names(targets)}")
            answer = await self.show(WordsDialog(title, "to", hint="name; empty takes the owner away", empty=True))
            if answer is None:
                return
            owner = answer
        await self.send("assign", targets, {"owner": owner})

    async def do_incident_note(self, argument: str) -> None:
        targets, text = self.meant("note", argument)
        if targets and not text:
            hint = "kept in the timeline, shown again when it fires again"
            text = await self.show(WordsDialog(Safe(f"Note on {names(targets)}"), "note", hint=hint)) or ""
            if not text:
                return
        await self.send("note", targets, {"text": text})


def _ack_params(argument: str, now: datetime) -> dict[str, Any]:
    """ "30m on it" → minutes and note; "sticky" → sticky; anything else is the note."""
    first, _, rest = argument.strip().partition(" ")
    if first == "sticky":
        return {"sticky": True, "note": rest}
    if first[:1].isdigit():
        return {"minutes": read_minutes(first, now), "note": rest.strip()}
    return {"note": argument.strip()} if argument.strip() else {}
