"""Questions of playbooks: the rota of `oncall.approvals` hears of each, and once more before it expires. Pure."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from data.nouns.oncall import Escalation
from data.nouns.playbooks import Approval
from data.records import Severity
from engine.book import Draft
from engine.oncall.duty import turn_now
from engine.oncall.escalation import ACTOR, end
from engine.oncall.pages import page
from engine.oncall.rules import OnCall
from engine.playbooks.approvals import expired
from engine.reasons import ReasonCode


def tell_of_questions(draft: Draft, oncall: OnCall) -> None:
    """Look at the open questions: `step` of their escalation counts how often they were told."""
    if not oncall.approvals:
        return
    open_ones = set()
    for approval in draft.all_nouns("approvals"):
        if expired(approval, draft.now):
            continue
        draft.tenant = approval.tenant
        open_ones.add((approval.tenant, f"A-{approval.id}"))
        _tell(draft, oncall, approval)
    for running in draft.all_nouns("escalations"):
        if running.approval and (running.tenant, running.id) not in open_ones:
            end(draft, running, "the question is answered or has expired")


def _tell(draft: Draft, oncall: OnCall, approval: Approval) -> None:
    running: Escalation | None = draft.noun("escalations", f"A-{approval.id}")
    if running is None:
        incident = draft.book.incidents.get(approval.incident)
        running = Escalation(
            tenant=approval.tenant,
            id=f"A-{approval.id}",
            at=draft.now,
            incident=approval.incident,
            site=approval.site,
            severity=incident.severity if incident is not None else Severity.HIGH,
            approval=approval.id,
            next_at=draft.now,
        )
    if running.next_at is None or running.next_at > draft.now:
        return
    turn = turn_now(draft, oncall.approvals)
    if turn is None:
        return
    last = running.step > 0
    left = "" if approval.expires_at is None else f"; expires at {approval.expires_at:%Y-%m-%d %H:%M} UTC"
    text = f"{approval.playbook} on I-{approval.incident} waits for an answer: {approval.why}{left}"
    running, made = page(draft, oncall, running, turn.person, kind="approval", text=text)
    words = f"told {made.person} by {' and '.join(made.ways) or 'the console only'} of the question of "
    draft.record(approval.incident, "escalated", ACTOR, words + approval.playbook)
    next_at = None
    if not last and approval.expires_at is not None and oncall.approval_seconds:
        next_at = approval.expires_at - timedelta(seconds=oncall.approval_seconds)
        next_at = next_at if next_at > draft.now else None
    draft.put_noun(replace(running, step=running.step + 1, next_at=next_at, told=(turn.person,)), ReasonCode.NEW)
