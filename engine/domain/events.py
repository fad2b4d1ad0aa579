"""What domain events carry: the `data` of each CloudEvent type, checked on decoding.

Owns the wire shapes of `noc.*` events; the records they become are in `data.nouns`. Never holds a rule. Times are
RFC 3339 with a zone; distances metres; durations say their unit. Unknown fields are ignored, so that newer senders can
talk to older engines. Where the event's own time matters it is the CloudEvent's `time`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Id = Annotated[str, Meta(min_length=1, max_length=200)]
Share = Annotated[float, Meta(ge=0, le=1)]
Metres = Annotated[float, Meta(ge=0)]
ClockTime = Annotated[str, Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")]
Weekday = Annotated[str, Meta(pattern=r"^[0-6]$")]
Percent = Annotated[float, Meta(ge=0, le=100)]


class Point(Struct, frozen=True, kw_only=True):
    """A place on earth, WGS 84 degrees."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class ClientData(Struct, frozen=True, kw_only=True):
    """noc.client: a customer. `sla_minutes` by ticket priority; `hours` are opening times per weekday (0 = Monday) as
    ["08:00", "18:00"], absent = closed; `zone` is an IANA time zone."""

    id: Id
    name: str = ""
    tier: Literal["vip", "gold", "standard"] = "standard"
    sla_minutes: dict[str, Annotated[int, Meta(ge=1)]] = {}
    hours: dict[Weekday, tuple[ClockTime, ClockTime]] = {}
    zone: str = "UTC"
    manager: str = ""


class SiteData(Struct, frozen=True, kw_only=True):
    """noc.site: a place of a client. `posts` is how many people each named shift needs ("day": 3)."""

    id: Id
    name: str = ""
    client: str = ""
    point: Point | None = None
    radius_m: Metres = 150.0
    criticality: Annotated[int, Meta(ge=1, le=5)] = 3
    supervisor: str = ""
    posts: dict[str, Annotated[int, Meta(ge=0)]] = {}
    zone: str = "UTC"


class PersonData(Struct, frozen=True, kw_only=True):
    """noc.person: a guard, supervisor or operator."""

    id: Id
    name: str = ""
    role: Literal["guard", "supervisor", "operator", "manager"] = "guard"
    sites: tuple[str, ...] = ()
    active: bool = True
    device: str = ""


class DeviceData(Struct, frozen=True, kw_only=True):
    """noc.device: a sign of life, a state or master data of a device; what is absent stays as it was.

    `status`: seen (heartbeat) | online | offline | sync_failed | tampered | error | maintained.
    `parent` is the device it hangs on (its gateway, switch, power)."""

    id: Id
    status: Literal["seen", "online", "offline", "sync_failed", "tampered", "error", "maintained"] = "seen"
    name: str | None = None
    type: str | None = None
    site: str | None = None
    firmware: str | None = None
    battery: Percent | None = None
    parent: str | None = None
    error: str = ""


class AttendanceData(Struct, frozen=True, kw_only=True):
    """noc.attendance: a check-in or check-out. `biometric` is the match score of face or finger."""

    person: Id
    site: Id
    kind: Literal["in", "out"] = "in"
    shift: str = ""
    point: Point | None = None
    accuracy_m: Metres | None = None
    device: str = ""
    biometric: Share | None = None
    method: str = ""


class ShiftData(Struct, frozen=True, kw_only=True):
    """noc.shift: a person due at a post. `state`: scheduled | cancelled | absent (a known absence)."""

    id: Id
    site: Id
    person: str = ""
    post: str = ""
    starts_at: datetime
    ends_at: datetime
    state: Literal["scheduled", "cancelled", "absent"] = "scheduled"


class CheckpointData(Struct, frozen=True, kw_only=True):
    id: Id
    due_at: datetime | None = None


class TourData(Struct, frozen=True, kw_only=True):
    """noc.tour: a round is planned, started, a checkpoint scanned, or the round finished.

    `scheduled` carries the window and the checkpoints in order; `scan` carries `checkpoint` and `dwell_s`."""

    id: Id
    action: Literal["scheduled", "started", "scan", "finished", "cancelled"]
    site: str = ""
    person: str = ""
    shift: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    checkpoints: tuple[CheckpointData, ...] = ()
    checkpoint: str = ""
    dwell_s: Annotated[float, Meta(ge=0)] | None = None
    point: Point | None = None
    device: str = ""


class TicketData(Struct, frozen=True, kw_only=True):
    """noc.ticket: a case is opened or changed; what is absent stays as it was. `due_at` overrides the client's SLA."""

    id: Id
    state: Literal["NEW", "ASSIGNED", "IN_PROGRESS", "ON_HOLD", "RESOLVED", "CLOSED"] | None = None
    type: str | None = None
    title: str | None = None
    priority: str | None = None
    site: str | None = None
    client: str | None = None
    entity: str | None = None
    assignee: str | None = None
    due_at: datetime | None = None
    note: str = ""


class WorkOrderData(Struct, frozen=True, kw_only=True):
    """noc.workorder, noc.task: other modules' work."""

    id: Id
    state: Literal["open", "in_progress", "done", "cancelled"] | None = None
    title: str | None = None
    site: str | None = None
    owner: str | None = None
    due_at: datetime | None = None


class AssetData(Struct, frozen=True, kw_only=True):
    """noc.asset: a thing of value at a site."""

    id: Id
    name: str = ""
    site: str = ""
    owner: str = ""
    state: str = ""


class ChangeData(Struct, frozen=True, kw_only=True):
    """noc.change: a deployment, configuration, schedule or staff change. `target` is a site, device or service."""

    kind: str
    what: str
    who: str = ""
    target: str = ""
    site: str = ""


class ActivityData(Struct, frozen=True, kw_only=True):
    """noc.activity: a sign of a person: phone (events), location, movement (metres), task done."""

    person: Id
    kind: Literal["phone", "location", "movement", "task", "sos"]
    site: str = ""
    point: Point | None = None
    accuracy_m: Metres | None = None
    metres: Metres | None = None
    count: Annotated[int, Meta(ge=1)] = 1
    device: str = ""


class SampleData(Struct, frozen=True, kw_only=True):
    """noc.sample: one value of a series, which is a name and labels (site and device among them, where they apply).

    `at` stands where several samples share an event. A value that is null is a gap that the source knows of."""

    name: Id
    value: float | None
    labels: dict[str, str] = {}
    at: datetime | None = None


#: Event type → what its `data` is; a list of these is taken too.
DATA: dict[str, type[Struct]] = {
    "noc.client": ClientData,
    "noc.site": SiteData,
    "noc.person": PersonData,
    "noc.device": DeviceData,
    "noc.attendance": AttendanceData,
    "noc.shift": ShiftData,
    "noc.tour": TourData,
    "noc.ticket": TicketData,
    "noc.workorder": WorkOrderData,
    "noc.task": WorkOrderData,
    "noc.asset": AssetData,
    "noc.change": ChangeData,
    "noc.activity": ActivityData,
    "noc.sample": SampleData,
}


class DomainEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One event of the world as the line gets it. `at` is the event's own time, never later than its receipt plus the
    allowed skew; `row` numbers the rows of one delivery."""

    type: str
    source: str
    id: str
    at: datetime
    data: Struct
    row: int = 0
