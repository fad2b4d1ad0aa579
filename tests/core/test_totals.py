"""Counts and trend of the mirror: kept up by what changed, right again when time alone changes them."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from msgspec.structs import replace

from data.records import Change, Incident, IncidentState, Severity, TenantId
from engine.client import Health
from noc_console.mirror import Mirror
from noc_console.totals import RECOUNT_SECONDS
from tests.fakes import world


def _mirror(count: int = 9) -> Mirror:
    mirror = Mirror()
    incidents, clusters, _ = world.operation(count, world.NOW)
    mirror.load(incidents, clusters, 0)
    mirror.drain()
    return mirror


def _say(mirror: Mirror, incident: Incident) -> None:
    mirror.push(
        [
            Change(
                seq=mirror.seq + 1,
                tenant=TenantId("default"),
                kind="incident_updated",
                subject=f"incident:{incident.id}",
                at=world.NOW,
                record=msgspec.Raw(msgspec.json.encode(incident)),
            )
        ]
    )
    mirror.drain()


def test_counts_follow_what_changed() -> None:
    mirror = _mirror()
    before = dict(mirror.counts(world.NOW))
    incident = next(i for i in mirror.incidents.values() if i.severity is Severity.CRITICAL)
    _say(mirror, replace(incident, severity=Severity.LOW))
    after = mirror.counts(world.NOW)
    assert after[Severity.CRITICAL] == before[Severity.CRITICAL] - 1
    assert after[Severity.LOW] == before[Severity.LOW] + 1


def test_shelved_are_not_counted_until_the_shelf_runs_out() -> None:
    mirror = _mirror()
    before, waiting = dict(mirror.counts(world.NOW)), mirror.totals.at(world.NOW).unacked
    incident = next(i for i in mirror.incidents.values() if i.severity is Severity.CRITICAL)
    _say(mirror, replace(incident, shelved_until=world.NOW + timedelta(seconds=RECOUNT_SECONDS)))
    assert mirror.counts(world.NOW)[Severity.CRITICAL] == before[Severity.CRITICAL] - 1
    assert mirror.totals.at(world.NOW).unacked == waiting - 1
    later = world.NOW + timedelta(seconds=RECOUNT_SECONDS)
    assert mirror.counts(later)[Severity.CRITICAL] == before[Severity.CRITICAL]


def test_what_has_returned_to_normal_is_counted_under_no_severity() -> None:
    mirror = _mirror()
    before = dict(mirror.counts(world.NOW))
    firing = {IncidentState.OPEN, IncidentState.ACKNOWLEDGED}
    incident = next(i for i in mirror.incidents.values() if i.severity is Severity.CRITICAL and i.state in firing)
    _say(mirror, replace(incident, state=IncidentState.RETURNED))
    assert mirror.counts(world.NOW)[Severity.CRITICAL] == before[Severity.CRITICAL] - 1


def _health(rate: float, **more: object) -> Health:
    values = {"state": "live", "at": world.NOW, "version": "0", "tenant": "default", "seq": 0, "started_at": world.NOW}
    return Health(**values, rate=rate, **more)  # type: ignore[arg-type]


def test_where_not_all_are_held_the_engine_counts() -> None:
    mirror = Mirror()
    incidents, _, _ = world.operation(9, world.NOW)
    mirror.load(incidents, [], 0, truncated=True)
    mirror.heard(_health(1.0, active={Severity.CRITICAL: 40_000}), 0.0)
    assert mirror.counts(world.NOW)[Severity.CRITICAL] == 40_000
    assert mirror.active() == 40_000


def test_trend_says_faster_slower_or_neither() -> None:
    mirror = Mirror()
    for at in range(10):
        mirror.heard(_health(5.0), float(at))
    assert mirror.trend() == 0
    mirror.heard(_health(9.0), 11.0)
    assert mirror.trend() == 1
    mirror.heard(_health(1.0), 12.0)
    assert mirror.trend() == -1
