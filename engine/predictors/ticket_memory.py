"""What is remembered of tickets: how fast tickets like one are resolved, how many are open and how many come.

Owns the tables behind the predictor `sla`, by the facets that tickets are told apart by. A ticket is taken note of any
number of times. How fast a facet's tickets are resolved counts those that are still open, too: with the resolved ones
alone every ticket would look quick while the slow ones are under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import log, nan
from typing import Any

from data.nouns.world import Ticket
from data.records import TenantId
from data.restricted import of_subject
from engine.book import Draft
from engine.domain import tickets
from engine.predictors.memory import TICKETS, Effects, faded, levels, put

_OPEN, _USUAL, _LEFT = "predictions.open_tickets", "predictions.usual_open", "predictions.tickets_to_enter"
_LISTED = "listed"
LEARNS = "sla"
#: What tickets are told apart by: the first part and the whole of a type and of an assignee are two.
FACETS = ("priority", "type", "subtype", "team", "assignee", "site", "entity", "source", "title")
#: Those of which it is counted how many tickets come ("" = all).
COMING = ("", "type", "entity", "source", "title")
#: Those of which it is told how many tickets are open.
OPEN_AT = ("", "site", "team", "assignee")
#: Half-lives in seconds: how many come lately and usually, and how fast tickets are resolved.
LATELY_S, USUALLY_S, PACE_S = 86_400.0, 14 * 86_400.0, 60 * 86_400.0
#: Resolved tickets of the usual pace that a facet begins with, and hours that all tickets begin with.
CASES, FIRST_HOURS = 3.0, 24.0
#: Weight of the newest in the usual number of open tickets.
_STEP = 0.02

Place = tuple[str, str]
#: What `facets` says of a ticket.
Facets = Mapping[str, str]


def facets(of: Ticket) -> dict[str, str]:
    """The value of each facet that the ticket has; "" stands for all tickets.

    >>> from datetime import UTC, datetime
    >>> one = Ticket(tenant="t", id="1", opened_at=datetime(2026, 1, 1, tzinfo=UTC), type="net/vpn", assignee="noc/eve")
    >>> [facets(one).get(name) for name in ("type", "subtype", "team", "assignee", "site")]
    ['net', 'net/vpn', 'noc', 'noc/eve', None]
    """
    kind, _, below = of.type.partition("/")
    team, _, person = of.assignee.partition("/")
    found = {
        "priority": of.priority.lower(),
        "type": kind,
        "subtype": of.type if below else "",
        "team": team,
        "assignee": of.assignee if person else "",
        "site": of.site,
        "entity": of.entity,
        "source": of.source,
        "title": of.title[:80].lower(),
    }
    return {"": "", **{name: value for name, value in found.items() if value}}


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


# -- what is learned


def observe(draft: Draft, of: Ticket) -> None:
    """Take note of a ticket as it is: it was opened, was changed, is over, or nothing of that."""
    table, key = draft.derived(_OPEN), (of.tenant, of.id)
    is_first = _LISTED not in draft.derived(_LEFT)
    left = _left(draft)
    if is_first and len(of.history) < 2:  # it has come just now, and made us look who was there before
        draft.discard(left, key)
    elif key in left:
        _enter(draft, left, key)
    is_over, before = of.state in tickets.OVER, table.get(key)
    if is_over and before is not None:
        draft.discard(table, key)
        _move(draft, table, of.tenant, before, None)
        _learn(draft, of)
    elif not is_over and before != (now := _entry(of)):
        draft.set(table, key, now)
        _move(draft, table, of.tenant, before, now)
        if before is None:
            _opened(draft, of)


def open_tickets(draft: Draft) -> dict[Any, Any]:
    """(tenant, ticket) → (its facets, hour of its opening), and (tenant, None, facet) → (how many are open, the sum of
    the hours of their opening). What `prepare` has not entered by now is entered at once."""
    left = _left(draft)
    if len(left) > 1:  # by its length: to compare it with another would walk over all that has left it
        prepare(draft, len(left))
    return draft.derived(_OPEN)


def prepare(draft: Draft, most: int) -> int:
    """Enter up to so many of the tickets that were there at the start → how many were. Rounds do so before they score:
    a start with thousands of tickets must not hold the line."""
    left = _left(draft)
    keys = [key for key in islice(left, most + 1) if key != _LISTED][:most]
    for key in keys:
        _enter(draft, left, key)
    return len(keys)


def _left(draft: Draft) -> dict[Any, Any]:
    """The tickets that were there when it was first asked for, without those that have been entered."""
    left = draft.derived(_LEFT)
    if _LISTED not in left:
        draft.set(left, _LISTED, True)
        for key in draft.book.nouns["tickets"]:
            draft.set(left, key, True)
    return left


def _enter(draft: Draft, left: dict[Any, Any], key: tuple[TenantId, str]) -> None:
    """A ticket that was open before the start: it counts as open, not as one that has come."""
    draft.discard(left, key)
    of: Ticket | None = draft.book.nouns["tickets"].get(key)
    if of is None or of.state in tickets.OVER:
        return
    table = draft.derived(_OPEN)
    entry = _entry(of)
    draft.set(table, key, entry)
    _count(draft, table, of.tenant, entry, 1)


def _entry(of: Ticket) -> tuple[tuple[Place, ...], float]:
    return tuple(facets(of).items()), of.opened_at.timestamp() / 3600.0


def _move(draft: Draft, table: dict[Any, Any], tenant: str, old: Any, new: Any) -> None:
    """From the facets of one entry to those of another; None = not open."""
    for entry, step in ((old, -1), (new, 1)):
        if entry is not None:
            _count(draft, table, tenant, entry, step)
    before = set(old[0]) if old is not None else set()
    for place in new[0] if new is not None else ():
        if place[0] in OPEN_AT and place not in before:
            _usual(draft, tenant, place, float(table[tenant, None, place][0]))


def _count(draft: Draft, table: dict[Any, Any], tenant: str, entry: Any, step: int) -> None:
    for place in entry[0]:
        key = (tenant, None, place)
        number, hours = table.get(key, (0, 0.0))
        if number + step <= 0:
            draft.discard(table, key)
        else:
            draft.set(table, key, (number + step, hours + step * entry[1]))


def _usual(draft: Draft, tenant: str, place: Place, number: float) -> None:
    key = (tenant, *place)
    usual = draft.derived(_USUAL).get(key, (number,))[0]
    put(draft, _USUAL, key, (usual + _STEP * (number - usual),))


def _opened(draft: Draft, of: Ticket) -> None:
    """One more came, by facet."""
    now, values = of.opened_at.timestamp(), facets(of)
    for name in COMING:
        if name in values:
            key = (of.tenant, "coming", name, values[name])
            lately, usually, at = draft.derived(TICKETS).get(key, (0.0, 0.0, now))
            gone = max(0.0, now - at)
            row = (1.0 + faded(lately, gone, LATELY_S), 1.0 + faded(usually, gone, USUALLY_S), max(now, at))
            put(draft, TICKETS, key, row)


def _learn(draft: Draft, of: Ticket) -> None:
    """How long it took, by property and by facet."""
    if of.resolved_at is None or of_subject(f"ticket:{of.id}"):
        return
    open_s = max(0.0, (of.resolved_at - of.opened_at).total_seconds())
    before, draft.tenant = draft.tenant, of.tenant
    Effects(draft, LEARNS).learn(properties(of), log(1.0 + max(0.0, open_s - of.paused_s) / 3600.0))
    draft.tenant = before
    now = draft.now.timestamp()
    for name, value in facets(of).items():
        number, hours = _ended(draft, of.tenant, (name, value))
        key = (of.tenant, "pace", name, value)
        put(draft, TICKETS, key, (number + 1.0, hours + open_s / 3600.0, now))


def _ended(draft: Draft, tenant: str, place: Place) -> tuple[float, float]:
    """How many were resolved, and in how many hours in all; the newest weigh most."""
    number, hours, at = draft.derived(TICKETS).get((tenant, "pace", *place), (0.0, 0.0, 0.0))
    gone = draft.now.timestamp() - at
    return faded(number, gone, PACE_S), faded(hours, gone, PACE_S)


# -- what is known


def pace(draft: Draft, tenant: TenantId, values: Facets) -> list[float]:
    """By facet: the logarithm of how many times as fast its tickets are resolved as all; NaN where it has none.

    Resolved tickets per hour that tickets were open, those that still are included: the estimate of a rate from
    lifetimes of which some have not ended.
    """
    number, hours = _resolved(draft, tenant, ("", ""))
    whole = (number + 1.0) / (hours + FIRST_HOURS)
    found = []
    for name in FACETS:
        if name not in values:
            found.append(nan)
            continue
        number, hours = _resolved(draft, tenant, (name, values[name]))
        found.append(log((number + CASES) / (hours * whole + CASES)))
    return found


def _resolved(draft: Draft, tenant: str, place: Place) -> tuple[float, float]:
    """→ (resolved, hours that the resolved and the open ones were open)."""
    number, hours = _ended(draft, tenant, place)
    still, opened = open_tickets(draft).get((tenant, None, place), (0, 0.0))
    return number, hours + max(0.0, still * draft.now.timestamp() / 3600.0 - opened)


def busy(draft: Draft, tenant: TenantId, values: Facets) -> dict[str, float]:
    """How many tickets are open in all, and at the ticket's site, team and assignee."""
    return {name: busy_at(draft, tenant, (name, values.get(name, ""))) for name in OPEN_AT}


def busy_at(draft: Draft, tenant: TenantId, place: Place) -> float:
    """How many tickets of this facet are open."""
    return float(open_tickets(draft).get((tenant, None, place), (0,))[0])


def usual(draft: Draft, of: Ticket, number: float) -> float:
    """How many are open at its site when one is opened there; `number` where that was never seen."""
    found: float = draft.derived(_USUAL).get((of.tenant, "site", of.site), (number,))[0]
    return found


def coming(draft: Draft, tenant: TenantId, values: Facets) -> list[float]:
    """By facet: the logarithms of how many came in about the last day, and of that over what is usual; NaN where
    the ticket has none or none was seen."""
    table, now = draft.derived(TICKETS), draft.now.timestamp()
    found, over = [], []
    for name in COMING:
        seen = table.get((tenant, "coming", name, values[name])) if name in values else None
        if seen is None:
            found.append(nan)
            over.append(nan)
            continue
        lately = faded(seen[0], now - seen[2], LATELY_S)
        usually = faded(seen[1], now - seen[2], USUALLY_S) * LATELY_S / USUALLY_S
        found.append(log(1.0 + lately))
        over.append(log((1.0 + lately) / (1.0 + usually)))
    return [*found, *over]
