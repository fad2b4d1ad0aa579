"""Tickets that will breach their SLA within two hours.

Owns the eight features and their columns, and the probability without a model: of all tickets that are open after this
long, the share that is still open when the time is up, resolution times being taken as log-normal around what is
typical (Verenich et al., "Survey of business process remaining time prediction", 2019).
It fails for types that were never seen: then a quarter of the SLA's time is taken for typical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import erfc, exp, isnan, log, nan, sqrt
from typing import Any

from data.nouns.world import Client, Ticket
from data.records import TenantId
from data.restricted import of_subject
from data.slots import zone_of
from engine.book import Draft
from engine.domain import tickets
from engine.predictors import ticket_memory
from engine.predictors.memory import Effects, log_odds
from engine.predictors.predictor import Acts, Happened, Predictor, Row, Thing
from engine.stages.severity_words import LEVELS, level

HORIZON = timedelta(hours=2)
FEATURES = (
    "age",
    "priority",
    "assigned",
    "site_workload",
    "typical_resolution",
    "sla_used",
    "reassignments",
    "business_hours",
    "age.quiet",
    "age.steps",
    "age.handed",
    "age.held",
    *(f"typical_resolution.{name}" for name in ticket_memory.FACETS),
    *(f"site_workload.{name or 'all'}" for name in ticket_memory.OPEN_AT),
    *(f"site_workload.came_{name or 'all'}" for name in ticket_memory.COMING),
    *(f"site_workload.more_{name or 'all'}" for name in ticket_memory.COMING),
    "reassignments.teams",
)
#: Log hours by which tickets of the same kind differ, and what a ticket that nobody has adds to them.
SPREAD, UNASSIGNED, REASSIGNED, BUSY = 1.2, 0.5, 0.15, 0.4
_ASSIGNED: Mapping[str, float] = {"new": 0.0, "assigned": 1.0, "in_progress": 2.0, "on_hold": 1.0}
_RANK = {"critical": 1.0, "high": 2.0, "medium": 3.0, "low": 4.0, "info": 5.0}


# -- the row


def row(draft: Draft, thing: Thing) -> Row:
    of: Ticket = thing.record
    values = ticket_memory.facets(of)
    busy = ticket_memory.busy(draft, of.tenant, values)
    return (
        *asked(draft, thing),
        *_course(of, draft.now),
        *ticket_memory.pace(draft, of.tenant, values),
        *(log(1.0 + number) for number in busy.values()),
        *ticket_memory.coming(draft, of.tenant, values),
        float(len({step.assignee.partition("/")[0] for step in of.history if step.assignee})),
    )


def asked(draft: Draft, thing: Thing) -> Row:
    """The features themselves, which cost a third of the whole row."""
    of: Ticket = thing.record
    age_h = max(0.0, (draft.now - of.opened_at).total_seconds()) / 3600.0
    mean, own = Effects(draft, ticket_memory.LEARNS).typical(ticket_memory.properties(of))
    number = ticket_memory.busy_at(draft, of.tenant, ("site", of.site))
    total = (of.due_at - of.opened_at).total_seconds() / 3600.0 if of.due_at is not None else nan
    return (
        log(1.0 + age_h),
        _RANK[LEVELS.get(of.priority.lower(), level(of.priority, "priority")).value],
        _ASSIGNED.get(of.state, 0.0) if of.assignee or of.state == "in_progress" else 0.0,
        log((1.0 + number) / (1.0 + ticket_memory.usual(draft, of, number))),
        own if not isnan(mean) else nan,
        age_h / total if total and total > 0.0 else nan,
        float(of.reassignments),
        float(is_open(draft, of)),
    )


def _course(of: Ticket, now: datetime) -> tuple[float, ...]:
    """Logarithms: hours since its last step before now, steps, hours with its assignee, and hours on hold."""
    past = [step.at for step in of.history if step.at < now]
    handed = next((step.at for step in of.history if step.assignee == of.assignee), of.opened_at)
    held = of.paused_s + ((now - of.held_since).total_seconds() if of.held_since is not None else 0.0)
    return (
        _log_hours((now - past[-1]).total_seconds()) if past else 0.0,
        log(1.0 + len(of.history)),
        _log_hours((now - handed).total_seconds()),
        _log_hours(held),
    )


def _log_hours(seconds: float) -> float:
    return log(1.0 + max(0.0, seconds) / 3600.0)


def is_open(draft: Draft, of: Ticket) -> bool:
    """Whether it is business hours: the client's where it has a contract, else the operation's."""
    client: Client | None = draft.book.nouns["clients"].get((of.tenant, of.client)) if of.client else None
    if client is not None and client.hours:
        local = draft.now.astimezone(zone_of(client.zone))
        hours = client.hours.get(str(local.weekday()))
        return hours is not None and hours[0] <= f"{local:%H:%M}" < (hours[1] if hours[1] > hours[0] else "24:00")
    rules = draft.rules
    local = draft.now.astimezone(zone_of(rules.time_zone))
    hour = local.hour + local.minute / 60.0
    return local.weekday() in rules.business_days and rules.business_start_hour <= hour < rules.business_end_hour


# -- without a model


def margin(values: Row, share: float, thing: Thing | None = None) -> float:
    """Log odds of being open when the time is up, given that it is open now.

    Half of a fresh ticket's time is left after half of it: an unassigned ticket of the kind that takes long is late.

    >>> fresh, late = (0.4, 3.0, 1.0, 0.0, 0.0, 0.1, 0.0, 1.0), (2.0, 3.0, 1.0, 0.0, 0.0, 0.9, 0.0, 1.0)
    >>> margin(fresh, 0.2) < margin(late, 0.2)
    True
    """
    age, _, assigned, busy, own, used, moves, _ = values[:8]
    hours = max(exp(age) - 1.0, 1.0 / 60.0)
    used = used if not isnan(used) and used > 0.0 else 0.01
    total = hours / used
    typical = log(0.25 * total) + (own if not isnan(own) else 0.0)
    typical += UNASSIGNED * (assigned == 0.0) + REASSIGNED * min(moves, 4.0) + BUSY * busy
    still = _survives(log(total), typical) / max(_survives(log(hours), typical), 1e-9)
    return log_odds(min(still, 0.98)) + 0.25 * (log_odds(share) - log_odds(PREDICTOR.prior))


def _survives(logarithm: float, mean: float) -> float:
    return 0.5 * erfc((logarithm - mean) / (SPREAD * sqrt(2.0)))


# -- words


def words(name: str, value: float) -> str:
    """
    >>> words("sla_used", 0.82)
    '82 % of its time is used'
    """
    if isnan(value):
        return f"{name.replace('_', ' ')} is not known"
    return _WORDS[name](value)


_WORDS: Mapping[str, Callable[[float], str]] = {
    "age": lambda value: f"open for {exp(value) - 1.0:.1f} h",
    "priority": lambda value: f"priority {value:.0f} of 5",
    "assigned": lambda value: ("nobody works on it", "assigned, not begun", "in work")[min(2, int(value))],
    "site_workload": lambda value: f"{exp(value):.1f} times as many open tickets at its site as usual",
    "typical_resolution": lambda value: f"tickets like it take {exp(value):.1f} times as long as most",
    "sla_used": lambda value: f"{value:.0%} of its time is used".replace("%", " %"),
    "reassignments": lambda value: f"handed on {value:.0f} times",
    "business_hours": lambda value: "in business hours" if value else "outside business hours",
}


def action(values: Row, thing: Thing) -> str:
    of: Ticket = thing.record
    if values[2] == 0.0:
        return f"Assign {of.id} to somebody who is free"
    if values[6] >= 2.0:
        return f"Have {of.id} kept by {of.assignee or 'one person'}: it was handed on {values[6]:.0f} times"
    if values[2] == 1.0:
        return f"Ask {of.assignee or 'its assignee'} to begin with {of.id} now, or give it to somebody else"
    return f"Escalate {of.id}, or agree on another time with the client"


# -- what it is about


def things(draft: Draft) -> Sequence[tuple[TenantId, str]]:
    return list(draft.book.nouns["tickets"])


def thing(draft: Draft, id: Any) -> Thing | None:
    """A ticket that is due within the horizon and neither over nor breached nor on hold."""
    of: Ticket | None = draft.book.nouns["tickets"].get(id)
    if of is None:
        return None
    ticket_memory.observe(draft, of)
    if of.due_at is None or of.state in tickets.OVER or of.state == "on_hold" or of_subject(f"ticket:{of.id}"):
        return None
    if not draft.now < of.due_at <= draft.now + HORIZON:
        return None
    return as_thing(of)


def as_thing(of: Ticket) -> Thing:
    name = of.title or of.type or of.id
    return Thing(entity=of.id, kind="ticket", name=name, site=of.site, record=of, due_at=of.due_at)


def acts(draft: Draft, id: Any) -> Acts:
    """Steps that neither its source nor the engine made: somebody took it in hand."""
    of: Ticket | None = draft.book.nouns["tickets"].get(id)
    if of is None:
        return ()
    own = (of.source, "audit", "fraud", "")
    return tuple(
        (step.at, " ".join(part for part in (step.state or "assigned", step.assignee, "by", step.by) if part))
        for step in of.history[1:]
        if step.by not in own and (step.state or step.assignee)
    )


def happened(draft: Draft, id: Any) -> Happened | None:
    of: Ticket | None = draft.book.nouns["tickets"].get(id)
    if of is None or of.due_at is None or not of.breached or of_subject(f"ticket:{of.id}"):
        return None
    return Happened(at=of.due_at, alert=("ticket_sla_breached", tickets.about(of)))


def title(thing: Thing) -> str:
    return f"Ticket {thing.entity} is likely to breach its SLA: {thing.name}"


PREDICTOR = Predictor(
    name="sla",
    event="breaches its SLA",
    features=FEATURES,
    horizon_s=HORIZON.total_seconds(),
    least_lead_s=600.0,
    half_life_s=3 * 86_400.0,
    prior=0.2,
    warns="sla_breach_predicted",
    calm=(0.7, 3.0, 2.0, 0.0, 0.0, 0.3, 0.0, 1.0),
    raise_at=0.5,
    things=things,
    entity=lambda id: str(id[1]),
    thing=thing,
    happened=happened,
    acts=acts,
    outcome=lambda draft, id, came: None,
    row=row,
    asked=asked,
    margin=margin,
    words=words,
    action=action,
    about=lambda found: tickets.about(found.record),
    title=title,
    falling=frozenset(f"typical_resolution.{name}" for name in ticket_memory.FACETS),
)
