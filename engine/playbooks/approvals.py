"""Approvals: asking people, and who may answer. Pure.

An answer is bound to the hash of the plan that was shown. Owns the questions; what follows from an answer is the
executor's. Expiry is computed from the stored time, the tick only writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.playbooks import Approval, Execution, Policy, StepRun, Vote, key_of
from engine.book import Draft
from engine.reasons import ReasonCode

#: From its beginning a run waits no longer for people, however often it is held.
MOST_HELD = timedelta(hours=24)
_RECENT = "playbooks.answers"
_MINUTE = timedelta(minutes=1)


class NotAllowed(Exception):
    """This person may not answer now."""


def ask_run(draft: Draft, run: Execution, why: str) -> None:
    _ask(
        draft,
        Approval(
            tenant=run.tenant,
            id=run.id,
            at=draft.now,
            execution=run.id,
            playbook=run.playbook,
            incident=run.incident,
            site=run.site,
            plan_sha256=run.plan_sha256,
            requested_by=run.asked_by,
            quorum=run.definition.policy.quorum,
            why=why,
            expires_at=run.expires_at,
        ),
    )


def ask_outcome(draft: Draft, run: Execution, step: StepRun) -> None:
    _ask(
        draft,
        Approval(
            tenant=run.tenant,
            id=f"{run.id}.{step.name}.{step.generation}",
            at=draft.now,
            execution=run.id,
            playbook=run.playbook,
            incident=run.incident,
            site=run.site,
            plan_sha256=run.plan_sha256,
            requested_by="",
            quorum=1,
            why=f"was {step.name} done? {step.error}",
            asks="outcome",
            step=step.name,
        ),
    )


def _ask(draft: Draft, approval: Approval) -> None:
    draft.put_noun(approval, ReasonCode.BY_PLAYBOOK, announce=False)
    draft.announce_noun(approval, "approval_requested", ReasonCode.BY_PLAYBOOK)
    draft.record(approval.incident, "approval_requested", actor=f"playbook/{approval.playbook}", text=approval.why)


def of(draft: Draft, run: Execution) -> Iterator[Approval]:
    """The open questions about an execution."""
    for approval in draft.all_nouns("approvals"):
        if approval.tenant == run.tenant and approval.execution == run.id:
            yield approval


def close_all(draft: Draft, run: Execution, state: Any, reason: str) -> None:
    for approval in list(of(draft, run)):
        draft.put_noun(replace(approval, state=state, reason=reason, ended_at=draft.now), ReasonCode.BY_PLAYBOOK)


def expired(approval: Approval, now: datetime) -> bool:
    return approval.expires_at is not None and approval.expires_at <= now


def held_until(approval: Approval, run: Execution, minutes: float) -> datetime:
    """When it expires if it is given so many minutes more. Raises NotAllowed."""
    if approval.expires_at is None:
        raise NotAllowed("it does not expire")
    until = min(approval.expires_at + timedelta(minutes=minutes), run.at + MOST_HELD)
    if until <= approval.expires_at:
        raise NotAllowed("it has waited for a day: approve it, or reject it and ask anew")
    return until


def held(draft: Draft, approval: Approval, until: datetime, person: str, reason: str) -> None:
    draft.put_noun(replace(approval, expires_at=until, held_by=person), ReasonCode.BY_OPERATOR)
    told = f"{approval.playbook} waits until {until:%H:%M:%S}Z" + (f": {reason}" if reason else "")
    draft.record(approval.incident, "approval_held", actor=person, text=told)


def voter(approval: Approval, policy: Policy, person: str, on_behalf_of: str) -> str:
    """The approver whose vote this is. People are told apart, not their tokens. Raises NotAllowed."""
    principal = on_behalf_of or person
    me, whose = key_of(person), key_of(principal)
    lent = {key_of(name): {key_of(other) for other in others} for name, others in policy.delegates.items()}
    if whose != me and me not in lent.get(whose, ()):
        raise NotAllowed(f"{principal} has not delegated to {person}")
    if approval.asks == "run" and policy.approvers and whose not in {key_of(name) for name in policy.approvers}:
        raise NotAllowed(f"{principal} is not one of its approvers")
    if policy.separation_of_duties and key_of(approval.requested_by) in (me, whose):
        raise NotAllowed("whoever asked for it does not approve it")
    if {me, whose} & {key_of(name) for vote in approval.votes for name in (vote.by, vote.principal)}:
        raise NotAllowed(f"{principal} has approved it already")
    return principal


def note_answer(draft: Draft, person: str) -> None:
    """Count an answer. Raises NotAllowed when this person answers faster than anybody can read."""
    recent = draft.derived(_RECENT)
    key = (draft.tenant, key_of(person))
    within = tuple(at for at in recent.get(key, ()) if at > draft.now - _MINUTE)
    if len(within) >= draft.rules.answers_per_minute:
        raise NotAllowed(f"more than {draft.rules.answers_per_minute} answers in a minute")
    draft.set(recent, key, (*within, draft.now))


def voted(draft: Draft, approval: Approval, vote: Vote) -> Approval:
    """With this vote; approved once there are as many as it takes."""
    votes = (*approval.votes, vote)
    approval = replace(approval, votes=votes)
    if len(votes) >= approval.quorum:
        approval = replace(approval, state="approved", ended_at=draft.now, reason=vote.reason)
    draft.put_noun(approval, ReasonCode.BY_OPERATOR)
    return approval
