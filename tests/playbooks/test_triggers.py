"""Triggers that are about one alert: which one, when, how often, and when no more."""

from __future__ import annotations

from data.records import Severity
from engine.playbooks.facts import subject_of
from tests.fakes.line import Line
from tests.playbooks.world import World

TEXT = """
name: mend
version: 1
trigger: {names: [Down, Slow]%s}
policy: {mode: auto, per_hour: 1000, flood_incidents: 1000}
steps: [{name: one, action: safe, params: {target: "${alert.entity}", text: "seen ${alert.count}"}}]
verification: {condition: alert.firing == false, within_seconds: 600, resolves: true, when_clear: true}
"""


def targets(world: World) -> list[str]:
    return [run.targets[0] for run in world.runs()]


def test_it_runs_once_for_each_alert_of_its_names_and_is_about_that_one() -> None:
    world = World(TEXT % "")
    world.line.fire("a", name="Other")
    world.line.fire("b", name="Down")
    world.line.fire("c", name="Down")
    world.line.fire("b", name="Down")
    world.work()
    assert sorted(targets(world)) == ["b", "c"]
    assert len({run.incident for run in world.runs()}) == 1, "of one incident"


def test_what_is_over_before_the_time_is_up_triggers_nothing() -> None:
    world = World(TEXT % ", for_seconds: 60")
    world.line.fire("a", name="Down")
    world.line.fire("b", name="Down")
    world.line.tick(59)
    assert world.runs() == []
    world.line.resolve("a", name="Down")
    world.line.tick(2)
    assert targets(world) == ["b"]


def test_the_time_is_counted_anew_after_a_restart() -> None:
    world = World(TEXT % ", for_seconds: 60")
    world.line.fire("a", name="Down")
    world.line.tick(50)
    world.line.restart()
    world.line.tick(20)
    assert world.runs() == []
    world.line.tick(61)
    assert targets(world) == ["a"]


def test_what_a_playbook_wants_may_come_true_later() -> None:
    world = World(TEXT % ", if: alert.count >= 3")
    world.line.fire("a", name="Down")
    world.line.tick(1)
    assert world.runs() == []
    for _ in range(3):
        world.line.later(1).fire("a", name="Down")
    world.line.tick(61)
    assert targets(world) == ["a"]


def test_it_resolves_only_what_is_clear_and_waits_for_the_rest() -> None:
    world = World(TEXT % "")
    world.line.fire("a", name="Down")
    world.line.fire("b", name="Other")
    world.work()
    world.line.resolve("a", name="Down")
    world.line.tick(1)
    (run,) = world.runs()
    assert (run.state, run.verified, run.resolved) == ("running", True, False)
    world.line.resolve("b", name="Other")
    world.line.tick(1)
    (run,) = world.runs()
    assert (run.state, run.resolved, run.unattended) == ("success", True, True)
    assert world.line.incident("a").state == "resolved"


def test_whoever_had_a_hand_in_it_is_not_forgotten() -> None:
    world = World(TEXT % "")
    world.line.fire("a", name="Down")
    world.line.act("ack", "incident:1")
    world.work()
    world.line.resolve("a", name="Down")
    world.line.tick(1)
    (run,) = world.runs()
    assert run.verified and not run.unattended


def test_nothing_is_planned_about_what_does_not_fire() -> None:
    world = World(TEXT % ", for_seconds: 86400")
    world.line.fire("a", name="Down")
    world.line.fire("b", name="Other")
    world.line.resolve("a", name="Down")
    result = world.line.act("run_playbook", "incident:1", playbook="mend")
    (reason,) = result.refused.values()
    assert "no alert fires that is one of: Down, Slow" in reason


def test_the_subject_is_by_the_order_of_names_then_the_root_the_worst_and_the_oldest() -> None:
    line = Line()
    line.fire("a", name="Other")
    line.fire("b", name="Slow", severity=Severity.CRITICAL)
    line.fire("c", name="Down", severity=Severity.LOW)
    line.fire("d", name="Down", severity=Severity.HIGH)
    line.fire("e", name="Down", severity=Severity.HIGH)
    incident = line.incident("a")

    def subject(*names: str) -> str:
        found = subject_of(names, incident, [line.alert(key) for key in "abcde"])
        return found.key if found is not None else ""

    assert subject("Down", "Slow") == "d"
    assert subject("Slow", "Down") == "b"
    assert subject("Gone") == ""
    assert subject() == "a"


def test_what_waits_for_a_target_begins_when_the_run_before_it_is_over() -> None:
    world = World(TEXT.replace('"${alert.entity}"', "db-1") % "")
    for number in range(60):
        world.line.fire(f"a{number}", name="Down", site=f"site {number}")
    world.line.tick(1)
    states = [run.state for run in world.runs()]
    assert (states.count("running"), states.count("pending")) == (1, 59)
    world.work()
    world.line.resolve("a0", name="Down", site="site 0")
    world.line.tick(1)
    world.line.tick(1)
    assert [run.state for run in world.runs()].count("running") == 1
