"""Tickets that will breach their SLA within two hours.

Owns the eight features, the estimate of how long a ticket like this takes, and the probability without a model: of all
tickets that are open after this long, the share that is still open when the time is up, resolution times being taken
as log-normal around what is typical (Verenich et al., "Survey of business process remaining time prediction", 2019).
It fails for types that were never seen: then a quarter of the SLA's time is taken for typical.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import erfc, exp, isnan, log, nan, sqrt
from typing import Any

from data.nouns.world import Client, Ticket
from data.records import TenantId
from data.restricted import of_subject
from data.slots import zone_of
from engine.book import Draft
from engine.domain import known, tickets
from engine.predictors.memory import Effects, levels, log_odds
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
)
#: Log hours by which tickets of the same kind differ, and what a ticket that nobody has adds to them.
SPREAD, UNASSIGNED, REASSIGNED, BUSY = 1.2, 0.5, 0.15, 0.4
_ASSIGNED: Mapping[str, float] = {"new": 0.0, "assigned": 1.0, "in_progress": 2.0, "on_hold": 1.0}
_RANK = {"critical": 1.0, "high": 2.0, "medium": 3.0, "low": 4.0, "info": 5.0}
_OPEN, _USUAL = "predictions.open_tickets", "predictions.usual_open"
_LEARNS = "sla"
#: Weight of the newest in the usual number of open tickets of a site.
_STEP = 0.02


# -- what is learned


def observe(draft: Draft, of: Ticket) -> None:
    """Take note of a ticket as it is: it was opened, or is over, or nothing has changed. Any number of times."""
    table = open_tickets(draft)
    key = (of.tenant, of.id)
    is_over, was_open = of.state in tickets.OVER, key in table
    if is_over and was_open:
        site = table[key]
        draft.discard(table, key)
        _count(draft, table, (of.tenant, site), -1)
        _learn(draft, of)
    elif not is_over and not was_open:
        draft.set(table, key, of.site)
        number = _count(draft, table, (of.tenant, of.site), 1)
        usual = draft.derived(_USUAL)
        place = (of.tenant, of.site)
        before = usual.get(place, float(number))
        draft.set(usual, place, before + _STEP * (number - before))


def open_tickets(draft: Draft) -> dict[Any, Any]:
    """(tenant, ticket) → its site, and (tenant, None, site) → how many are open there."""
    return known.index(draft, _OPEN, ("tickets",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: Ticket) -> None:
    if record.state not in tickets.OVER:
        table[record.tenant, record.id] = record.site
        place = (record.tenant, None, record.site)
        table[place] = table.get(place, 0) + 1


def _count(draft: Draft, table: dict[Any, Any], place: tuple[TenantId, str], step: int) -> int:
    key = (place[0], None, place[1])
    number: int = max(0, table.get(key, 0) + step)
    draft.set(table, key, number)
    return number


def _learn(draft: Draft, of: Ticket) -> None:
    if of.resolved_at is not None and not of_subject(f"ticket:{of.id}"):
        hours = max(0.0, (of.resolved_at - of.opened_at).total_seconds() - of.paused_s) / 3600.0
        before, draft.tenant = draft.tenant, of.tenant
        Effects(draft, _LEARNS).learn(properties(of), log(1.0 + hours))
        draft.tenant = before


def properties(of: Ticket) -> list[tuple[str, str]]:
    """What tickets are told apart by when it comes to how long they take."""
    found = [("priority", of.priority.lower()), *levels("type", of.type), *levels("assignee", of.assignee)]
    for name in ("site", "client", "entity", "source"):
        value = getattr(of, name)
        if value:
            found.append((name, value))
    if of.title:
        found.append(("title", of.title[:80].lower()))
    return found


# -- the row


def row(draft: Draft, thing: Thing) -> Row:
    of: Ticket = thing.record
    age_h = max(0.0, (draft.now - of.opened_at).total_seconds()) / 3600.0
    mean, own = Effects(draft, _LEARNS).typical(properties(of))
    number = open_tickets(draft).get((of.tenant, None, of.site), 0)
    usual = draft.derived(_USUAL).get((of.tenant, of.site), float(number))
    total = (of.due_at - of.opened_at).total_seconds() / 3600.0 if of.due_at is not None else nan
    return (
        log(1.0 + age_h),
        _RANK[LEVELS.get(of.priority.lower(), level(of.priority, "priority")).value],
        _ASSIGNED.get(of.state, 0.0) if of.assignee or of.state == "in_progress" else 0.0,
        log((1.0 + number) / (1.0 + max(0.0, usual))),
        own if not isnan(mean) else nan,
        age_h / total if total and total > 0.0 else nan,
        float(of.reassignments),
        float(is_open(draft, of)),
    )


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
    age, _, assigned, busy, own, used, moves, _ = values
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
    observe(draft, of)
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
    margin=margin,
    words=words,
    action=action,
    about=lambda found: tickets.about(found.record),
    title=title,
)
