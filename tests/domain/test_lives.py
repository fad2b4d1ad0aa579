"""The life of each built-in alert type: raised once, not again by repeats, cleared once."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.records import Severity
from data.reference.alert_types import ALERT_TYPES
from tests.domain.timeline import At, World, event, guarded, hours
from tests.fakes.line import at

ROOT = Path(__file__).parents[2]


def shift(world: World, id: str = "s1", starts: float = 3600.0, **more: object) -> World:
    ends = starts + hours(8)
    given = {"site": "Depot", "person": "ann", "starts_at": At(starts), "ends_at": At(ends), **more}
    return world.say("shift", 10, id=id, **given)


def tour(world: World, id: str = "t1", starts: float = 600.0, ends: float = 4200.0) -> World:
    points = [{"id": name, "due_at": At(starts + 600.0 * n)} for n, name in enumerate(("a", "b", "c"), 1)]
    window = {"starts_at": At(starts), "ends_at": At(ends)}
    return world.say("tour", 20, id=id, action="scheduled", site="Depot", person="ann", checkpoints=points, **window)


def one(world: World, name: str) -> None:
    """Exactly one alert of the type came, and it fires."""
    found = world.alerts(name)
    assert len(found) == 1
    assert found[0].ended_at is None


def over(world: World, name: str) -> None:
    found = world.alerts(name)
    assert len(found) == 1
    assert found[0].ended_at is not None


def test_a_shift_that_nobody_comes_to_is_missed_until_somebody_comes() -> None:
    world = shift(guarded(devices=False)).until(3600 + 1790)
    assert world.names() == []
    world.until(3600 + 1830)
    one(world, "attendance_missed")
    assert world.noun("shifts", "s1").state == "absent"
    world.until(3600 + 2400)
    one(world, "attendance_missed")
    world.say("attendance", 3600 + 2460, person="ann", site="Depot", kind="in")
    over(world, "attendance_missed")
    one(world, "attendance_late")
    assert world.noun("shifts", "s1").late_minutes == 41.0
    world.say("attendance", 3600 + hours(8), person="ann", site="Depot", kind="out")
    over(world, "attendance_late")
    assert world.noun("shifts", "s1").state == "done"


def test_a_shift_that_nobody_ever_came_to_is_missed_and_its_alert_over() -> None:
    world = shift(guarded()).until(3600 + hours(8) + 60, 600)
    assert world.noun("shifts", "s1").state == "missed"
    over(world, "attendance_missed")
    world.until(3600 + hours(33), 600)
    assert world.book.nouns["shifts"] == {}
    assert len(world.alerts("attendance_missed")) == 1


def test_a_known_absence_is_no_missed_attendance() -> None:
    world = shift(guarded(), state="absent").until(3600 + 2400)
    assert world.alerts("attendance_missed") == []
    assert world.noun("shifts", "s1").state == "absent"


def test_a_check_in_from_outside_the_fence() -> None:
    world = guarded()
    far, near = {"lat": 52.6, "lon": 13.4}, {"lat": 52.5001, "lon": 13.4}
    world.say("attendance", 100, person="ann", site="Depot", point=far, accuracy_m=20)
    one(world, "attendance_geofence")
    world.say("attendance", 160, person="ann", site="Depot", point=near, accuracy_m=20)
    over(world, "attendance_geofence")
    world.say("attendance", 260, person="bob", site="Depot", point={"lat": 52.5, "lon": 13.404}, accuracy_m=200)
    assert world.names() == []


def test_in_at_two_sites_at_once() -> None:
    world = guarded().say("attendance", 100, person="ann", site="Depot")
    world.say("attendance", 700, person="ann", site="Harbour")
    one(world, "attendance_anomaly")
    assert world.noun("sites", "Harbour").verified is False
    world.say("attendance", 900, person="ann", site="Harbour", kind="out")
    over(world, "attendance_anomaly")


def test_a_round_that_nobody_walks_is_missed_and_walked_after_all() -> None:
    world = tour(guarded(devices=False)).until(4200 + 570)
    assert world.alerts() == []
    world.until(4200 + 660)
    one(world, "tour_missed")
    found = world.noun("tours", "t1")
    assert (found.state, found.compliance) == ("missed", 0.0)
    assert all(point.missed for point in found.checkpoints)
    for number, name in enumerate("abc"):
        world.take_events(_scan("t1", name, 900.0 + 300 * number))
    over(world, "tour_missed")
    one(world, "tour_overdue")
    world.say("tour", id="t1", action="finished")
    over(world, "tour_overdue")
    found = world.noun("tours", "t1")
    assert (found.state, found.compliance, [point.order for point in found.checkpoints]) == ("finished", 1.0, [1, 2, 3])


def _scan(tour: str, checkpoint: str, seconds: float) -> object:
    return event("tour", seconds, id=tour, action="scan", checkpoint=checkpoint, dwell_s=20, person="ann", site="Depot")


def test_a_round_that_goes_past_a_checkpoint() -> None:
    world = tour(guarded())
    world.say("tour", 700, id="t1", action="started")
    world.say("tour", 900, id="t1", action="scan", checkpoint="a")
    assert world.names() == []
    world.say("tour", 1500, id="t1", action="scan", checkpoint="c")
    one(world, "checkpoint_skipped")
    world.say("tour", 1700, id="t1", action="scan", checkpoint="b")
    over(world, "checkpoint_skipped")


def test_a_round_that_is_given_up() -> None:
    world = tour(guarded()).say("tour", 700, id="t1", action="started").until(4200 + 660)
    one(world, "tour_overdue")
    world.until(4200 + hours(4) + 60, 300)
    over(world, "tour_overdue")
    assert world.noun("tours", "t1").state == "incomplete"


def test_a_guard_without_a_sign() -> None:
    world = guarded(devices=False).say("attendance", 100, person="ann", site="Depot")
    world.say("activity", 600, person="ann", kind="phone", site="Depot").until(600 + 2690, 60)
    assert world.names() == []
    world.until(600 + 2820, 60)
    one(world, "guard_inactive")
    world.say("activity", 3600, person="ann", kind="movement", metres=12, site="Depot")
    over(world, "guard_inactive")


def test_a_call_for_help_is_critical_at_once() -> None:
    world = guarded().say("activity", 100, person="ann", kind="sos", site="Depot")
    one(world, "guard_sos")
    assert world.alerts("guard_sos")[0].severity is Severity.CRITICAL
    assert world.alerts("guard_sos")[0].labels["tier"] == "gold"


def test_a_device_that_falls_silent_and_is_heard_again() -> None:
    world = guarded()
    for beat in range(300, 3000, 300):
        world.say("device", beat, id="gw").say("device", beat, id="r1")
    world.until(2700 + 650)
    assert world.alerts() == []
    world.until(2700 + 690)
    one(world, "device_offline")
    assert world.alerts("device_offline")[0].entity == "gw"
    world.until(2700 + 1260)
    assert world.noun("devices", "r1").cause == "gw"
    one(world, "device_offline")
    world.say("device", 4200, id="gw")
    over(world, "device_offline")
    world.say("device", 4230, id="r1").until(4500)
    assert world.names() == []
    assert len(world.alerts("device_offline")) == 1


def test_what_stays_offline_after_the_device_above_is_back() -> None:
    world = guarded().say("device", 60, id="gw", status="offline").say("device", 70, id="r1", status="offline")
    assert [alert.entity for alert in world.alerts()] == ["gw"]
    world.say("device", 600, id="gw", status="online").until(690)
    assert world.names() == []
    world.until(780)
    assert list(world.firing()) == [("device_offline", "r1")]


def test_the_alert_of_a_child_ends_when_its_parent_turns_out_to_be_the_cause() -> None:
    world = guarded().say("device", 60, id="r1", status="offline")
    assert list(world.firing()) == [("device_offline", "r1")]
    world.say("device", 80, id="gw", status="offline")
    assert list(world.firing()) == [("device_offline", "gw")]


@pytest.mark.parametrize("trouble", ["sync_failed", "tampered"])
def test_trouble_of_a_device(trouble: str) -> None:
    world = guarded().say("device", 60, id="r1", status=trouble).say("device", 90, id="r1", status="seen")
    one(world, f"device_{trouble}")
    assert world.noun("devices", "r1").state == trouble
    world.say("device", 120, id="r1", status="online")
    over(world, f"device_{trouble}")


def test_a_low_battery_with_room_to_waver() -> None:
    world = guarded().say("device", 60, id="r1", battery=19)
    one(world, "device_low_battery")
    world.say("device", 120, id="r1", battery=18).say("device", 180, id="r1", battery=25)
    one(world, "device_low_battery")
    world.say("device", 240, id="r1", battery=90)
    over(world, "device_low_battery")


def test_an_intrusion() -> None:
    world = guarded().say("device", 60, id="r1", status="error", error="intrusion")
    one(world, "intrusion")
    world.say("device", 600, id="r1", status="online")
    over(world, "intrusion")


def test_denials_in_a_burst() -> None:
    world = guarded()
    for number in range(5):
        assert world.alerts() == []
        world.say("device", 60 + 20 * number, id="r1", status="error", error="access_denied")
    one(world, "access_denied_burst")
    for beat in (400, 700):
        world.say("device", beat, id="gw").say("device", beat, id="r1")
    world.until(800)
    over(world, "access_denied_burst")


def test_the_clock_of_a_ticket() -> None:
    world = guarded().say("ticket", 60, id="T1", state="NEW", priority="high", site="Depot", title="door stuck")
    world.until(60 + 2670)
    assert "ticket_sla_at_risk" not in world.names()
    world.until(60 + 2730)
    one(world, "ticket_sla_at_risk")
    world.until(60 + 3630)
    over(world, "ticket_sla_at_risk")
    one(world, "ticket_sla_breached")
    world.say("ticket", 4000, id="T1", state="RESOLVED")
    over(world, "ticket_sla_breached")
    found = world.noun("tickets", "T1")
    assert (found.client, found.breached, found.state) == ("acme", True, "resolved")


def test_time_on_hold_does_not_count() -> None:
    world = guarded(devices=False).say("ticket", 0, id="T1", state="NEW", priority="high", site="Depot")
    world.say("ticket", 600, id="T1", state="ON_HOLD").until(9000, 300)
    assert not [name for name in world.names() if name.startswith("ticket")]
    world.say("ticket", 9000, id="T1", state="IN_PROGRESS")
    found = world.noun("tickets", "T1")
    assert found.paused_s == 8400.0
    assert (found.due_at - found.opened_at).total_seconds() == 3600 + 8400


@pytest.mark.parametrize("kind", ["workorder", "task"])
def test_work_that_is_late(kind: str) -> None:
    world = guarded().say(kind, 60, id="W1", state="open", site="Depot", due_at=At(600)).until(690)
    one(world, "work_order_overdue")
    world.say(kind, 700, id="W1", state="done")
    over(world, "work_order_overdue")


def test_a_post_that_is_not_filled() -> None:
    world = shift(shift(guarded(devices=False), post="day"), "s2", person="bob", post="day")
    world.say("attendance", 3500, person="ann", site="Depot").until(3600 + 870)
    assert world.names() == []
    world.until(3600 + 990)
    one(world, "staffing_shortfall")
    world.say("attendance", 3600 + 1020, person="bob", site="Depot").until(3600 + 1110)
    over(world, "staffing_shortfall")


def test_the_table_is_complete() -> None:
    assert len(ALERT_TYPES) == 22
    for found in ALERT_TYPES.values():
        assert found.key and found.clear and found.clears_when and found.words
        file, _, section = found.runbook.partition("#")
        assert f"\n## {section}\n" in (ROOT / file).read_text()


def test_every_type_is_raised_by_something() -> None:
    """Each name stands in the code that raises it: a type that nothing raises is a promise that nobody keeps."""
    files = [*(ROOT / "engine" / "domain").glob("*.py"), *(ROOT / "engine" / "fraud").glob("*.py")]
    code = "\n".join(file.read_text() for file in files if file.name not in ("alerts.py", "audits.py"))
    built = {"device_sync_failed", "device_tampered"}  # f"device_{trouble}": see test_trouble_of_a_device
    assert [name for name in ALERT_TYPES if name not in built and f'"{name}"' not in code] == []


def test_a_start_finds_nobody_silent_who_had_no_time_to_be_heard() -> None:
    world = guarded().say("attendance", 100, person="ann", site="Depot").restart()
    world.now = at(hours(3))
    world.take_events(event("attendance", 200, person="bob", site="Depot"))
    world.until(hours(3) + 600)
    assert world.names() == []
    world.until(hours(4))
    assert {"device_offline", "guard_inactive"} <= set(world.names())
    world.restart().until(hours(4.2))
    assert "device_offline" in world.names(), "what is known to be offline stays so over a start"
