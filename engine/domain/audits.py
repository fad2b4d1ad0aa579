"""Audits: what to look for every five minutes, every quarter of an hour and every hour.

Owns the conditions and their evidence. Findings and tickets are kept by `engine.domain.findings`; alerts of the same
conditions are raised as they happen, by the files of their subjects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from msgspec.structs import replace

from data.nouns.world import Device, Shift, Ticket, Tour
from data.records import Severity, TenantId
from data.restricted import of_subject
from engine.book import Draft
from engine.domain import staffing
from engine.domain.calendar import local_day
from engine.domain.findings import Observed, keep
from engine.domain.registry import every
from engine.domain.settings import rules_of
from engine.domain.tours import told

#: Devices that others depend on: one of them offline is grave.
INFRASTRUCTURE = frozenset({"gateway", "switch", "server", "ups"})
OFFLINE_FOR = timedelta(minutes=30)
#: A site is down when so many of its devices, and at least half of them, are offline.
SITE_DOWN = 4
LATE_MINUTES = 15.0
ERRORS = 20
WORK_LATE = timedelta(hours=24)
#: Share of a day's checkpoints of a site, of so many at least, below which its rounds are not walked as agreed.
COMPLIANCE, CHECKPOINTS = 0.8, 10

Look = Callable[[Draft], Iterable[tuple[TenantId, Observed]]]


def audited(draft: Draft, name: str, types: tuple[str, ...], look: Look) -> None:
    """Put what a look saw to each tenant's findings."""
    seen: defaultdict[TenantId, list[Observed]] = defaultdict(list)
    for tenant, one in look(draft):
        seen[tenant].append(one)
    for tenant in tenants(draft) | seen.keys():
        draft.tenant = tenant
        keep(draft, name, types, seen.get(tenant, ()))


def tenants(draft: Draft) -> set[TenantId]:
    """Tenants of whom anything is known."""
    return {tenant for kind in ("sites", "findings", "people", "devices") for tenant, _ in draft.book.nouns[kind]}


# -- every five minutes


@every(300.0)
def audit_operations(draft: Draft) -> None:
    """Rounds, attendance, devices and staffing as they are now."""
    audited(draft, "5 min", ("tour_missed", "tour_overdue"), _tours)
    audited(draft, "5 min", ("attendance_missed", "attendance_late"), _attendance)
    audited(draft, "5 min", ("device_offline", "device_tampered", "site_down"), _devices)
    audited(draft, "5 min", ("staffing_shortfall",), _staffing)


