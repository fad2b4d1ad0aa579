"""What follows from a score: the records, the alert, the ticket. Pure, on a draft.

Owns the order: prediction, anomalies, alert, ticket. Everything that it writes takes security:fraud:view; tickets are
marked by their id (see `data.restricted`), and their text names no more than is needed to find the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import blake2b
from math import isnan

from msgspec.structs import replace

from data.nouns.fraud import AttendanceAnomaly, FraudPrediction, FraudTicket
from data.nouns.world import Ticket, TicketStep
from data.records import TenantId
from data.restricted import FRAUD_TICKET
from engine.book import Draft
from engine.domain.alerts import About, clear, fire
from engine.domain.events import DomainEvent
from engine.fraud.anomalies import Anomaly
from engine.fraud.features import Features
from engine.fraud.heuristics import WEIGHTS
from engine.fraud.keeping import Kept
from engine.fraud.model import Score, in_words

ALERT = "fraud_suspected"
ALERT_FROM = 0.80
TICKET_DUE = timedelta(hours=24)
#: An open case is given up when nobody has judged it for so long: without a sign, and with one.
UNREMARKABLE, REMARKABLE = timedelta(days=7), timedelta(days=30)
REMARKABLE_FROM = 0.30
OTHER = "unusual_pattern"


def judge(  # noqa: PLR0917 - one event and all that is known of it
    draft: Draft,
    kept: Kept,
    event: DomainEvent,
    who: tuple[str, str],
    score: Score,
    anomalies: Sequence[Anomaly],
    features: Features | None,
) -> FraudPrediction:
    """Write down the judgement of the event about `who` = (person, site), and raise what it asks for."""
    person, site = who
    prediction = FraudPrediction(
        tenant=draft.tenant,
        id=id_of(draft.tenant, event),
        at=event.at,
        person=person,
        site=site,
        event_source=event.source,
        event_id=event.id,
        features=() if features is None else tuple(None if isnan(found) else found for found in features.values),
        score=score.score,
        model=score.model,
        probability=score.probability,
        kind=max(anomalies, key=_weight).kind if anomalies else OTHER,
        reasons=score.reasons,
        anomalies=tuple(anomaly.kind for anomaly in anomalies),
    )
    if score.score >= ALERT_FROM:
        prediction = replace(prediction, ticket=_raise(draft, kept, prediction))
    draft.put_noun(prediction)
    for anomaly in anomalies:
        draft.put_noun(_record(prediction, anomaly))
    return prediction


def about(prediction: FraudPrediction) -> About:
    parts = {"person": prediction.person, "kind": prediction.kind}
    return About(entity=prediction.person, entity_type="person", site=prediction.site, parts=parts)


def settle(draft: Draft, prediction: FraudPrediction, verdict: str, by: str, note: str) -> None:
    """Carry a verdict over to the anomalies, the alert and the ticket."""
    for kind in prediction.anomalies:
        anomaly = draft.noun("attendance_anomalies", f"{prediction.id}.{kind}")
        if anomaly is not None:
            draft.put_noun(replace(anomaly, verdict=verdict))
    clear(draft, ALERT, about(prediction), at=draft.now)
    ticket = draft.noun("tickets", prediction.ticket) if prediction.ticket else None
    if ticket is not None:
        words = f"verdict: {verdict}{f' - {note}' if note else ''}"
        state = "resolved" if verdict == "dismissed" else ticket.state
        step = TicketStep(at=draft.now, by=by, state=state, note=words)
        resolved = draft.now if state == "resolved" else ticket.resolved_at
        draft.put_noun(replace(ticket, state=state, resolved_at=resolved, history=(*ticket.history, step)))


def give_up(draft: Draft) -> None:
    """Cases that waited too long for a verdict leave memory as unjudged."""
    for kind in ("fraud_scores", "attendance_anomalies"):
        for record in draft.all_nouns(kind):
            flagged = kind != "fraud_scores" or record.score >= REMARKABLE_FROM or record.anomalies
            if draft.now - record.at > (REMARKABLE if flagged else UNREMARKABLE):
                draft.tenant = record.tenant
                draft.put_noun(replace(record, verdict="unjudged"), announce=False)


def id_of(tenant: TenantId, event: DomainEvent) -> str:
    """The same event has the same id however often it is judged."""
    text = "\x1f".join((tenant, event.source, event.id, str(event.row)))
    return blake2b(text.encode(), digest_size=10).hexdigest()


def _weight(anomaly: Anomaly) -> float:
    return WEIGHTS[anomaly.kind] * anomaly.strength


def _record(prediction: FraudPrediction, anomaly: Anomaly) -> AttendanceAnomaly:
    return AttendanceAnomaly(
        tenant=prediction.tenant,
        id=f"{prediction.id}.{anomaly.kind}",
        at=prediction.at,
        kind=anomaly.kind,
        person=prediction.person,
        site=prediction.site,
        strength=anomaly.strength,
        words=anomaly.words,
        numbers=anomaly.numbers,
        others=anomaly.others,
        prediction=prediction.id,
    )


def _raise(draft: Draft, kept: Kept, prediction: FraudPrediction) -> str:
    """The alert, and the ticket that it goes with → the ticket's id."""
    reasons = "; ".join(in_words(reason) for reason in prediction.reasons[:3])
    title = f"Fraud suspected: {prediction.person} ({prediction.kind.replace('_', ' ')}, {prediction.score:.0%})"
    facts = {"score": f"{prediction.score:.3f}", "model": prediction.model, "reasons": reasons, "case": prediction.id}
    fire(draft, ALERT, about(prediction), title=title, since=prediction.at, facts=facts)
    at = prediction.at.timestamp()
    known = kept.ticket(prediction.person, prediction.kind, at)
    if known:
        _attach(draft, known, f"again: score {prediction.score:.2f}, {reasons}")
        return known
    ticket = _ticket(draft, prediction, title, reasons)
    draft.put_noun(ticket)
    kept.opened(prediction.person, FraudTicket(prediction.kind, ticket.id, at))
    return ticket.id


def _ticket(draft: Draft, prediction: FraudPrediction, title: str, reasons: str) -> Ticket:
    site = draft.noun("sites", prediction.site)
    assignee = site.supervisor if site is not None and site.supervisor != prediction.person else ""
    return Ticket(
        tenant=draft.tenant,
        id=f"{FRAUD_TICKET}{prediction.id}",
        opened_at=draft.now,
        state="assigned" if assignee else "new",
        type="fraud",
        title=title[:300],
        priority="high",
        site=prediction.site,
        client=site.client if site is not None else "",
        entity=prediction.person,
        assignee=assignee,
        due_at=draft.now + TICKET_DUE,
        history=(TicketStep(at=draft.now, state="new", note=reasons[:2000]),),
        source="fraud",
        finding=prediction.id,
    )


def _attach(draft: Draft, ticket: str, note: str) -> None:
    known = draft.noun("tickets", ticket)
    if known is not None:
        step = TicketStep(at=draft.now, state=known.state, note=note[:2000])
        draft.put_noun(replace(known, history=(*known.history, step)[-200:]))
