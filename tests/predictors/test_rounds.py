"""Rounds: everything gets its turn, a tick does a bounded part of it, and what is remembered survives a start."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from data.nouns.world import Device, Ticket
from data.records import DEFAULT_TENANT
from engine.book import Draft
from engine.domain.predictions import keep_remembered
from engine.predictors import rounds, ticket_memory, tracking
from engine.predictors.examples import packed
from engine.predictors.memory import DEVICES, EFFECTS, RATES
from engine.rules import Rules
from tests.domain.timeline import At, World, guarded
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


def ready(number: int, rules: Rules | None = None) -> World:
    """A crowded world in which the first slice has scored."""
    world = crowded(number)
    world.rules = rules or world.rules
    while not waiting(world):
        tick(world)
    return world


class Watch:
    """A stopwatch that shows so many seconds more each time it is looked at."""

    def __init__(self, step: float) -> None:
        self._seconds, self._step = 0.0, step

    def __call__(self) -> float:
        self._seconds += self._step
        return self._seconds


def test_a_tick_scores_a_bounded_number_and_a_round_reaches_all() -> None:
    world, most, before = crowded(500), 0, 0
    for _ in range(40):
        tick(world)
        scored = len(waiting(world))
        most, before = max(most, scored - before), scored
    assert most <= rounds.BUDGET // rounds.SCORE + 1
    assert {key[1] for key in world.book.derived["predictions.pending"]} == {"sla", "device"}
    assert before == 1000


def test_a_clock_that_runs_fast_sees_more_on_each_tick() -> None:
    seen = {}
    for seconds in (1.0, 60.0):
        world = ready(500)
        before = len(waiting(world))
        world.later(seconds - 1.0)
        tick(world)
        seen[seconds] = len(waiting(world)) - before
    assert 0 < seen[60.0] <= rounds.CATCH_UP * (seen[1.0] + 1) and seen[60.0] > 3 * seen[1.0]


def test_a_slice_ends_when_its_time_is_up_and_the_next_tick_goes_on() -> None:
    scored = {}
    for step in (0.0, rounds.SLICE_S / 10.0, 10.0 * rounds.SLICE_S):
        world = ready(100, Rules(stopwatch=Watch(step)))
        before = len(waiting(world))
        tick(world)
        scored[step] = len(waiting(world)) - before
        for _ in range(400):
            tick(world)
        assert len(waiting(world)) == 200, "however short a slice is, a round reaches all"
    most, some, least = scored.values()
    assert most > 30 > some > 1 == least


def test_after_a_start_nothing_is_scored_before_all_that_was_known_is_taken_back() -> None:
    world = crowded(600)
    tick(world)
    assert not waiting(world) and len(ticket_memory._left(draft_of(world))) > 200
    for _ in range(4):
        tick(world)
    assert ticket_memory.busy(draft_of(world), DEFAULT_TENANT, {"site": "Depot"})["site"] == 600.0
    assert waiting(world)


def test_a_ticket_that_changes_while_tickets_are_taken_back_counts_once() -> None:
    world = crowded(600)
    tick(world)
    left = ticket_memory._left(draft_of(world))
    first, second = [key for key in left if key in world.book.nouns["tickets"]][-2:]
    world.say("ticket", None, id=first[1], site="Roof")
    world.say("ticket", None, id=second[1], state="RESOLVED")
    for _ in range(10):
        tick(world)
    for site, number in (("Depot", 598.0), ("Roof", 1.0)):
        assert ticket_memory.busy(draft_of(world), DEFAULT_TENANT, {"site": site})["site"] == number


def draft_of(world: World) -> Draft:
    return Draft(world.book, world.rules, DEFAULT_TENANT, world.now)


def test_a_draft_that_is_dropped_leaves_the_round_where_it_was() -> None:
    world = ready(200)
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


def waiting(world: World) -> dict[Any, Any]:
    return dict(world.book.derived.get("predictions.pending", {}))


def test_scores_that_wait_for_their_outcome_survive_a_start() -> None:
    world = guarded(Rules(predict_at={"sla": 0.99}), devices=False)
    world.say("ticket", 10, id="T1", state="NEW", site="Depot", due_at=At(5400.0))
    world.say("ticket", 10, id="T2", state="NEW", site="Depot", due_at=At(5700.0))
    world.say("shift", 20, id="s1", site="Depot", person="ann", post="day", starts_at=At(7200), ends_at=At(30_000))
    before = waiting(world.until(600))
    assert {key[1:] for key in before} >= {("sla", "T1"), ("sla", "T2")} and any(key[1] == "staffing" for key in before)
    world.restart()
    assert not waiting(world)
    found = waiting(world.until(630))
    assert {key: (one.id, one.at, one.due) for key, one in found.items()} == {
        key: (one.id, one.at, one.due) for key, one in before.items()
    }
    world.say("ticket", 700, id="T2", state="RESOLVED").until(5520)
    world.restart()
    world.until(7500)
    examples = {one.entity: one for one in world.nouns("prediction_examples") if one.model == "sla"}
    for name, came in (("T1", True), ("T2", False)):
        score = before[DEFAULT_TENANT, "sla", name]
        assert (examples[name].at, examples[name].label) == (score.at, came), name
        assert examples[name].row == packed(score.row)
    assert len([one for one in world.nouns("prediction_examples") if one.model == "sla"]) == 2
    assert {one.state for one in world.nouns("waiting_scores") if one.model == "sla"} == {"over"}


def test_a_score_whose_horizon_ended_while_nobody_listened_has_no_outcome() -> None:
    world = guarded(Rules(predict_at={"sla": 0.99}), devices=False)
    world.say("ticket", 10, id="T1", state="NEW", site="Depot", due_at=At(5400.0)).until(600)
    world.restart()
    world.at(3 * 3600.0).tick()
    world.until(3 * 3600.0 + 120)
    assert not waiting(world) and not world.nouns("prediction_examples")
    assert {one.state for one in world.nouns("waiting_scores")} == {"over"}


def test_a_draft_that_is_dropped_keeps_no_score() -> None:
    world = crowded(5)
    draft = tick(world)
    assert draft.nouns and waiting(world)
    draft.drop()
    assert not waiting(world) and not world.book.nouns["waiting_scores"]