def _tours(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    held: Iterable[Tour] = draft.book.nouns["tours"].values()
    for tour in held:
        if tour.state not in ("missed", "overdue") or tour.settled or draft.now - tour.ends_at > timedelta(hours=24):
            continue
        missed = [point.id for point in tour.checkpoints if point.scanned_at is None]
        is_missed = tour.state == "missed"
        yield tour.tenant, Observed(
            type=f"tour_{tour.state}",
            severity=Severity.HIGH if is_missed else Severity.MEDIUM,
            title=told(tour, "was not walked" if is_missed else "is not finished"),
            entity=tour.person or tour.site or tour.id,
            entity_type="person" if tour.person else "site",
            about=f"tour:{tour.id}",
            site=tour.site,
            since=tour.ends_at,
            evidence={
                "due_from": tour.starts_at.isoformat(),
                "due_until": tour.ends_at.isoformat(),
                "checkpoints": len(tour.checkpoints),
                "not_scanned": len(missed),
                "first_not_scanned": ", ".join(missed[:10]),
                "shift": tour.shift,
            },
            value=float(len(missed)),
        )


def _attendance(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    held: Iterable[Shift] = draft.book.nouns["shifts"].values()
    for shift in held:
        found = _absence(shift) if draft.now - shift.ends_at < timedelta(hours=24) else None
        if found is not None:
            yield shift.tenant, found


def _absence(shift: Shift) -> Observed | None:
    late = shift.late_minutes or 0.0
    is_absent = shift.state in ("absent", "missed") and shift.announced != "absent"
    if not is_absent and not (shift.state == "present" and late >= LATE_MINUTES):
        return None
    who = shift.person or "nobody"
    return Observed(
        type="attendance_missed" if is_absent else "attendance_late",
        severity=Severity.HIGH if is_absent else Severity.LOW,
        title=f"{who} did not come to shift {shift.id}" if is_absent else f"{who} came {late:.0f} min late",
        entity=shift.person or shift.site,
        entity_type="person" if shift.person else "site",
        about=f"shift:{shift.id}",
        site=shift.site,
        since=shift.starts_at,
        evidence={
            "starts_at": shift.starts_at.isoformat(),
            "ends_at": shift.ends_at.isoformat(),
            "post": shift.post,
            "checked_in_at": shift.checked_in_at.isoformat() if shift.checked_in_at else None,
            "late_minutes": late,
        },
        value=late,
    )


def _devices(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    sites: defaultdict[tuple[TenantId, str], list[Device]] = defaultdict(list)
    held: Iterable[Device] = draft.book.nouns["devices"].values()
    for device in held:
        sites[device.tenant, device.site].append(device)
        if device.state == "tampered":
            yield device.tenant, _device(device, "device_tampered", Severity.CRITICAL, "was tampered with")
        elif device.state == "offline" and not device.cause and device.state_at is not None:
            if draft.now - device.state_at >= OFFLINE_FOR:
                severity = Severity.HIGH if device.type in INFRASTRUCTURE else Severity.MEDIUM
                yield device.tenant, _device(device, "device_offline", severity, "is offline")
    for (tenant, site), devices in sites.items():
        offline = [device for device in devices if device.state == "offline" and device.state_at is not None]
        if site and len(offline) >= SITE_DOWN and 2 * len(offline) >= len(devices):
            yield tenant, _site_down(site, devices, offline)


def _device(device: Device, type: str, severity: Severity, words: str) -> Observed:
    since = device.state_at or device.at
    return Observed(
        type=type,
        severity=severity,
        title=f"{device.name or device.id} {words}",
        entity=device.id,
        entity_type=device.type or "device",
        about=f"device:{device.id}",
        site=device.site,
        since=since,
        evidence={
            "state": device.state,
            "since": since.isoformat(),
            "last_seen": device.last_seen.isoformat() if device.last_seen else None,
            "battery": device.battery,
            "errors_24h": device.errors,
            "firmware": device.firmware,
        },
    )


def _site_down(site: str, devices: list[Device], offline: list[Device]) -> Observed:
    causes = sorted({device.cause or device.id for device in offline})
    since = min(device.state_at for device in offline if device.state_at is not None)
    return Observed(
        type="site_down",
        severity=Severity.CRITICAL,
        title=f"{len(offline)} of {len(devices)} devices of {site} are offline",
        entity=site,
        entity_type="site",
        about=f"site:{site}",
        site=site,
        since=since,
        evidence={"offline": len(offline), "devices": len(devices), "causes": ", ".join(causes[:10])},
        value=float(len(offline)),
    )


def _staffing(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    grace = timedelta(seconds=rules_of(draft).staffing_grace_seconds)
    for post in staffing.posts(draft):
        if post.missing and draft.now >= post.since + grace:
            yield post.tenant, Observed(
                type="staffing_shortfall",
                severity=Severity.CRITICAL if post.present == 0 else Severity.HIGH,
                title=f"{post.site}: {post.present} of {post.required} people at post {post.name}",
                entity=post.site,
                entity_type="site",
                about=f"site:{post.site}/{post.name}",
                site=post.site,
                since=post.since,
                evidence={
                    "post": post.name,
                    "required": post.required,
                    "present": post.present,
                    "scheduled": post.scheduled,
                    "until": post.until.isoformat(),
                },
                value=float(post.missing),
            )


# -- every quarter of an hour


@every(900.0)
def audit_service(draft: Draft) -> None:
    """SLAs, other modules' work, and devices that are about to give trouble."""
    audited(draft, "15 min", ("ticket_sla_at_risk", "ticket_sla_breached"), _slas)
    audited(draft, "15 min", ("work_order_overdue",), _work)
    audited(draft, "15 min", ("device_low_battery", "device_errors"), _device_health)


def _slas(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    held: Iterable[Ticket] = draft.book.nouns["tickets"].values()
    for ticket in held:
        since = ticket.due_at if ticket.sla == "breached" else ticket.at_risk_at
        is_shown = not of_subject(f"ticket:{ticket.id}")
        if not (is_shown and ticket.sla) or since is None or ticket.state in ("resolved", "closed"):
            continue
        is_breached = ticket.sla == "breached"
        yield ticket.tenant, Observed(
            type=f"ticket_sla_{ticket.sla}",
            severity=Severity.HIGH if is_breached else Severity.MEDIUM,
            title=f"Ticket {ticket.id} {'is past due' if is_breached else 'has used three quarters of its time'}",
            entity=ticket.id,
            entity_type="ticket",
            about=f"ticket:{ticket.id}",
            site=ticket.site,
            since=since,
            evidence={
                "due_at": ticket.due_at.isoformat() if ticket.due_at else None,
                "opened_at": ticket.opened_at.isoformat(),
                "state": ticket.state,
                "priority": ticket.priority,
                "assignee": ticket.assignee,
                "paused_s": ticket.paused_s,
                "reassignments": ticket.reassignments,
            },
        )


def _work(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    for kind, subject in (("workorders", "workorder"), ("tasks", "task")):
        for work in draft.book.nouns[kind].values():
            if work.overdue and work.due_at is not None and draft.now - work.due_at >= WORK_LATE:
                hours = (draft.now - work.due_at).total_seconds() / 3600.0
                yield work.tenant, Observed(
                    type="work_order_overdue",
                    severity=Severity.MEDIUM,
                    title=f"{work.title or work.id} is more than a day late",
                    entity=work.id,
                    entity_type=subject,
                    about=f"{subject}:{work.id}",
                    site=work.site,
                    since=work.due_at,
                    evidence={"due_at": work.due_at.isoformat(), "owner": work.owner, "state": work.state},
                    value=round(hours, 1),
                )


def _device_health(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    low = rules_of(draft).battery_low_percent
    held: Iterable[Device] = draft.book.nouns["devices"].values()
    for device in held:
        if device.battery is not None and device.battery < low:
            found = _device(device, "device_low_battery", Severity.LOW, "has a low battery")
            yield device.tenant, replace(found, since=device.at)
        if device.errors >= ERRORS:
            found = _device(device, "device_errors", Severity.MEDIUM, f"had {ERRORS} errors or more in a day")
            yield device.tenant, replace(found, since=device.at, value=float(device.errors))


# -- every hour


@every(3600.0)
def audit_compliance(draft: Draft) -> None:
    """How much of a site's rounds was walked today."""
    audited(draft, "1 h", ("tour_compliance",), _compliance)


def _compliance(draft: Draft) -> Iterator[tuple[TenantId, Observed]]:
    days: defaultdict[tuple[TenantId, str], list[Tour]] = defaultdict(list)
    held: Iterable[Tour] = draft.book.nouns["tours"].values()
    for tour in held:
        if tour.compliance is None or not tour.site:
            continue
        place = draft.book.nouns["sites"].get((tour.tenant, tour.site))
        zone = place.zone if place is not None else "UTC"
        if local_day(tour.starts_at, zone) == local_day(draft.now, zone):
            days[tour.tenant, tour.site].append(tour)
    for (tenant, site), tours in days.items():
        due = sum(point.planned for tour in tours for point in tour.checkpoints)
        scanned = sum(point.planned and not point.missed for tour in tours for point in tour.checkpoints)
        if due >= CHECKPOINTS and scanned < COMPLIANCE * due:
            yield tenant, Observed(
                type="tour_compliance",
                severity=Severity.MEDIUM,
                title=f"Only {scanned / due:.0%} of today's checkpoints at {site} were scanned",
                entity=site,
                entity_type="site",
                about=f"site:{site}",
                site=site,
                since=min(tour.starts_at for tour in tours),
                evidence={"rounds": len(tours), "due": due, "scanned": scanned},
                value=round(scanned / due, 4),
            )
