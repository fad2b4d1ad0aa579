"""Samples on the line: anomalies, missing series, the rhythm of sources, hooks, and drafts that are dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sin, tau

import pytest

from engine import pipeline
from engine.book import Batch, Draft
from engine.domain import detection, samples
from engine.domain.events import DomainEvent
from engine.domain.samples import look_at_series
from engine.ports import EnvelopeKind
from tests.domain.timeline import World, event
from tests.fakes.line import at

LABELS = {"site": "Depot", "device": "gw"}


def wave(number: int) -> float:
    """A daily wave with a little noise that repeats with no day."""
    return 50.0 + 10.0 * sin(number / 288 * tau) + 0.5 * sin(number * 1.7)


def fed(world: World, first: int, last: int, values: dict[int, float] | None = None) -> World:
    """Samples every five minutes."""
    for number in range(first, last):
        value = (values or {}).get(number, wave(number))
        world.say("sample", 300.0 * number, name="cpu", value=value, labels=LABELS)
    return world


def test_a_start_raises_no_storm() -> None:
    world = fed(World(), 0, 60, {5: 900.0, 20: -300.0})
    assert world.alerts() == []


def _told(world: World) -> int:
    return sum(change.kind == "anomaly_detected" for change in world.store.changes)


def test_a_spike_is_told_once_and_cleared() -> None:
    world = fed(World(), 0, 600)
    before = _told(world)
    world = fed(world, 600, 601, {600: 500.0})
    (alert,) = [found for found in world.alerts("metric_anomaly") if found.ended_at is None]
    assert (alert.site, alert.entity) == ("Depot", "gw")
    record = world.nouns("anomalies")[-1]
    assert _told(world) == before + 1
    assert (record.state, record.value, record.name) == ("open", 500.0, "cpu")
    assert record.at == at(300.0 * 600), "it is judged as it comes"
    world = fed(world, 601, 640)
    assert "metric_anomaly" not in world.names()
    assert world.noun("anomalies", record.id).state == "closed"
    kinds = [change.kind for change in world.store.changes if change.subject.startswith("anomaly:")]
    assert kinds[-2:] == ["anomaly_detected", "anomaly_ended"]


def test_a_series_that_stops_is_missing_until_it_goes_on() -> None:
    world = fed(World(), 0, 400).until(300.0 * 400 + 1800, 60)
    (record,) = [found for found in world.nouns("anomalies") if found.kind == "missing"]
    assert "metric_anomaly" in world.names()
    fed(world, 407, 408)
    assert world.noun("anomalies", record.id).state == "closed"
    assert "metric_anomaly" not in world.names()


def test_what_is_usual_survives_a_restart() -> None:
    world = fed(World(), 0, 300)
    world.until(300.0 * 300 + 3600, 60)
    fed(world, 312, 330).tick(60).restart()
    fed(world, 330, 331, {330: 900.0})
    assert "metric_anomaly" in world.names()


def test_a_dropped_tick_was_not_learned() -> None:
    world = fed(World(), 0, 150)
    rows = [event("sample", 300.0 * 150, name=name, value=5.0, labels=LABELS) for name in ("cpu", "mem", "cpu")]
    detector = world.book.derived["domain.detector"]["detector"]
    envelope = world.envelope(EnvelopeKind.EVENTS, rows)
    draft = world.draft(envelope)
    pipeline.run(draft, envelope)
    draft.drop()
    journal = world.book.derived["domain.detector"]["journal"]
    assert journal == {}
    again = World()
    fed(again, 0, 150)
    assert _columns(detector) == _columns(again.book.derived["domain.detector"]["detector"])


def _columns(detector: object) -> list[bytes]:
    """What is known of the first series."""
    return [columns.matrix[:, :1].tobytes() for columns in detector._all()]  # type: ignore[attr-defined]


def test_beyond_its_room_the_simple_judge_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detection, "MOST", 0)
    world = fed(World(), 0, 300)
    fed(world, 300, 301, {300: 900.0})
    assert "metric_anomaly" in world.names()


@pytest.fixture
def sink() -> Iterator[list[int]]:
    sizes: list[int] = []

    def gather(draft: Draft, events: Sequence[DomainEvent]) -> None:
        sizes.append(len(events))

    samples.sample_sink(gather)
    yield sizes
    samples._SINKS.pop(f"{gather.__module__}.{gather.__name__}")


def test_a_sink_gets_a_delivery_once(sink: list[int]) -> None:
    rows = [event("sample", number, name="cpu", value=1.0, event_id="one") for number in range(7)]
    World().take_events(*rows)
    assert sink == [7]


def test_a_source_with_a_rhythm_that_falls_silent() -> None:
    world = World()
    for beat in range(40):
        world.say("sample", 60.0 * beat, name="beat", value=1.0)
    world.until(60 * 39 + 170, 5)
    assert "source_silent" not in world.names()
    world.until(60 * 39 + 260, 5)
    assert world.names() == ["source_silent"]
    assert len(world.alerts("source_silent")) == 1
    world.restart().later(30)
    world.say("sample", name="beat", value=1.0)
    assert world.names() == []


def test_a_source_that_speaks_only_when_something_is_wrong_is_never_silent() -> None:
    world = World()
    for number in range(40):
        world.say("sample", 3000.0 * (number // 5) + 5.0 * (number % 5), name="beat", value=1.0)
    world.later(86_400 * 3).tick(0)
    assert "source_silent" not in world.names()


def test_many_series_are_looked_at_a_few_on_each_tick_and_each_within_two_minutes() -> None:
    world = World()
    for number in range(240):
        world.say("sample", 1.0, event_id=str(number), name=f"m{number}", value=1.0, labels={})
    seen: list[set[str]] = []
    for second in range(3600, 3600 + 130):
        world.at(second)
        draft = world.draft(world.envelope(EnvelopeKind.TICK, None))
        look_at_series(draft)
        seen.append({id for kind, _, id in draft.nouns if kind == "series"})
        Batch(world.book).absorb(draft)
    assert max(map(len, seen)) <= 5, "a sixtieth, rounded up"
    assert len(set().union(*seen)) == 240, "an hour has passed: each was written down"
    assert sum(map(len, seen)) == 240, "and once"
