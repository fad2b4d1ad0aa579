"""What the dialog that lets a playbook go decides on: an open question, or a playbook on an incident. Follows the feed.

Owns the reasons why somebody may not decide now, and the dry run that is asked of the engine. Never sends an act.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from data.nouns.playbooks import Approval, Execution
from engine.client import Query, Refused, Unreachable
from noc_console import standing, words
from noc_console.desk import Desk
from noc_console.dialogs.execute import GRAVE_QUORUM
from noc_console.filter_words import quoted
from noc_console.lapses import is_over
from noc_console.reading import Reading, problem_words
from noc_console.record_lists import Watch
from noc_console.safe_text import Safe, safe_text
from noc_console.screens import approvals_words as say
from noc_console.screens.approvals_lines import params_lines
from noc_console.screens.approvals_plan import FRESH_SECONDS, DryRun, Figures, Subject, plan_lines
from noc_console.screens.approvals_rows import moment
from noc_console.widgets.piece import Line, Piece

#: Runs that are not settled, with their plans: those that go on or wait, and those that ended of late.
OPEN_RUNS = Watch(kind="executions", active=True)


class DryRuns:
    """Asks the engine what a run would do now, and what is foretold of an incident's place. Keeps the last answers."""

    MOST = 200

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: dict[str, DryRun] = {}
        self._foretold: dict[int, Safe] = {}
        self._figures: dict[str, Figures] = {}
        self._under_way = ""

    def wants(self, approval: Approval) -> bool:
        """Whether nobody has worked its plan out yet; whoever is told so does."""
        if approval.asks != "run" or self.of(approval.execution) is not None or self._under_way == approval.execution:
            return False
        self._under_way = approval.execution
        return True

    async def plan_question(self, approval: Approval) -> DryRun:
        """The plan of a question and what is known beside it."""
        found = await self.plan(approval.execution, {"execution": approval.execution})
        await self.learn(approval.playbook, int(approval.incident), approval.site)
        self._under_way = ""
        return found

    def of(self, key: str) -> DryRun | None:
        return self._kept.get(key)

    def foretold(self, incident: int) -> Safe:
        return self._foretold.get(incident, Safe(""))

    def figures(self, playbook: str) -> Figures | None:
        return self._figures.get(playbook)

    async def plan(self, key: str, params: dict[str, Any]) -> DryRun:
        """The dry run, whether or not it could be worked out."""
        clock = self._desk.clock
        try:
            page = await self._desk.client.query(Query(kind="playbooks/plan", params=params))
        except (Refused, Unreachable) as error:
            found = DryRun(at=clock.monotonic(), told_at=clock.now(), problem=problem_words(error))
        else:
            plan = msgspec.to_builtins(page.items[0])  # of an engine in this process the steps are structs
            at = moment(plan.get("planned_at")) or clock.now()
            found = DryRun(at=clock.monotonic(), told_at=at, plan=plan)
        while len(self._kept) >= self.MOST:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = found
        return found

    async def learn(self, playbook: str, incident: int, site: str) -> None:
        """How its runs ended, and what is foretold there; without an answer nothing is said."""
        read = Reading(self._desk.client, Query(kind="playbooks/statistics", params={"playbook": playbook}))
        await read.load()
        if read.loaded:
            row = read.rows[0] if read.rows else {}
            self._figures[playbook] = Figures(
                acted=row.get("acted") or 0,
                success_rate=row.get("success_rate"),
                mean_seconds=row.get("mean_seconds"),
            )
        if site:
            query = Query(kind="predictions", q=f"site={quoted(site)}", active=True, limit=20)
            likely = Reading(self._desk.client, query)
            await likely.load()
            if likely.rows:
                self._foretold[incident] = _foretold(likely.rows)


