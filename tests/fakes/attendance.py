"""Attendance on the line: a site, a person and events at times that the test names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from engine.domain.events import AttendanceData, DeviceData, DomainEvent, PersonData, Point, SiteData
from engine.fraud.features import Observation
from engine.ports import EnvelopeKind
from tests.fakes.line import Line

MONDAY = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HARBOUR = Point(lat=40.70, lon=-74.00)
#: 22 km north.
TOWER = Point(lat=40.90, lon=-74.00)
_numbers = count()


def seen(day: float = 0.0, hour: float = 8.0, **given: Any) -> Observation:
    """Ana checks in at the harbour, on a phone of hers, `day` days after a Monday."""
    fields: dict[str, Any] = {
        "tenant": "default",
        "person": "ana",
        "at": MONDAY.timestamp() + (day - 8.0 / 24.0) * 86_400.0 + hour * 3600.0,
        "hour": hour,
        "day_type": int(day) % 7,
        "site": "harbour",
        "lat": HARBOUR.lat,
        "lon": HARBOUR.lon,
        "accuracy_m": 10.0,
        "device": "phone-ana",
        "biometric": 0.95,
        "site_lat": HARBOUR.lat,
        "site_lon": HARBOUR.lon,
        "radius_m": 150.0,
        **given,
    }
    return Observation(**fields)


def world(line: Line) -> Line:
    """Two sites, two guards and a reader."""
    line.now = MONDAY - timedelta(days=1)
    for site, point in (("harbour", HARBOUR), ("tower", TOWER)):
        put(line, "noc.site", SiteData(id=site, point=point, supervisor="eva"))
    for person in ("ana", "bo"):
        put(line, "noc.person", PersonData(id=person, sites=("harbour",), device=f"phone-{person}"))
    put(line, "noc.device", DeviceData(id="reader-1", type="reader", site="harbour"))
    return line


def check_in(line: Line, at: datetime, person: str = "ana", **given: Any) -> str:
    """An attendance event at `at`, as it arrives then → its event id."""
    fields = {
        "person": person,
        "site": "harbour",
        "point": HARBOUR,
        "accuracy_m": 8.0,
        "device": f"phone-{person}",
        "biometric": 0.95,
        **given,
    }
    line.now = max(line.now, at)
    return put(line, "noc.attendance", AttendanceData(**fields), at)


def put(line: Line, type: str, data: Any, at: datetime | None = None) -> str:
    id = f"e{next(_numbers)}"
    event = DomainEvent(type=type, source="test", id=id, at=at or line.now, data=data)
    line.put(line.envelope(EnvelopeKind.EVENTS, (event,)))
    return id


def ordinary_week(line: Line, people: tuple[str, ...] = ("ana", "bo"), days: int = 5) -> Line:
    """Everybody in at eight, out at four."""
    for day in range(days):
        for hour, kind in ((0, "in"), (8, "out")):
            for minute, person in enumerate(people):
                check_in(line, MONDAY + timedelta(days=day, hours=hour, minutes=minute), person, kind=kind)
    return line
