"""Acts on playbooks: run one, answer its questions, cancel, stop them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.playbooks import EXECUTION_OVER, Approval, Execution, KillSwitch, Vote
from data.records import ENDED, IncidentId
from data.restricted import of_names
from engine.acts.registry import OTHER_SITES, Acting, act
from engine.client import Refused
from engine.playbooks import approvals, executor, results, starting
from engine.playbooks.limits import KILL_SWITCH, kill_switch
from engine.playbooks.plan import Unplannable
from engine.reasons import ReasonCode

Hash = Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")]
Text = Annotated[str, Meta(max_length=1000)]
Reason = Annotated[str, Meta(min_length=1, max_length=1000)]

#: "/" parts the key of an effect; "." would let a run be called as the question about a step of another run is.
_PLAIN = str.maketrans("/.", "--")


class RunParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`plan_sha256`: only if the plan is still the one that was shown."""

    playbook: Annotated[str, Meta(min_length=1, max_length=64)]
    plan_sha256: Hash = ""


class ApproveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`plan_sha256` is that of the plan that was shown; `on_behalf_of` an approver who has delegated. `anew`: never a
    vote; it has a plan that has changed asked for as it is now."""

    plan_sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    reason: Text = ""
    on_behalf_of: Annotated[str, Meta(max_length=200)] = ""
    anew: bool = False


class RejectParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class HoldParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much longer it waits; `reason` stands in the timeline."""

    minutes: Annotated[float, Meta(ge=1, le=1440)] = 15.0
    reason: Text = ""


class CancelParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class SwitchParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    on: bool
    reason: Reason


@act("run_playbook", capability="playbook:run", kinds="incident", params=RunParams)
def run_playbook(acting: Acting, params: RunParams) -> None:
    """Run a playbook on incidents; its policy may ask somebody first."""
    draft = acting.draft
    incidents = list(acting.incidents())
    if not incidents:
        return
    library = draft.rules.playbooks
    loaded = library.playbooks.get(params.playbook) if library is not None else None
    if loaded is None or not loaded.serves(draft.tenant):
        reason = f"no playbook is called {params.playbook!r}"
        raise Refused(reason, field="playbook", remedy="see the list of playbooks")
    stopped = kill_switch(draft)
    if stopped is not None:
        raise Refused(f"the kill switch is on: {stopped.reason}", remedy="have it turned off", status=409)
    for incident in incidents:
        target = f"incident:{incident.id}"
        if incident.state in ENDED or of_names(incident.names):
            acting.refuse(target, "it is over" if incident.state in ENDED else "no playbook runs on it")
            continue
        if not acting.sees_all(incident):
            continue
        id = f"{params.playbook}-I{incident.id}-{acting.command.request or f'{draft.now:%H%M%S%f}'}"[:150]
        id = id.translate(_PLAIN)
        if draft.noun("executions", id) is not None:
            acting.refuse(target, "it was asked for already")
            continue
        try:
            run = starting.begin(draft, loaded, incident, id=id, actor=acting.person, sha256=params.plan_sha256)
        except Unplannable as error:
            acting.refuse(target, str(error))
            continue
        acting.change("execution", run.id)
        acting.id = run.id


@act("approve", capability="playbook:approve", kinds="approval", params=ApproveParams, step_up=True)
def approve(acting: Acting, params: ApproveParams) -> None:
    """Approve the plan that was shown, or say that a step with an unknown outcome was done."""
    for approval, run in _open_ones(acting):
        target = f"approval:{approval.id}"
        if not _sees_all(acting, approval.incident):
            acting.refuse(target, OTHER_SITES)
            continue
        try:
            principal = approvals.voter(approval, run.definition.policy, acting.person, params.on_behalf_of)
            approvals.note_answer(acting.draft, acting.person)
        except approvals.NotAllowed as error:
            acting.refuse(target, str(error))
            continue
        reason = _changed(acting, approval, run, params.plan_sha256)
        if not reason and params.anew:
            reason = "this plan is asked for already; look at it again"
        if reason:
            acting.refuse(target, reason)
            continue
        vote = Vote(by=acting.person, principal=principal, at=acting.draft.now, reason=params.reason)
        approval = approvals.voted(acting.draft, approval, vote)
        acting.change("approval", approval.id)
        if approval.state == "approved":
            _go_on(acting, approval, run, params.reason)


def _sees_all(acting: Acting, number: IncidentId) -> bool:
    """Whether the scope sees every site of the incident: a playbook may act on any of its alerts."""
    incident = acting.draft.book.incidents.get(number)
    return incident is None or all(acting.scope.sees(site) for site in incident.sites)


def _changed(acting: Acting, approval: Approval, run: Execution, shown: str) -> str:
    """Why this answer does not count: another plan was shown, or what it is about has changed since. Then it is asked
    again, for the plan as it is now; an answer to that plan, shown before it was asked for, asks for it as well."""
    other = "this is not the plan that is asked for; look at it again"
    if approval.asks == "outcome":
        return other if shown != approval.plan_sha256 else ""
    try:
        fresh = starting.replanned(acting.draft, run)
    except Unplannable as error:
        executor.finish(acting.draft, run, "failed", str(error))
        return str(error)
    if fresh is None:
        executor.finish(acting.draft, run, "cancelled", "the incident is over")
        return "the incident is over"
    if fresh.plan_sha256 == approval.plan_sha256:
        return other if shown != approval.plan_sha256 else ""
    if shown not in (approval.plan_sha256, fresh.plan_sha256):
        return other
    executor.put(acting.draft, fresh)
    approvals.ask_run(acting.draft, fresh, f"{approval.why}; the plan has changed")
    return "the plan has changed since; it is asked for again"


