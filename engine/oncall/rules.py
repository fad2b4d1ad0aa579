"""What the line needs of the settings of on-call, compiled once. Never reads anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from data.records import Incident
from engine.oncall.rotas import Rota, holidays

if TYPE_CHECKING:
    from engine.oncall.settings import OnCallSettings, PolicySettings, RotaSettings

Test = Callable[[Incident, datetime], bool]


class Way(Struct, frozen=True):
    """How somebody is told beside the console: `channel` is webhook or email, `to` its name or the address."""

    channel: str
    to: str

    @property
    def words(self) -> str:
        """What everybody may read: a webhook by its name, an address is nobody's business but the mail server's."""
        return f"{self.channel} {self.to}" if self.channel == "webhook" else self.channel


class Level(Struct, frozen=True, kw_only=True):
    """One step of a policy. `seconds` until the next; `remind_seconds` 0 = no reminders; no `channels` = all."""

    notify: tuple[str, ...]
    channels: frozenset[str]
    seconds: float
    remind_seconds: float = 0.0


class Policy(Struct, frozen=True, kw_only=True):
    """`quiet`: (start, end) of quiet hours in minutes of the day."""

    name: str
    when: Test
    levels: tuple[Level, ...]
    repeat: int = 0
    quiet: tuple[int, int] | None = None
    time_zone: str = "UTC"
    acked_remind_seconds: float = 0.0


class OnCall(Struct, frozen=True, kw_only=True):
    """`contacts`: person → ways. `tickets` and `approvals` name rotas, "" = none."""

    rotas: Mapping[str, Rota] = {}
    policies: tuple[Policy, ...] = ()
    contacts: Mapping[str, tuple[Way, ...]] = {}
    tickets: str = ""
    approvals: str = ""
    approval_seconds: float = 300.0
    flood_pages: int = 10
    batch_seconds: float = 60.0

    def policy_of(self, incident: Incident, now: datetime) -> Policy | None:
        return next((policy for policy in self.policies if policy.when(incident, now)), None)

    def policy(self, name: str) -> Policy | None:
        return next((policy for policy in self.policies if policy.name == name), None)


def compile_oncall(settings: OnCallSettings, test: Callable[[str], Test]) -> OnCall | None:
    """None when there is neither a rota nor a policy. `test` makes a test of incidents of a query."""
    if not (settings.rotas or settings.policies):
        return None
    return OnCall(
        rotas={rota.name: _rota(rota) for rota in settings.rotas},
        policies=tuple(_policy(policy, test) for policy in settings.policies),
        contacts={name: tuple(_ways(contact)) for name, contact in settings.people.items()},
        tickets=settings.tickets,
        approvals=settings.approvals,
        approval_seconds=settings.approval_minutes * 60.0,
        flood_pages=settings.flood_pages,
        batch_seconds=settings.batch_seconds,
    )


def _ways(contact: Any) -> list[Way]:
    given = (Way("webhook", contact.webhook), Way("email", contact.email))
    return [way for way in given if way.to]


def _rota(given: RotaSettings) -> Rota:
    minute = minute_of(given.handover)
    return Rota(
        name=given.name,
        people=given.people,
        starts=date.fromisoformat(given.starts).toordinal(),
        minute=minute,
        days=given.days,
        time_zone=given.time_zone,
        holidays=holidays(given.holidays.items(), minute, given.time_zone),
    )


def _policy(given: PolicySettings, test: Callable[[str], Test]) -> Policy:
    quiet = None
    if given.quiet_from is not None and given.quiet_until is not None:
        quiet = (minute_of(given.quiet_from), minute_of(given.quiet_until))
    return Policy(
        name=given.name,
        when=test(given.when),
        levels=tuple(
            Level(
                notify=step.notify,
                channels=frozenset(step.channels),
                seconds=step.minutes * 60.0,
                remind_seconds=step.remind_minutes * 60.0,
            )
            for step in given.steps
        ),
        repeat=given.repeat,
        quiet=quiet,
        time_zone=given.time_zone,
        acked_remind_seconds=given.acked_remind_minutes * 60.0,
    )


def minute_of(text: str) -> int:
    """ "HH:MM" → minute of the day."""
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