class ApprovalMatter:
    """An open question. `refusal` gives the reasons that hold everywhere: read-only, no right, no engine, old data.

    `approve` sends an approval and gives words when it was refused. When the plan has changed since, what differs from
    the one that was shown before is told.
    """

    def __init__(
        self,
        desk: Desk,
        approval: Approval,
        dry_runs: DryRuns,
        refusal: Callable[[], Safe],
        approve: Callable[[ApprovalMatter], Awaitable[Safe]],
    ) -> None:
        self._desk, self._last, self._dry_runs, self._refusal = desk, approval, dry_runs, refusal
        self._approve = approve
        self._before: Execution | None = None
        #: The approval that was sent was the last that it took.
        self.agreed = False
        self.number = int(approval.incident)
        self._run: Execution | None = None

    @property
    def approval(self) -> Approval:
        """As the feed last said; when it has left the list, as it was."""
        found: Approval | None = self._desk.mirror.lists.of(standing.WAITING).records.get(self._last.id)
        if found is not None:
            self._last = found
        return self._last

    @property
    def run(self) -> Execution | None:
        found: Execution | None = self._desk.mirror.lists.of(OPEN_RUNS).records.get(self._last.execution)
        if found is not None:
            self._run = found
        return self._run

    @property
    def is_outcome(self) -> bool:
        return self._last.asks == "outcome"

    @property
    def plans(self) -> bool:
        return not self.is_outcome

    @property
    def grave(self) -> bool:
        return not self.is_outcome and self._last.quorum >= GRAVE_QUORUM

    @property
    def go(self) -> str:
        return "it was done" if self.is_outcome else "approve"

    @property
    def no(self) -> str:
        return "it was not done" if self.is_outcome else "reject"

    @property
    def changed(self) -> bool:
        return self.subject().changed

    @property
    def sha256(self) -> str:
        dry = self._dry_runs.of(self._last.execution)
        return dry.sha256 if self.changed and dry is not None else self.approval.plan_sha256

    def subject(self) -> Subject:
        approval, run = self.approval, self.run
        return Subject(
            playbook=approval.playbook,
            incident=self._desk.mirror.incident(self.number),
            number=self.number,
            approval=approval,
            run=run,
            before=self._before,
            dry_run=None if self.is_outcome else self._dry_runs.of(approval.execution),
            figures=self._dry_runs.figures(approval.playbook),
            foretold=self._dry_runs.foretold(self.number),
            site=site_of(self._desk, self.number),
            person=self._desk.person,
        )

    def lines(self, cells: int) -> list[Line]:
        clock = self._desk.clock
        return plan_lines(self.subject(), clock.now(), clock.monotonic(), cells)

    def over(self) -> Safe:
        approval = self.approval
        held = self._desk.mirror.lists.of(standing.WAITING)
        if held.loaded and approval.id not in held.records:
            return self._decided()
        if approval.expires_at is not None and approval.expires_at <= self._desk.clock.now():
            return Safe("it has expired: nobody decided in time, nothing is done")
        return Safe("")

    def _decided(self) -> Safe:
        """What became of it, from the feed's last word on it."""
        subject = f"approval:{self._last.id}"
        for change in reversed(self._desk.mirror.log):
            if change.subject == subject:
                found = msgspec.json.decode(change.record, type=Approval | None)
                if found is not None and found.state != "open":
                    by = found.votes[-1].by if found.votes else "the engine"
                    why = f": {found.reason}" if found.reason else ""
                    return safe_text(f"decided meanwhile: {found.state} by {by}{why}")
                break
        return Safe("decided meanwhile: it does not wait any more")

    def why_not(self) -> Safe:
        reason = self._refusal()
        if reason:
            return reason
        run = self.run
        if run is None:
            return Safe("its run is not known here yet")
        mine = say.standing_of(self.approval, run.definition.policy, self._desk.person)
        if mine.problem or self.is_outcome:
            return mine.problem
        dry = self._dry_runs.of(self._last.execution)
        if dry is None:
            return Safe("there is no dry run yet: d works it out")
        if dry.plan is None:
            return safe_text(f"the dry run says that it cannot run: {dry.problem}")
        if self._desk.clock.monotonic() - dry.at >= FRESH_SECONDS:
            return Safe("the dry run is older than 10 min: d works it out anew")
        return Safe("")

    async def send(self) -> Safe:
        shown = self.run
        refused = await self._approve(self)
        if refused:
            self._before = shown
        return refused

    async def plan(self) -> None:
        approval = self.approval
        if not self.is_outcome:
            await self._dry_runs.plan(approval.execution, {"execution": approval.execution})
        await self._dry_runs.learn(approval.playbook, self.number, approval.site)

    async def compare(self) -> list[Line]:
        steps = [(step.name, dict(step.params)) for step in self.run.steps] if self.run is not None else []
        return await last_good(self._desk, self._last.playbook, steps)