def _go_on(acting: Acting, approval: Approval, run: Execution, reason: str) -> None:
    if approval.asks == "outcome":
        results.decided(acting.draft, run, approval.step, True, reason)
    else:
        executor.set_going(acting.draft, run)
    acting.change("execution", run.id)


@act("reject", capability="playbook:approve", kinds="approval", params=RejectParams)
def reject(acting: Acting, params: RejectParams) -> None:
    """Reject a plan, or say that a step with an unknown outcome was not done."""
    draft = acting.draft
    for approval, run in _open_ones(acting):
        if approval.asks == "outcome" and not _sees_all(acting, approval.incident):
            acting.refuse(f"approval:{approval.id}", OTHER_SITES)  # the run goes on, or takes back what it did
            continue
        try:
            approvals.note_answer(draft, acting.person)
        except approvals.NotAllowed as error:
            acting.refuse(f"approval:{approval.id}", str(error))
            continue
        vote = Vote(by=acting.person, principal=acting.person, at=draft.now, reason=params.reason)
        over = replace(
            approval, state="rejected", votes=(*approval.votes, vote), reason=params.reason, ended_at=draft.now
        )
        draft.put_noun(over, ReasonCode.BY_OPERATOR)
        if approval.asks == "outcome":
            results.decided(draft, run, approval.step, False, params.reason)
        else:
            executor.finish(draft, run, "cancelled", f"rejected by {acting.person}: {params.reason}")
        acting.change("approval", approval.id)


@act("hold", capability="playbook:approve", kinds="approval", params=HoldParams)
def hold(acting: Acting, params: HoldParams) -> None:
    """Have a question wait longer for its answer; it is no vote, and counts as no approval."""
    for approval, run in _open_ones(acting):
        try:
            until = approvals.held_until(approval, run, params.minutes)
        except approvals.NotAllowed as error:
            acting.refuse(f"approval:{approval.id}", str(error))
            continue
        approvals.held(acting.draft, approval, until, acting.person, params.reason)
        executor.put(acting.draft, replace(run, expires_at=until))
        acting.change("approval", approval.id)


@act("cancel", capability="playbook:run", kinds="execution", params=CancelParams)
def cancel(acting: Acting, params: CancelParams) -> None:
    """Stop a run at the next edge of a step; what has been started ends first."""
    for id in dict.fromkeys(acting.names("execution")):
        run: Execution | None = acting.draft.noun("executions", id)
        if run is None or not acting.scope.sees(run.site):
            acting.refuse(f"execution:{id}", "not found among the runs of late")
        elif run.state in EXECUTION_OVER:
            acting.refuse(f"execution:{id}", f"it is over: {run.state}")
        else:
            executor.cancel(acting.draft, run, f"cancelled by {acting.actor}: {params.reason}")
            acting.change("execution", id)


@act("kill_switch", capability="playbook:run", kinds="", params=SwitchParams, step_up=True)
def switch(acting: Acting, params: SwitchParams) -> None:
    """Stop all playbooks at once, or let them run again."""
    draft = acting.draft
    if not params.on and not acting.scope.may("playbook:approve"):
        raise Refused("turning it off takes playbook:approve", field="on", remedy="ask for the role", status=403)
    if acting.scope.sites is not None:
        raise Refused("it stops the playbooks of all sites", remedy="ask somebody who sees all sites", status=403)
    if not params.on:  # to stop them is never too soon
        try:
            approvals.note_answer(draft, acting.person)
        except approvals.NotAllowed as error:
            raise Refused(str(error), remedy="wait a minute", status=429) from error
    record = KillSwitch(
        tenant=draft.tenant,
        id=KILL_SWITCH,
        at=draft.now,
        by=acting.actor,
        reason=params.reason,
        state="on" if params.on else "off",
    )
    draft.put_noun(record, ReasonCode.BY_OPERATOR)
    acting.change("kill_switch", KILL_SWITCH)
    if params.on:
        for run in draft.all_nouns("executions"):
            if run.tenant == draft.tenant and run.state not in EXECUTION_OVER:
                executor.cancel(draft, run, f"the kill switch is on: {params.reason}")


def _open_ones(acting: Acting) -> Iterator[tuple[Approval, Execution]]:
    """The open questions that the targets name and the scope sees, each with its run. Each once."""
    for id in dict.fromkeys(acting.names("approval")):
        approval: Approval | None = acting.draft.noun("approvals", id)
        run: Execution | None = None
        if approval is not None and acting.scope.sees(approval.site):
            run = acting.draft.noun("executions", approval.execution)
        if approval is None or run is None:
            acting.refuse(f"approval:{id}", "not found among the open questions")
        elif approvals.expired(approval, acting.draft.now):
            acting.refuse(f"approval:{id}", "it has expired")
        else:
            yield approval, run
