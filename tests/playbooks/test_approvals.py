"""Asking people: quorum, separation of duties, delegation, expiry, changed plans, and how fast anybody may answer."""

from __future__ import annotations

from typing import Any

import pytest

from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.client import CommandResult, Refused
from engine.rules import Rules
from tests.fakes.line import at, unlike
from tests.playbooks.world import World, playbook

TEXT = """
name: mend
version: 1
policy: {expires_minutes: 30%s}
steps: [{name: one, action: unsafe, params: {target: "${alert.entity}", text: "${incident.severity}"}}]
"""


def who(name: str, *without: str, sites: frozenset[str] | None = None) -> Scope:
    return Scope(tenant=DEFAULT_TENANT, actor=name, capabilities=CAPABILITIES - set(without), sites=sites)


def token(name: str, owner: str) -> Scope:
    """One of the tokens of a person."""
    return Scope(tenant=DEFAULT_TENANT, actor=name, capabilities=CAPABILITIES, token=f"id-{name}", owner=owner)


def asked(policy: str = "", by: str | Scope = "ana") -> World:
    world = World(TEXT % policy)
    world.line.fire("web-1")
    scope = who(by) if isinstance(by, str) else by
    world.line.act("run_playbook", "incident:1", scope=scope, playbook="mend")
    return world


def approve(world: World, by: str | Scope, **given: Any) -> CommandResult:
    (approval,) = world.approvals()
    params = {"plan_sha256": approval.plan_sha256, **given}
    scope = who(by) if isinstance(by, str) else by
    return world.line.act("approve", f"approval:{approval.id}", scope=scope, **params)


def refusal(result: CommandResult) -> str:
    (reason,) = result.refused.values()
    return reason


def test_nothing_runs_before_it_is_approved() -> None:
    world = asked().work()
    assert (world.run().state, world.acted) == ("pending", [])
    approve(world, "bob", reason="yes")
    world.work()
    assert world.run().state == "success"
    assert [(vote.by, vote.reason) for vote in world.approvals("approved")[0].votes] == [("bob", "yes")]
    kinds = [change.kind for change in world.line.store.changes if change.subject.startswith("approval")]
    assert kinds == ["approval_requested", "approval_updated"]


def test_whoever_asked_does_not_approve() -> None:
    world = asked()
    assert "asked for it" in refusal(approve(world, "ana"))
    assert world.run().state == "pending"


def test_a_policy_may_let_one_person_decide_alone() -> None:
    world = asked(", separation_of_duties: false")
    approve(world, "ana")
    assert world.run().state == "running"


def test_a_quorum_takes_different_people() -> None:
    world = asked(", quorum: 2")
    approve(world, "bob")
    assert world.run().state == "pending"
    assert "already" in refusal(approve(world, "bob"))
    world.line.restart()
    approve(world, "eve")
    assert world.run().state == "running"


def test_two_tokens_of_one_person_are_one_vote() -> None:
    world = asked(", quorum: 2")
    approve(world, token("laptop", "bob"))
    for again in (token("phone", "bob"), token("desk", " BOB "), who("bob")):
        assert "already" in refusal(approve(world, again))
    assert world.run().state == "pending"
    approve(world, token("laptop", "eve"))
    assert world.run().state == "running", "of two people tokens may have the same name"


def test_whoever_asked_does_not_approve_under_the_name_of_another_token() -> None:
    world = asked(by=token("script", "ana"))
    assert world.run().asked_by == "ana"
    for again in (token("laptop", "ana"), token("phone", "Ana"), who("ana")):
        assert "asked for it" in refusal(approve(world, again))
    approve(world, token("script", "bob"))
    assert world.run().state == "running"


def test_approvers_and_delegates_are_people() -> None:
    policy = ", quorum: 2, approvers: [bob, eve], delegates: {bob: [dan]}"
    world = asked(policy)
    assert "not one of its approvers" in refusal(approve(world, token("bob", "zoe")))
    assert "not delegated" in refusal(approve(world, token("dan", "zoe"), on_behalf_of="bob"))
    approve(world, token("phone", "dan"), on_behalf_of="bob")
    assert "already" in refusal(approve(world, token("laptop", "bob")))
    approve(world, token("laptop", "eve"))
    votes = world.approvals("approved")[0].votes
    assert [(vote.by, vote.principal) for vote in votes] == [("dan", "bob"), ("eve", "eve")]


def test_only_approvers_and_their_delegates_count_and_each_once() -> None:
    world = asked(", quorum: 2, approvers: [bob, eve], delegates: {bob: [dan, ana]}")
    assert "not one of its approvers" in refusal(approve(world, "dan"))
    assert "not delegated" in refusal(approve(world, "zoe", on_behalf_of="bob"))
    assert "asked for it" in refusal(approve(world, "ana", on_behalf_of="bob"))
    approve(world, "dan", on_behalf_of="bob")
    assert "already" in refusal(approve(world, "bob"))
    approve(world, "eve")
    assert world.run().state == "running"


