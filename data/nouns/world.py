"""The guarded world as it is known: tenants' clients, sites, people, devices, shifts, tours, tickets and other work.

Owns the shape of these records. `verified` is false for a stub that an event named before its master data came.
`stamps` say of which time each group of fields is: older news never overwrites newer. `settled` is set by the clock a
day after a record was over: until then late news of it are expected, and it stays in memory.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from data.nouns.base import Noun
from data.records import TenantId


class GeoPoint(Struct, frozen=True, array_like=True, gc=False):
    """WGS 84 degrees."""

    lat: float
    lon: float


class Client(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer. `sla_minutes` by ticket priority, `hours` by weekday ("0" = Monday) as (from, to) in its `zone`."""

    tenant: TenantId
    id: str
    at: datetime
    name: str = ""
    tier: str = "standard"
    sla_minutes: dict[str, int] = {}
    hours: dict[str, tuple[str, str]] = {}
    zone: str = "UTC"
    manager: str = ""
    verified: bool = True


class Site(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place of a client. `posts`: people needed per named shift."""

    tenant: TenantId
    id: str
    at: datetime
    name: str = ""
    client: str = ""
    point: GeoPoint | None = None
    radius_m: float = 150.0
    criticality: int = 3
    supervisor: str = ""
    posts: dict[str, int] = {}
    zone: str = "UTC"
    verified: bool = True


class Check(Struct, frozen=True, array_like=True, gc=False):
    """A check-in or check-out of a person. `shift` is the one that the event named, "" = none."""

    at: datetime
    kind: str
    site: str
    shift: str = ""


class Person(Struct, frozen=True, kw_only=True, omit_defaults=True):
    tenant: TenantId
    id: str
    at: datetime
    name: str = ""
    role: str = "guard"
    sites: tuple[str, ...] = ()
    active: bool = True
    device: str = ""
    verified: bool = True
    #: Where the person checked in and has not checked out, and since when.
    on_site: str = ""
    on_site_since: datetime | None = None
    last_seen: datetime | None = None
    #: The latest check-ins and check-outs, oldest first: what shifts that are announced late are matched with.
    checks: tuple[Check, ...] = ()


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`state`: online, offline, sync_failed, tampered or unknown; `state_at`: since when. `cause` is the device above
    it whose being offline explains its own. `errors` counts those of the last day since `errors_since`; `said` is the
    last that it said of being on- or offline, `trouble` what it has not reported as mended."""

    tenant: TenantId
    id: str
    at: datetime
    name: str = ""
    type: str = ""
    site: str = ""
    firmware: str = ""
    battery: float | None = None
    parent: str = ""
    state: str = "unknown"
    last_seen: datetime | None = None
    maintained_at: datetime | None = None
    errors: int = 0
    errors_since: datetime | None = None
    verified: bool = True
    state_at: datetime | None = None
    cause: str = ""
    said: str = ""
    trouble: str = ""
    error_times: tuple[datetime, ...] = ()
    denied_times: tuple[datetime, ...] = ()
    stamps: dict[str, datetime] = {}


class Shift(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`state`: scheduled, present, absent (known or found), cancelled, done, missed (nobody came until its end).
    `late_minutes` of the check-in. `announced` is the source's word: scheduled, cancelled or absent."""

    tenant: TenantId
    id: str
    site: str
    starts_at: datetime
    ends_at: datetime
    person: str = ""
    post: str = ""
    state: str = "scheduled"
    checked_in_at: datetime | None = None
    checked_out_at: datetime | None = None
    late_minutes: float | None = None
    announced: str = "scheduled"
    settled: bool = False
    stamps: dict[str, datetime] = {}


class Attendance(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check-in or check-out as it came."""

    tenant: TenantId
    id: str
    at: datetime
    person: str
    site: str
    kind: str = "in"
    shift: str = ""
    point: GeoPoint | None = None
    accuracy_m: float | None = None
    device: str = ""
    biometric: float | None = None
    method: str = ""


class Checkpoint(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`order` is the position in which it was scanned, 1 for the first. `planned` is false for one that was scanned and
    that the plan does not name."""

    id: str
    due_at: datetime | None = None
    scanned_at: datetime | None = None
    order: int | None = None
    missed: bool = False
    dwell_s: float | None = None
    planned: bool = True


class Tour(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A round. `state`: scheduled, started, finished, overdue, missed (nothing of it was walked), incomplete (given up
    after it was begun), cancelled. `compliance`: share of its checkpoints that were scanned, once it is over."""

    tenant: TenantId
    id: str
    site: str
    starts_at: datetime
    ends_at: datetime
    person: str = ""
    shift: str = ""
    checkpoints: tuple[Checkpoint, ...] = ()
    state: str = "scheduled"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled_at: datetime | None = None
    compliance: float | None = None
    planned: bool = True
    settled: bool = False
    stamps: dict[str, datetime] = {}


class TicketStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a ticket's history."""

    at: datetime
    by: str = ""
    state: str = ""
    assignee: str = ""
    note: str = ""


class Ticket(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case with an SLA clock. `paused_s` is time on hold, which does not count; `due_at` is computed from the
    client's business hours unless the source named it. `finding` and `incident` say what it was opened for."""

    tenant: TenantId
    id: str
    opened_at: datetime
    state: str = "new"
    type: str = ""
    title: str = ""
    priority: str = "medium"
    site: str = ""
    client: str = ""
    entity: str = ""
    assignee: str = ""
    due_at: datetime | None = None
    resolved_at: datetime | None = None
    held_since: datetime | None = None
    paused_s: float = 0.0
    reassignments: int = 0
    history: tuple[TicketStep, ...] = ()
    source: str = ""
    finding: str = ""
    incident: int | None = None
    breached: bool = False
    verified: bool = True
    #: When three quarters of the SLA's time are used up, and how it stands: "" (in time), at_risk or breached.
    at_risk_at: datetime | None = None
    sla: str = ""
    #: The due time that the source named.
    due_given: datetime | None = None
    settled: bool = False
    stamps: dict[str, datetime] = {}


class WorkOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    tenant: TenantId
    id: str
    at: datetime
    title: str = ""
    site: str = ""
    owner: str = ""
    state: str = "open"
    due_at: datetime | None = None
    done_at: datetime | None = None
    overdue: bool = False
    settled: bool = False
    stamps: dict[str, datetime] = {}


class Task(WorkOrder, frozen=True, kw_only=True, omit_defaults=True):
    """Like a work order, of the task module."""


class Asset(Struct, frozen=True, kw_only=True, omit_defaults=True):
    tenant: TenantId
    id: str
    at: datetime
    name: str = ""
    site: str = ""
    owner: str = ""
    state: str = ""
    stamps: dict[str, datetime] = {}


class WorldChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deployment, configuration, schedule or staff change."""

    tenant: TenantId
    id: str
    at: datetime
    kind: str
    what: str
    who: str = ""
    target: str = ""
    site: str = ""



def _at_these(person: Person, sites: frozenset[str]) -> Person:
    """The person as far as these sites are concerned: not where else they work, are, or have been."""
    here = person.on_site in sites
    return replace(
        person,
        sites=tuple(site for site in person.sites if site in sites),
        on_site=person.on_site if here else "",
        on_site_since=person.on_site_since if here else None,
        last_seen=person.last_seen if here else None,
        checks=tuple(check for check in person.checks if check.site in sites),
    )


_WORK = ("open", "in_progress", "done", "cancelled")
_WORK_OVER = frozenset({"done", "cancelled"})

NOUNS = (
    Noun(kind="clients", subject="client", record=Client, words="Customers with tier and SLA.", at="at"),
    Noun(kind="sites", subject="site", record=Site, words="Guarded places.", at="at", site="id", value="criticality"),
    Noun(
        kind="people",
        subject="person",
        record=Person,
        words="Guards, supervisors, operators.",
        at="at",
        sites="sites",
        narrowed=_at_these,
    ),
    Noun(
        kind="devices",
        subject="device",
        record=Device,
        words="Panels, cameras, readers, phones, gateways, servers.",
        at="at",
        event="device_updated",
        site="site",
        entity="id",
        state="state",
        value="battery",
        states=("online", "offline", "sync_failed", "tampered", "unknown"),
    ),
    Noun(
        kind="shifts",
        subject="shift",
        record=Shift,
        words="Who is due where and when.",
        at="starts_at",
        event="shift_updated",
        site="site",
        entity="person",
        state="state",
        states=("scheduled", "present", "absent", "cancelled", "done", "missed"),
        over=frozenset({"cancelled", "done", "missed"}),
        settled="settled",
        keep_days=90.0,
    ),
    Noun(
        kind="attendance",
        subject="attendance",
        record=Attendance,
        words="Check-ins and check-outs.",
        at="at",
        site="site",
        entity="person",
        held=False,
        keep_days=90.0,
    ),
    Noun(
        kind="tours",
        subject="tour",
        record=Tour,
        words="Rounds with their checkpoints.",
        at="starts_at",
        event="tour_updated",
        site="site",
        entity="person",
        state="state",
        value="compliance",
        states=("scheduled", "started", "finished", "overdue", "missed", "incomplete", "cancelled"),
        over=frozenset({"finished", "missed", "incomplete", "cancelled"}),
        settled="settled",
        keep_days=90.0,
    ),
    Noun(
        kind="tickets",
        subject="ticket",
        record=Ticket,
        words="Cases with an SLA clock.",
        at="opened_at",
        event="ticket_updated",
        site="site",
        entity="entity",
        state="state",
        incident="incident",
        states=("new", "assigned", "in_progress", "on_hold", "resolved", "closed"),
        over=frozenset({"resolved", "closed"}),
        settled="settled",
        keep_days=730.0,
    ),
    Noun(
        kind="workorders",
        subject="workorder",
        record=WorkOrder,
        words="Work orders.",
        at="at",
        site="site",
        state="state",
        states=_WORK,
        over=_WORK_OVER,
        settled="settled",
        keep_days=365.0,
    ),
    Noun(
        kind="tasks",
        subject="task",
        record=Task,
        words="Tasks.",
        at="at",
        site="site",
        state="state",
        states=_WORK,
        over=_WORK_OVER,
        settled="settled",
        keep_days=365.0,
    ),
    Noun(kind="assets", subject="asset", record=Asset, words="Things of value.", at="at", site="site", entity="id"),
    Noun(
        kind="changes",
        subject="change",
        record=WorldChange,
        words="Deployments, configuration, schedules, staff.",
        at="at",
        event="change_recorded",
        site="site",
        entity="target",
        held=False,
        keep_days=90.0,
    ),
)
