"""From edge to edge: order, failures, retries, rollback, verification, waits, and what time brings about."""

from __future__ import annotations

from typing import Any

import pytest

from data.records import Severity
from engine.playbooks.actions import Failed
from tests.playbooks.world import World

HEAD = """
name: mend
version: 1
trigger: {when: 'site=Depot', severity: high}
policy: {mode: auto}
"""
TWO = (
    HEAD
    + """
steps:
  - {name: one, action: safe, params: {target: "${alert.entity}"}, retries: 3, rollback: true}
  - {name: two, action: unsafe, params: {target: "${alert.entity}"}}
"""
)


def began(text: str = TWO) -> World:
    world = World(text)
    world.line.fire("web-1")
    return world


def test_a_trigger_runs_every_step_in_order_once() -> None:
    world = began().work()
    assert [action for action, _ in world.acted] == ["safe", "unsafe"]
    assert world.run().state == "success"
    assert {"playbook_started", "playbook_ended"} <= set(world.line.told(1))


def test_an_incident_triggers_a_playbook_once_also_after_a_restart() -> None:
    world = began().work()
    world.crash()
    world.line.fire("web-1")
    world.line.later(1).fire("web-2")
    world.work()
    assert len(world.acted) == 2


@pytest.mark.parametrize("given", [{"site": "Elsewhere"}, {"severity": Severity.MEDIUM}])
def test_what_the_trigger_does_not_mean_runs_nothing(given: dict[str, Any]) -> None:
    world = World(TWO)
    world.line.fire("web-1", **given)
    assert world.runs() == []


def test_an_idempotent_step_is_tried_again_after_1_4_and_16_seconds() -> None:
    world = began()
    world.script["one"] = [Failed("no", again=True)] * 3
    world.work()
    times = []
    for _ in range(40):
        before = len(world.acted)
        world.pass_time(1)
        times += [(world.line.now.minute * 60 + world.line.now.second)] * (len(world.acted) > before)
    assert times == [1, 5, 21]
    assert world.run().state == "success"
    assert {key for action, key in world.acted if action == "safe"} == {world.step("one").key}


def test_a_critical_failure_takes_back_what_was_done_newest_first_and_stops() -> None:
    text = (
        HEAD
        + """
steps:
  - {name: one, action: safe, rollback: true}
  - {name: two, action: safe, rollback: true}
  - {name: three, action: safe}
  - {name: four, action: unsafe}
  - {name: five, action: unsafe}
"""
    )
    world = began(text)
    world.script["four"] = [Failed("broken")]
    world.work()
    assert [key.rsplit("/", 1)[1] for action, key in world.acted if action == "undo"] == ["two.undo", "one.undo"]
    states = {step.name: step.state for step in world.run().steps}
    assert states == {
        "one": "rolled_back", "two": "rolled_back", "three": "done", "four": "failed", "five": "cancelled"
    }  # fmt: skip
    assert world.run().state == "failed"
    assert "four: broken" in world.run().reason


def test_what_could_not_be_taken_back_is_told() -> None:
    world = began()
    world.script = {"one": [None, Failed("stuck")], "two": [Failed("broken")]}
    world.work()
    assert world.run().state == "failed"
    assert "not taken back: stuck" in world.run().reason


def test_a_failure_that_is_not_critical_makes_it_partial() -> None:
    text = HEAD + "steps: [{name: one, action: unsafe, critical: false}, {name: two, action: unsafe}]"
    world = began(text)
    world.script["one"] = [Failed("broken")]
    world.work()
    assert world.run().state == "partial"
    assert len(world.acted) == 2


def test_conditions_decide_on_results_of_earlier_steps() -> None:
    text = (
        HEAD
        + """
steps:
  - {name: look, action: check}
  - {name: bad, action: unsafe, if: 'steps.look.said == "bad" and steps.look.state == "done"'}
  - {name: good, action: unsafe, if: 'steps.look.said != "bad"', params: {text: "${steps.look.said}"}}
"""
    )
    world = began(text)
    world.script["look"] = [{"said": "bad"}]
    world.work()
    assert [step.state for step in world.run().steps] == ["done", "done", "skipped"]


