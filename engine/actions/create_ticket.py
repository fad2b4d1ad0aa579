"""create_ticket: open a ticket about the incident, once however often it is tried; a rollback closes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from data.nouns.world import Ticket, TicketStep
from engine.effects import Around
from engine.playbooks.actions import Act, Done, Idempotency, Planned, StepAction

if TYPE_CHECKING:
    from engine.book import Draft

Name = Annotated[str, Meta(max_length=200)]


class TicketParams(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`assignee` "" gives it to the site's supervisor, the client's manager or who is on call."""

    title: Annotated[str, Meta(min_length=1, max_length=2000)]
    type: Name = "incident"
    priority: Literal["critical", "high", "medium", "low"] = "medium"
    entity: Name = ""
    assignee: Name = ""
    note: Annotated[str, Meta(max_length=16_384)] = ""


class CreateTicket(StepAction):
    name = "create_ticket"
    words = "Open a ticket about the incident."
    params = TicketParams
    gives = frozenset({"ticket", "assignee"})
    free = frozenset({"note"})

    def __init__(self, around: Around) -> None:
        """Needs nothing."""

    def idempotency(self, params: Any) -> Idempotency:
        return Idempotency.SAFE

    def on_line(self, params: Any) -> bool:
        return True

    def plan(self, params: TicketParams) -> Planned:
        return Planned(targets=(), words=f"open a {params.priority} ticket: {params.title[:200]}")

    def apply(self, draft: Draft, act: Act, params: TicketParams) -> Done:
        from engine.domain import tickets
        from engine.domain.findings import assignee_of

        id = f"P-{act.key.removeprefix('playbook/').replace('/', '-')}"[:200]
        known: Ticket | None = draft.noun("tickets", id)
        if known is not None:
            return Done(output={"ticket": id, "assignee": known.assignee}, undo={"ticket": id})
        given, why = params.assignee, f"assigned by the playbook {act.playbook}"
        if not given:
            given, why = assignee_of(draft, act.site)
        step = TicketStep(
            at=draft.now,
            by=f"playbook/{act.playbook}",
            state="assigned" if given else "new",
            assignee=given,
            note=(f"{params.note}; {why}" if params.note else why)[:4096],
        )
        ticket = Ticket(
            tenant=draft.tenant,
            id=id,
            opened_at=draft.now,
            type=params.type,
            title=params.title[:300],
            priority=params.priority,
            site=act.site,
            entity=params.entity,
            assignee=given,
            history=(step,),
            source=f"playbook/{act.playbook}",
        )
        tickets.put(draft, ticket)
        return Done(output={"ticket": id, "assignee": given}, undo={"ticket": id})

    def take_back(self, draft: Draft, act: Act, params: TicketParams, undo: Mapping[str, Any]) -> Done:
        from engine.domain import tickets

        known: Ticket | None = draft.noun("tickets", undo["ticket"])
        if known is not None and known.state not in tickets.OVER:
            at = tickets.following(known, draft.now)
            step = TicketStep(at=at, by=f"playbook/{act.playbook}", state="closed", note="taken back")
            tickets.put(draft, tickets.stepped(known, step))
        return Done(output={"ticket": undo["ticket"]})


STEP = CreateTicket
