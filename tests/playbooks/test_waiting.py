"""Runs that wait: looked at when they are due or when something changed for them, and announced when they changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from engine import pipeline
from engine.ports import EnvelopeKind
from tests.fakes.line import unlike
from tests.playbooks.world import World, count_looks

FOR_A_TARGET = """
name: mend
version: 1
trigger: {names: [Waits]}
policy: {mode: %s, per_hour: 1000, flood_incidents: 10000, expires_minutes: 1440%s}
steps: [{name: one, action: unsafe, params: {target: %s}}]
"""
VERIFIES = """
name: mend
version: 1
trigger: {names: [Waits]}
policy: {mode: auto, per_hour: 1000, flood_incidents: 10000}
steps: [{name: one, action: safe}]
verification: {condition: "%s", within_seconds: 7200, resolves: true, when_clear: true}
"""


def verifying(many: int) -> World:
    return storm(VERIFIES % "not alert.firing", many).work()


def for_a_target(many: int) -> World:
    return storm(FOR_A_TARGET % ("auto", "", "db-1"), many)


def for_people(many: int) -> World:
    return storm(FOR_A_TARGET % ("approval", "", "db-1"), many)


def over_on_open_incidents(many: int) -> World:
    """Over for longer than an hour, kept because their incidents are open."""
    world = storm(FOR_A_TARGET % ("auto", "", '"${alert.entity}"'), many)
    while world.waiting():
        world.work()
        world.line.tick(1)
    assert {run.state for run in world.runs()} == {"success"}
    world.line.tick(3700)
    return world


def storm(text: str, many: int) -> World:
    world = World(text)
    world.line.take(*[unlike(f"s{number}", name="Waits") for number in range(many)])
    return world


def told(world: World) -> int:
    """How often a run was announced on the feed so far."""
    return sum(change.kind == "execution_updated" for change in world.line.store.changes)


def changed(world: World) -> int:
    """How often an incident was."""
    return sum(change.kind.startswith("incident") for change in world.line.store.changes)


@pytest.mark.parametrize("waiting", [verifying, for_a_target, for_people, over_on_open_incidents])
def test_a_tick_looks_at_no_run_that_waits(waiting: Callable[[int], World]) -> None:
    """But once for each time that its incident has changed, as when an older one is scored anew."""
    for many in (3, 60):
        world = waiting(many)
        world.line.tick(1)
        world.line.tick(1)
        counted, before = count_looks(world), changed(world)
        for _ in range(50):
            world.line.tick(1)
        assert counted.looks <= 4 * (changed(world) - before) < 5 * many
        assert len(counted) == many


@pytest.mark.parametrize("waiting", [verifying, for_a_target, for_people])
def test_nothing_is_announced_while_nothing_changes(waiting: Callable[[int], World]) -> None:
    world = waiting(5)
    world.line.tick(1)
    before, commits = told(world), {run.id: run for run in world.runs()}
    for _ in range(60):
        world.line.tick(1)
    assert told(world) == before
    assert all(run is commits[run.id] for run in world.runs())


def test_a_run_that_has_helped_and_waits_for_the_rest_says_so_once() -> None:
    world = World(VERIFIES % "not alert.firing")
    world.line.take(
        *[unlike(key, name=name, site="s", correlation="c") for key, name in (("s0", "Waits"), ("s1", "Else"))]
    )
    world.work()
    assert len(world.line.book.incidents) == 1
    world.line.resolve("s0", name="Waits", site="s", correlation="c")
    assert world.line.alert("s0").ended_at is not None
    world.line.tick(1)
    assert world.run().verified and world.run().state == "running"
    before = told(world)
    for _ in range(60):
        world.line.tick(1)
    assert told(world) == before
    world.line.resolve("s1", name="Else", site="s", correlation="c")
    world.line.tick(1)
    assert world.run().state == "success" and world.run().resolved


def test_the_end_of_an_alert_or_of_an_incident_wakes_the_runs_of_it_alone() -> None:
    world = verifying(40)
    world.line.tick(1)
    world.line.tick(1)
    counted = count_looks(world)
    world.line.resolve("s7", name="Waits", site="s7", entity="s7")
    world.line.tick(1)
    assert [run.incident for run in world.runs() if run.state == "success"] == [world.line.alert("s7").incident]
    assert counted.looks < 20

    world = for_people(40)
    world.line.tick(1)
    world.line.act("resolve", f"incident:{world.line.alert('s7').incident}")
    world.line.tick(1)
    (over,) = [run for run in world.runs() if run.state != "pending"]
    assert over.state == "cancelled" and over.incident == world.line.alert("s7").incident


def test_one_release_of_a_target_looks_at_few_of_many_that_wait_for_it() -> None:
    looks = []
    for many in (5, 100):
        world = for_a_target(many)
        world.line.tick(1)
        counted = count_looks(world)
        world.work()
        world.line.tick(1)
        assert [run.state for run in world.runs()[:3]] == ["success", "running", "pending"]
        looks.append(counted.looks)
    assert looks[0] == looks[1]


def test_those_that_wait_run_in_the_order_in_which_they_came_also_after_a_restart() -> None:
    world = for_a_target(12)
    order: list[Any] = []
    for number in range(40):
        if number == 10:
            world.crash()
        world.pass_time(1)
        order += [run.id for run in world.runs() if run.state == "success" and run.id not in order]
    assert order == [run.id for run in world.runs()]


def test_a_dropped_draft_takes_nothing_from_those_that_wait() -> None:
    """What it had looked at and what it had let run comes up again."""
    world = for_a_target(3)
    world.work()
    assert [run.state for run in world.runs()] == ["success", "pending", "pending"]
    envelope = world.line.later(1).envelope(EnvelopeKind.TICK, None)
    draft = world.line.draft(envelope)
    pipeline.run(draft, envelope)
    assert draft.nouns
    draft.drop()
    assert [run.state for run in world.runs()] == ["success", "pending", "pending"]
    world.line.tick(1)
    assert [run.state for run in world.runs()] == ["success", "running", "pending"]


def test_time_alone_ends_what_waited_too_long() -> None:
    world = verifying(2)
    until = world.runs()[0].verify_until
    assert until is not None
    world.line.now = until - timedelta(seconds=2)
    world.line.tick(1)
    assert {run.state for run in world.runs()} == {"running"}
    world.line.tick(1)
    assert {run.state for run in world.runs()} == {"failed"}
