"""Shifts and attendance: who was due, who came, how late, and who did not come.

Owns the matching of check-ins with shifts. A shift's state is worked out of its window, the source's word, the times of
check-in and check-out, and the clock: in whatever order these came, the result is the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt
from typing import Any

from msgspec.structs import replace

from data.nouns.world import Attendance, Check, GeoPoint, Person, Shift, Site
from engine.book import Draft
from engine.domain import known
from engine.domain.alerts import About, clear, fire
from engine.domain.events import AttendanceData, DomainEvent, ShiftData
from engine.domain.merging import LATENESS, earliest, latest, newest
from engine.domain.reference import named
from engine.domain.registry import every, on
from engine.domain.settings import rules_of

#: Check-ins and check-outs that a person keeps.
CHECKS = 12
#: A check-in counts for a shift from so long before its start; a check-out until so long after its end.
BEFORE, AFTER = timedelta(hours=2), timedelta(hours=4)
#: A shift without a check-out is done so long after its end.
UNENDED = timedelta(hours=12)
_EARTH_M = 6_371_000.0


# -- shifts


@on("noc.shift", order=10)
def shift(draft: Draft, event: DomainEvent) -> None:
    data: ShiftData = event.data  # type: ignore[assignment]
    known.site(draft, data.site, event.at)
    person = known.person(draft, data.person, event.at)
    old: Shift | None = draft.noun("shifts", data.id)
    start = old or Shift(
        tenant=draft.tenant, id=data.id, site=data.site, starts_at=data.starts_at, ends_at=data.ends_at
    )
    plan = (data.site, data.person, data.post, data.starts_at, data.ends_at, data.state)
    found = _planned(start, event.at, plan)
    if found is start and old is not None:
        return
    if person is not None and found.person == person.id:
        found = _matched(found, person.checks)
    _put(draft, old, settle(draft, found))


def _planned(start: Shift, at: datetime, plan: tuple[Any, ...]) -> Shift:
    """The plan is one group: it comes as a whole."""
    site, person, post, starts_at, ends_at, announced = plan
    known_at = start.stamps.get("plan")
    old = (start.site, start.person, start.post, start.starts_at, start.ends_at, start.announced)
    if known_at is not None and (at < known_at or (at == known_at and str(plan) <= str(old))):
        return start
    return replace(
        start,
        site=site,
        person=person,
        post=post,
        starts_at=starts_at,
        ends_at=ends_at,
        announced=announced,
        stamps={**start.stamps, "plan": at},
    )


def _put(draft: Draft, old: Shift | None, new: Shift) -> None:
    if new == old:
        return
    _index(draft, old, new)
    draft.put_noun(new)
    _judge(draft, new)


def _index(draft: Draft, old: Shift | None, new: Shift) -> None:
    table = shifts_of(draft)
    if old is not None and old.person != new.person:
        known.left(draft, table, (old.tenant, old.person), old.id)
    if new.person and not (new.settled and new.state in ("done", "missed", "cancelled")):
        known.entered(draft, table, (new.tenant, new.person), new.id)
    elif new.person:
        known.left(draft, table, (new.tenant, new.person), new.id)


def shifts_of(draft: Draft) -> dict[Any, Any]:
    """(tenant, person) → ids of the shifts in memory."""
    return known.index(draft, "domain.shifts_of", ("shifts",), _enter)


def _enter(table: dict[Any, Any], kind: str, record: Shift) -> None:
    if record.person:
        place = (record.tenant, record.person)
        table[place] = (*table.get(place, ()), record.id)


def settle(draft: Draft, of: Shift) -> Shift:
    """The shift with the state that follows from what is known of it at the draft's time."""
    now, rules = draft.now, rules_of(draft)
    late = None
    if of.checked_in_at is not None:
        late = max(0.0, round((of.checked_in_at - of.starts_at).total_seconds() / 60.0, 1))
    state = _state(of, now, rules.missed_grace_seconds)
    settled = of.settled or (state in ("done", "missed", "cancelled") and now > of.ends_at + LATENESS)
    if (state, late, settled) == (of.state, of.late_minutes, of.settled):
        return of
    return replace(of, state=state, late_minutes=late, settled=settled)


def _state(of: Shift, now: datetime, grace: float) -> str:
    if of.announced == "cancelled":
        return "cancelled"
    if of.checked_in_at is not None:
        over = of.checked_out_at is not None or now > of.ends_at + UNENDED
        return "done" if over else "present"
    if now >= of.ends_at:
        return "missed"
    if of.announced == "absent" or now >= of.starts_at + timedelta(seconds=grace):
        return "absent"
    return "scheduled"


def _about(of: Shift) -> About:
    parts = {"shift": of.id, "post": of.post}
    return About(entity=of.person or of.id, entity_type="person" if of.person else "shift", site=of.site, parts=parts)


def _judge(draft: Draft, of: Shift) -> None:
    about, rules = _about(of), rules_of(draft)
    who = of.person or "anybody"
    if of.state == "absent" and of.announced != "absent":
        since = of.starts_at + timedelta(seconds=rules.missed_grace_seconds)
        fire(draft, "attendance_missed", about, title=f"{who} did not come to shift {of.id}", since=since)
    else:
        clear(draft, "attendance_missed", about, at=of.checked_in_at or draft.now)
    late = of.late_minutes is not None and of.late_minutes * 60.0 > rules.late_grace_seconds
    if late and of.state == "present" and of.checked_in_at is not None:
        title = f"{who} came {of.late_minutes:.0f} min late to shift {of.id}"
        fire(draft, "attendance_late", about, title=title, since=of.checked_in_at)
    else:
        clear(draft, "attendance_late", about, at=of.checked_out_at or draft.now)


