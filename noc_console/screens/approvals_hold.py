"""More time for a question that is about to expire: h asks how much, `:hold 45m why` says it.

Owns the lengths that are offered, and the lists of the approvals page on which h is this and does not scroll.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from textual.binding import Binding, BindingType

from data.nouns.playbooks import Approval
from noc_console import words
from noc_console.actions import bindings_for, declare, register
from noc_console.dialogs.menu import MenuDialog
from noc_console.durations import read_minutes, split_duration
from noc_console.safe_text import Safe, safe_text
from noc_console.screens.acting import Acting
from noc_console.screens.approvals_words import left
from noc_console.widgets.line_table import LineTable
from noc_console.widgets.line_view import LineView

KEY = "h"
#: Key → words and minutes.
LENGTHS = {"1": ("15 min", 15), "2": ("30 min", 30), "3": ("1 hour", 60), "4": ("4 hours", 240)}

# fmt: off
register(
    declare("approvals.hold", KEY, "Hold", "more time for this question; no vote (the left arrow scrolls here)",
            footer=18, capability="playbook:approve", command="hold", argument="[length] [reason]"),
)
# fmt: on


def _without_hold() -> list[BindingType]:
    """The keys of lists but h; the arrow beside it still scrolls."""
    found: list[BindingType] = []
    for binding in bindings_for("table"):
        assert isinstance(binding, Binding)
        kept = [key for key in binding.key.split(",") if key != KEY]
        found.append(replace(binding, key=",".join(kept)))
    return found


class QuestionTable(LineTable[str], inherit_bindings=False):
    BINDINGS = _without_hold()


class PlanView(LineView, inherit_bindings=False):
    BINDINGS = _without_hold()


class HoldActs(Acting):
    """Give `question()`: the one that is meant."""

    def question(self) -> Approval | None:
        return None

    async def do_approvals_hold(self, argument: str = "") -> None:
        approval = self.question()
        if approval is None:
            self.desk.say(Safe("nothing under the cursor waits for an answer"), "warn")
        elif approval.expires_at is None:
            self.desk.say(Safe("this question does not expire: it waits until somebody answers"), "warn")
        else:
            await self._hold(approval, argument)

    async def _hold(self, approval: Approval, argument: str) -> None:
        minutes, reason = 0, ""
        if argument:
            length, reason = split_duration(argument)
            try:
                minutes = read_minutes(length, self.desk.clock.now())
            except ValueError as error:
                self.desk.say(safe_text(f"hold: {error}"), "warn")
                return
        else:
            minutes = await self._how_long(approval)
        if minutes:
            await self._send_hold(approval, minutes, reason)

    async def _how_long(self, approval: Approval) -> int:
        """Minutes; 0 = left."""
        assert approval.expires_at is not None
        items = [
            (key, text, f"until {approval.expires_at + timedelta(minutes=more):%H:%M:%S}Z")
            for key, (text, more) in LENGTHS.items()
        ]
        of = f"{approval.playbook} for {words.number(approval.incident)}"
        remains = left(approval, self.desk.clock.now()).text
        answer = await self.show(MenuDialog(safe_text(f"Hold {of}, {remains} left: how much longer?"), items))
        return LENGTHS[answer][1] if answer else 0

    async def _send_hold(self, approval: Approval, minutes: int, reason: str) -> None:
        params = {"minutes": minutes, "reason": reason}
        result = await self.desk.acts.send("hold", [f"approval:{approval.id}"], params, quiet=True)
        if result is not None and not result.refused:
            of = f"{approval.playbook} for {words.number(approval.incident)}"
            self.desk.say(safe_text(f"{of} waits {minutes} min longer"), "ok")
