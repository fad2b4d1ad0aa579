"""The watched world on a table: domain events put through the line at times that the test names."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from data.records import DEFAULT_TENANT, Alert, TenantId
from engine.domain.events import DATA, DomainEvent
from engine.ports import Envelope, EnvelopeKind
from engine.rules import Rules
from tests.fakes.line import T0, Line, at

Row = dict[str, Any]


def event(kind: str, seconds: float, /, *, event_id: str = "", source: str = "ops", **data: Any) -> DomainEvent:
    """A domain event of so many seconds after noon; times in `data` may be seconds too."""
    row = {name: _time(value) for name, value in data.items()}
    type = f"noc.{kind}"
    found = msgspec.convert(row, DATA[type])
    return DomainEvent(type=type, source=source, id=event_id or f"{kind}-{seconds}", at=at(seconds), data=found)


def _time(value: Any) -> Any:
    if isinstance(value, At):
        return at(value.seconds)
    if isinstance(value, list):
        return [{name: _time(part) for name, part in row.items()} if isinstance(row, dict) else row for row in value]
    return value


class At:
    """A time in the data of an event, in seconds after noon."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class World(Line):
    """A line with events: every `say` is one envelope at the event's own time unless `now` stands elsewhere."""

    def __init__(self, rules: Rules | None = None, tenant: TenantId = DEFAULT_TENANT) -> None:
        super().__init__(rules, tenant)
        self.now = T0

    def take_events(self, *events: DomainEvent, tenant: TenantId | None = None) -> World:
        self.put(self.envelope(EnvelopeKind.EVENTS, list(events), tenant=tenant or self.tenant))
        return self

    def say(self, kind: str, seconds: float | None = None, /, *, tenant: TenantId | None = None, **data: Any) -> World:
        """One event; the clock goes on to its time when that is later."""
        when = (self.now - T0).total_seconds() if seconds is None else seconds
        self.now = max(self.now, at(when))
        return self.take_events(event(kind, when, **data), tenant=tenant)

    def until(self, seconds: float, step: float = 30.0) -> World:
        """Ticks until then, one every `step` seconds."""
        while self.now < at(seconds):
            self.tick(min(step, (at(seconds) - self.now).total_seconds()))
        return self

    def noun(self, kind: str, id: str, tenant: TenantId | None = None) -> Any:
        return self.store.nouns[kind, tenant or self.tenant, id]

    def nouns(self, kind: str) -> list[Any]:
        return [found for (of, _, _), found in self.store.nouns.items() if of == kind]

    def alerts(self, name: str = "") -> list[Alert]:
        return [alert for alert in self.store.alerts.values() if not name or alert.name == name]

    def firing(self) -> dict[tuple[str, str], Alert]:
        """(name, entity) → alert that fires."""
        return {(a.name, a.entity): a for a in self.store.alerts.values() if a.ended_at is None}

    def names(self) -> list[str]:
        return sorted(name for name, _ in self.firing())


def guarded(rules: Rules | None = None, tenant: TenantId = DEFAULT_TENANT, *, devices: bool = True) -> World:
    """A world with a client, a site, two guards, and a gateway with a reader unless told otherwise."""
    world = World(rules, tenant)
    hours = {str(day): ["08:00", "18:00"] for day in range(5)}
    world.say("client", 0, id="acme", tier="gold", sla_minutes={"high": 60}, hours=hours, manager="mia")
    here = {"lat": 52.5, "lon": 13.4}
    world.say("site", 0, id="Depot", client="acme", point=here, supervisor="sam", posts={"day": 2})
    world.say("person", 0, id="ann", name="Ann", sites=["Depot"])
    world.say("person", 0, id="bob", name="Bob", sites=["Depot"])
    if not devices:
        return world
    world.say("device", 0, id="gw", type="gateway", site="Depot", status="online")
    world.say("device", 0, id="r1", type="reader", site="Depot", parent="gw", status="online", battery=80)
    return world


def hours(number: float) -> float:
    return number * 3600.0


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def envelope(tenant: TenantId, id: str, *events: DomainEvent, now: datetime = T0) -> Envelope:
    return Envelope(kind=EnvelopeKind.EVENTS, tenant=tenant, source="ops", payload=list(events), id=id, at=now)
