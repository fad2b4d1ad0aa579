"""Playbooks of several tenants on one line: whom one serves, and that nothing of one tenant moves another's runs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from data.nouns import NOUN_OF_RECORD
from data.nouns.playbooks import Approval, Execution
from data.records import DEFAULT_TENANT, TenantId
from data.scope import CAPABILITIES, Scope
from engine.client import Refused
from engine.rules import Rules
from tests.fakes.line import unlike
from tests.playbooks.world import World, playbook

NORTH, SOUTH = DEFAULT_TENANT, TenantId("south")
TEXT = """
name: %s
version: 1
tenants: [%s]
trigger: {names: [Waits]}
policy: {mode: auto, per_hour: 1000, flood_incidents: 1000}
steps: [{name: one, action: unsafe, params: {target: db-1}}]
"""


def scope(tenant: TenantId, name: str = "ana") -> Scope:
    return Scope(tenant=tenant, actor=name, capabilities=CAPABILITIES)


def fire(world: World, tenant: TenantId, *keys: str, name: str = "Waits") -> None:
    world.line.tenant = tenant
    world.line.take(*[unlike(key, (world.line.now - T0).total_seconds(), name=name) for key in keys])
    world.line.tenant = NORTH


T0 = World(TEXT % ("clock", "")).line.now


def of(world: World, tenant: TenantId) -> list[Execution]:
    return [run for run in world.runs() if run.tenant == tenant]


def listed(world: World, tenant: TenantId) -> dict[str, str]:
    """The records of a tenant's playbooks with their states."""
    nouns = world.line.store.nouns.items()
    return {found.id: found.state for (kind, whose, _), found in nouns if kind == "playbooks" and whose == tenant}


# -- whom one serves


def test_a_playbook_is_triggered_by_incidents_of_its_tenants_alone() -> None:
    world = World(TEXT % ("theirs", SOUTH), TEXT % ("everybodys", ""))
    for tenant in (NORTH, SOUTH):
        fire(world, tenant, "s1")
    world.work().line.tick(1)
    assert [run.playbook for run in of(world, NORTH)] == ["everybodys"]
    assert [run.playbook for run in of(world, SOUTH)] == ["everybodys", "theirs"]


def test_one_that_waits_for_its_trouble_to_last_looks_again_for_its_tenants_alone() -> None:
    text = (TEXT % ("theirs", SOUTH)).replace("names: [Waits]", "names: [Waits], for_seconds: 60")
    for restarted in (False, True):
        world = World(text)
        for tenant in (NORTH, SOUTH):
            fire(world, tenant, "s1")
        if restarted:
            world.line.restart()
            world.line.tick(1)
        world.line.tick(61)
        world.line.tick(1)
        assert [run.tenant for run in world.runs()] == [SOUTH]


def test_for_another_tenant_it_is_not_there() -> None:
    world = World(TEXT % ("theirs", SOUTH))
    fire(world, NORTH, "s1", name="Else")
    with pytest.raises(Refused) as hidden:
        world.line.act("run_playbook", "incident:1", scope=scope(NORTH), playbook="theirs")
    with pytest.raises(Refused) as nowhere:
        world.line.act("run_playbook", "incident:1", scope=scope(NORTH), playbook="nobodys")
    assert str(hidden.value).replace("theirs", "") == str(nowhere.value).replace("nobodys", "")
    assert world.runs() == []


def test_records_of_what_is_loaded_are_kept_for_every_tenant() -> None:
    theirs, everybodys = TEXT % ("theirs", SOUTH), TEXT % ("everybodys", "")
    world = World(theirs, everybodys)
    world.line.tick(1)
    assert listed(world, NORTH) == {"everybodys": "loaded"}
    assert listed(world, SOUTH) == {"everybodys": "loaded", "theirs": "loaded"}, "it is named, and has nothing yet"
    east = TenantId("east")
    fire(world, east, "s1", name="Else")
    world.line.tick(1)
    assert listed(world, east) == {"everybodys": "loaded"}
    world.line.restart(Rules(playbooks=playbook(theirs.replace(SOUTH, "east"))))
    world.line.tick(1)
    assert listed(world, east) == {"everybodys": "removed", "theirs": "loaded"}
    assert listed(world, NORTH) == {"everybodys": "removed"}
    before = len(world.line.store.changes)
    world.line.tick(1)
    assert len(world.line.store.changes) == before


