"""What the domain needs of the configuration, compiled once: graces, timeouts, limits.

Owns the defaults. Durations in seconds, shares 0..1. Never reads settings itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct, field

#: Type of device → seconds of silence after which it is offline.
SILENCE_SECONDS: Mapping[str, float] = {
    "server": 660.0,
    "switch": 660.0,
    "ups": 660.0,
    "gateway": 660.0,
    "panel": 1200.0,
    "reader": 1200.0,
    "camera": 1200.0,
    "phone": 3 * 86_400.0,
}
#: Minutes of tickets whose client has no contract for their priority.
SLA_MINUTES: Mapping[str, int] = {"critical": 60, "high": 240, "medium": 960, "low": 2880, "info": 4320}


class DomainRules(Struct, frozen=True, kw_only=True):
    """`on_call`: who gets the tickets of sites without supervisor and manager; `z`: the threshold that a new baseline
    begins with."""

    late_grace_seconds: float = 300.0
    missed_grace_seconds: float = 1800.0
    tour_grace_seconds: float = 600.0
    tour_give_up_seconds: float = 4 * 3600.0
    staffing_grace_seconds: float = 900.0
    inactive_seconds: float = 2700.0
    silence_seconds: Mapping[str, float] = field(default_factory=lambda: SILENCE_SECONDS)
    silence_default_seconds: float = 1200.0
    battery_low_percent: float = 20.0
    battery_ok_percent: float = 30.0
    denied_burst: int = 5
    denied_seconds: float = 600.0
    sla_minutes: Mapping[str, int] = field(default_factory=lambda: SLA_MINUTES)
    at_risk_share: float = 0.75
    ticket_every_seconds: float = 4 * 3600.0
    on_call: str = ""
    z: float = 3.0
    z_floor: float = 2.0
    z_ceiling: float = 5.0
    metrics_zone: str = "UTC"
    #: Records of one kind that a tenant may hold, and kinds with a limit of their own.
    records_max: int = 100_000
    records_max_of: Mapping[str, int] = field(default_factory=dict)
    #: Holidays by client; those of everybody stand under "".
    holidays: Mapping[str, frozenset[date]] = field(default_factory=dict)


DEFAULTS = DomainRules()


def domain_rules(settings: Any) -> DomainRules:
    """The rules of `settings` (see `engine.settings`)."""
    audit, baselines = settings.audit, settings.baselines
    silence = {type: minutes * 60.0 for type, minutes in audit.silence_minutes.items()}
    return DomainRules(
        missed_grace_seconds=audit.missed_after_minutes * 60.0,
        inactive_seconds=audit.guard_silent_minutes * 60.0,
        silence_seconds={**SILENCE_SECONDS, **silence},
        silence_default_seconds=silence.get("other", DEFAULTS.silence_default_seconds),
        ticket_every_seconds=audit.ticket_every_hours * 3600.0,
        on_call=audit.on_call,
        z=baselines.z,
        z_floor=baselines.z_floor,
        z_ceiling=baselines.z_ceiling,
        metrics_zone=settings.metrics.time_zone,
        records_max=settings.limits.records_max,
        records_max_of=settings.limits.records_max_of,
        holidays={
            client: frozenset(map(date.fromisoformat, days))
            for client, days in {**settings.calendar.of_clients, "": settings.calendar.holidays}.items()
        },
    )
