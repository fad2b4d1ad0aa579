"""The line: what happens to everything that comes in, readable on one screen.

    signals:  dedup → silence → cluster → suppress → notice → inhibit   (one by one, in the order they came)
    events:   the handlers of `engine.domain`, then as signals what they raised
    command:  apply
    tick:     expire, then the audits of `engine.domain` that are due
    then:     triage → prioritise → trigger → escalate → notify       (once per envelope, for what it touched)

Rows that end or change an alert are triaged at once, so that it makes no difference how a delivery was cut.
Pure: an envelope and a draft in, a changed draft out. No I/O, no clock but `draft.now`, nothing that waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby

from msgspec import Struct

from data.ports import Seen
from data.records import Audit, Reject, Signal
from engine.book import Draft
from engine.client import Refused
from engine.domain import registry as domain
from engine.domain.events import DomainEvent
from engine.domain.rhythm import heard
from engine.oncall.escalation import follow
from engine.playbooks.messages import RunnerBegan, StepEnded, StepStarting
from engine.playbooks.results import take_result
from engine.playbooks.starting import trigger
from engine.ports import Envelope, EnvelopeKind
from engine.priority.novelty import notice
from engine.reasons import ReasonCode
from engine.stages.apply import Asked, announce_rejects, apply
from engine.stages.cluster import cluster
from engine.stages.dedup import dedup
from engine.stages.expire import expire
from engine.stages.hits import count_hits
from engine.stages.mute import inhibit, reindex_inhibition, reinhibit, silence, uninhibit
from engine.stages.notify import notify
from engine.stages.prioritise import prioritise
from engine.stages.suppress import suppress
from engine.stages.triage import triage

#: Idempotency keys that are forgotten with each one that is entered: more than one, so that they become fewer.
_FORGET = 4

domain.load()


def run(draft: Draft, envelope: Envelope) -> None:
    """Put one envelope through the line."""
    if envelope.id and not _first_time(draft, envelope):
        return
    if envelope.kind in _HEARD:
        heard(draft, envelope.tenant, envelope.source)
    _ENTER[envelope.kind](draft, envelope.payload)
    if envelope.id and isinstance(draft.result, Refused):
        _not_taken(draft, envelope)
    _settle_inhibition(draft)
    triage(draft)
    prioritise(draft)
    if draft.rules.playbooks is not None and (draft.incidents or draft.alerts):
        trigger(draft)
    if draft.rules.oncall is not None and draft.incidents:
        follow(draft)
    notify(draft)


def signals(draft: Draft, rows: Iterable[Signal]) -> None:
    for signal in rows:
        alert = dedup(draft, signal)
        if alert is None:
            if draft.unsettled:
                triage(draft)
            continue
        alert = notice(draft, suppress(draft, cluster(draft, silence(draft, alert))))
        draft.add_alert(alert)
        draft.announce("alert", alert.id, "alert_created", alert.why[-1].code, alert.site)  # type: ignore[arg-type]
        if alert.ended_at is not None:
            triage(draft)
        elif draft.rules.inhibitions:
            muted = inhibit(draft, alert)
            if muted is not alert:
                draft.put_alert(muted)
                alert = muted
        if alert.silenced_by or alert.inhibited_by or draft.rules.dedups:
            count_hits(draft, alert)


def events(draft: Draft, rows: Iterable[DomainEvent]) -> None:
    taken = list(rows)
    for event in taken:
        domain.handle(draft, event)
        if draft.raised:
            _go_on(draft)
    domain.conclude(draft, taken)
    _go_on(draft)
    if draft.rejects:
        announce_rejects(draft)


def _go_on(draft: Draft) -> None:
    """What events and audits raised goes on as any other signal."""
    while draft.raised:
        raised, draft.raised = draft.raised, []
        own = draft.tenant
        for tenant, theirs in groupby(raised, key=lambda signal: getattr(signal, "tenant", own)):
            draft.tenant = tenant
            signals(draft, theirs)
        draft.tenant = own


def rejects(draft: Draft, rows: Iterable[Reject]) -> None:
    draft.rejects.extend(rows)
    announce_rejects(draft)


class Settled(Struct, frozen=True, kw_only=True):
    """What became of a dead letter, and who decided it."""

    reject: Reject
    audit: Audit


def result(draft: Draft, settled: Settled | StepStarting | StepEnded | RunnerBegan) -> None:
    if not isinstance(settled, Settled):
        take_result(draft, settled)
        _go_on(draft)
        return
    draft.rejects.append(settled.reject)
    draft.audits.append(settled.audit)
    draft.announce("reject", settled.reject.id, "reject_settled", ReasonCode.BY_OPERATOR, "")


def tick(draft: Draft, before: datetime | None) -> None:
    expire(draft, before)
    domain.audit(draft)
    _go_on(draft)


def command(draft: Draft, asked: Asked) -> None:
    apply(draft, asked)
    _go_on(draft)


def rules(draft: Draft, _: object) -> None:
    """The draft already has the new rules: look at everything that they may mute or no longer mute."""
    reindex_inhibition(draft.book, draft.rules)
    for alert in list(draft.book.active()):
        if alert.incident:
            draft.tenant = alert.tenant
            reinhibit(draft, alert)


_ENTER: dict[EnvelopeKind, Callable[..., None]] = {
    EnvelopeKind.SIGNALS: signals,
    EnvelopeKind.REJECTS: rejects,
    EnvelopeKind.TICK: tick,
    EnvelopeKind.COMMAND: command,
    EnvelopeKind.RESULT: result,
    EnvelopeKind.RULES: rules,
    EnvelopeKind.EVENTS: events,
}


#: Kinds of envelope that a source sends of its own accord.
_HEARD = frozenset({EnvelopeKind.SIGNALS, EnvelopeKind.EVENTS})


def _first_time(draft: Draft, envelope: Envelope) -> bool:
    """Enter the sender's idempotency key; False when it was taken before."""
    key = (envelope.tenant, envelope.source, envelope.id)
    seen, forgotten = draft.book.seen, draft.now - timedelta(seconds=draft.rules.seen_seconds)
    if seen.get(key, forgotten) > forgotten:
        return False
    draft.discard(seen, key)
    draft.set(seen, key, draft.now)
    draft.seen.append(Seen(tenant=envelope.tenant, source=envelope.source, id=envelope.id, at=draft.now))
    for _ in range(_FORGET):
        oldest = next(iter(seen))
        if len(seen) <= draft.rules.seen_limit and seen[oldest] > forgotten:
            break
        draft.discard(seen, oldest)
    return True


def _not_taken(draft: Draft, envelope: Envelope) -> None:
    """What was refused may be asked again under the same key, and is refused again."""
    draft.discard(draft.book.seen, (envelope.tenant, envelope.source, envelope.id))
    draft.seen.clear()


def _settle_inhibition(draft: Draft) -> None:
    """Alerts that ended or came back in this envelope leave or enter the inhibition rules."""
    if not draft.rules.inhibitions:
        return
    for number in list(draft.alerts):
        alert = draft.book.alerts.get(number)
        if alert is None or not alert.incident:
            continue
        if alert.ended_at is not None:
            uninhibit(draft, alert)
        else:
            muted = inhibit(draft, alert)
            if muted is not alert:
                draft.put_alert(muted)
