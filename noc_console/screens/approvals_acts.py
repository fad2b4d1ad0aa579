"""Acts on questions and runs: let it go, reject, cancel, stop all playbooks. Each says what it does before.

Owns the order of questions and answers. Whether an act is allowed the engine decides; two people who decide at once are
told who was first.
"""

from __future__ import annotations

from typing import Any

from data.nouns.playbooks import Approval, Execution
from noc_console import standing, words
from noc_console.actions import ACTIONS, Tier, declare, register
from noc_console.dialogs.execute import ExecuteDialog
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.screens.acting import Acting
from noc_console.screens.approvals_hold import HoldActs
from noc_console.screens.approvals_matter import ApprovalMatter, DryRuns, last_good
from noc_console.screens.frame import refusal
from noc_console.screens.fraud_acts import NoteDialog
from noc_console.widgets.piece import Line

RUN, APPROVE = "playbook:run", "playbook:approve"

# fmt: off
register(
    declare("approvals.execute", "E", "Execute", "the plan, then y within 10 s", footer=10, capability=APPROVE,
            tier=Tier.GUARDED, command="execute"),
    declare("approvals.reject", "x", "Reject", "not this: asks for the reason", footer=11, capability=APPROVE,
            tier=Tier.GUARDED, command="reject"),
    declare("approvals.plan", "d", "Dry run", "work the plan out anew; nothing is done", footer=12, command="dry-run"),
    declare("approvals.compare", "c", "Compare", "with the last run of it that succeeded", footer=23),
    declare("approvals.cancel", "X", "Cancel run", "stop a run at the next edge of a step", footer=14, capability=RUN,
            tier=Tier.GUARDED),
    declare("approvals.incident", "i", "Incident", "open the incident that it is for", footer=22),
    declare("approvals.not_ack", "a", "Ack", "acknowledges incidents; it never lets anything run",
            later="a acknowledges incidents and never lets anything run; E does"),
    declare("playbooks.kill", "K", "Kill switch", "stop all playbooks at once, or let them run again", footer=20,
            capability=RUN, tier=Tier.GUARDED, command="kill-switch"),
)
# fmt: on


class KillActs(Acting):
    """The switch that stops all playbooks; `:kill-switch` works on every page that has incidents."""

    async def do_playbooks_kill(self) -> None:
        switch = standing.stopped(self.desk.mirror)
        if switch is None:
            await self._stop()
        elif self.desk.may(APPROVE):
            await self._let_run(switch)
        else:
            self.desk.say(Safe(f"letting playbooks run again takes {APPROVE}"), "warn")

    async def _stop(self) -> None:
        told = (
            Safe("What runs stops before its next step; what waits for an approval is cancelled."),
            Safe("Nothing begins, whoever asks, until somebody who may approve lets them run again."),
        )
        title = Safe("Stop all playbooks?")
        reason = await self.show(NoteDialog(title, told, label="reason", empty=False))
        if reason:
            await self._send_switch(True, reason, "all playbooks are stopped; K lets them run again")

    async def _let_run(self, switch: Any) -> None:
        told = (
            safe_text(f"Stopped {words.ago(switch.at, self.desk.clock.now())} by {switch.by}: {switch.reason}"),
            Safe("What was cancelled stays cancelled; triggers begin anew with the next change of an incident."),
        )
        reason = await self.show(NoteDialog(Safe("Let playbooks run again?"), told, label="reason", empty=False))
        if reason:
            await self._send_switch(False, reason, "playbooks may run again")

    async def _send_switch(self, on: bool, reason: str, done: str) -> None:
        result = await self.desk.acts.send("kill_switch", (), {"on": on, "reason": reason}, quiet=True)
        if result is not None and not result.refused:
            self.desk.say(Safe(done), "warn" if on else "ok")


