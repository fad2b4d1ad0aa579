"""The help desk: cases arrive, wait for an agent, are worked on and closed, with an SLA clock that runs.

A queue per country with so many agents by day and fewer by night: a storm makes a backlog, a backlog makes breaches,
minutes to hours later. A few cases are put aside by mistake and wait until somebody assigns them by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any

from engine.simulator import rhythm
from engine.simulator.draws import around, between
from engine.simulator.operation import Operation, text_of
from engine.simulator.places import City
from engine.simulator.rhythm import DAY, HOUR
from engine.simulator.truth import Breach, Effect
from engine.simulator.world import Site

#: Type → share of the everyday arrivals, minutes of handling (median), priorities P1…P4.
TYPES: dict[str, tuple[float, float, tuple[int, int, int, int]]] = {
    "access_request": (30, 20, (0, 4, 40, 56)),
    "device_fault": (16, 70, (3, 25, 50, 22)),
    "guard_issue": (14, 45, (4, 30, 46, 20)),
    "client_complaint": (12, 60, (8, 37, 40, 15)),
    "software": (16, 55, (3, 22, 45, 30)),
    "safety": (5, 50, (25, 45, 25, 5)),
    "billing": (7, 40, (0, 2, 38, 60)),
}
TITLES = {
    "access_request": "Badge access is needed", "device_fault": "A device does not work",
    "guard_issue": "Question about a guard", "client_complaint": "The client complains",
    "software": "The application fails", "safety": "Unsafe condition reported", "billing": "Invoice is wrong",
    "outage": "Site is without service",
}  # fmt: skip
PRIORITIES = ("P1", "P2", "P3", "P4")


@dataclass(slots=True, eq=False)
class Ticket:
    id: str
    type: str
    priority: str
    site: Site
    minutes: float
    due: float
    cause: str = ""
    state: str = "NEW"
    queued: bool = False
    done: bool = False
    resolved: Callable[[], None] | None = None
    assignee: str = ""


@dataclass(slots=True)
class Desk:
    """`agents` work by day; two fifths of them at night and on days off."""

    city: City
    agents: list[str]
    working: set[str] = field(default_factory=set)
    queue: list[tuple[int, int, Ticket]] = field(default_factory=list)

    def on_duty(self, at: float) -> list[str]:
        day = 7.0 <= rhythm.local_hour(self.city, at) < 20.0 and not rhythm.is_day_off(self.city, at)
        return self.agents if day else self.agents[: max(1, len(self.agents) * 2 // 5)]


class Helpdesk:
    """`per_day`: everyday tickets of a site of usual size. `backlog` counts open tickets by site."""

    def __init__(self, operation: Operation, per_day: float) -> None:
        self._operation, self._per_day = operation, per_day
        self._random = operation.draws.of("helpdesk")
        self._desks: dict[str, Desk] = {}
        self._numbers = 0
        self.open_tickets: dict[str, Ticket] = {}
        self.backlog: Counter[str] = Counter()

    def open_desks(self, start: float) -> None:
        sites: Counter[str] = Counter(site.city.country for site in self._operation.world.sites)
        for site in self._operation.world.sites:
            country = site.city.country
            if country not in self._desks:
                number = max(2, round(sites[country] * 0.32))
                agents = [f"agent-{country.lower()}-{n + 1}" for n in range(number)]
                self._desks[country] = Desk(site.city, agents)
                self._operation.at(start, self._hourly, self._desks[country])
            random = self._operation.draws.of("tickets", site.id)
            self._operation.at(start + random.expovariate(6.0 / DAY), self._arrive, site, random)

    # -- arrival

    def _arrive(self, site: Site, random: Random) -> None:
        """Thinning (Lewis and Shedler, 1979): candidates at the peak rate, taken by the hour's share."""
        peak = self._per_day * 2.2 * site.size
        self._operation.after(random.expovariate(max(peak, 1e-6) / DAY), self._arrive, site, random)
        share = (0.12 + 0.88 * rhythm.busy(site.city, self._operation.now)) * (1.0 + 1.5 * site.weather) / 2.5
        kind = random.choices(list(TYPES), [weight for weight, _, _ in TYPES.values()])[0]
        priority = random.choices(PRIORITIES, TYPES[kind][2])[0]
        if random.random() < share:
            self.open(kind, f"{TITLES[kind]} at {site.name}", priority, site)

    def open(
        self,
        kind: str,
        title: str,
        priority: str,
        site: Site,
        *,
        entity: str = "",
        cause: str = "",
        notice: float = 0.0,
        resolved: Callable[[], None] | None = None,
    ) -> None:
        """A case, `notice` seconds from now. `resolved` is called when it is: the repair is done."""
        if notice > 0:
            self._operation.after(
                notice,
                lambda: self.open(kind, title, priority, site, entity=entity, cause=cause, resolved=resolved),
            )
            return
        random, now = self._random, self._operation.now
        self._numbers += 1
        median = TYPES.get(kind, (0, 60.0, ()))[1]
        ticket = Ticket(
            id=f"T-{int(now) // 86_400 % 100_000}-{self._numbers:05d}",
            type=kind,
            priority=priority,
            site=site,
            minutes=around(random, median * (0.8 if priority == "P1" else 1.0), 0.6),
            due=now + 60.0 * site.client.sla_minutes[priority],
            cause=cause,
            resolved=resolved,
        )
        self.open_tickets[ticket.id] = ticket
        self.backlog[site.id] += 1
        data = {"id": ticket.id, "state": "NEW", "type": kind, "title": title, "priority": priority}
        data |= {"site": site.id, "client": site.client.id, "due_at": text_of(ticket.due)}
        self._operation.emit("noc.ticket", data | ({"entity": entity} if entity else {}), cause)
        put_aside = random.random() < 0.03 and priority != "P1"
        wait = between(random, 3 * HOUR, 9 * HOUR) if put_aside else between(random, 20.0, 400.0)
        self._operation.after(wait, self._queue, ticket)
        self._operation.at(ticket.due, self._overdue, ticket)

    # -- handling

    def _queue(self, ticket: Ticket) -> None:
        if ticket.queued:
            return
        ticket.queued = True
        desk = self._desks[ticket.site.city.country]
        self._numbers += 1
        heappush(desk.queue, (PRIORITIES.index(ticket.priority), self._numbers, ticket))
        self._dispatch(desk)

    def _hourly(self, desk: Desk) -> None:
        self._operation.after(HOUR, self._hourly, desk)
        self._dispatch(desk)

    def _dispatch(self, desk: Desk) -> None:
        while desk.queue:
            free = [agent for agent in desk.on_duty(self._operation.now) if agent not in desk.working]
            if not free:
                return
            _, _, ticket = heappop(desk.queue)
            self._assign(desk, ticket, self._random.choice(free))

    def _assign(self, desk: Desk, ticket: Ticket, agent: str) -> None:
        desk.working.add(agent)
        ticket.assignee = agent
        self._change(ticket, "ASSIGNED", assignee=agent)
        self._operation.after(between(self._random, 60.0, 600.0), self._work, desk, ticket)

    def _work(self, desk: Desk, ticket: Ticket) -> None:
        random = self._random
        self._change(ticket, "IN_PROGRESS")
        # A crowd is handled more slowly: interruptions, shared tools, questions.
        seconds = ticket.minutes * 60.0 * (1.0 + min(1.0, 0.02 * len(desk.queue)))
        if random.random() < 0.12:
            self._operation.after(seconds * 0.4, self._hold, desk, ticket, seconds * 0.6)
        else:
            self._operation.after(seconds, self._resolve, desk, ticket)

    def _hold(self, desk: Desk, ticket: Ticket, rest: float) -> None:
        """Waiting for a part or an answer; the agent takes the next case meanwhile."""
        self._change(ticket, "ON_HOLD", note="waiting for an answer")
        desk.working.discard(ticket.assignee)
        self._dispatch(desk)
        self._operation.after(between(self._random, 600.0, 7200.0), self._resume, desk, ticket, rest)

    def _resume(self, desk: Desk, ticket: Ticket, rest: float) -> None:
        desk.working.add(ticket.assignee)
        self._change(ticket, "IN_PROGRESS")
        self._operation.after(rest, self._resolve, desk, ticket)

    def _resolve(self, desk: Desk, ticket: Ticket) -> None:
        ticket.done = True
        self._change(ticket, "RESOLVED")
        del self.open_tickets[ticket.id]
        self.backlog[ticket.site.id] -= 1
        desk.working.discard(ticket.assignee)
        self._dispatch(desk)
        if ticket.resolved is not None:
            ticket.resolved()
        self._operation.after(between(self._random, HOUR, 8 * HOUR), self._change, ticket, "CLOSED")

    def _change(self, ticket: Ticket, state: str, **more: Any) -> None:
        ticket.state = state
        self._operation.emit("noc.ticket", {"id": ticket.id, "state": state, **more}, ticket.cause)

    def _overdue(self, ticket: Ticket) -> None:
        if not ticket.done:
            at = text_of(self._operation.now)
            breach = Breach(ticket=ticket.id, at=at, site=ticket.site.id, priority=ticket.priority, cause=ticket.cause)
            self._operation.truth.add(breach)

    # -- acts

    def assign(self, id: str) -> Effect:
        """Put a waiting case before all others; an agent beyond the usual ones takes it when all are at work."""
        ticket = self.open_tickets.get(id)
        if ticket is None or ticket.state != "NEW":
            return "nothing"
        desk = self._desks[ticket.site.city.country]
        desk.queue = [entry for entry in desk.queue if entry[2] is not ticket]
        desk.queue.sort()
        ticket.queued = True
        free = [agent for agent in desk.on_duty(self._operation.now) if agent not in desk.working]
        self._assign(desk, ticket, free[0] if free else f"{desk.agents[0]}-relief")
        return "ended"
