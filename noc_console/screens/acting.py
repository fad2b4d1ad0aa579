"""What acts stand on: which things they are for, how they are sent and asked for. Holds no act itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, cast

from data.records import Incident
from noc_console.acts import names, shown_name
from noc_console.desk import Desk
from noc_console.dialogs.confirm import ConfirmDialog
from noc_console.dialogs.dialog import Dialog
from noc_console.safe_text import Safe
from noc_console.widgets.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.screen import Screen

    from engine.client import CommandResult

T = TypeVar("T")

MANY = 20
MERGED_SHOWN = 5
_KINDS = {"I": "incident", "A": "alert", "C": "cluster"}
_NAME = re.compile(r"([IAC])-(\d{1,15}),?", re.IGNORECASE)

#: Verbs that also take single alerts; all others are for incidents.
OF_ALERTS = frozenset({"ack", "unack", "shelve", "unshelve", "note"})


class Acting:
    """Mix in before a FrameScreen and give `incident_targets`; a screen with alerts also gives `targets`."""

    if TYPE_CHECKING:

        @property
        def desk(self) -> Desk: ...
        def open_incident(self, number: int, section: str = "") -> None: ...

    def incident_targets(self) -> Sequence[Incident]:
        """The marked incidents, else the one under the cursor."""
        return ()

    def targets(self, verb: str) -> list[str]:
        """Names of what the verb would act on now."""
        return [f"incident:{incident.id}" for incident in self.incident_targets()]

    def acted(self) -> None:
        """The engine took an act on the targets: a list clears its marks here."""

    def meant(self, verb: str, argument: str) -> tuple[list[str], str]:
        """Targets named at the start of a `:` line ("I-12 A-7 …"), else those of the screen; and the rest of it."""
        named = []
        rest = argument.strip()
        while found := _NAME.match(rest + " "):
            if rest[found.end() : found.end() + 1].strip():
                break
            named.append(f"{_KINDS[found[1].upper()]}:{int(found[2])}")
            rest = rest[found.end() :].strip()
        return named or self.targets(verb), rest

    async def show(self, dialog: Dialog[T]) -> T | None:
        """The dialog's answer; None when it was left."""
        answer: T | None = await cast("Screen[Any]", self).app.push_screen_wait(dialog)
        return answer

    async def yes(self, title: Safe, lines: Sequence[Safe], yes: Safe) -> bool:
        """Ask, saying what will happen."""
        dialog = ConfirmDialog(title, [[Piece(line)] for line in lines], yes)
        return await self.show(dialog) is True

    async def present(self, verb: str, targets: Sequence[str]) -> list[str]:
        """The targets as they are by now: one that was merged away meanwhile is named and asked about first.

        Empty when the operator does not want the one that it became.
        """
        became = {name: into for name in targets if (into := self._became(name)) != name}
        if not became:
            return list(targets)
        lines = [
            Safe(f"{shown_name(name)} is no more: its alerts are in {shown_name(into)}, {self._title(into)}.")
            for name, into in list(became.items())[:MERGED_SHOWN]
        ]
        if len(became) > MERGED_SHOWN:
            lines.append(Safe(f"And {len(became) - MERGED_SHOWN} more like it."))
        lines.append(Safe(f"{verb.capitalize()} reaches what it became, with all that is in there."))
        into_all = list(dict.fromkeys(became.get(name, name) for name in targets))
        title = Safe(f"{verb.capitalize()} {names(into_all)} instead?")
        return into_all if await self.yes(title, lines, Safe(verb.capitalize())) else []

    def _became(self, name: str) -> str:
        """Where an incident's alerts are now: itself, or the last one of a chain of merges."""
        kind, _, number = name.partition(":")
        if kind != "incident" or not number.isdigit():
            return name
        seen = {int(number)}
        found = self.desk.mirror.incident(int(number))
        while found is not None and found.merged_into is not None and found.merged_into not in seen:
            seen.add(found.merged_into)
            name = f"incident:{found.merged_into}"
            found = self.desk.mirror.incident(found.merged_into)
        return name

    def _title(self, name: str) -> Safe:
        found = self.desk.mirror.incident(int(name.partition(":")[2]))
        if found is None:
            return Safe("which this console does not hold")
        return Safe(self.desk.names.words(found.title)[:60])

    async def send(
        self, verb: str, targets: Sequence[str], params: dict[str, Any] | None = None
    ) -> CommandResult | None:
        """Ask above twenty, then send; None when it was not done."""
        if not targets:
            self.desk.say(Safe(f"{verb}: nothing under the cursor to do it to"), "warn")
            return None
        now = await self.present(verb, targets)
        if not now:
            return None
        targets = now
        if len(targets) > MANY:
            lines = (Safe(f"This is for {len(targets)} at once: {names(targets)}."),)
            if not await self.yes(Safe(f"{verb.capitalize()} {len(targets)}?"), lines, Safe(verb.capitalize())):
                return None
        result = await self.desk.acts.send(verb, targets, params)
        if result is not None:
            self.acted()
        return result