def test_it_takes_the_capability_and_the_site() -> None:
    world = asked()
    (approval,) = world.approvals()
    target, params = f"approval:{approval.id}", {"plan_sha256": approval.plan_sha256}
    with pytest.raises(Refused, match="playbook:approve"):
        world.line.act("approve", target, scope=who("bob", "playbook:approve"), **params)
    result = world.line.act("approve", target, scope=who("bob", sites=frozenset({"Elsewhere"})), **params)
    assert "not found" in refusal(result)


def test_an_incident_of_several_sites_takes_somebody_who_sees_all_of_them() -> None:
    world = World(TEXT % "")
    world.line.fire("web-1", site="Depot")
    world.line.later(7200).fire("db-9", site="Harbour", name="Other")
    world.line.act("merge", "incident:1", "incident:2", scope=who("ana"))
    (number,) = {incident.id for incident in world.line.book.incidents.values() if incident.merged_into is None}
    assert {"Depot", "Harbour"} == set(world.line.book.incidents[number].sites)
    both = frozenset({"Depot", "Harbour"})
    target = f"incident:{number}"
    for site in ("Depot", "Harbour"):
        scope = who("gil", sites=frozenset({site}))
        assert "do not see" in refusal(world.line.act("run_playbook", target, scope=scope, playbook="mend"))
    world.line.act("run_playbook", target, scope=who("gil", sites=both), playbook="mend")
    (approval,) = world.approvals()
    params = {"plan_sha256": approval.plan_sha256}
    scope = who("bob", sites=frozenset({approval.site}))
    assert "do not see" in refusal(world.line.act("approve", f"approval:{approval.id}", scope=scope, **params))
    world.line.act("approve", f"approval:{approval.id}", scope=who("bob", sites=both), **params)
    assert world.work().run().state == "success"


def test_how_a_step_ended_is_said_by_somebody_who_sees_all_its_sites() -> None:
    """Yes or no, the run goes on from there, at sites that the others do not see."""
    world = World(TEXT % "")
    world.script["one"] = ["lost"]
    world.line.fire("web-1", site="Depot")
    world.line.later(7200).fire("db-9", site="Harbour", name="Other")
    world.line.act("merge", "incident:1", "incident:2", scope=who("ana"))
    (number,) = {incident.id for incident in world.line.book.incidents.values() if incident.merged_into is None}
    world.line.act("run_playbook", f"incident:{number}", scope=who("ana"), playbook="mend")
    (asks,) = world.approvals()
    world.line.act("approve", f"approval:{asks.id}", scope=who("bob"), plan_sha256=asks.plan_sha256)
    world.work().pass_time(41)
    (asks,) = world.approvals()
    assert (asks.asks, world.run().state) == ("outcome", "unknown")
    one, both = frozenset({asks.site}), frozenset({"Depot", "Harbour"})
    said = world.line.act("reject", f"approval:{asks.id}", scope=who("bob", sites=one), reason="no")
    assert "do not see" in refusal(said) and world.run().state == "unknown"
    assert world.line.act("reject", f"approval:{asks.id}", scope=who("bob", sites=both), reason="no").changed


def test_a_run_cannot_be_called_as_the_question_about_a_step_of_another_is() -> None:
    world = World(TEXT % "")
    world.script["one"] = ["lost"]
    world.line.fire("web-1")
    world.line.act("run_playbook", "incident:1", scope=who("ana"), request="x", playbook="mend")
    approve(world, "bob")
    world.work().pass_time(41)
    (asks,) = world.approvals()
    assert asks.asks == "outcome"
    request = asks.id.removeprefix("mend-I1-")
    world.line.act("run_playbook", "incident:1", scope=who("gil"), request=request, playbook="mend")
    assert asks in world.approvals() and len(world.approvals()) == 2


def test_it_expires_by_the_stored_time_before_any_tick() -> None:
    world = asked()
    world.line.later(1801)
    assert "expired" in refusal(approve(world, "bob"))
    world.line.tick(1)
    assert world.run().state == "expired"
    assert [one.state for one in world.approvals("expired")] == ["expired"]


def hold(world: World, by: str = "bob", **given: Any) -> CommandResult:
    (approval,) = world.approvals()
    return world.line.act("hold", f"approval:{approval.id}", scope=who(by), **given)


def test_held_it_waits_longer_and_keeps_its_votes() -> None:
    world = asked(", quorum: 2")
    approve(world, "bob")
    world.line.later(1700)
    hold(world, minutes=20, reason="eve is on her way")
    (held,) = world.approvals()
    assert (held.expires_at, held.held_by, len(held.votes)) == (at(3000), "bob", 1)
    assert world.run().expires_at == at(3000)
    assert [entry.text for entry in world.line.store.timeline if entry.kind == "approval_held"] == [
        "mend waits until 12:50:00Z: eve is on her way"
    ]
    world.line.tick(1200)
    assert world.run().state == "pending"
    world.line.restart()
    approve(world, "eve")
    assert world.run().state == "running"


