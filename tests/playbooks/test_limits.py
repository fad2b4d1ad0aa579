"""How much may run: racing triggers, rates, floods, blast radius, and the switch that stops them all."""

from __future__ import annotations

import pytest

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.client import Refused
from tests.fakes.line import unlike
from tests.playbooks.world import World

TEXT = """
name: mend
version: 1
trigger: {severity: low}
policy: {mode: auto, per_hour: 1000, flood_incidents: 1000%s}
steps:
  - {name: one, action: unsafe, params: {target: %s}}
  - {name: two, action: unsafe}
"""
ONE_TARGET = TEXT % ("", "db-1")


def storm(world: World, many: int = 50) -> None:
    world.line.take(*[unlike(f"s{number}") for number in range(many)])
    assert len(world.line.book.incidents) == many


@pytest.mark.parametrize("most", [1, 3])
def test_fifty_racing_triggers_run_one_after_the_other_on_one_target(most: int) -> None:
    world = World(TEXT % (f", per_target: {most}", "db-1"))
    storm(world)
    seen = []
    for _ in range(200):
        running = [run for run in world.runs() if run.state == "running"]
        seen.append(len(running))
        due = world.waiting()
        if due:
            world.begin(due[0])
        world.line.tick(1)
    assert max(seen) == most
    assert [run.state for run in world.runs()] == ["success"] * 50
    assert len(world.acted) == 100


def test_what_waits_for_its_target_too_long_expires() -> None:
    world = World(TEXT % (", expires_minutes: 5", "db-1"))
    storm(world, 2)
    world.line.tick(299)
    assert {run.state for run in world.runs()} == {"running", "pending"}
    world.line.tick(2)
    assert {run.state for run in world.runs()} == {"running", "expired"}


def test_a_run_of_unknown_outcome_holds_its_target() -> None:
    world = World(ONE_TARGET)
    world.script["one"] = ["lost"]
    storm(world, 2)
    world.work()
    world.pass_time(41)
    assert sorted(run.state for run in world.runs()) == ["pending", "unknown"]


def test_more_runs_in_an_hour_than_allowed_are_cancelled_with_the_reason() -> None:
    world = World(ONE_TARGET.replace("per_hour: 1000", "per_hour: 3"))
    storm(world, 10)
    states = [run.state for run in world.runs()]
    assert states.count("cancelled") == 7
    assert all("3 times" in run.reason for run in world.runs() if run.state == "cancelled")
    world.line.restart()
    world.line.later(3000).take(unlike("s77"))
    assert world.runs()[-1].state == "cancelled", "the hour is counted from what is stored"


def test_a_flood_of_incidents_asks_first() -> None:
    world = World(TEXT.replace("flood_incidents: 1000", "flood_incidents: 20") % ("", "'${alert.entity}'"))
    storm(world, 30)
    assert {run.asks for run in world.runs()} == {"approval"}
    assert "20 incidents" in world.approvals()[0].why


def test_a_flood_of_what_its_sender_says_began_long_ago_asks_first() -> None:
    world = World(TEXT.replace("flood_incidents: 1000", "flood_incidents: 20") % ("", "'${alert.entity}'"))
    world.line.take(*[unlike(f"s{number}", starts=-1800.0) for number in range(30)])
    assert {run.asks for run in world.runs()} == {"approval"}
    world.line.later(601).take(unlike("calm"))
    assert world.runs()[-1].asks == "", "ten minutes later it is no flood any more"


def test_more_targets_than_the_blast_radius_ask_first() -> None:
    text = """
name: wide
version: 1
trigger: {severity: low}
policy: {mode: auto, blast_radius: 1}
steps:
  - {name: one, action: safe, params: {target: a}}
  - {name: two, action: safe, params: {target: b}}
"""
    world = World(text)
    world.line.fire("web-1")
    assert world.run().asks == "approval"
    assert "2 targets" in world.approvals()[0].why


def test_the_kill_switch_stops_at_the_edge_and_keeps_all_from_starting() -> None:
    world = World(TEXT % ("", "'${alert.entity}'"))
    storm(world, 3)
    first = world.waiting()[0]
    world.begin(first)
    world.line.act("kill_switch", on=True, reason="wrong host")
    world.work()
    assert len(world.acted) == 1
    assert {run.state for run in world.runs()} == {"cancelled"}
    world.line.restart()
    world.line.later(1).take(unlike("s9"))
    assert len(world.runs()) == 3
    with pytest.raises(Refused, match="kill switch"):
        world.line.act("run_playbook", "incident:1", playbook="mend")
    world.line.act("kill_switch", on=False, reason="mended")
    world.line.later(1).take(unlike("s10"))
    assert world.runs()[-1].state == "running"


def test_turning_the_switch_off_takes_more_than_turning_it_on() -> None:
    runner = Scope(tenant=DEFAULT_TENANT, actor="rob", capabilities=CAPABILITIES - {"playbook:approve"})
    world = World(ONE_TARGET)
    world.line.act("kill_switch", scope=runner, on=True, reason="stop")
    with pytest.raises(Refused, match="playbook:approve"):
        world.line.act("kill_switch", scope=runner, on=False, reason="go")


def test_a_step_that_was_started_ends_before_its_run_is_cancelled() -> None:
    world = World(ONE_TARGET)
    world.script["one"] = ["lost"]
    world.line.fire("web-1")
    world.work()
    world.line.act("cancel", f"execution:{world.run().id}", reason="not now")
    assert world.run().state == "running"
    world.crash()
    assert world.run().state == "unknown", "whether it was done is asked all the same"


def test_what_is_silenced_triggers_nothing() -> None:
    world = World(ONE_TARGET)
    world.line.act(
        "silence",
        matchers=[{"name": "site", "value": "Depot"}],
        starts_at="2026-05-04T11:00:00Z",
        ends_at="2026-05-04T18:00:00Z",
        comment="work",
    )
    world.line.fire("web-1")
    assert world.runs() == []
