"""Findings: written once while their condition holds, cleared when it does no more, made tickets when they are grave.

Owns the life of a finding and the way to its ticket. What to look for is in `engine.domain.audits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from data.nouns.findings import AuditFinding, Evidence
from data.nouns.world import Ticket, TicketStep
from data.records import Severity
from engine.book import Draft
from engine.domain import known, tickets
from engine.domain.registry import every
from engine.domain.settings import rules_of
from engine.oncall.duty import turn_now
from engine.reasons import ReasonCode

#: Source of the tickets that findings open.
SOURCE = "audit"
#: A finding that is over is kept at hand for its disposition for so long.
AT_HAND = timedelta(days=7)
#: Findings of a tenant that are open at once; an operation in ruins is not written down a million times.
MOST_OPEN = 5000
GRAVE = frozenset({Severity.CRITICAL, Severity.HIGH})


class Observed(Struct, frozen=True, kw_only=True):
    """What an audit sees: the fields of a finding before it is one. `since` is when the condition began to hold."""

    type: str
    severity: Severity
    title: str
    entity: str
    entity_type: str
    about: str
    since: datetime
    site: str = ""
    evidence: Evidence = {}
    baseline: str = ""
    value: float = 0.0


def keep(draft: Draft, audit: str, types: Sequence[str], seen: Iterable[Observed]) -> None:
    """Make findings of what an audit saw in the draft's tenant, and clear its open ones whose condition is over.

    `types` are those that the audit looks for."""
    table = open_findings(draft)
    known_as = {
        (found.type, found.about): found.id
        for type in types
        for id in table.get((draft.tenant, type), ())
        if (found := draft.noun("findings", id)) is not None
    }
    holding = set()
    for one in seen:
        id = known_as.get((one.type, one.about)) or id_of(one)
        holding.add(id)
        old: AuditFinding | None = draft.noun("findings", id)
        if old is None:
            _create(draft, audit, id, one)
        elif old.state == "cleared" or (old.severity, old.title) != (one.severity, one.title):
            _update(draft, old, one)
    for type in types:
        for id in table.get((draft.tenant, type), ()):
            if id not in holding:
                clear(draft, id)


def id_of(of: Observed) -> str:
    """One id per condition and beginning: an audit that sees it again finds what it wrote."""
    text = msgspec.json.encode([of.type, of.about, of.since.timestamp()])
    return blake2b(text, digest_size=10).hexdigest()


def open_findings(draft: Draft) -> dict[Any, Any]:
    """(tenant, type) → ids of the findings whose condition holds."""
    return known.index(draft, "domain.findings", ("findings",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: AuditFinding) -> None:
    if record.cleared_at is None:
        place = (record.tenant, record.type)
        table[place] = (*table.get(place, ()), record.id)


def _create(draft: Draft, audit: str, id: str, of: Observed) -> None:
    table = open_findings(draft)
    if len(table.get((draft.tenant, of.type), ())) >= MOST_OPEN:
        return
    finding = AuditFinding(
        tenant=draft.tenant,
        id=id,
        at=draft.now,
        type=of.type,
        severity=of.severity,
        title=of.title[:300],
        audit=audit,
        entity=of.entity,
        entity_type=of.entity_type,
        about=of.about,
        site=of.site,
        evidence=of.evidence,
        since=of.since,
        baseline=of.baseline,
        value=of.value,
    )
    if finding.severity in GRAVE:
        finding = escalate(draft, finding)
    known.entered(draft, table, (draft.tenant, finding.type), id)
    draft.put_noun(finding)


def _update(draft: Draft, old: AuditFinding, of: Observed) -> None:
    """It is worse or better than it was, or holds again."""
    again = old.cleared_at is not None
    found = replace(
        old,
        severity=of.severity,
        title=of.title[:300],
        evidence=of.evidence,
        value=of.value,
        state="dismissed" if old.disposition == "false_alarm" else "open",
        cleared_at=None,
    )
    if found.severity in GRAVE and not found.ticket and found.state == "open":
        found = escalate(draft, found)
    if again:
        known.entered(draft, open_findings(draft), (draft.tenant, old.type), old.id)
    updated(draft, found, ReasonCode.REFIRED if again else ReasonCode.TEXT_CHANGED)


def clear(draft: Draft, id: str) -> None:
    """Its condition is over."""
    found: AuditFinding | None = draft.noun("findings", id)
    if found is None or found.cleared_at is not None:
        return
    known.left(draft, open_findings(draft), (draft.tenant, found.type), id)
    state = "cleared" if found.state == "open" else found.state
    updated(draft, replace(found, state=state, cleared_at=draft.now), ReasonCode.ALL_RESOLVED)


def updated(draft: Draft, finding: AuditFinding, reason: ReasonCode) -> None:
    """Write a finding that is not new, and say so on the feed."""
    draft.put_noun(finding, reason, announce=False)
    draft.announce_noun(finding, "finding_updated", reason)


# -- tickets


def escalate(draft: Draft, finding: AuditFinding) -> AuditFinding:
    """The finding with its ticket: a new one, or as a note the one that its type and entity got in the last hours."""
    if finding.about.startswith("ticket:"):
        return _noted(draft, finding, draft.noun("tickets", finding.about.removeprefix("ticket:")))
    place = (draft.tenant, finding.type, finding.entity)
    table = known.index(draft, "domain.escalated", ("tickets",), _enter_ticket)
    last: Ticket | None = draft.noun("tickets", table[place]) if place in table else None
    every = timedelta(seconds=rules_of(draft).ticket_every_seconds)
    if last is not None and draft.now - last.opened_at < every:
        return _noted(draft, finding, last)
    ticket = _open(draft, finding)
    draft.set(table, place, ticket.id)
    return replace(finding, ticket=ticket.id)


def _enter_ticket(table: dict[Any, Any], kind: str, record: Ticket) -> None:
    if record.source == SOURCE:
        place = (record.tenant, record.type, record.entity)
        last = table.get(place)
        if last is None or record.id > last:
            table[place] = record.id


def _noted(draft: Draft, finding: AuditFinding, ticket: Ticket | None) -> AuditFinding:
    if ticket is None:
        return finding
    at = tickets.following(ticket, draft.now)
    step = TicketStep(at=at, by=SOURCE, note=f"finding {finding.id}: {finding.title}")
    tickets.put(draft, tickets.stepped(ticket, step))
    return replace(finding, ticket=ticket.id)


def _open(draft: Draft, finding: AuditFinding) -> Ticket:
    assignee, why = assignee_of(draft, finding.site)
    stamp = f"{draft.now:%Y%m%dT%H%M%S}"
    step = TicketStep(
        at=draft.now,
        by=SOURCE,
        state="assigned" if assignee else "new",
        assignee=assignee,
        note=f"opened for finding {finding.id}; {why}",
    )
    return tickets.put(
        draft,
        Ticket(
            tenant=draft.tenant,
            id=f"A-{stamp}-{finding.id[:8]}",
            opened_at=draft.now,
            type=finding.type,
            title=finding.title,
            priority=finding.severity.value,
            site=finding.site,
            entity=finding.entity,
            assignee=assignee,
            history=(step,),
            source=SOURCE,
            finding=finding.id,
        ),
    )


def assignee_of(draft: Draft, site: str) -> tuple[str, str]:
    """→ (who gets a ticket of this site, why): its supervisor, else its client's manager, else who is on call."""
    place = draft.noun("sites", site) if site else None
    if place is not None and place.supervisor:
        return place.supervisor, f"assigned to {place.supervisor}: supervisor of {site}"
    client = draft.noun("clients", place.client) if place is not None and place.client else None
    if client is not None and client.manager:
        return client.manager, f"assigned to {client.manager}: manager of {client.id}, as {site} has no supervisor"
    oncall = draft.rules.oncall
    turn = turn_now(draft, oncall.tickets) if oncall is not None else None
    if turn is not None:
        words = f"on call in {turn.rota}, as neither supervisor nor manager is known"
        return turn.person, f"assigned to {turn.person}: {words}"
    on_call = rules_of(draft).on_call
    if on_call:
        return on_call, f"assigned to {on_call}: on call, as neither supervisor nor manager is known"
    return "", "assigned to nobody: neither supervisor nor manager nor anybody on call is known"


# -- by the clock


@every(3600.0)
def let_go(draft: Draft) -> None:
    """What has been over for long enough leaves memory."""
    for found in draft.all_nouns("findings"):
        if found.cleared_at is not None and draft.now - found.cleared_at > AT_HAND:
            state = "cleared" if found.state == "open" else found.state
            draft.put_noun(replace(found, state=state, settled=True), announce=False)
