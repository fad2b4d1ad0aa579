"""From a condition to its finding, its ticket, the feed, and the verdict that tunes the threshold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from data.nouns.baselines import Baseline, Slot, Verdict
from data.nouns.world import Ticket, TicketStep
from data.records import DEFAULT_TENANT
from data.scope import CAPABILITIES, Scope
from engine.domain.baselines import judged, learned, tuned
from engine.domain.findings import open_findings
from engine.domain.rules import DomainRules
from engine.rules import Rules
from tests.domain.timeline import At, World, guarded, hours
from tests.fakes.line import T0


def rounds(world: World, number: int, starts: float) -> World:
    points = [{"id": name} for name in "abc"]
    window = {"starts_at": At(starts), "ends_at": At(starts + 1800)}
    return world.say(
        "tour", id=f"t{number}", action="scheduled", site="Depot", person="ann", checkpoints=points, **window
    )


def test_a_missed_round_becomes_an_alert_a_finding_and_a_ticket() -> None:
    world = rounds(guarded(devices=False), 1, 600.0).until(3600)
    (alert,) = world.alerts("tour_missed")
    (finding,) = world.nouns("findings")
    (ticket,) = world.nouns("tickets")
    assert (alert.starts_at - T0).total_seconds() == 2400 + 600
    assert (alert.received_at - T0).total_seconds() == 3000
    assert (finding.at - T0).total_seconds() == 3000
    assert (finding.type, finding.entity, finding.about) == ("tour_missed", "ann", "tour:t1")
    assert finding.evidence["not_scanned"] == 3
    assert (finding.ticket, ticket.finding) == (ticket.id, finding.id)
    assert (ticket.assignee, ticket.state, ticket.priority) == ("sam", "assigned", "high")
    assert "supervisor of Depot" in ticket.history[0].note
    kinds = [change.kind for change in world.store.changes if change.at == alert.received_at]
    assert kinds.index("tour_updated") < kinds.index("ticket_updated") < kinds.index("finding_created")
    assert "alert_created" in kinds


def test_one_ticket_in_four_hours_and_notes_for_the_rest() -> None:
    world = guarded(devices=False)
    for number in range(4):
        rounds(world, number, 600.0 + 3600.0 * number)
    world.until(600 + 3 * 3600 + 3600)
    missed = [finding for finding in world.nouns("findings") if finding.type == "tour_missed"]
    (ticket,) = world.nouns("tickets")
    assert len(missed) == 4
    assert [finding.id in step.note for finding, step in zip(missed, _noted(ticket), strict=True)] == [True] * 4
    assert {finding.ticket for finding in missed} == {ticket.id}
    rounds(world, 9, 18_000.0).until(24_000)
    assert len(world.nouns("tickets")) == 2


def _noted(ticket: Ticket) -> list[TicketStep]:
    """The steps of the history that are about missed rounds."""
    return [step for step in ticket.history if "opened for" in step.note or "was not walked" in step.note]


@pytest.mark.parametrize(
    ("site", "expected", "why"),
    [
        ({"supervisor": "sam", "client": "acme"}, "sam", "supervisor of"),
        ({"client": "acme"}, "mia", "manager of acme"),
        ({}, "oscar", "on call"),
    ],
)
def test_who_gets_the_ticket(site: dict[str, str], expected: str, why: str) -> None:
    world = World(Rules(domain=DomainRules(on_call="oscar")))
    world.say("client", 0, id="acme", manager="mia").say("site", 0, id="Depot", **site)
    rounds(world, 1, 600.0).until(3600)
    (ticket,) = world.nouns("tickets")
    assert ticket.assignee == expected
    assert why in ticket.history[0].note


def test_a_finding_is_cleared_when_its_condition_is_over_and_survives_a_restart() -> None:
    world = guarded().say("device", 0, id="gw", status="offline").until(hours(1), 60)
    (finding,) = [found for found in world.nouns("findings") if found.type == "device_offline"]
    world.restart()
    world.until(hours(1.5), 60)
    assert len([found for found in world.nouns("findings") if found.type == "device_offline"]) == 1
    world.say("device", id="gw", status="online").say("device", id="r1").until(hours(1.7), 60)
    found = world.noun("findings", finding.id)
    assert (found.state, found.cleared_at is not None) == ("cleared", True)
    draft = world.draft(world.envelope("tick", None))  # type: ignore[arg-type]
    assert finding.id not in open_findings(draft).get((DEFAULT_TENANT, "device_offline"), ())


def test_a_false_alarm_is_dismissed_noted_and_does_not_come_again() -> None:
    world = rounds(guarded(devices=False), 1, 600.0).until(3600)
    (finding,) = world.nouns("findings")
    result = world.act("judge_finding", f"finding:{finding.id}", verdict="false_alarm", note="drill")
    assert result.changed == (f"finding:{finding.id}",)
    world.until(7200)
    (again,) = [found for found in world.nouns("findings") if found.type == "tour_missed"]
    assert (again.state, again.disposition, again.disposed_by) == ("dismissed", "false_alarm", "ana")
    assert again.note == "drill"
    (ticket,) = world.nouns("tickets")
    assert any("false alarm - drill" in step.note for step in ticket.history)


def test_acts_on_tickets_keep_to_the_states_and_the_sites() -> None:
    world = guarded(devices=False).say("ticket", 0, id="T1", state="NEW", priority="high", site="Depot")
    world.act("assign_ticket", "ticket:T1", assignee="bob")
    world.act("move_ticket", "ticket:T1", state="in_progress")
    world.later(60).act("note_ticket", "ticket:T1", text="looking")
    found = world.noun("tickets", "T1")
    assert (found.state, found.assignee, found.history[-1].note) == ("in_progress", "bob", "looking")
    world.later(60).act("move_ticket", "ticket:T1", state="resolved")
    world.later(60).act("move_ticket", "ticket:T1", state="closed")
    refused = world.later(60).act("move_ticket", "ticket:T1", state="in_progress").refused
    assert refused == {"ticket:T1": "it is closed: it can become nothing any more"}
    elsewhere = Scope(tenant=DEFAULT_TENANT, actor="eve", capabilities=CAPABILITIES, sites=frozenset({"Harbour"}))
    assert "not found" in world.act("note_ticket", "ticket:T1", scope=elsewhere, text="x").refused["ticket:T1"]


def test_an_operator_opens_a_ticket() -> None:
    world = guarded(devices=False)
    result = world.act("ticket", request="r-1", title="lock is stuck", site="Depot", priority="high")
    found = world.noun("tickets", result.id)
    assert (found.assignee, found.client, found.title) == ("sam", "acme", "lock is stuck")
    assert (found.due_at - found.opened_at) == timedelta(hours=1)


# -- baselines


def test_what_is_usual_and_what_is_not() -> None:
    slot = Slot()
    for value in (10, 12, 8, 11, 9, 10, 12, 8):
        slot = learned(slot, value)
    assert slot.mean == pytest.approx(10.0)
    z, mean, spread = judged({"5": slot}, 5, 25.0) or (0.0, 0.0, 0.0)
    assert (round(mean), z > 3.0, spread >= 10**0.5) == (10, True, True)
    assert judged({"5": slot}, 6, 25.0) is None, "nothing is known of this hour"
    assert judged({"5": slot}, 29, 25.0) is not None, "the same hour of other days stands in"


@pytest.mark.parametrize(
    ("false", "true", "samples", "old", "new"),
    [
        (4, 6, 200, 3.0, 3.25),
        (3, 7, 200, 3.0, 3.0),
        (0, 10, 200, 3.0, 2.75),
        (0, 10, 99, 3.0, 3.0),
        (9, 1, 200, 5.0, 5.0),
        (0, 9, 200, 2.0, 2.0),
        (2, 0, 200, 3.0, 3.0),
    ],
)
def test_the_weekly_rule(false: int, true: int, samples: int, old: float, new: float) -> None:
    verdicts = [Verdict(T0, number < false, f"f{number}") for number in range(false + true)]
    assert tuned(old, verdicts, T0, samples, 2.0, 5.0).threshold == new
    late = T0 + timedelta(days=31)
    assert tuned(old, verdicts, late, samples, 2.0, 5.0).threshold == old, "old verdicts count no more"


def test_a_threshold_moves_with_verdicts_and_is_put_back() -> None:
    world = guarded(devices=False)
    verdicts = tuple(Verdict(T0, number < 5, f"f{number}") for number in range(10))
    of = {"tenant": DEFAULT_TENANT, "entity": "Depot", "entity_type": "site", "metric": "m"}
    baseline = Baseline(id="b", at=T0, samples=300, verdicts=verdicts, **of)
    world.book.nouns["baselines"][DEFAULT_TENANT, "b"] = baseline
    world.tick(30)
    assert world.noun("baselines", "b").threshold == 3.25
    (change,) = world.nouns("thresholds")
    assert (change.old, change.new, change.false_alarms, change.alarms, change.rate) == (3.0, 3.25, 5, 10, 0.5)
    assert "threshold_changed" in [entry.kind for entry in world.store.changes]
    world.until(120)
    assert len(world.nouns("thresholds")) == 1
    world.act("undo_threshold", f"threshold:{change.id}")
    assert world.noun("baselines", "b").threshold == 3.0
    assert world.noun("thresholds", change.id).undone_by == "ana"


def test_an_hour_without_the_usual_signs_is_a_finding() -> None:
    world = guarded(devices=False)
    for day in range(6):
        for minute in range(0, 60, 2):
            seconds = 86_400.0 * day + 60.0 * minute
            if day < 5:
                world.say("activity", seconds, person="bob", kind="phone", site="Depot", count=minute + 1)
        world.until(86_400.0 * day + 7200, 300)
        world.now = T0 + timedelta(days=day + 1) - timedelta(minutes=10)
        world.tick(0)
        world.until(86_400.0 * (day + 1), 60)
    low = [found for found in world.nouns("findings") if found.type == "activity_low" and found.entity == "Depot"]
    assert len(low) == 1
    assert low[0].evidence["value"] == 0.0
    world.act("judge_finding", f"finding:{low[0].id}", verdict="true_alarm")
    assert [verdict.false_alarm for verdict in world.noun("baselines", low[0].baseline).verdicts] == [False]
