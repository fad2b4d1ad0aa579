"""Shares: plain figures of an incident that the formula and the model both use."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from data.records import Incident
from engine.rules import Rules

TIER_SHARE = {"vip": 1.0, "gold": 0.6, "standard": 0.2}


def sla_used(incident: Incident, now: datetime) -> float:
    """Share of the time between opening and due that has passed; above 1 when it is overdue."""
    if incident.due_at is None:
        return 0.0
    whole = (incident.due_at - incident.opened_at).total_seconds()
    return (now - incident.opened_at).total_seconds() / whole if whole > 0 else 1.0


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local_time(now: datetime, rules: Rules) -> datetime:
    """`now` where the business hours are kept."""
    return now.astimezone(_zone(rules.time_zone))


def business_hours(now: datetime, rules: Rules) -> bool:
    """Whether `now` is inside the configured hours, in the configured time zone."""
    local = local_time(now, rules)
    if local.weekday() not in rules.business_days:
        return False
    return rules.business_start_hour <= local.hour + local.minute / 60.0 < rules.business_end_hour
