"""Overrides, swaps, the next step by hand; tickets and questions that go to whom has duty."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from data.nouns.oncall import Override
from engine.book import Draft
from engine.client import Refused
from engine.domain.findings import assignee_of
from engine.domain.rules import DomainRules
from engine.oncall.duty import turn_now
from engine.rules import Rules
from tests.fakes.line import T0
from tests.oncall.world import World, limited, oncall
from tests.playbooks.world import playbook


def person_at(world: World, days: float = 0.0) -> str:
    draft = Draft(world.line.book, world.line.rules, world.line.tenant, world.line.now + timedelta(days=days))
    turn = turn_now(draft, "primary")
    assert turn is not None
    return turn.person


def overrides(world: World) -> list[Override]:
    return [one for (kind, *_), one in world.line.store.nouns.items() if kind == "oncall_overrides"]


def test_an_override_holds_from_now_to_its_end_and_over_a_restart() -> None:
    world = World()
    world.line.act("oncall_override", rota="primary", person="zoe", minutes=60, reason="ana is ill")
    world.line.fire("a")
    assert world.told() == [("zoe", "step")]
    world.line.restart()
    assert person_at(world) == "zoe"
    world.line.tick(3600)
    assert person_at(world) == "ana"
    assert [one.state for one in overrides(world)] == ["over"]


def test_without_an_end_it_lasts_for_the_turn() -> None:
    world = World()
    world.line.act("oncall_override", rota="primary", person="zoe")
    assert (person_at(world, 6.7), person_at(world, 7)) == ("zoe", "bob")


def test_a_swap_lets_two_turns_change_places_and_is_taken_back_whole() -> None:
    world = World()
    later = (T0 + timedelta(days=8)).isoformat()
    result = world.line.act("oncall_swap", rota="primary", first=T0.isoformat(), second=later)
    assert len(result.changed) == 2
    assert [person_at(world, days) for days in (0, 8, 15)] == ["bob", "ana", "ana"]
    world.line.act("oncall_cancel", f"oncall_override:{result.id}")
    assert [person_at(world, days) for days in (0, 8, 15)] == ["ana", "bob", "ana"]
    assert {one.state for one in overrides(world)} == {"cancelled"}


@pytest.mark.parametrize(
    ("verb", "params", "field"),
    [
        ("oncall_override", {"rota": "other", "person": "zoe"}, "rota"),
        ("oncall_override", {"rota": "primary", "person": "zoe", "ends_at": T0.isoformat()}, "ends_at"),
        ("oncall_override", {"rota": "primary", "person": ""}, "person"),
        ("oncall_override", {"rota": "primary", "person": "z", "starts_at": "2029-01-01T00:00:00Z"}, "starts_at"),
        ("oncall_swap", {"rota": "primary", "first": T0.isoformat(), "second": T0.isoformat()}, "second"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(verb: str, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Refused) as caught:
        World().line.act(verb, **params)
    assert caught.value.field == field


def test_who_sees_some_sites_only_changes_no_rota() -> None:
    with pytest.raises(Refused, match="all sites"):
        World().line.act("oncall_override", rota="primary", person="zoe", scope=limited("Depot"))


def test_the_next_step_can_be_asked_for() -> None:
    world = World()
    world.line.fire("a")
    world.line.later(5).act("escalate", "incident:1")
    assert [person for person, _ in world.told()] == ["ana", "eve"]
    world.line.act("ack", "incident:1")
    result = world.line.act("escalate", "incident:1")
    assert result.refused == {"incident:1": "it is acknowledged"}


def test_without_policies_there_is_nothing_to_escalate() -> None:
    world = World()
    world.line.rules = Rules()
    world.line.fire("a")
    with pytest.raises(Refused, match="no policies"):
        world.line.act("escalate", "incident:1")


@pytest.mark.parametrize(("tickets", "expected"), [("primary", "ana"), ("", "desk")])
def test_tickets_without_supervisor_and_manager_go_to_who_has_duty(tickets: str, expected: str) -> None:
    rules = Rules(oncall=oncall(tickets=tickets), domain=DomainRules(on_call="desk"))
    world = World()
    draft = Draft(world.line.book, rules, world.line.tenant, T0)
    person, why = assignee_of(draft, "Nowhere")
    assert person == expected and "on call" in why


MEND = """
name: mend
version: 1
policy: {expires_minutes: 30}
steps: [{name: one, action: unsafe, params: {target: "${alert.entity}"}}]
"""


def asked() -> World:
    world = World(oncall(approvals="primary", policy={"when": "severity>=critical"}), playbooks=playbook(MEND))
    world.line.fire("a")
    world.line.act("run_playbook", "incident:1", playbook="mend")
    world.line.tick(1)
    return world


def test_a_question_is_told_once_and_again_before_it_expires() -> None:
    world = asked()
    assert world.told() == [("ana", "approval")]
    for _ in range(24):
        world.line.restart().tick(60)
    assert len(world.told()) == 1
    world.line.tick(120)
    assert world.told() == [("ana", "approval")] * 2
    assert "expires at" in world.effects()[1].params["text"]
    world.line.tick(600)
    assert len(world.told()) == 2
    (over,) = [one for (kind, *_), one in world.line.store.nouns.items() if kind == "escalations"]
    assert over.state == "over"


def test_an_answered_question_is_not_told_again() -> None:
    world = asked()
    (question,) = [one for (kind, *_), one in world.line.store.nouns.items() if kind == "approvals"]
    bob = replace(limited(), actor="bob", sites=None)
    world.line.act("approve", f"approval:{question.id}", plan_sha256=question.plan_sha256, scope=bob)
    world.line.tick(1700)
    assert len(world.told()) == 1