def test_what_an_alert_says_is_never_read_as_a_template() -> None:
    text = (
        HEAD
        + """
steps:
  - {name: look, action: check}
  - {name: tell, action: unsafe, params: {text: "${incident.title} ${steps.look.said}"}}
"""
    )
    world = World(text)
    world.line.fire("web-1", title="${steps.look.said} ${alert.site}")
    world.script["look"] = [{"said": "${alert.entity}"}]
    world.work()
    assert world.step("tell").params["text"] == "${steps.look.said} ${alert.site} ${alert.entity}"


def test_a_verification_that_comes_true_resolves_the_incident() -> None:
    text = (
        HEAD
        + """
steps: [{name: one, action: unsafe}]
verification: {condition: 'incident.firing == 0', within_seconds: 60, resolves: true}
"""
    )
    world = began(text).work()
    assert world.run().phase == "verify"
    world.line.at(10).resolve("web-1")
    world.pass_time(1)
    assert (world.run().state, world.run().verified, world.run().resolved) == ("success", True, True)
    assert world.line.incidents()[0].state == "resolved"
    assert world.line.incidents()[0].resolution == f"verified by {world.run().id}"


def test_a_verification_that_does_not_come_true_fails_and_takes_back() -> None:
    text = (
        HEAD
        + """
steps: [{name: one, action: safe, rollback: true}]
verification: {condition: 'incident.firing == 0', within_seconds: 30, resolves: true}
"""
    )
    world = began(text).work()
    changes = [change for change in world.line.store.changes if change.subject.startswith("execution")]
    world.pass_time(10).pass_time(10)
    later = [change for change in world.line.store.changes if change.subject.startswith("execution")]
    assert later == changes, "waiting says nothing"
    world.pass_time(11).work()
    assert world.run().state == "failed"
    assert world.step("one").state == "rolled_back"
    assert world.line.incidents()[0].state == "open"


def test_an_act_on_the_line_is_done_in_the_same_commit() -> None:
    world = began(HEAD + "steps: [{name: one, action: note, params: {text: 'seen ${alert.entity}'}}]").work()
    assert world.run().state == "success"
    assert [entry.text for entry in world.line.store.timeline if entry.kind == "noted"] == ["seen web-1"]


def test_a_run_past_its_deadline_fails() -> None:
    text = (
        HEAD.replace("{mode: auto}", "{mode: auto, deadline_minutes: 1}")
        + """
steps: [{name: one, action: safe, rollback: true}, {name: two, action: safe, retries: 3}]
"""
    )
    world = began(text)
    world.script["two"] = [Failed("no", again=True)] * 9
    world.work(2)
    world.line.tick(61)
    world.work()
    assert world.run().state == "failed"
    assert "1 minutes" in world.run().reason
    assert world.step("one").state == "rolled_back"


def test_a_run_is_held_for_an_hour_and_while_its_incident_is_open() -> None:
    world = began().work()
    world.pass_time(4000)
    assert not world.run().settled
    world.line.resolve("web-1")
    world.line.act("ack", "incident:1")
    world.pass_time(1)
    assert world.run().settled
    assert world.line.book.nouns["executions"] == {}


def test_definitions_are_written_down_once() -> None:
    world = World(TWO)
    for _ in range(3):
        world.line.tick(1)
    kept = [found for (kind, *_), found in world.line.store.nouns.items() if kind == "playbooks"]
    assert [(one.id, one.version, one.state) for one in kept] == [("mend", 1, "loaded")]
    assert sum(change.kind == "playbook_loaded" for change in world.line.store.changes) == 1


def test_news_that_nobody_waits_for_change_nothing() -> None:
    world = began().work()
    effect = next(iter(world.line.store.effects))
    before = len(world.acted)
    world.begin(effect)
    assert len(world.acted) == before