# -- attendance


@on("noc.attendance", order=10)
def attendance(draft: Draft, event: DomainEvent) -> None:
    data: AttendanceData = event.data  # type: ignore[assignment]
    site = known.site(draft, data.site, event.at)
    known.device(draft, data.device, event.at)
    point = GeoPoint(data.point.lat, data.point.lon) if data.point is not None else None
    draft.put_noun(
        Attendance(
            tenant=draft.tenant,
            id=named(event.source, event.at, data),
            at=event.at,
            person=data.person,
            site=data.site,
            kind=data.kind,
            shift=data.shift,
            point=point,
            accuracy_m=data.accuracy_m,
            device=data.device,
            biometric=data.biometric,
            method=data.method,
        )
    )
    person = known.person(draft, data.person, event.at)
    check = Check(event.at, data.kind, data.site, data.shift)
    if person is None:
        return
    _checked(draft, person, check)
    if draft.noun("people", person.id).checks[-1] == check:  # older news say nothing of where the person is now
        _fence(draft, data, site, event.at)
        if data.kind == "out":
            clear(draft, "attendance_anomaly", _of_person(data), at=event.at)


def _checked(draft: Draft, person: Person, check: Check) -> None:
    checks = newest(person.checks, check, CHECKS)
    if checks == person.checks:
        return
    last = checks[-1]
    draft.put_noun(
        replace(
            person,
            checks=checks,
            on_site=last.site if last.kind == "in" else "",
            on_site_since=_since(checks) if last.kind == "in" else None,
            last_seen=latest(person.last_seen, check.at),
        )
    )
    _twice(draft, person.id, checks)
    for id in {*shifts_of(draft).get((draft.tenant, person.id), ()), check.shift} - {""}:
        found: Shift | None = draft.noun("shifts", id)
        if found is not None:
            _put(draft, found, settle(draft, _matched(found, (*checks, check))))


def _since(checks: tuple[Check, ...]) -> datetime:
    """The first of the check-ins at this site that no check-out follows."""
    since = checks[-1].at
    for check in reversed(checks):
        if check.kind != "in" or check.site != checks[-1].site:
            break
        since = check.at
    return since


def _twice(draft: Draft, person: str, checks: tuple[Check, ...]) -> None:
    """In at one site while still in at another."""
    last = checks[-1]
    before = checks[-2] if len(checks) > 1 else None
    if last.kind != "in" or before is None or before.kind != "in" or before.site == last.site:
        return
    if last.at - before.at > UNENDED:
        return
    about = About(entity=person, entity_type="person", site=last.site, parts={"person": person})
    title = f"{person} checked in at {last.site} without leaving {before.site}"
    fire(draft, "attendance_anomaly", about, title=title, since=last.at)


def _matched(of: Shift, checks: tuple[Check, ...]) -> Shift:
    """The shift with its check-in (the first that counts) and check-out (the last after it)."""
    mine = [check for check in checks if _counts(of, check)]
    first = earliest(of.checked_in_at, *(check.at for check in mine if check.kind == "in"))
    outs = [check.at for check in mine if check.kind == "out" and first is not None and check.at > first]
    last = latest(of.checked_out_at, *outs)
    if last is not None and any(check.kind == "in" and last < check.at < of.ends_at for check in mine):
        last = None
    if (first, last) == (of.checked_in_at, of.checked_out_at):
        return of
    return replace(of, checked_in_at=first, checked_out_at=last)


def _counts(of: Shift, check: Check) -> bool:
    if check.shift:
        return check.shift == of.id
    if check.site != of.site:
        return False
    return of.starts_at - BEFORE <= check.at <= (of.ends_at if check.kind == "in" else of.ends_at + AFTER)


def _of_person(data: AttendanceData) -> About:
    return About(entity=data.person, entity_type="person", site=data.site, parts={"person": data.person})


def _fence(draft: Draft, data: AttendanceData, site: Site | None, at: datetime) -> None:
    """A check-in from further away than radius and accuracy explain."""
    about, away = _of_person(data), 0.0
    if site is not None and site.point is not None and data.point is not None and data.kind == "in":
        away = metres(site.point, GeoPoint(data.point.lat, data.point.lon))
    if site is None or away <= site.radius_m + (data.accuracy_m or 0.0):
        clear(draft, "attendance_geofence", about, at=at)
        return
    title = f"{data.person} checked in {away:,.0f} m away from {data.site}"
    fire(draft, "attendance_geofence", about, title=title, since=at, facts={"metres": f"{away:.0f}"})


def metres(one: GeoPoint, other: GeoPoint) -> float:
    """Distance on the sphere (haversine)."""
    lat, lon = radians(other.lat - one.lat) / 2, radians(other.lon - one.lon) / 2
    share = sin(lat) ** 2 + cos(radians(one.lat)) * cos(radians(other.lat)) * sin(lon) ** 2
    return 2 * _EARTH_M * asin(min(1.0, sqrt(share)))


# -- by the clock


@every(30.0)
def look_at_shifts(draft: Draft) -> None:
    """Who has not come by now, and what is over."""
    for of in draft.all_nouns("shifts"):
        if of.starts_at > draft.now and of.state == "scheduled":
            continue
        draft.tenant = of.tenant
        found = settle(draft, of)
        if found is not of:
            _put(draft, of, found)
