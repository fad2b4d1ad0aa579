"""Devices and the clusters of their alerts: one trouble is one incident, two devices are two things in it."""

from __future__ import annotations

from data.records import Severity
from tests.domain.timeline import guarded
from tests.fakes.line import signal


def test_a_device_that_monitoring_and_the_site_report_is_one_incident() -> None:
    world = guarded()
    world.now = world.now.replace(minute=5)
    told = signal(
        "net",
        300,
        name="HostUnreachable",
        title="gw does not answer",
        entity="gw",
        entity_type="host",
        source="monitor",
    )
    world.take(told)
    world.say("device", 320, id="gw", status="offline")
    offline = world.firing()["device_offline", "gw"]
    assert offline.incident == world.alert("net").incident
    assert not offline.suppressed


def test_another_device_of_a_site_with_the_same_trouble_is_not_folded_away() -> None:
    world = guarded()
    for number in range(4):
        world.say("device", 10, id=f"c{number}", type="camera", site="Depot", status="online")
    for number in range(4):
        world.say("device", 60 + number, id=f"c{number}", status="offline")
    found = [world.firing()["device_offline", f"c{number}"] for number in range(4)]
    assert len({alert.incident for alert in found}) == 1
    assert not any(alert.suppressed for alert in found)
    assert found[-1].why[-1].facts["score"] > 0.90  # type: ignore[operator]


def test_the_same_device_told_of_by_two_tools_alike_is_folded_away() -> None:
    world = guarded()
    for key in ("one", "two"):
        world.take(signal(key, 0, name="HostUnreachable", title="gw is down", entity="gw", severity=Severity.HIGH))
    assert world.alert("two").suppressed
