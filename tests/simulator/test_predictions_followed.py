"""Predictions about the simulated operation, followed from the first score over a restart to what came of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from msgspec import json

from data.nouns.predictions import Prediction
from data.records import DEFAULT_TENANT
from engine.formats.cloudevents import parse_event
from engine.ports import EnvelopeKind, Received
from engine.rules import Rules
from engine.simulator import DEFAULT_START, Simulator
from tests.domain.timeline import World

OUTCOMES = {"hit", "false_alarm", "prevented"}
#: The demo at sixty times the pace: a tick a minute of its world.
TICK = timedelta(minutes=1)
#: Devices are told of early: single failures are hours apart, and a test looks at the first.
RULES = Rules(predict_at={"device": 0.05})


class Played:
    """A simulated operation on the line, from `hour` of its first day on, without its samples."""

    def __init__(self, seed: int, hour: float, *, scale: float, routine: bool = True) -> None:
        self.world = World(RULES)
        self.start = DEFAULT_START + timedelta(hours=hour)
        before = self.start - timedelta(hours=4)
        self._simulator = Simulator(seed, scale, before, planned_from=self.start, routine=routine)
        self._ticked = self.start - TICK

    def minutes(self, most: int) -> Iterator[int]:
        """Play on minute by minute → the minutes since the start."""
        for minute in range(most):
            until = self.start + timedelta(minutes=minute)
            for event in self._simulator.events(until):
                if event["type"] != "noc.sample":
                    self._take(event)
            self.world.now = until
            self.world.put(self.world.envelope(EnvelopeKind.TICK, self._ticked))
            self._ticked = until
            yield minute

    def _take(self, event: dict[str, Any]) -> None:
        self.world.now = at = datetime.fromisoformat(event["time"])
        received = Received(body=b"", headers={}, source="simulator", tenant=DEFAULT_TENANT, now=at)
        parsed = parse_event(json.decode(json.encode(event)), received)
        for part in (parsed, *parsed.parts):
            for kind, payload in ((EnvelopeKind.EVENTS, part.events), (EnvelopeKind.SIGNALS, part.signals)):
                if payload:
                    self.world.put(self.world.envelope(kind, payload))

    def of(self, model: str) -> list[Prediction]:
        return [one for one in self.world.nouns("predictions") if one.model == model and one.state != "missed"]


def check(world: World, found: Prediction) -> None:
    """What is true of every prediction that has its outcome."""
    assert found.state in OUTCOMES and found.basis == "heuristic" and found.reasons and found.action
    assert found.validated_at is not None and found.made_at < found.validated_at
    assert found.threshold <= found.first <= 1.0 and found.history[0].at == found.made_at
    if found.state == "hit":
        assert found.event_at is not None and found.made_at < found.event_at <= found.due_at
    else:
        assert found.due_at <= found.validated_at
    alert = world.store.alerts.get(found.alert) if found.alert is not None else None  # type: ignore[call-overload]
    assert alert is None or alert.ended_at is not None, "it speaks no longer"
    scored = [one for one in world.nouns("prediction_examples") if one.entity == found.entity]
    assert found.state == "false_alarm" or any(one.at <= found.made_at for one in scored), "what was scored is kept"


def test_a_breach_and_a_failure_are_foretold_kept_over_a_restart_and_validated() -> None:
    played = Played(3, 14.0, scale=0.1)
    restarted: dict[str, Prediction] = {}
    over: dict[str, Prediction] = {}
    for _ in played.minutes(240):
        if not restarted and played.of("sla") and played.of("device"):
            restarted = {one.id: one for model in ("sla", "device") for one in played.of(model) if one.state == "open"}
            scores = {key: one.at for key, one in played.world.book.derived["predictions.pending"].items()}
            played.world.restart(RULES)
        over = {one.model: one for id in restarted if (one := played.world.noun("predictions", id)).validated_at}
        if over.keys() == {"sla", "device"}:
            break
    assert over.keys() == {"sla", "device"}, restarted
    for id, before in restarted.items():
        found = played.world.noun("predictions", id)
        assert (found.made_at, found.entity, found.first) == (before.made_at, before.entity, before.first)
        if found.validated_at is not None:
            check(played.world, found)
    kept = {(DEFAULT_TENANT, one.model, one.entity): one.at for one in played.world.nouns("prediction_examples")}
    assert any(scores.get(key) == at for key, at in kept.items()), "a score of before the restart has its outcome"


def test_a_shift_that_lacks_people_is_foretold_and_validated() -> None:
    played = Played(1, 3.0, scale=0.2, routine=False)
    for _ in played.minutes(200):
        over = [one for one in played.of("staffing") if one.validated_at is not None]
        if over:
            break
    check(played.world, over[0])
