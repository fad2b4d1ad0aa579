"""Tickets: help-desk cases with a history and an SLA clock in the client's business hours.

Owns a ticket's state machine and its clock. What a source tells is merged by the time of each word of it; the sequence
of states is read off the history, so that time on hold, reassignments and the end are right in whatever order news
came.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from data.nouns.world import Client, Ticket, TicketStep
from data.restricted import of_subject
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.calendar import Span, ends_at
from engine.domain.events import DomainEvent, TicketData
from engine.domain.merging import LATENESS, patched
from engine.domain.registry import every, on
from engine.domain.settings import rules_of
from engine.stages.severity_words import level

#: Steps of the history that a ticket keeps, the newest.
STEPS = 200
#: What an operator may make of a ticket; sources are believed whatever they say.
TRANSITIONS: Mapping[str, frozenset[str]] = {
    "new": frozenset({"assigned", "in_progress", "on_hold", "resolved", "closed"}),
    "assigned": frozenset({"in_progress", "on_hold", "resolved", "closed"}),
    "in_progress": frozenset({"assigned", "on_hold", "resolved", "closed"}),
    "on_hold": frozenset({"assigned", "in_progress", "resolved", "closed"}),
    "resolved": frozenset({"in_progress", "closed"}),
    "closed": frozenset(),
}
OVER = frozenset({"resolved", "closed"})
_RANKS = {state: rank for rank, state in enumerate(TRANSITIONS)}
_FIELDS = ("type", "title", "priority", "site", "client", "entity", "assignee")


@on("noc.ticket", order=10)
def ticket(draft: Draft, event: DomainEvent) -> None:
    data: TicketData = event.data  # type: ignore[assignment]
    known.site(draft, data.site or "", event.at)
    old: Ticket | None = draft.noun("tickets", data.id)
    start = old or Ticket(tenant=draft.tenant, id=data.id, opened_at=event.at, source=event.source)
    values: dict[str, Any] = {
        name: getattr(data, name) for name in _FIELDS if getattr(data, name) is not None
    }
    if data.due_at is not None:
        values["due_given"] = data.due_at
    if event.at < start.opened_at or (event.at == start.opened_at and event.source < start.source):
        start = replace(start, opened_at=event.at, source=event.source)
    found = patched(start, event.at, values)
    step = TicketStep(
        at=event.at,
        by=event.source,
        state=(data.state or "").lower(),
        assignee=data.assignee or "",
        note=data.note[:4096],
    )
    put(draft, stepped(found, step) if step.state or step.assignee or step.note else found)


def stepped(of: Ticket, step: TicketStep) -> Ticket:
    """The ticket with one more entry in its history."""
    if step in of.history:
        return of
    return replace(of, history=tuple(sorted((*of.history, step), key=_order))[-STEPS:])


def _order(step: TicketStep) -> tuple[datetime, int, str]:
    """By time; of one moment in the order of the states, so that it ends alike however it came."""
    return step.at, _RANKS.get(step.state, -1), str(step)


def following(of: Ticket, now: datetime) -> datetime:
    """The time of an act on a ticket: now, and after all that is known of it."""
    return max([now, *(step.at + timedelta(microseconds=1) for step in of.history[-1:])])


def put(draft: Draft, of: Ticket) -> Ticket:
    """Write the ticket with what follows from its history and its client's contract, and judge its clock."""
    old: Ticket | None = draft.noun("tickets", of.id)
    found = settle(draft, _read(of))
    if found != old:
        draft.put_noun(found)
        _judge(draft, found)
    return found


def _read(of: Ticket) -> Ticket:
    """State, hold, reassignments and end as the history tells them."""
    state, since, held, assignees = "new", of.opened_at, timedelta(0), 0
    last_assignee, resolved_at = "", None
    for step in of.history:
        if step.assignee and step.assignee != last_assignee:
            assignees += bool(last_assignee)
            last_assignee = step.assignee
        if not step.state or step.state == state:
            continue
        if state == "on_hold":
            held += step.at - since
        resolved_at = (resolved_at or step.at) if step.state in OVER else None
        state, since = step.state, step.at
    return replace(
        of,
        state=state,
        held_since=since if state == "on_hold" else None,
        paused_s=held.total_seconds(),
        reassignments=assignees,
        resolved_at=resolved_at,
    )


def holds(of: Ticket) -> list[Span]:
    """The spans on hold that are over, in order."""
    found, began = [], None
    for step in of.history:
        if not step.state:
            continue
        if step.state == "on_hold":
            began = began or step.at
        elif began is not None:
            found.append((began, step.at))
            began = None
    return found


