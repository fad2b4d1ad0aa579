"""Acts on findings and thresholds: an operator's verdict on an alarm, and taking a tuning back."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.baselines import ThresholdChange, Verdict
from data.nouns.findings import AuditFinding
from data.nouns.world import TicketStep
from engine.acts.registry import Acting, act
from engine.domain import anomalies, baselines, findings, tickets
from engine.reasons import ReasonCode


class JudgeParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`false_alarm` dismisses the finding; both count for the weekly tuning of its threshold."""

    verdict: Literal["true_alarm", "false_alarm"]
    note: Annotated[str, Meta(max_length=4096)] = ""


class UndoParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing to say."""


@act("judge_finding", capability="noc:ack", kinds="finding anomaly alert", params=JudgeParams)
def judge_finding(acting: Acting, params: JudgeParams) -> None:
    """Say whether a finding, an anomaly or the alert of one was a true or a false alarm."""
    for name in dict.fromkeys(acting.names("anomaly")):
        _judge_anomaly(acting, f"anomaly:{name}", name, params)
    for alert in acting.alerts():
        _judge_anomaly(acting, f"alert:{alert.id}", anomalies.anomaly_of(alert), params)
    for name in dict.fromkeys(acting.names("finding")):
        found: AuditFinding | None = acting.draft.noun("findings", name)
        if found is None or not acting.scope.sees(found.site):
            acting.refuse(f"finding:{name}", "not found among the findings of the last week")
            continue
        _judge(acting, found, params)
        acting.change("finding", name)


def _judge_anomaly(acting: Acting, target: str, anomaly: str, params: JudgeParams) -> None:
    """The threshold of its series moves; the alert of it says so."""
    draft = acting.draft
    baseline = baselines.baseline_of_anomaly(draft, anomaly) if anomaly else None
    if baseline is None or not acting.scope.sees(baseline.site):
        acting.refuse(target, "not found among the latest alarms of the detector: no threshold stands behind it")
        return
    verdict = Verdict(draft.now, params.verdict == "false_alarm", anomaly)
    judged = baselines.judge_anomaly(draft, baseline, verdict, acting.actor)
    if judged is not None:
        anomalies.told(draft, judged, acting.actor)
    kind, _, name = target.partition(":")
    acting.change(kind, name)


def _judge(acting: Acting, found: AuditFinding, params: JudgeParams) -> None:
    draft = acting.draft
    is_false = params.verdict == "false_alarm"
    state = "dismissed" if is_false else ("cleared" if found.cleared_at is not None else "open")
    judged = replace(
        found,
        state=state,
        disposition=params.verdict,
        disposed_by=acting.actor,
        disposed_at=draft.now,
        note=params.note,
    )
    findings.updated(draft, judged, ReasonCode.BY_OPERATOR)
    if found.baseline:
        baselines.dispose(draft, found.baseline, Verdict(draft.now, is_false, found.id))
    ticket = draft.noun("tickets", found.ticket) if found.ticket else None
    if ticket is not None:
        words = f"finding {found.id}: {params.verdict.replace('_', ' ')}" + (f" - {params.note}" if params.note else "")
        step = TicketStep(at=tickets.following(ticket, draft.now), by=acting.actor, note=words)
        tickets.put(draft, tickets.stepped(ticket, step))


@act("undo_threshold", capability="noc:manage", kinds="threshold", params=UndoParams)
def undo_threshold(acting: Acting, params: UndoParams) -> None:
    """Put a threshold back to what it was before a change."""
    for name in dict.fromkeys(acting.names("threshold")):
        found: ThresholdChange | None = acting.draft.noun("thresholds", name)
        if found is None or not acting.scope.sees(found.site):
            acting.refuse(f"threshold:{name}", "not found among the changes that stand")
            continue
        baselines.undo(acting.draft, found, acting.actor)
        acting.change("threshold", name)