def test_what_was_held_expires_all_the_same() -> None:
    world = asked()
    hold(world, minutes=20)
    world.line.at(3001)
    assert "expired" in refusal(approve(world, "bob"))
    assert "expired" in refusal(hold(world))
    world.line.tick(1)
    assert (world.run().state, world.approvals()) == ("expired", [])


def test_nothing_is_held_for_longer_than_a_day_nor_by_whoever_may_not_approve() -> None:
    world = asked()
    with pytest.raises(Refused, match="playbook:approve"):
        (approval,) = world.approvals()
        world.line.act("hold", f"approval:{approval.id}", scope=who("bob", "playbook:approve"))
    for minutes in (0, 1441):
        with pytest.raises(Refused):
            hold(world, minutes=minutes)
    hold(world, minutes=1440)
    assert world.run().expires_at == at(86_400)
    assert "for a day" in refusal(hold(world, minutes=1))


def test_a_question_that_does_not_expire_is_not_held() -> None:
    world = World(TEXT % ", mode: auto")
    world.script["one"] = ["crash"]
    world.line.fire("web-1")
    world.line.act("run_playbook", "incident:1", scope=who("ana"), playbook="mend")
    world.work().crash()
    assert "does not expire" in refusal(hold(world))
    assert world.run().state == "unknown"


def test_another_plan_than_the_one_that_is_asked_for_is_not_approved() -> None:
    world = asked()
    assert "not the plan" in refusal(approve(world, "bob", plan_sha256="0" * 64))


def test_a_plan_that_has_changed_is_asked_for_again_and_votes_are_void() -> None:
    world = asked(", quorum: 2")
    approve(world, "bob")
    before = world.approvals()[0].plan_sha256
    world.line.later(1).fire("web-1", severity="critical")
    assert "changed" in refusal(approve(world, "eve"))
    (again,) = world.approvals()
    assert again.plan_sha256 != before and again.votes == ()
    approve(world, "eve")
    approve(world, "bob")
    world.work()
    assert world.step("one").params["text"] == "critical"


def test_asking_anew_is_never_a_vote() -> None:
    world = asked()
    assert "asked for already" in refusal(approve(world, "bob", anew=True))
    world.line.later(1).fire("web-1", severity="critical")
    (before,) = world.approvals()
    assert "asked for again" in refusal(approve(world, "bob", anew=True))
    (again,) = world.approvals()
    assert again.plan_sha256 != before.plan_sha256
    assert "asked for already" in refusal(approve(world, "eve", anew=True)), "another was quicker"
    assert world.approvals()[0].votes == () and not world.work().acted
    assert world.run().state == "pending"


def test_a_run_keeps_the_definition_that_was_asked_for() -> None:
    world = asked()
    changed = playbook((TEXT % "").replace("version: 1", "version: 2").replace("name: one", "name: other"))
    world.line.restart(Rules(playbooks=changed))
    approve(world, "bob")
    world.work()
    assert [step.name for step in world.run().steps] == ["one"]
    assert world.run().state == "success"


def test_a_rejection_needs_a_reason_and_ends_it() -> None:
    world = asked()
    (approval,) = world.approvals()
    with pytest.raises(Refused):
        world.line.act("reject", f"approval:{approval.id}", scope=who("bob"))
    world.line.act("reject", f"approval:{approval.id}", scope=who("bob"), reason="not in office hours")
    assert world.run().state == "cancelled"
    assert "not in office hours" in world.run().reason


def test_nobody_answers_a_thousand_questions_in_a_minute() -> None:
    world = World(TEXT % "")
    world.line.take(*[unlike(f"s{number}") for number in range(40)])
    for number in range(1, 41):
        world.line.act("run_playbook", f"incident:{number}", request=f"r{number}", playbook="mend")
    targets = {one.id: one.plan_sha256 for one in world.approvals()}
    assert len(targets) == 40
    taken = 0
    for id, plan in targets.items():
        result = world.line.act("approve", f"approval:{id}", scope=who("bob"), plan_sha256=plan)
        taken += not result.refused
    assert taken == 10
    id, plan = next((one.id, one.plan_sha256) for one in world.approvals())
    other = world.line.act("approve", f"approval:{id}", scope=token("second", "bob"), plan_sha256=plan)
    assert "in a minute" in refusal(other), "another token makes nobody faster"
    world.line.later(61)
    again = world.approvals()[0]
    world.line.act("approve", f"approval:{again.id}", scope=who("bob"), plan_sha256=again.plan_sha256)
    assert len(world.approvals()) == 29


def test_a_question_about_an_incident_that_is_over_is_withdrawn() -> None:
    world = asked()
    world.line.act("resolve", "incident:1")
    world.line.tick(1)
    assert world.run().state == "cancelled"
    assert world.approvals() == []


def test_running_what_was_shown_takes_its_hash() -> None:
    world = asked()
    result = world.line.act("run_playbook", "incident:1", request="r2", playbook="mend", plan_sha256="0" * 64)
    assert "changed" in refusal(result)


def test_an_unknown_playbook_is_refused() -> None:
    world = asked()
    with pytest.raises(Refused, match="no playbook"):
        world.line.act("run_playbook", "incident:1", playbook="other")