class PlaybookMatter:
    """A playbook that somebody may run on an incident; its policy may ask others first."""

    grave, no, changed, plans = False, "", False, True

    def __init__(  # noqa: PLR0917  (as ApprovalMatter's)
        self,
        desk: Desk,
        playbook: str,
        incident: int,
        dry_runs: DryRuns,
        refusal: Callable[[], Safe],
        run: Callable[[str], Awaitable[Safe]],
    ) -> None:
        self._desk, self._playbook, self.number, self._run = desk, playbook, incident, run
        self._dry_runs, self._refusal = dry_runs, refusal
        self._key = f"{playbook} {incident}"

    @property
    def go(self) -> str:
        dry = self._dry_runs.of(self._key)
        asks = dry is not None and dry.plan is not None and dry.plan.get("asks")
        return "ask for approval" if asks else "run it"

    @property
    def sha256(self) -> str:
        dry = self._dry_runs.of(self._key)
        return dry.sha256 if dry is not None else ""

    def lines(self, cells: int) -> list[Line]:
        clock = self._desk.clock
        subject = Subject(
            playbook=self._playbook,
            incident=self._desk.mirror.incident(self.number),
            number=self.number,
            dry_run=self._dry_runs.of(self._key),
            figures=self._dry_runs.figures(self._playbook),
            foretold=self._dry_runs.foretold(self.number),
            site=site_of(self._desk, self.number),
            person=self._desk.person,
        )
        return plan_lines(subject, clock.now(), clock.monotonic(), cells)

    def over(self) -> Safe:
        incident = self._desk.mirror.incident(self.number)
        return Safe("the incident is over") if incident is not None and is_over(incident) else Safe("")

    def why_not(self) -> Safe:
        reason = self._refusal()
        if reason:
            return reason
        switch = standing.stopped(self._desk.mirror)
        if switch is not None:
            return safe_text(f"the kill switch is on: {switch.reason}")
        dry = self._dry_runs.of(self._key)
        if dry is None:
            return Safe("there is no dry run yet: d works it out")
        if dry.plan is None:
            return safe_text(f"it cannot run here: {dry.problem}")
        if self._desk.clock.monotonic() - dry.at >= FRESH_SECONDS:
            return Safe("the dry run is older than 10 min: d works it out anew")
        return Safe("")

    async def send(self) -> Safe:
        return await self._run(self.sha256)

    async def plan(self) -> None:
        await self._dry_runs.plan(self._key, {"playbook": self._playbook, "incident": self.number})
        incident = self._desk.mirror.incident(self.number)
        await self._dry_runs.learn(self._playbook, self.number, incident.site if incident is not None else "")

    async def compare(self) -> list[Line]:
        dry = self._dry_runs.of(self._key)
        steps = [(step["name"], step["params"]) for step in dry.plan["steps"]] if dry is not None and dry.plan else []
        return await last_good(self._desk, self._playbook, steps)


def site_of(desk: Desk, number: int) -> Safe:
    incident = desk.mirror.incident(number)
    return desk.names.site(incident.site) if incident is not None else Safe("")


async def last_good(desk: Desk, playbook: str, steps: list[tuple[str, dict[str, Any]]]) -> list[Line]:
    """What differs between these steps and those of the last run that succeeded."""
    query = Query(kind="executions", q=f'entity={quoted(playbook)} state="success"', limit=1)
    read = Reading(desk.client, query)
    await read.load()
    if read.problem:
        return [[Piece(safe_text(f" not read: {read.problem}"), "warn")]]
    if not read.rows:
        return [[Piece(Safe(" no run of it has succeeded yet: there is nothing to compare with"), "dim")]]
    run = read.rows[0]
    before = {step.name: dict(step.params) for step in run.steps}
    site = desk.names.site(run.site)
    head = f" against {words.number(run.incident)} at {site}, {words.ago(run.at, desk.clock.now())}"
    lines: list[Line] = [[Piece(safe_text(head), "title")]]
    same = 0
    for name, params in steps:
        old = before.pop(name, None)
        if old == params:
            same += 1
            continue
        lines.append(
            [Piece(safe_text(f" {name}"), "strong"), Piece(Safe("" if old is not None else "  is new"), "warn")]
        )
        changed = {key: value for key, value in params.items() if old is None or old.get(key) != value}
        lines += params_lines(changed, 100)
        if old is not None:
            lines += [[Piece(Safe("     it was"), "dim")], *params_lines(_others(old, params), 100, "dim")]
    lines += [[Piece(safe_text(f" {name}"), "strong"), Piece(Safe("  is gone"), "warn")] for name in before]
    if same:
        lines.append([Piece(Safe(f" {words.many(same, 'step')} as then"), "ok")])
    return lines


def _others(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in old.items() if new.get(key) != value}


def _foretold(rows: list[Any]) -> Safe:
    """The likeliest thing that is foretold of the place."""
    worst = max(rows, key=lambda row: row.probability)
    what = {"sla": "an SLA breach", "device": "a device offline", "staffing": "a staffing gap"}.get(worst.model, "it")
    name = worst.entity_name or worst.entity
    return safe_text(f"foretold: {what} of {name} by {worst.due_at:%H:%M}Z, {worst.probability:.0%} ({worst.basis})")