class ApprovalActs(HoldActs, KillActs):
    """Give `question()` and `chosen_run()`: what is under the cursor."""

    dry_runs: DryRuns

    def question(self) -> Approval | None:
        """The open question that is meant."""
        return None

    def chosen_run(self) -> Execution | None:
        return None

    def went(self, run: str) -> None:
        """A run was let go: show how it does."""

    # a question

    async def do_approvals_execute(self) -> None:
        await self.decide(armed=True)

    async def decide(self, *, armed: bool) -> None:
        """Show the plan and do what is decided."""
        approval = self.question()
        if approval is None:
            self.desk.say(Safe("nothing under the cursor waits for an answer"), "warn")
            return
        matter = self.matter_of(approval)
        title = safe_text(f"{'DONE?' if matter.is_outcome else 'APPROVE?'}  {approval.playbook}")
        answer = await self.show(ExecuteDialog(title, matter, armed=armed))
        if answer == "reject":
            await self._reject(approval)
        elif answer == "went" and matter.agreed:
            self.went(approval.execution)

    def matter_of(self, approval: Approval) -> ApprovalMatter:
        return ApprovalMatter(self.desk, approval, self.dry_runs, self._why_not_approve, self._approve)

    def _why_not_approve(self) -> Safe:
        return refusal(self.desk, ACTIONS["approvals.execute"])

    async def _approve(self, matter: ApprovalMatter) -> Safe:
        """Send it; words when it was refused."""
        approval, run = matter.approval, matter.run
        mine = say.standing_of(approval, run.definition.policy, self.desk.person) if run is not None else say.Standing()
        params: dict[str, Any] = {"plan_sha256": matter.sha256}
        if mine.for_whom:
            params["on_behalf_of"] = mine.for_whom
        if matter.changed:
            # Somebody may have had it asked for anew meanwhile: this must not count as a vote for it.
            params["anew"] = True
        result = await self.desk.acts.send("approve", [f"approval:{approval.id}"], params, quiet=True)
        if result is None:
            return Safe("not sent or not answered: look at what is told below before you repeat it")
        if result.refused:
            return safe_text(next(iter(result.refused.values())))
        matter.agreed = f"execution:{approval.execution}" in result.changed
        if matter.agreed:
            self.desk.say(safe_text(f"{approval.playbook} goes for {words.number(approval.incident)}"), "ok")
        else:
            missing = words.many(max(1, approval.quorum - len(approval.votes) - 1), "more approval")
            self.desk.say(safe_text(f"{approval.playbook}: your approval is recorded, it takes {missing}"), "ok")
        return Safe("")

    async def do_approvals_reject(self) -> None:
        approval = self.question()
        if approval is None:
            self.desk.say(Safe("nothing under the cursor waits for an answer"), "warn")
        else:
            await self._reject(approval)

    async def _reject(self, approval: Approval) -> None:
        of = f"{approval.playbook} for {words.number(approval.incident)}"
        if approval.asks == "outcome":
            title = safe_text(f"Was {approval.step} of {of} not done?")
            told = Safe("It counts as failed under your name: what can be taken back is, and the run ends.")
        else:
            title = safe_text(f"Reject {of}?")
            told = Safe("The run is cancelled under your name and nothing is done. This has no undo; p asks anew.")
        reason = await self.show(NoteDialog(title, (told,), label="reason", empty=False))
        if not reason:
            return
        result = await self.desk.acts.send("reject", [f"approval:{approval.id}"], {"reason": reason}, quiet=True)
        if result is not None and not result.refused:
            self.desk.say(safe_text(f"rejected {of}"), "ok")

    async def do_approvals_plan(self) -> None:
        """Beside the list: nothing is opened."""
        approval = self.question()
        if approval is None:
            self.desk.say(Safe("nothing under the cursor to plan"), "warn")
        elif approval.asks == "outcome":
            self.desk.say(Safe("a run that has begun is not planned again; look at its target"), "warn")
        else:
            found = await self.dry_runs.plan_question(approval)
            told = f"dry run: {found.problem}" if found.plan is None else "dry run: worked out anew, nothing was done"
            self.desk.say(safe_text(told), "warn" if found.plan is None else "ok")
            self.planned()

    def planned(self) -> None:
        """A dry run has come."""

    async def do_approvals_compare(self) -> None:
        approval, run = self.question(), self.chosen_run()
        if approval is None or run is None:
            self.desk.say(Safe("nothing under the cursor to compare"), "warn")
        else:
            steps = [(step.name, step.params) for step in run.steps]
            self.compared(approval, await last_good(self.desk, approval.playbook, steps))

    def compared(self, approval: Approval, lines: list[Line]) -> None:
        """What differs from the last run that succeeded."""

    def do_approvals_incident(self) -> None:
        run, approval = self.chosen_run(), self.question()
        number = run.incident if run is not None else approval.incident if approval is not None else None
        if number is None:
            self.desk.say(Safe("nothing under the cursor to open"), "warn")
        else:
            self.open_incident(number)

    # a run

    async def do_approvals_cancel(self) -> None:
        run = self.chosen_run()
        if run is None or run.state in say.OVER:
            self.desk.say(Safe("no run under the cursor goes on"), "warn")
            return
        of = f"{run.playbook} for {words.number(run.incident)}"
        told = Safe("It stops at the next edge of a step: what has begun ends first and is not taken back.")
        reason = await self.show(NoteDialog(safe_text(f"Cancel {of}?"), (told,), label="reason", empty=False))
        if not reason:
            return
        result = await self.desk.acts.send("cancel", [f"execution:{run.id}"], {"reason": reason}, quiet=True)
        if result is not None and not result.refused:
            self.desk.say(safe_text(f"cancelling {of}"), "ok")
