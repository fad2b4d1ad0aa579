"""The analyst's verdict on a fraud score: what the model learns from."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from engine.acts.registry import Acting, act
from engine.book import Event
from engine.fraud.history import confirm
from engine.fraud.judging import settle
from engine.fraud.keeping import Kept
from engine.reasons import ReasonCode


class VerdictParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    note: Annotated[str, Meta(max_length=4096)] = ""


@act("confirm_fraud", capability="security:fraud:view", kinds="fraud_score", params=VerdictParams)
def confirm_fraud(acting: Acting, params: VerdictParams) -> None:
    """It was fraud: counts against person and site for 30 days, and the model learns from it."""
    _judge(acting, "confirmed", params.note)


@act("dismiss_fraud", capability="security:fraud:view", kinds="fraud_score", params=VerdictParams)
def dismiss_fraud(acting: Acting, params: VerdictParams) -> None:
    """It was honest: the alert and the ticket are resolved, and the model learns from it."""
    _judge(acting, "dismissed", params.note)


def _judge(acting: Acting, verdict: Literal["confirmed", "dismissed"], note: str) -> None:
    draft = acting.draft
    for id in dict.fromkeys(acting.names("fraud_score")):
        known = draft.noun("fraud_scores", id)
        if known is None or not acting.scope.sees(known.site):
            acting.refuse(f"fraud_score:{id}", "not found among the scores that wait for a verdict")
            continue
        judged = replace(known, verdict=verdict, verdict_by=acting.actor, verdict_at=draft.now, verdict_note=note)
        draft.put_noun(judged, announce=False)
        draft.events["fraud_score", id, draft.tenant] = Event(
            "prediction_validated", ReasonCode.BY_OPERATOR, draft.tenant, known.site, judged
        )
        if verdict == "confirmed":
            kept = Kept(draft)
            confirm(kept.state, (draft.tenant, known.person, known.site), known.at.timestamp(), kept)
        settle(draft, known, verdict, acting.actor, note)
        acting.change("fraud_score", id)
