"""Step after step until somebody has it: acknowledgement, resuming, severity, quiet hours, crashes, floods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from data.records import Severity
from engine.oncall import escalation
from engine.oncall.settings import StepSettings
from engine.rules import Rules
from tests.fakes.line import T0, unlike
from tests.oncall.world import STEPS, World, oncall


def test_a_new_incident_is_told_at_once_to_who_has_duty() -> None:
    world = World()
    world.line.fire("a")
    assert world.told() == [("ana", "step")]
    (effect,) = world.effects()
    assert effect.params["webhook"] == "ops" and effect.params["person"] == "ana"
    assert "on call in primary" in effect.params["text"] and effect.params["incident"]["id"] == 1
    assert "escalated" in world.line.told(1)
    kinds = [change.kind for change in world.line.store.changes]
    assert "oncall_paged" in kinds and "escalation_updated" in kinds


def test_unacknowledged_it_goes_on_and_ends_when_everybody_was_told() -> None:
    world = World()
    world.line.fire("a")
    world.line.tick(299)
    assert world.told() == [("ana", "step")]
    world.line.tick(1)
    assert world.told() == [("ana", "step"), ("eve", "step")]
    assert world.effects()[1].params["email"] == "eve@example.org"
    world.line.tick(600)
    assert world.escalation().state == "exhausted"
    assert "escalation_exhausted" in world.line.told(1)
    world.line.tick(86_000)
    assert len(world.told()) == 2


def test_it_repeats_as_often_as_its_policy_says() -> None:
    world = World(oncall(policy={"repeat": 2}))
    world.line.fire("a")
    for _ in range(60):
        world.line.tick(60)
    assert [person for person, _ in world.told()] == ["ana", "eve"] * 3
    assert world.escalation().state == "exhausted"


def test_an_acknowledgement_stops_it_and_its_end_begins_it_anew() -> None:
    world = World()
    world.line.fire("a")
    world.line.later(60).act("ack", "incident:1", minutes=30)
    assert world.escalation().state == "acknowledged"
    world.line.tick(1500)
    assert len(world.told()) == 1
    world.line.tick(301)
    assert world.told() == [("ana", "step"), ("ana", "step")]
    assert world.escalation().step == 1


def test_what_is_over_is_told_to_nobody() -> None:
    world = World()
    world.line.fire("a")
    world.line.later(60).act("resolve", "incident:1")
    assert world.escalation().state == "over"
    world.line.tick(3600)
    assert len(world.told()) == 1


def test_what_is_well_again_waits_and_goes_on_when_it_fires_again() -> None:
    world = World()
    world.line.fire("a")
    world.line.later(60).resolve("a")
    assert world.escalation().state == "held"
    world.line.tick(600)
    assert len(world.told()) == 1
    world.line.fire("a")
    assert world.told() == [("ana", "step"), ("eve", "step")]


def test_a_shelved_incident_waits_until_it_is_heard_again() -> None:
    world = World()
    world.line.fire("a")
    world.line.later(10).act("shelve", "incident:1", minutes=30)
    world.line.tick(1000)
    assert (world.escalation().state, len(world.told())) == ("held", 1)
    world.line.tick(1000)
    assert world.told() == [("ana", "step"), ("eve", "step")]


def test_a_rise_of_severity_begins_with_the_first_step() -> None:
    world = World()
    world.line.fire("a")
    world.line.tick(300)
    world.line.later(10).fire("a", severity=Severity.CRITICAL)
    assert [person for person, _ in world.told()] == ["ana", "eve", "ana"]
    assert "escalation_restarted" in world.line.told(1)


def test_reminders_go_to_the_same_people_before_the_next_step() -> None:
    steps = (StepSettings(notify=("rota:primary",), minutes=10, remind_minutes=4), STEPS[1])
    world = World(oncall(steps=steps))
    world.line.fire("a")
    for _ in range(10):
        world.line.tick(60)
    assert world.told() == [("ana", "step"), ("ana", "reminder"), ("ana", "reminder"), ("eve", "step")]


def test_who_acknowledged_is_reminded_until_it_is_over() -> None:
    world = World(oncall(policy={"acked_remind_minutes": 60}))
    world.line.fire("a")
    world.line.later(60).act("ack", "incident:1")
    for _ in range(125):
        world.line.tick(60)
    assert world.told() == [("ana", "step"), ("ana", "reminder"), ("ana", "reminder")]
    world.line.act("resolve", "incident:1")
    world.line.tick(4000)
    assert len(world.told()) == 3


QUIET = {"repeat": 0, "quiet_from": "22:00", "quiet_until": "07:00", "time_zone": "Europe/Berlin"}
NIGHT = datetime(2026, 5, 4, 21, 0, tzinfo=UTC)  # 23:00 in Berlin


def test_quiet_hours_wait_for_the_morning() -> None:
    world = World(oncall(policy=QUIET)).at(NIGHT)
    world.line.fire("a")
    assert (world.escalation().state, world.told()) == ("quiet", [])
    world.at(datetime(2026, 5, 5, 4, 59, 59, tzinfo=UTC)).line.tick()
    assert world.told() == []
    world.line.tick(1)
    assert world.told() == [("ana", "step")]


def test_what_is_critical_is_told_in_quiet_hours_also_when_it_became_so() -> None:
    world = World(oncall(policy=QUIET)).at(NIGHT)
    world.line.fire("a")
    world.line.later(60).fire("a", severity=Severity.CRITICAL)
    assert world.told() == [("ana", "step")]


def test_nobody_to_tell_is_not_waited_for() -> None:
    world = World(oncall(steps=(StepSettings(notify=("supervisor", "manager"), minutes=30), STEPS[1])))
    world.line.fire("a")
    world.line.tick(1)
    assert world.told() == [("eve", "step")]
    texts = [entry.text for entry in world.line.store.timeline if entry.kind == "escalated"]
    assert "nobody to tell" in texts[0]


def test_what_no_policy_is_for_is_left_alone_and_taken_up_with_new_rules() -> None:
    world = World(oncall(policy={"when": "severity>=critical"}))
    world.line.fire("a")
    world.line.tick(1)
    assert world.told() == []
    world.line.restart(Rules(oncall=oncall()))
    world.line.tick(1)
    assert world.told() == [("ana", "step")]


def test_fraud_is_told_to_nobody_outside() -> None:
    world = World()
    world.line.fire("a", name="fraud_suspected")
    world.line.tick(400)
    assert world.pages() == []


@pytest.mark.parametrize("every", [1, 7, 60])
def test_a_crash_after_any_commit_tells_each_step_once(every: int) -> None:
    """A restart after each envelope gives the same pages, under the same keys, as none at all."""
    plain, broken = World(oncall(policy={"repeat": 1})), World(oncall(policy={"repeat": 1}))
    for world in (plain, broken):
        world.line.fire("a")
        for _ in range(1800 // (60 if every == 60 else 30)):
            if world is broken:
                world.line.restart()
            world.line.tick(60 if every == 60 else 30)
    assert [effect.key for effect in broken.effects()] == [effect.key for effect in plain.effects()]
    assert len(plain.effects()) == len({effect.key for effect in plain.effects()}) == 4


def test_after_a_stop_only_the_step_that_is_due_is_done() -> None:
    world = World(oncall(policy={"repeat": 5}))
    world.line.fire("a")
    world.line.restart().tick(7200)
    assert [person for person, _ in world.told()] == ["ana", "eve"]
    assert world.escalation().next_at == T0 + timedelta(seconds=7200 + 600)


def flooded(count: int) -> World:
    world = World(oncall(flood_pages=3, batch_seconds=60))
    world.line.take(*[unlike(f"s{number}") for number in range(count)])
    return world


def test_in_a_flood_pages_are_told_together() -> None:
    world = flooded(8)
    assert [one.state for one in world.pages()].count("sent") == 3
    assert len(world.effects()) == 3
    held = [one.incident for one in world.pages() if one.state == "held"]
    world.line.tick(60)
    assert all(one.state == "sent" for one in world.pages())
    *_, batch = world.effects()
    assert len(world.effects()) == 4 and batch.params["pages"] == 5
    assert all(f"I-{number} " in batch.params["text"] for number in held)


def test_held_pages_outlive_a_crash_and_needless_ones_are_dropped() -> None:
    world = flooded(6)
    needless = next(one.incident for one in world.pages() if one.state == "held")
    world.line.act("ack", f"incident:{needless}")
    world.line.restart().tick(60)
    assert sorted(one.state for one in world.pages()) == ["dropped"] + ["sent"] * 5
    assert world.effects()[-1].params["pages"] == 2
    assert f"I-{needless} " not in world.effects()[-1].params["text"]


def test_merged_into_another_it_is_over() -> None:
    world = World()
    world.line.take(unlike("x"), unlike("y"))
    world.line.act("merge", "incident:1", "incident:2")
    gone = [incident.id for incident in world.line.incidents() if incident.merged_into]
    assert [world.escalation(f"I{number}").state for number in gone] == ["over"]


def test_a_tick_does_a_bounded_number_of_steps_and_the_next_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation, "MOST_PER_TICK", 3)
    world = World()
    world.line.rules = Rules()
    world.line.take(*[unlike(f"s{number}") for number in range(8)])
    world.line.rules = Rules(oncall=oncall(flood_pages=1000))
    for told in (3, 6, 8):
        world.line.tick(1)
        assert len(world.told()) == told
    for told in (11, 14, 16, 16):
        world.line.tick(300 if told == 11 else 1)
        assert len(world.told()) == told
