"""Devices as a whole: a relation that breaks is an anomaly of it with its reasons, whatever the cut."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import msgspec
import pytest

from data.nouns.samples import AnomalyRecord
from engine import pipeline
from engine.domain import device_scores
from engine.domain.events import DomainEvent
from engine.ports import EnvelopeKind
from tests.domain.timeline import World, event

NAMES = ("cpu", "requests", "power", "heat")


def record(number: int, broken: bool = False) -> list[DomainEvent]:
    """Four metrics of a device that follow one load; broken: one of them goes against it, within its range."""
    random = Random(number)
    load = random.uniform(20.0, 80.0)
    values = [load * factor + random.gauss(0.0, 0.3) for factor in (1.0, 2.0, 0.5, 3.0)]
    if broken:
        values[1] = 2.0 * (100.0 - load)
    labels = {"site": "Depot", "device": "gw"}
    return [
        event("sample", 60.0 * number, event_id=f"{name}{number}", name=name, value=value, labels=labels)
        for name, value in zip(NAMES, values, strict=True)
    ]


def told(world: World, *rows: DomainEvent) -> World:
    world.now = max(world.now, max(row.at for row in rows))
    return world.take_events(*rows)


def learned(size: int = 2000) -> World:
    """A world that has heard 500 records, in deliveries of so many samples."""
    world, rows = World(), [row for number in range(500) for row in record(number)]
    for first in range(0, len(rows), size):
        told(world, *rows[first : first + size])
    return world


def broken(world: World) -> AnomalyRecord:
    """The anomaly of a relation that is broken until it is told."""
    for number in range(500, 530):
        told(world, *record(number, broken=True))
        for found in world.nouns("anomalies"):
            if found.kind == device_scores.KIND:
                assert isinstance(found, AnomalyRecord)
                return found
    raise AssertionError("it was not told")


@pytest.mark.parametrize("size", [2000, 4, 3])
def test_a_broken_relation_is_an_anomaly_of_the_device_and_names_the_metric(size: int) -> None:
    world = learned(size)
    found = broken(world)
    assert (found.entity, found.site, found.state, found.detector) == ("gw", "Depot", "open", "device")
    assert next(iter(found.reasons)) == "requests"
    assert found.score >= (found.expected or 0.0)
    alert = next(a for a in world.alerts("metric_anomaly") if a.labels["series"] == "device:gw")
    assert (alert.entity, alert.ended_at) == ("gw", None)
    assert "requests" in alert.title and "requests" in alert.annotations["reasons"]
    for number in range(530, 560):
        told(world, *record(number))
    assert world.noun("anomalies", found.id).state == "closed"
    assert world.alerts("metric_anomaly")[-1].ended_at is not None


def test_an_anomaly_goes_on_after_a_restart_and_ends_when_the_device_is_silent() -> None:
    world = learned()
    found = broken(world)
    world.restart()
    world.tick(60)
    assert world.noun("anomalies", found.id).state == "open"
    world.now += timedelta(hours=7)
    world.tick(60)
    assert world.noun("anomalies", found.id).state == "closed"


def test_a_dropped_record_was_not_learned() -> None:
    world = learned()
    place = (world.tenant, "gw")
    before = world.book.derived["domain.devices_watched"][place]
    state = before.model.state()
    envelope = world.envelope(EnvelopeKind.EVENTS, record(500, broken=True))
    draft = world.draft(envelope)
    pipeline.run(draft, envelope)
    assert before.model.state() != state
    draft.drop()
    assert world.book.derived["domain.devices_watched"][place] is before
    assert before.model.state() == state


def test_a_new_metric_begins_the_learning_anew_and_few_metrics_are_not_judged() -> None:
    world = learned()
    told(world, event("sample", 60.0 * 500, name="disk", value=1.0, labels={"device": "gw"}))
    told(world, event("sample", 60.0 * 500, name="one", value=1.0, labels={"device": "pair"}))
    watched = world.book.derived["domain.devices_watched"]
    assert watched[world.tenant, "gw"].model is None
    for number in range(501, 530):
        told(world, event("sample", 60.0 * number, name="one", value=1.0, labels={"device": "pair"}))
    assert watched[world.tenant, "pair"].model is None
    assert world.book.derived["domain.devices_room"]["cells"] == 0


def test_repeated_and_late_samples_are_not_taken_twice() -> None:
    once, twice = World(), World()
    rows = [row for number in range(200) for row in record(number)]
    told(once, *rows)
    again = [row for number in range(200) for row in (*record(number), *record(max(0, number - 1)))]
    told(twice, *(msgspec.structs.replace(row, id=str(place)) for place, row in enumerate(again)))
    place = (once.tenant, "gw")
    states = [world.book.derived["domain.devices_watched"][place].model.state() for world in (once, twice)]
    assert states[0] == states[1]


def test_room_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_scores, "CELLS", 15)
    world = learned()
    assert world.book.derived["domain.devices_watched"][world.tenant, "gw"].model is None