def test_what_waits_is_withdrawn_when_its_playbook_is_not_for_its_tenant_any_more() -> None:
    text = (TEXT % ("mend", "")).replace("mode: auto", "mode: approval")
    world = World(text)
    for tenant in (NORTH, SOUTH):
        fire(world, tenant, "s1")
    world.line.restart(Rules(playbooks=playbook(text.replace("tenants: []", f"tenants: [{NORTH}]"))))
    world.line.tick(1)
    assert {run.tenant: run.state for run in world.runs()} == {NORTH: "pending", SOUTH: "cancelled"}
    assert [one.tenant for one in world.approvals()] == [NORTH]


# -- limits


@pytest.mark.parametrize("limit", ["per_target: 1", "per_hour: 2", "flood_incidents: 3"])
def test_limits_count_within_a_tenant(limit: str) -> None:
    text = (TEXT % ("mend", "")).replace("per_hour: 1000, flood_incidents: 1000", limit)
    alone, world = World(text), World(text)
    for many in ("a", "b", "c", "d", "e"):
        fire(world, NORTH, f"n{many}")
    for other in (alone, world):
        fire(other, SOUTH, "s1", "s2", "s3")
    told = [(run.state, run.asks, run.reason) for run in of(world, SOUTH)]
    assert told == [(run.state, run.asks, run.reason) for run in of(alone, SOUTH)]
    assert ("running", "", "") in told


def test_the_kill_switch_and_the_answers_of_a_minute_are_of_one_tenant() -> None:
    world = World((TEXT % ("mend", "")).replace("mode: auto", "mode: approval"))
    keys = [f"s{number}" for number in range(12)]
    for tenant in (NORTH, SOUTH):
        fire(world, tenant, *keys)
    for one in [one for one in world.approvals() if one.tenant == SOUTH][:10]:
        world.line.act("approve", f"approval:{one.id}", scope=scope(SOUTH), plan_sha256=one.plan_sha256)
    (one, *_) = [one for one in world.approvals() if one.tenant == NORTH]
    allowed = world.line.act("approve", f"approval:{one.id}", scope=scope(NORTH), plan_sha256=one.plan_sha256)
    assert not allowed.refused, "the same name in another company is another person"
    world.line.act("kill_switch", scope=scope(SOUTH), on=True, reason="stop")
    assert {run.state for run in of(world, SOUTH)} == {"cancelled"}
    assert {run.state for run in of(world, NORTH)} == {"running", "pending"}
    assert [act for act in world.work().acted] == [("unsafe", f"playbook/{one.id}/one")]


def test_answers_to_another_tenants_questions_find_nothing() -> None:
    world = World((TEXT % ("mend", "")).replace("mode: auto", "mode: approval"))
    fire(world, SOUTH, "s1")
    (one,) = world.approvals()
    for verb, target, params in (
        ("approve", f"approval:{one.id}", {"plan_sha256": one.plan_sha256}),
        ("reject", f"approval:{one.id}", {"reason": "x"}),
        ("cancel", f"execution:{one.execution}", {"reason": "x"}),
        ("run_playbook", f"incident:{one.incident}", {"playbook": "mend"}),
    ):
        hidden = world.line.act(verb, target, scope=scope(NORTH), **params)
        kind = target.partition(":")[0]
        nowhere = world.line.act(verb, f"{kind}:987654", scope=scope(NORTH), **params)
        assert not hidden.changed
        assert list(hidden.refused.values()) == list(nowhere.refused.values())
    assert (world.run().state, world.approvals()) == ("pending", [one])


# -- nothing that a tenant does is felt by another

BOTH = (
    """
name: waits
version: 1
trigger: {names: [Waits]}
policy: {mode: auto, per_hour: 5, flood_incidents: 4, expires_minutes: 5}
steps:
  - {name: one, action: unsafe, params: {target: db-1}}
  - {name: two, action: safe, params: {target: "${alert.entity}"}}
verification: {condition: "not alert.firing", within_seconds: 100, resolves: true, when_clear: true}
""",
    """
name: asks
version: 1
policy: {mode: approval, quorum: 2, expires_minutes: 5}
steps: [{name: one, action: unsafe, params: {target: db-1}}]
""",
)


class Step(Struct, frozen=True):
    """Something that a tenant does, or time that passes for all of them."""

    north: bool
    act: str
    which: int


def _fire(world: World, tenant: TenantId, which: int) -> None:
    fire(world, tenant, f"k{which}")


def _clear(world: World, tenant: TenantId, which: int) -> None:
    world.line.tenant = tenant
    world.line.resolve(f"k{which}", name="Waits", site=f"site-k{which}", entity=f"k{which}")
    world.line.tenant = NORTH


