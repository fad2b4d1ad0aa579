"""Predictions on the line: made, alerted once, withdrawn, validated, and told apart by what came of them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from data.nouns.predictions import Prediction, PredictionExample
from engine.predictors.examples import unpacked
from engine.predictors.replay import examples_of
from engine.predictors.sla import FEATURES, PREDICTOR
from engine.rules import Rules
from tests.domain.timeline import At, World, guarded, hours
from tests.fakes.line import T0

EARLY = Rules(predict_at={"sla": 0.2, "device": 0.05, "staffing": 0.3})


def predictions(world: World, model: str) -> list[Prediction]:
    return [found for found in world.nouns("predictions") if found.model == model]


def one(world: World, model: str) -> Prediction:
    (found,) = predictions(world, model)
    return found


def late_ticket(world: World, due_s: float = hours(1.5), **given: Any) -> World:
    """A ticket that nobody has, due soon."""
    fields: dict[str, Any] = {"state": "NEW", "site": "Depot", "priority": "high", "type": "vpn", "title": "No vpn"}
    return world.say("ticket", 10, id="T1", due_at=At(due_s), **{**fields, **given})


def foretold(rules: Rules = EARLY) -> World:
    """A world in which the breach of T1 is foretold."""
    return late_ticket(guarded(rules, devices=False)).until(600)


def test_a_ticket_that_is_likely_late_is_foretold_with_reasons_and_one_alert() -> None:
    world = foretold()
    found = one(world, "sla")
    assert found.state == "open" and found.basis == "heuristic" and not found.version
    assert found.probability >= 0.2 and found.made_at < found.due_at
    assert found.entity == "T1" and found.entity_kind == "ticket" and found.site == "Depot" and found.client == "acme"
    assert found.reasons and "T1" in found.action
    (alert,) = world.alerts("sla_breach_predicted")
    assert alert.ended_at is None and alert.entity == "T1" and alert.annotations["prediction"] == found.id


def test_it_is_told_once_and_links_to_its_alert() -> None:
    world = foretold().until(2400)
    found = one(world, "sla")
    (alert,) = world.alerts("sla_breach_predicted")
    assert alert.count == 1
    assert (found.alert, found.incident) == (alert.id, alert.incident)
    assert [at for at, _ in found.history] == sorted(at for at, _ in found.history)


def test_the_event_makes_it_a_hit_and_links_to_what_it_foretold() -> None:
    world = foretold().until(hours(1.5) + 120)
    found = one(world, "sla")
    (breach,) = world.alerts("ticket_sla_breached")
    assert found.state == "hit" and found.foretold == breach.id
    assert found.event_at is not None and found.lead_s == (found.event_at - found.made_at).total_seconds()
    (alert,) = world.alerts("sla_breach_predicted")
    assert alert.ended_at is not None, "what was foretold is there: its own alert speaks for it"


def test_nothing_done_and_nothing_come_is_a_false_alarm() -> None:
    world = foretold()
    world.say("ticket", 700, id="T1", state="RESOLVED").until(hours(1.6))
    found = one(world, "sla")
    assert found.state == "false_alarm" and found.validated_at is not None and not found.acted
    assert world.alerts("sla_breach_predicted")[0].ended_at is not None


def test_an_act_before_the_end_makes_it_prevented() -> None:
    world = foretold()
    world.act("assign_ticket", "ticket:T1", assignee="eve")
    world.until(900).say("ticket", 950, id="T1", state="RESOLVED").until(hours(1.6))
    found = one(world, "sla")
    assert found.state == "prevented" and "eve" in found.acted and "ana" in found.acted
    assert found.acted_at is not None and found.acted_at > found.made_at


def test_what_becomes_unlikely_is_withdrawn_with_its_alert() -> None:
    world = foretold()
    world.say("ticket", 700, id="T1", due_at=At(hours(1.9)), state="IN_PROGRESS", assignee="eve")
    strict = {"sla": 0.97}
    made = one(world, "sla")
    record = replace(made, threshold=0.99)
    world.book.nouns["predictions"][made.tenant, made.id] = record
    world.rules = replace(world.rules, predict_at=strict)
    world.until(1000)
    found = one(world, "sla")
    assert found.state == "cleared" and found.cleared_at is not None
    assert world.alerts("sla_breach_predicted")[0].ended_at is not None


def test_an_event_that_nobody_was_warned_of_is_missed() -> None:
    world = late_ticket(guarded(replace(EARLY, predict_at={"sla": 0.99}), devices=False)).until(hours(1.5) + 120)
    found = one(world, "sla")
    assert found.state == "missed" and found.event_at is not None and found.probability < 0.99
    assert world.alerts("sla_breach_predicted") == []


def test_after_a_false_alarm_the_same_is_not_foretold_at_once() -> None:
    world = guarded(EARLY, devices=False)
    late_ticket(world).until(600)
    world.say("ticket", 700, id="T1", due_at=At(hours(3.4))).until(hours(2.2))
    states = [found.state for found in predictions(world, "sla")]
    assert states == ["false_alarm"], states


def test_fraud_tickets_are_never_foretold() -> None:
    world = guarded(EARLY, devices=False)
    world.say("ticket", 10, id="fraud-1", state="NEW", site="Depot", due_at=At(hours(1.2))).until(900)
    assert predictions(world, "sla") == []


def test_predictions_can_be_switched_off() -> None:
    assert predictions(late_ticket(guarded(Rules(predicting=False), devices=False)).until(900), "sla") == []


def test_each_outcome_is_kept_as_an_example_with_the_row_of_its_time() -> None:
    world = foretold().until(hours(1.5) + 120)
    (example,) = [found for found in world.nouns("prediction_examples") if found.model == "sla"]
    assert isinstance(example, PredictionExample)
    row = dict(zip(FEATURES, unpacked(example.row), strict=True))
    assert example.label and example.lead_s is not None and row["assigned"] == 0.0 and row["sla_used"] < 0.2


def test_a_restart_keeps_predictions_and_validates_them() -> None:
    world = foretold()
    made = one(world, "sla").id
    world.restart(EARLY)
    world.until(hours(1.5) + 200)
    found = one(world, "sla")
    assert (found.id, found.state) == (made, "hit")


def test_a_failing_device_is_foretold_and_its_outage_a_hit() -> None:
    world = guarded(EARLY)
    for number in range(12):
        world.say("device", 60 + 240 * number, id="r1", status="error", error="flash")
        world.say("device", 80 + 240 * number, id="gw", status="seen")
        if number % 3 == 2:
            world.say("device", 100 + 240 * number, id="r1", status="sync_failed")
        world.until(200 + 240 * number)
    found = one(world, "device")
    assert found.entity == "r1" and found.state == "open" and any("error" in reason for reason in found.reasons)
    world.say("device", None, id="r1", status="offline")
    world.until((world.now - T0).total_seconds() + 300)
    found = one(world, "device")
    assert found.state == "hit" and found.foretold == world.firing()["device_offline", "r1"].id


def test_a_healthy_device_is_not_foretold() -> None:
    world = guarded(EARLY)
    for number in range(20):
        world.say("device", 60 + 240 * number, id="r1", status="seen", battery=80)
        world.say("device", 60 + 240 * number, id="gw", status="seen").until(200 + 240 * number)
    assert predictions(world, "device") == []


def short_post(world: World) -> World:
    """One of two that a post needs is planned."""
    world.say(
        "shift", 20, id="s1", site="Depot", person="ann", post="day", starts_at=At(hours(2)), ends_at=At(hours(9))
    )
    return world.until(300)


def test_a_post_that_lacks_people_is_foretold_and_validated() -> None:
    world = short_post(guarded(EARLY, devices=False))
    found = one(world, "staffing")
    assert found.state == "open" and found.entity_kind == "post" and "fewer planned" in " ".join(found.reasons)
    assert [alert.name for alert in world.alerts("staffing_gap_predicted")] == ["staffing_gap_predicted"]
    world.until(hours(2) - 60).say("attendance", hours(2) - 30, person="ann", site="Depot", shift="s1")
    world.until(hours(2) + 1200)
    assert one(world, "staffing").state == "hit"


def test_a_replacement_prevents_it() -> None:
    world = short_post(guarded(EARLY, devices=False))
    world.say("shift", 400, id="s2", site="Depot", person="bob", post="day", starts_at=At(hours(2)),
              ends_at=At(hours(9))).until(hours(2) - 60)  # fmt: skip
    for number, person in enumerate(("ann", "bob")):
        world.say("attendance", hours(2) - 30 + number, person=person, site="Depot", shift=f"s{number + 1}")
    world.until(hours(2) + 1200)
    found = one(world, "staffing")
    assert found.state == "prevented" and "bob" in found.acted


def test_hostile_names_make_predictions_like_others() -> None:
    evil = "[red]\x1b]0;x\x07'; DROP/../T"
    world = guarded(EARLY, devices=False)
    world.say("ticket", 10, id=evil, state="NEW", site="Depot", title=evil * 20, due_at=At(hours(1.5))).until(600)
    assert one(world, "sla").entity == evil


def test_no_recorded_event_makes_no_example() -> None:
    assert examples_of(PREDICTOR, []) == []
