"""Acts on tickets: open, assign, note, move on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from data.nouns.world import Ticket, TicketStep
from data.restricted import of_subject
from engine.acts.registry import Acting, act
from engine.client import Refused
from engine.domain import tickets
from engine.domain.findings import assignee_of

Text = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(max_length=200)]
State = Literal["assigned", "in_progress", "on_hold", "resolved", "closed"]


class OpenParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`assignee` "" gives it to the site's supervisor, the client's manager or who is on call."""

    title: Annotated[str, Meta(min_length=1, max_length=300)]
    type: Name = "request"
    priority: Literal["critical", "high", "medium", "low"] = "medium"
    site: Name = ""
    entity: Name = ""
    assignee: Name = ""
    note: Text = ""


class AssignParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    assignee: Annotated[str, Meta(min_length=1, max_length=200)]
    note: Text = ""


class NoteParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=4096)]


class MoveParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`on_hold` stops the SLA's clock until it goes on."""

    state: State
    note: Text = ""


@act("ticket", capability="ticket:write", kinds="", params=OpenParams)
def open_ticket(acting: Acting, params: OpenParams) -> None:
    """Open a ticket."""
    draft = acting.draft
    if not acting.scope.sees(params.site):
        raise Refused("this site is not yours", field="site", remedy="name one that you see", status=403)
    given, why = params.assignee, f"assigned by {acting.actor}"
    if not given:
        given, why = assignee_of(draft, params.site)
    number = acting.command.request or f"{draft.now:%H%M%S}"
    id = f"N-{draft.now:%Y%m%d}-{number}"[:100]
    if draft.noun("tickets", id) is not None:
        raise Refused(f"there is a ticket {id} already", field="request", remedy="send another request id", status=409)
    step = TicketStep(
        at=draft.now,
        by=acting.actor,
        state="assigned" if given else "new",
        assignee=given,
        note=f"{params.note}; {why}" if params.note else why,
    )
    ticket = Ticket(
        tenant=draft.tenant,
        id=id,
        opened_at=draft.now,
        type=params.type,
        title=params.title,
        priority=params.priority,
        site=params.site,
        entity=params.entity,
        assignee=given,
        history=(step,),
        source=f"operator/{acting.actor}",
    )
    tickets.put(draft, ticket)
    acting.change("ticket", id)
    acting.id = id


@act("assign_ticket", capability="ticket:write", kinds="ticket", params=AssignParams)
def assign_ticket(acting: Acting, params: AssignParams) -> None:
    """Give a ticket to somebody."""
    for ticket in chosen(acting):
        if ticket.state in tickets.OVER:
            acting.refuse(f"ticket:{ticket.id}", f"it is {ticket.state}")
            continue
        state = "assigned" if ticket.state == "new" else ""
        _step(acting, replace(ticket, assignee=params.assignee), state, params.assignee, params.note)


@act("note_ticket", capability="ticket:write", kinds="ticket", params=NoteParams)
def note_ticket(acting: Acting, params: NoteParams) -> None:
    """Write a note into a ticket's history."""
    for ticket in chosen(acting):
        _step(acting, ticket, "", "", params.text)


@act("move_ticket", capability="ticket:write", kinds="ticket", params=MoveParams)
def move_ticket(acting: Acting, params: MoveParams) -> None:
    """Move a ticket on: assigned, in_progress, on_hold, resolved, closed."""
    for ticket in chosen(acting):
        allowed = tickets.TRANSITIONS[ticket.state]
        if params.state not in allowed:
            words = ", ".join(sorted(allowed)) or "nothing any more"
            acting.refuse(f"ticket:{ticket.id}", f"it is {ticket.state}: it can become {words}")
            continue
        _step(acting, ticket, params.state, "", params.note)


def chosen(acting: Acting) -> Iterator[Ticket]:
    """The tickets that the targets name and the scope sees. Each once."""
    for name in dict.fromkeys(acting.names("ticket")):
        found: Ticket | None = acting.draft.noun("tickets", name)
        needed = of_subject(f"ticket:{name}")
        if found is None or not acting.scope.sees(found.site) or (needed and not acting.scope.may(needed)):
            acting.refuse(f"ticket:{name}", "not found among the tickets that are not over for a day")
        else:
            yield found


def _step(acting: Acting, ticket: Ticket, state: str, assignee: str, note: str) -> None:
    draft = acting.draft
    at = tickets.following(ticket, draft.now)
    step = TicketStep(at=at, by=acting.actor, state=state, assignee=assignee, note=note)
    stamps = {**ticket.stamps, "assignee": at} if assignee else ticket.stamps
    tickets.put(draft, tickets.stepped(replace(ticket, stamps=stamps), step))
    acting.change("ticket", ticket.id)