def _run(world: World, tenant: TenantId, which: int) -> None:
    mine = sorted(found.id for found in world.line.book.incidents.values() if found.tenant == tenant)
    if mine:
        request = f"{which}-{len(of(world, tenant))}"
        target = f"incident:{mine[which % len(mine)]}"
        _tried(world, tenant, "run_playbook", target, "ana", request=request, playbook="asks")


def _answer(world: World, tenant: TenantId, which: int) -> None:
    open_ones = [one for one in world.approvals() if one.tenant == tenant]
    if open_ones:
        one = open_ones[which % len(open_ones)]
        name = ("bob", "eve", "ana")[which % 3]
        _tried(world, tenant, "approve", f"approval:{one.id}", name, plan_sha256=one.plan_sha256)


def _stop(world: World, tenant: TenantId, which: int) -> None:
    _tried(world, tenant, "kill_switch", "", "ana", on=which % 2 == 0, reason="x")


def _cancel(world: World, tenant: TenantId, which: int) -> None:
    mine = of(world, tenant)
    if mine:
        _tried(world, tenant, "cancel", f"execution:{mine[which % len(mine)].id}", "ana", reason="x")


def _tried(world: World, tenant: TenantId, verb: str, target: str, name: str, request: str = "", **given: Any) -> None:
    targets = (target,) if target else ()
    try:
        world.line.act(verb, *targets, scope=scope(tenant, name), request=request, **given)
    except Refused:
        pass


DOES: dict[str, Callable[[World, TenantId, int], None]] = {
    "fire": _fire, "clear": _clear, "run": _run, "answer": _answer, "stop": _stop, "cancel": _cancel,
}  # fmt: skip
PASSES = {"wait": 1, "work": 1, "long": 120, "later": 400}
_steps = st.lists(
    st.builds(
        Step, st.booleans(), st.sampled_from([*DOES, "fire", "fire", "run", "answer", *PASSES]), st.integers(0, 5)
    ),
    max_size=40,
)


def lived(steps: Sequence[Step], *tenants: TenantId) -> World:
    """A world in which only these tenants do anything."""
    world = World(*BOTH)
    for step in steps:
        tenant = NORTH if step.north else SOUTH
        if step.act in PASSES:
            world.line.tick(PASSES[step.act])
            if step.act == "work":
                world.work()
        elif tenant in tenants:
            DOES[step.act](world, tenant, step.which)
        world.line.later(1)
    return world


def picture(world: World, tenant: TenantId) -> list[Any]:
    """All that a tenant has of playbooks and is told of them, with the numbers of things taken out: those count on."""
    store = world.line.store
    told: list[Any] = [_told(one) for (kind, whose, _), one in store.nouns.items() if whose == tenant and kind in KINDS]
    told += [(one.at, one.kind, one.actor, _plain(one.text)) for one in store.timeline if one.tenant == tenant]
    kinds = {"playbook", "execution", "approval", "kill_switch"}
    changes = [one for one in store.changes if one.tenant == tenant and one.subject.partition(":")[0] in kinds]
    return told + [(one.at, one.kind, _plain(one.subject), one.site, one.reason) for one in changes]


KINDS = ("playbooks", "executions", "approvals", "kill_switches")


def _told(record: Any) -> Any:
    kind = NOUN_OF_RECORD[type(record)].kind
    if isinstance(record, Execution):
        steps = [(step.name, step.state, step.generation, step.started_at, step.ended_at) for step in record.steps]
        times = (record.at, record.started_at, record.ended_at, record.expires_at, record.verify_until)
        facts = (record.state, record.asks, record.phase, record.targets, _plain(record.reason), record.unattended)
        return kind, record.playbook, facts, times, steps
    if isinstance(record, Approval):
        votes = [(vote.by, vote.at) for vote in record.votes]
        return kind, record.playbook, record.state, record.at, record.ended_at, votes, _plain(record.why)
    return kind, record.id, record.at, record.state


def _plain(text: str) -> str:
    return re.sub(r"\d+", "#", text)


@settings(max_examples=3000 if os.environ.get("NIGHTLY") == "1" else 60, deadline=None)
@given(_steps)
def test_nothing_that_a_tenant_does_is_felt_by_another(steps: list[Step]) -> None:
    both = lived(steps, NORTH, SOUTH)
    assert picture(both, SOUTH) == picture(lived(steps, SOUTH), SOUTH)
    assert picture(both, NORTH) == picture(lived(steps, NORTH), NORTH)
