"""From an attendance event and what the Book knows of its site, shift, person and device to an Observation.

Owns the look-ups. Pure; what is not known stays NaN.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from math import nan
from typing import Any
from zoneinfo import ZoneInfo

from engine.book import Draft
from engine.domain.calendar import day_type
from engine.domain.events import AttendanceData, DomainEvent
from engine.domain.settings import rules_of
from engine.fraud.features import Observation

#: Types of devices that belong to a place and are used by everybody there.
FIXED = frozenset({"reader", "panel", "camera", "gateway", "server", "terminal", "kiosk"})
#: A check-in so long before the shift begins, or a check-out so long after its end, still belongs to it.
AROUND_S = 4 * 3600.0
SHIFTS_MOST = 8

Due = tuple[float, float, str, str]


def observation(draft: Draft, event: DomainEvent, data: AttendanceData) -> Observation:
    at = event.at.timestamp()
    start, end, site_id = _due(draft, data, at)
    site = draft.noun("sites", site_id or data.site) or draft.noun("sites", data.site)
    person = draft.noun("people", data.person)
    device = draft.noun("devices", data.device) if data.device else None
    local = event.at.astimezone(_zone(site.zone) if site is not None else UTC)
    placed = site is not None and site.point is not None
    return Observation(
        tenant=draft.tenant,
        person=data.person,
        at=at,
        hour=local.hour + local.minute / 60.0 + local.second / 3600.0,
        day_type=day_type(local.date(), site.client if site is not None else "", rules_of(draft).holidays),
        site=data.site,
        kind=data.kind,
        lat=data.point.lat if data.point is not None else nan,
        lon=data.point.lon if data.point is not None else nan,
        accuracy_m=_or_nan(data.accuracy_m),
        device=data.device,
        registered_device=person.device if person is not None else "",
        shared_device=device is not None and device.type in FIXED,
        biometric=_or_nan(data.biometric),
        start=end if data.kind == "out" else start,
        site_lat=site.point.lat if placed else nan,
        site_lon=site.point.lon if placed else nan,
        radius_m=site.radius_m if placed else nan,
    )


def note_shift(draft: Draft, shift: Any) -> None:
    """Remember when a person is due, by person: events need not name their shift."""
    if not shift.person:
        return
    table = draft.derived("fraud.due")
    key = (draft.tenant, shift.person)
    due: Due = (shift.starts_at.timestamp(), shift.ends_at.timestamp(), shift.site, shift.id)
    known = tuple(old for old in _known(draft, key) if old[3] != shift.id)
    draft.set(table, key, (*known, due)[-SHIFTS_MOST:] if shift.state != "cancelled" else known)


def _due(draft: Draft, data: AttendanceData, at: float) -> tuple[float, float, str]:
    """Begin, end and site of the shift that the event belongs to; NaN and "" where there is none."""
    found = [
        due
        for due in _known(draft, (draft.tenant, data.person))
        if (due[3] == data.shift if data.shift else due[0] - AROUND_S <= at <= due[1] + AROUND_S)
    ]
    if not found:
        return nan, nan, ""
    out = data.kind == "out"
    start, stop, site, _ = min(found, key=lambda due: abs((due[1] if out else due[0]) - at))
    return start, stop, site


def _known(draft: Draft, key: tuple[str, str]) -> tuple[Due, ...]:
    """What is remembered; the first time after a start it is gathered from the shifts that are not over."""
    table = draft.derived("fraud.due")
    mark = draft.derived("fraud.due_gathered")
    if not mark:
        mark["done"] = True
        for shift in draft.all_nouns("shifts"):
            due = (shift.starts_at.timestamp(), shift.ends_at.timestamp(), shift.site, shift.id)
            mine = (shift.tenant, shift.person)
            table[mine] = (*table.get(mine, ()), due)[-SHIFTS_MOST:]
    found: tuple[Due, ...] = table.get(key, ())
    return found


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError):
        return UTC


def _or_nan(value: float | None) -> float:
    return nan if value is None else value


def hour_of(at: datetime, zone: str) -> int:
    """The hour of the day there."""
    return at.astimezone(_zone(zone)).hour


def day_of(at: datetime, zone: str) -> str:
    """The date there, as 2026-05-04."""
    return at.astimezone(_zone(zone)).date().isoformat()
