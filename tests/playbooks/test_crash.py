"""A crash at every commit: safe steps are done once by their key, unsafe ones never twice, and nothing is lost."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.playbooks.messages import StepEnded, StepStarting
from tests.playbooks.world import World

TEXT = """
name: mend
version: 1
trigger: {severity: low}
policy: {mode: auto}
steps:
  - {name: look, action: check}
  - {name: one, action: safe, params: {target: "${alert.entity}"}, rollback: true}
  - {name: two, action: unsafe, params: {target: "${alert.entity}"}}
  - {name: three, action: note, params: {text: seen}}
  - {name: four, action: safe}
"""


def steps_until(world: World, commits: int) -> None:
    """Go on until so many commits were made, wherever that is: the last act may be begun and not told."""
    while world.line.store.commits < commits and (due := world.waiting()):
        effect = world.line.store.effects[due[0]]
        said = StepStarting(**effect.params, runner=f"runner-{world.runner}")
        answer = world.result(said)
        world.taken.add(due[0])
        if hasattr(answer, "act"):
            if world.line.store.commits >= commits:
                return  # begun, and the runner is gone
            world.act(said, answer)


def finished(world: World) -> World:
    """Until nothing happens any more, with people who say that what nobody saw was done."""
    for _ in range(100):
        world.work()
        asked = world.approvals()
        for approval in asked:
            world.line.act("approve", f"approval:{approval.id}", plan_sha256=approval.plan_sha256)
        if not asked and not world.waiting():
            break
    return world


@pytest.mark.parametrize("commits", range(1, 14))
@pytest.mark.parametrize("claims_lost", [False, True])
def test_a_crash_after_any_commit(commits: int, claims_lost: bool) -> None:
    world = World(TEXT)
    world.line.fire("web-1")
    steps_until(world, commits)
    if claims_lost:
        world.taken.clear()  # the outbox forgets what was claimed: everything comes up again
    world.crash()
    finished(world)
    assert world.run().state == "success"
    keys = Counter(world.acted)
    assert sum(count for (action, _), count in keys.items() if action == "unsafe") <= 1
    assert {action for action, _ in keys} >= {"check", "safe"}
    assert len({key for action, key in keys if action == "safe"}) == 2, "the same key at every try"
    assert [entry.kind for entry in world.line.store.timeline].count("noted") == 1


@pytest.mark.parametrize("fate", ["crash", "lost"])
def test_an_unsafe_step_whose_end_nobody_saw_is_unknown_and_asked(fate: str) -> None:
    world = World(TEXT)
    world.script["two"] = [fate]
    world.line.fire("web-1")
    world.work()
    world.crash().work()
    assert world.run().state == "unknown"
    (asked,) = world.approvals()
    assert (asked.asks, asked.step) == ("outcome", "two")
    world.line.act("reject", f"approval:{asked.id}", reason="it still hangs")
    world.work()
    assert world.run().state == "failed"
    assert world.step("one").state == "rolled_back"
    assert Counter(action for action, _ in world.acted)["unsafe"] == (fate == "crash")


def test_without_a_restart_the_lease_tells_an_orphan_within_a_minute() -> None:
    world = World(TEXT)
    world.script["two"] = ["lost"]
    world.line.fire("web-1")
    world.work()
    world.pass_time(39)
    assert world.run().state == "running"
    world.pass_time(2)
    assert world.run().state == "unknown"


def test_an_orphan_of_an_idempotent_step_is_done_again_under_its_key() -> None:
    world = World(TEXT)
    world.script["one"] = ["crash"]
    world.line.fire("web-1")
    world.work()
    world.crash().work()
    assert world.run().state == "success"
    safe = [key for action, key in world.acted if action == "safe" and key.endswith("/one")]
    assert len(safe) == 2 and len(set(safe)) == 1


def test_late_news_of_an_unknown_step_settle_the_question() -> None:
    world = World(TEXT)
    world.script["two"] = ["crash"]
    world.line.fire("web-1")
    world.work()
    world.pass_time(41)
    step = world.step("two")
    world.result(
        StepEnded(execution=world.run().id, step="two", generation=step.generation, runner=step.runner, done=True)
    )
    world.work()
    assert world.run().state == "success"
    assert world.approvals() == []


def test_a_runner_that_dies_at_every_try_ends_with_a_question() -> None:
    world = World(TEXT)
    world.script["one"] = ["crash"] * 50
    world.line.fire("web-1")
    for _ in range(30):
        world.work()
        world.crash()
    assert world.run().state == "unknown"
    assert len([key for action, key in world.acted if action == "safe"]) == 10
