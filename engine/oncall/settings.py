"""Settings of on-call: rotas, how people are reached, and escalation policies. Owns their shape only."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Person = Annotated[str, Meta(min_length=1, max_length=200)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
ClockTime = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Target = Annotated[str, Meta(max_length=210, pattern=r"^(rota:.+|person:.+|role:.+|supervisor|manager)$")]
Channel = Literal["console", "email", "webhook"]


class Contact(Struct, frozen=True, kw_only=True):
    """How a person is reached beside the console."""

    email: Annotated[str, Meta(max_length=254, description="one of playbooks.mail.recipients; empty = none")] = ""
    webhook: Annotated[str, Meta(max_length=64, description="name of one of notify.webhooks; empty = none")] = ""


class RotaSettings(Struct, frozen=True, kw_only=True):
    """People who have duty in turns of whole days; a turn begins at `handover` by the clocks of `time_zone`."""

    name: Name
    people: Annotated[tuple[Person, ...], Meta(min_length=1, max_length=100, description="in the order of turns")]
    starts: Annotated[Date, Meta(description="a day on which a turn of the first begins, as 2026-01-05")]
    handover: Annotated[ClockTime, Meta(description="HH:MM")] = "09:00"
    days: Annotated[int, Meta(ge=1, le=366, description="length of a turn")] = 7
    time_zone: str = "UTC"
    holidays: Annotated[
        dict[Date, Person], Meta(description="day = who has duty from its handover to that of the next day")
    ] = {}


class StepSettings(Struct, frozen=True, kw_only=True):
    """Who is told, and how long is waited for an acknowledgement before the next step."""

    notify: Annotated[
        tuple[Target, ...],
        Meta(min_length=1, max_length=10, description="rota:NAME, person:NAME, role:NAME, supervisor or manager"),
    ]
    channels: Annotated[tuple[Channel, ...], Meta(max_length=3, description="empty = every way that is known")] = ()
    minutes: Annotated[float, Meta(ge=0.5, le=1440, description="unacknowledged so long, it goes on")] = 10.0
    remind_minutes: Annotated[
        float, Meta(ge=0, le=1440, description="the same people are told again every so long; 0 = not")
    ] = 0.0


class PolicySettings(Struct, frozen=True, kw_only=True):
    """What is done about incidents that `when` finds and nobody acknowledges. The first policy that fits is used."""

    name: Name
    steps: Annotated[tuple[StepSettings, ...], Meta(min_length=1, max_length=20)]
    when: Annotated[str, Meta(max_length=4096, description="a query on the incident; empty = all")] = "severity>=high"
    repeat: Annotated[int, Meta(ge=0, le=20, description="rounds through the steps after the first")] = 1
    quiet_from: Annotated[ClockTime | None, Meta(description="HH:MM; nobody is told then of what is not critical")] = (
        None
    )
    quiet_until: Annotated[ClockTime | None, Meta(description="HH:MM; before quiet_from = on the next day")] = None
    time_zone: Annotated[str, Meta(description="of the quiet hours")] = "UTC"
    acked_remind_minutes: Annotated[
        float, Meta(ge=0, le=10_080, description="remind who acknowledged, every so long until it is over; 0 = not")
    ] = 0.0


class OnCallSettings(Struct, frozen=True, kw_only=True):
    people: Annotated[dict[Person, Contact], Meta(description="how people of rotas and steps are reached")] = {}
    rotas: tuple[RotaSettings, ...] = ()
    policies: tuple[PolicySettings, ...] = ()
    tickets: Annotated[
        str, Meta(max_length=64, description="rota that gets tickets of sites without supervisor and manager")
    ] = ""
    approvals: Annotated[str, Meta(max_length=64, description="rota that is told of questions of playbooks")] = ""
    approval_minutes: Annotated[
        float, Meta(ge=0, le=1440, description="and is told again so long before a question expires")
    ] = 5.0
    flood_pages: Annotated[
        int, Meta(ge=1, le=1000, description="more pages to one person in ten minutes are told together")
    ] = 10
    batch_seconds: Annotated[float, Meta(ge=5, le=3600, description="how long they are gathered")] = 60.0
