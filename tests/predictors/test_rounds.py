"""Rounds: everything gets its turn, a tick does a bounded part of it, and what is remembered survives a start."""

from __future__ import annotations

from datetime import timedelta

from data.nouns.world import Device, Ticket
from data.records import DEFAULT_TENANT
from engine.book import Draft
from engine.domain.predictions import keep_remembered
from engine.predictors import rounds, tracking
from engine.predictors.memory import DEVICES, EFFECTS, RATES
from engine.rules import Rules
from tests.domain.timeline import World, guarded
from tests.fakes.line import T0


def crowded(number: int) -> World:
    """Devices that are heard and tickets that are due, put straight into the Book."""
    world = World()
    for index in range(number):
        device = Device(
            tenant=DEFAULT_TENANT, id=f"d{index}", at=T0, type="camera", site="Depot", state="online", last_seen=T0
        )
        ticket = Ticket(
            tenant=DEFAULT_TENANT, id=f"t{index}", opened_at=T0, site="Depot", due_at=T0 + timedelta(minutes=90)
        )
        world.book.nouns["devices"][DEFAULT_TENANT, device.id] = device
        world.book.nouns["tickets"][DEFAULT_TENANT, ticket.id] = ticket
    world.book.derived["domain.listening"] = {DEFAULT_TENANT: T0 - timedelta(hours=2)}
    return world


def tick(world: World) -> Draft:
    world.later(1.0)
    draft = Draft(world.book, world.rules, DEFAULT_TENANT, world.now)
    rounds.step(draft)
    return draft


def test_a_tick_scores_a_bounded_number_and_a_round_reaches_all() -> None:
    world, most, before = crowded(500), 0, 0
    for _ in range(40):
        tick(world)
        scored = len(world.book.derived["predictions.pending"])
        most, before = max(most, scored - before), scored
    assert most <= rounds.BUDGET // rounds.SCORE + 1
    assert {key[1] for key in world.book.derived["predictions.pending"]} == {"sla", "device"}
    assert before == 1000


def test_a_draft_that_is_dropped_leaves_the_round_where_it_was() -> None:
    world = crowded(200)
    tick(world)
    table = world.book.derived["predictions.round"]
    at, part, waiting = table["at"], table["part"], len(world.book.derived["predictions.pending"])
    tick(world).drop()
    assert (table["at"], table["part"]) == (at, part)
    assert len(world.book.derived["predictions.pending"]) == waiting


def test_predictions_at_once_are_bounded() -> None:
    world = crowded(tracking.MOST_OPEN + 100)
    world.rules = Rules(predict_at={"sla": 0.01, "device": 0.0000001})
    for _ in range(400):
        tick(world)
    models = [found.model for found in world.book.nouns["predictions"].values()]
    assert models.count("sla") == tracking.MOST_OPEN and models.count("device") == tracking.MOST_OPEN


def test_what_is_remembered_survives_a_start() -> None:
    world = guarded()
    for number in range(5):
        world.say("ticket", 10 + number, id=f"T{number}", state="NEW", site="Depot", type="vpn", priority="high")
        world.say("ticket", 900 + number, id=f"T{number}", state="RESOLVED")
        world.say("device", 1000 + 60 * number, id="r1", status="sync_failed")
    world.until(2000)
    for _ in range(8):
        world.later(60.0)
        draft = world.draft(world.envelope("tick", None))  # type: ignore[arg-type]
        keep_remembered(draft)
        for record in draft.nouns.values():
            world.store.nouns["learned", record.tenant, record.id] = record
    before = {name: dict(world.book.derived[name]) for name in (EFFECTS, DEVICES)}
    assert before[EFFECTS] and before[DEVICES]
    world.restart()
    world.until(2000)
    world.tick(30.0)
    for name, rows in before.items():
        assert world.book.derived[name] == rows
    assert RATES in world.book.derived
