"""When the bell rings, and when it does not."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from data.records import Ack, Severity
from noc_console.bell import Bell
from noc_console.mirror import Dirty, Mirror
from tests.fakes import world

NOW, LATER = world.NOW, world.NOW + timedelta(seconds=61)


def _bell() -> tuple[Bell, Mirror]:
    mirror = Mirror()
    mirror.load(world.operation(9, NOW)[0], [], 0)
    bell = Bell(mirror)
    assert bell.due(Dirty(reset=True), NOW) == []
    return bell, mirror


def _opens(mirror: Mirror, number: int, severity: Severity = Severity.CRITICAL) -> Dirty:
    mirror.incidents[number] = replace(world.incident(number), severity=severity)
    return Dirty(incidents={number})


def test_what_is_there_at_the_start_does_not_ring() -> None:
    bell, mirror = _bell()
    assert any(i.severity is Severity.CRITICAL and i.ack is None for i in mirror.incidents.values())
    assert bell.due(Dirty(reset=True), LATER) == []


def test_a_new_critical_rings_once() -> None:
    bell, mirror = _bell()
    assert [i.id for i in bell.due(_opens(mirror, 7001), NOW)] == [7001]
    assert bell.due(Dirty(incidents={7001}), LATER) == []


def test_at_most_once_a_minute_and_none_is_forgotten() -> None:
    bell, mirror = _bell()
    assert bell.due(_opens(mirror, 7001), NOW)
    assert bell.due(_opens(mirror, 7002), NOW + timedelta(seconds=5)) == []
    assert bell.due(_opens(mirror, 7003), NOW + timedelta(seconds=59)) == []
    assert {i.id for i in bell.due(Dirty(), LATER)} == {7002, 7003}


def test_high_does_not_ring() -> None:
    bell, mirror = _bell()
    assert bell.due(_opens(mirror, 7001, Severity.HIGH), NOW) == []


def test_acknowledged_in_the_meantime_does_not_ring_and_lapsed_rings_again() -> None:
    bell, mirror = _bell()
    bell.due(_opens(mirror, 7001), NOW)
    bell.due(_opens(mirror, 7002), NOW)
    mirror.incidents[7002] = replace(mirror.incidents[7002], ack=Ack(by="ana", at=NOW, severity=Severity.CRITICAL))
    assert bell.due(Dirty(incidents={7002}), LATER) == []
    mirror.incidents[7002] = replace(mirror.incidents[7002], ack=None)
    assert [i.id for i in bell.due(Dirty(incidents={7002}), LATER)] == [7002]


def test_quiet_holds_it_back_until_its_end() -> None:
    bell, mirror = _bell()
    bell.hush(LATER)
    assert bell.due(_opens(mirror, 7001), NOW) == []
    assert [i.id for i in bell.due(Dirty(), LATER)] == [7001]
    assert bell.quiet_until(LATER) is None
