"""Arrival: late and twice, never lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from engine.simulator import Simulator
from engine.simulator.delivery import disordered
from engine.simulator.operation import Event


def sent() -> list[Event]:
    simulator = Simulator(5, 0.1)
    return list(simulator.events(simulator.start + timedelta(hours=3)))


def test_some_come_late_and_some_twice_and_none_is_lost() -> None:
    events = sent()
    arrived = list(disordered(events, 1, late=0.1, repeated=0.05))
    times = Counter(event["id"] for event in arrived)
    assert times.keys() == {event["id"] for event in events}
    assert set(times.values()) == {1, 2}
    assert [event["time"] for event in arrived] != sorted(event["time"] for event in arrived)
    newest = datetime.fromisoformat(events[0]["time"])
    for event in arrived:
        at = datetime.fromisoformat(event["time"])
        newest = max(newest, at)
        assert newest - at <= timedelta(minutes=10)


def test_the_same_seed_gives_the_same_arrivals() -> None:
    assert list(disordered(sent(), 3)) == list(disordered(sent(), 3))
    assert list(disordered(sent(), 3, late=0, repeated=0)) == sent()