def settle(draft: Draft, of: Ticket) -> Ticket:
    """The ticket with its client, its due time and how it stands at the draft's time."""
    site = draft.noun("sites", of.site) if of.site else None
    name = of.client or (site.client if site is not None else "")
    due, at_risk = due_times(draft, of, draft.noun("clients", name) if name else None)
    over = of.state in OVER
    end = of.resolved_at or draft.now
    breached = due is not None and of.state != "on_hold" and end > due
    sla = ""
    if breached:
        sla = "breached"
    elif not over and of.state != "on_hold" and at_risk is not None and draft.now >= at_risk:
        sla = "at_risk"
    ended = of.resolved_at
    return replace(
        of,
        client=name,
        due_at=due,
        at_risk_at=at_risk,
        sla=sla,
        breached=breached or (of.breached and of.state == "on_hold"),
        settled=of.settled or (over and ended is not None and draft.now > ended + LATENESS),
    )


def due_times(draft: Draft, of: Ticket, client: Client | None) -> tuple[datetime | None, datetime | None]:
    """→ (when it is due, when it is at risk). A time that the source named stands; else the contract's minutes of the
    client's business hours, without the time on hold; else the defaults, around the clock."""
    rules = rules_of(draft)
    if of.due_given is not None:
        return of.due_given, of.opened_at + (of.due_given - of.opened_at) * rules.at_risk_share
    minutes: float | None = None
    if client is not None:
        minutes = client.sla_minutes.get(of.priority)
        if minutes is None:
            minutes = _of_level(client.sla_minutes, of.priority)
    hours: Mapping[str, tuple[str, str]] = client.hours if client is not None else {}
    zone = client.zone if client is not None else "UTC"
    if minutes is None:
        minutes = rules.sla_minutes.get(level(of.priority, "priority"), 960)
    paused = holds(of)
    due = ends_at(of.opened_at, minutes, hours, zone, paused)
    return due, ends_at(of.opened_at, minutes * rules.at_risk_share, hours, zone, paused)


def _of_level(minutes: Mapping[str, int], priority: str) -> int | None:
    """The contract's minutes for the same level by another word (P1, critical)."""
    wanted = level(priority, "priority")
    return next((found for word, found in sorted(minutes.items()) if level(word, "priority") is wanted), None)


@on("noc.client", order=60)
def contract_changed(draft: Draft, event: DomainEvent) -> None:
    """The clocks of a client's open tickets follow its contract."""
    _resettle(draft, lambda of: of.client == event.data.id)  # type: ignore[attr-defined]


@on("noc.site", order=60)
def site_changed(draft: Draft, event: DomainEvent) -> None:
    """A ticket without a client of its own is its site's client's."""
    _resettle(draft, lambda of: of.site == event.data.id and not of.client)  # type: ignore[attr-defined]


def _resettle(draft: Draft, concerns: Any) -> None:
    for of in draft.all_nouns("tickets"):
        if of.tenant == draft.tenant and concerns(of):
            found = settle(draft, of)
            if found != of:
                draft.put_noun(found)
                _judge(draft, found)


#: Tickets that the engine has opened itself, which no help desk knows: their source begins so.
_OWN = ("audit", "playbook/")


def about(of: Ticket) -> About:
    own = {"origin": "engine"} if of.source.startswith(_OWN) else {}
    return About(
        entity=of.entity or of.id,
        entity_type="ticket",
        site=of.site,
        parts={"ticket": of.id, "priority": of.priority, **own},
    )


def _judge(draft: Draft, of: Ticket) -> None:
    if of_subject(f"ticket:{of.id}"):
        return  # its alerts could be seen by those who may not see it
    subject, title = about(of), of.title or of.type or "case"
    open_now = of.state not in OVER
    end = of.resolved_at or draft.now
    if open_now and of.sla == "breached" and of.due_at is not None:
        clear(draft, "ticket_sla_at_risk", subject, at=of.due_at)
        fire(draft, "ticket_sla_breached", subject, title=f"Ticket {of.id} is past due: {title}", since=of.due_at)
    else:
        clear(draft, "ticket_sla_breached", subject, at=end)
    if open_now and of.sla == "at_risk" and of.at_risk_at is not None:
        words = f"Ticket {of.id} has used three quarters of its time: {title}"
        fire(draft, "ticket_sla_at_risk", subject, title=words, since=of.at_risk_at)
    else:
        clear(draft, "ticket_sla_at_risk", subject, at=end)


@every(30.0)
def look_at_tickets(draft: Draft) -> None:
    """Whose clock has run out by now, and what has been over for long enough."""
    for of in draft.all_nouns("tickets"):
        if not _may_change(of, draft.now):
            continue
        draft.tenant = of.tenant
        found = settle(draft, of)
        if found != of:
            draft.put_noun(found, announce=found.sla != of.sla)
            _judge(draft, found)


def _may_change(of: Ticket, now: datetime) -> bool:
    if of.state in OVER:
        return of.resolved_at is not None and now > of.resolved_at + LATENESS
    if of.state == "on_hold" or of.sla == "breached":
        return False
    moment = of.due_at if of.sla == "at_risk" else of.at_risk_at
    return moment is not None and now >= moment


